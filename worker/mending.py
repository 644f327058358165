"""What is made of passages that may be wrong: decoded again, replaced where that is better, else doubted.

Pure but for `again`, which decodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from pipeline.model import Doubt, Word
from worker.faults import (
    CUT_OFF,
    DROPPED,
    INVENTED,
    LOWER_CASE,
    MISSED_S,
    POSSIBLE,
    REPEATED,
    SQUEEZED,
    TIMES,
    Suspect,
    dull_runs,
    echoes,
    failed,
    loops,
    perhaps_invented,
    slow,
    surely_invented,
    suspects,
    unheard,
    untimed,
)
from worker.heard import Span
from worker.passages import Passage
from worker.shards import overlap

Again = Callable[[Sequence[Suspect]], Sequence[Sequence[Passage]]]
"""Decodes each suspect's span in the way that its fault asks for."""


def mended(
    passages: Sequence[Passage], speech: Sequence[Span], length_s: float, share: float, again: Again
) -> tuple[list[Passage], list[Doubt]]:
    """The passages, better where decoding again made them so, and what is still doubtful.

    Times are from the start of the window, which is `length_s` long; of `share`, see `slow`.
    """
    found = suspects(passages, speech, share, length_s)
    result = list(passages)
    for suspect, new in reversed(list(zip(found, again(found), strict=True))):
        old = passages[suspect.first : suspect.after]
        if better(suspect.kind, old, new, overlap(speech, *suspect.span)):
            result[suspect.first : suspect.after] = new
    result = [passage for passage in result if not surely_invented(passage, speech)]
    result = _unlooped(result, speech)
    return result, sorted(_doubts(result, speech), key=lambda doubt: (doubt.start, doubt.kind))


def better(kind: str, old: Sequence[Passage], new: Sequence[Passage], speech_s: float) -> bool:
    """Whether to take what was decoded the second time, of so many seconds of speech."""
    words = _count(new)
    if not words or words > POSSIBLE * max(speech_s, 1.0) or any(map(_failed, new)):
        return False
    if kind == REPEATED:
        return _repeats(new) < _repeats(old) and words >= 0.8 * (_count(old) - _repeats(old))
    if _repeats(new) > _repeats(old):
        return False
    if kind == LOWER_CASE:
        return not dull_runs(new) and words >= 0.9 * _count(old)
    return words > 1.1 * _count(old) or (any(map(_failed, old)) and words >= 0.9 * _count(old))


def _failed(passage: Passage) -> bool:
    return failed(passage.logprob, passage.squeeze, passage.silence)


def _count(passages: Sequence[Passage]) -> int:
    return sum(len(passage.words) for passage in passages)


def _words(passages: Sequence[Passage]) -> list[Word]:
    return [word for passage in passages for word in passage.words]


def _repeats(passages: Sequence[Passage]) -> int:
    """Words that are copies of those before."""
    return sum(after - first - length for first, after, length in loops([w.text for w in _words(passages)]))


def _unlooped(passages: Sequence[Passage], speech: Sequence[Span]) -> list[Passage]:
    """Of loops that nobody can have said so fast, only the first copy is kept."""
    words = _words(passages)
    gone: set[int] = set()
    for first, after, length in loops([word.text for word in words]):
        spoken_s = overlap(speech, words[first].start, words[after - 1].end)
        if after - first > POSSIBLE * spoken_s:
            gone.update(range(first + length, after))
    result: list[Passage] = []
    at = 0
    for passage in passages:
        own = tuple(word for index, word in enumerate(passage.words, at) if index not in gone)
        at += len(passage.words)
        if len(own) == len(passage.words):
            result.append(passage)
        elif own:
            between = " " if " " in passage.text else ""
            result.append(replace(passage, words=own, text=between.join(word.text for word in own)))
    return result


def _doubts(passages: Sequence[Passage], speech: Sequence[Span]) -> Iterator[Doubt]:
    yield from _repeated(passages)
    yield from _dropped(passages, speech)
    for run in _runs(dull_runs(passages)):
        start, end = passages[run[0]].start, passages[run[-1]].end
        yield Doubt(LOWER_CASE, start, end, "no capitals, or no full stops: sentences must be told apart")
    for passage in passages:
        if perhaps_invented(passage, speech):
            yield Doubt(INVENTED, passage.start, passage.end, "words, but perhaps nobody speaks here")
        if count := untimed(passage):
            yield Doubt(TIMES, passage.start, passage.end, f"the times of {count} words are guesses")


def _repeated(passages: Sequence[Passage]) -> Iterator[Doubt]:
    words = _words(passages)
    looped: list[Span] = []
    for first, after, length in loops([word.text for word in words]):
        looped.append((words[first].start, words[after - 1].end))
        phrase = " ".join(word.text for word in words[first : first + length])
        times = (after - first) // length
        said = f"'{phrase}' comes {times} times in a row: said so, or the model's loop?"
        yield Doubt(REPEATED, *looped[-1], said)
    for index in echoes(passages):
        start, end = passages[index].start, passages[index].end
        if not overlap(looped, start, end):
            yield Doubt(
                REPEATED, start, end, "word for word as shortly before: said so, or in place of other words?"
            )
    squeezed = [index for index, passage in enumerate(passages) if passage.squeeze > SQUEEZED]
    for run in _runs(squeezed):
        said = "much the same words again and again: said so, or the model's loop?"
        yield Doubt(REPEATED, passages[run[0]].start, passages[run[-1]].end, said)


def _dropped(passages: Sequence[Passage], speech: Sequence[Span]) -> Iterator[Doubt]:
    last = passages[-1].end if passages else 0.0
    for start, end in unheard(passages, speech, MISSED_S):
        if start >= last and passages:
            spoken_s = overlap(speech, start, end)
            yield Doubt(CUT_OFF, start, end, f"the last {spoken_s:.0f} s of speech have no words")
        else:
            yield _unworded(start, end, speech)
    for index in slow(passages, speech, 0.5):
        each = passages[index]
        yield Doubt(DROPPED, each.start, each.end, "few words for so much speech: some may be missing")


def _unworded(start: float, end: float, speech: Sequence[Span]) -> Doubt:
    said = f"{overlap(speech, start, end):.0f} s of speech, or of music like it, have no words"
    return Doubt(DROPPED, start, end, said)


def midway(doubts: Sequence[Doubt], speech: Sequence[Span]) -> tuple[Doubt, ...]:
    """A window's doubts where another window follows: what lacks words at its end is not cut off."""
    return tuple(_unworded(each.start, each.end, speech) if each.kind == CUT_OFF else each for each in doubts)


def _runs(indices: Sequence[int]) -> Iterator[list[int]]:
    for _, group in groupby(enumerate(indices), key=lambda each: each[1] - each[0]):
        yield [index for _, index in group]
