"""How Whisper fails, and how one can tell: by the words, their times, and where somebody speaks. Pure.

Others' complaints of Whisper come down to these: text invented over silence and music, loops, speech
left out or cut off, times that are none, the wrong language, passages without capitals or full stops.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from pipeline.scoring import words_of
from worker.heard import Span
from worker.passages import Passage
from worker.shards import merged, overlap, without

INVENTED, REPEATED, DROPPED, CUT_OFF = "invented", "repeated", "dropped", "cut off"
LOWER_CASE, LANGUAGE, TIMES = "lower case", "language", "times"

# OpenAI's own thresholds, which faster-whisper shares.
SQUEEZED = 2.4  #: text that can be compressed more repeats itself
UNLIKELY = -1.0  #: a mean log probability below this is a guess
NOBODY = 0.6  #: that nobody speaks, when the text is unlikely too
UNSURE = 0.3  #: words that are so improbable on average

COPIES, COPIED_WORDS = 3, 8  #: of a phrase one after another, and words in all, that make a loop
LONGEST_PHRASE = 40  #: words
ECHOED_WORDS, ECHO_PASSAGES = 6, 12  #: so many words, repeated within so many passages, are an echo
GUESSED = 3  #: words without times of their own; fewer, or less than a fifth, are not worth a word

NEAR_S = 0.5  #: words are timed that well; more speech than this beside them is without words
LONGEST_WORD_S = 2.0  #: a longer one covers speech that has no words
LOST_S = 1.0  #: so much speech without words is looked at again
MISSED_S = 2.0  #: so much is reported, where that did not help
STEADY_S = 3.0  #: shorter passages are too short to have a pace
POSSIBLE = 7.0  #: words a second that nobody speaks for long

DULL_WORDS = 50  #: so many without a capital, or without the end of a sentence: few sentences are as long

_ENDS = re.compile(r"[.!?\u2026\u3002\uff01\uff1f]")
_SELF = re.compile(r"\bI\b")
#: What Whisper says into silence, having learnt from subtitles.
_STOCK = re.compile(
    r"(thanks?( you)?( so much| very much)?( for (watching|listening))?|bye( bye)?|you|please subscribe"
    r"|(don't forget to )?(like and )?subscribe( to (my|the|our) channel)?|see you( (next time|later))?"
    r"|(subtitles|captions|transcription|transcribed|translated) by .*|.*amara\.? ?org.*)"
)


@dataclass(frozen=True, slots=True)
class Suspect:
    """Passages `first` up to `after` that should be decoded again; none where some are missing between."""

    kind: str
    first: int
    after: int
    span: Span


def failed(logprob: float, squeeze: float, silence: float) -> bool:
    """Whether a decoded passage should be tried otherwise; where nobody speaks it is left out anyway."""
    nobody = silence > NOBODY and logprob < UNLIKELY
    return not nobody and (squeeze > SQUEEZED or logprob < UNLIKELY)


def loops(texts: Sequence[str]) -> list[tuple[int, int, int]]:
    """Where a phrase comes again and again: its first word, the first after all copies, its length."""
    plain = [" ".join(words_of(text)) for text in texts]
    found: list[tuple[int, int, int]] = []
    at = 0
    while at < len(plain):
        loop = next((each for each in _loops_at(plain, at)), None)
        if loop:
            found.append(loop)
            at = loop[1]
        else:
            at += 1
    return found


def _loops_at(plain: Sequence[str], first: int) -> Iterator[tuple[int, int, int]]:
    for length in range(1, min(LONGEST_PHRASE, (len(plain) - first) // COPIES) + 1):
        at = first
        while at + length < len(plain) and plain[at] == plain[at + length]:
            at += 1
        copies = (at - first) // length + 1
        if copies >= COPIES and copies * length >= COPIED_WORDS:
            yield first, first + copies * length, length


def echoes(passages: Sequence[Passage]) -> list[int]:
    """Those that say again, word for word, what was said shortly before: the model lost its place."""
    said = [words_of(passage.text) for passage in passages]
    return [
        index
        for index, text in enumerate(said)
        if len(text) >= ECHOED_WORDS and text in said[max(0, index - ECHO_PASSAGES) : index]
    ]


def untimed(passage: Passage) -> int:
    """How many of its words have no time of their own; a few are nothing, many mean wrong words."""
    count = max(passage.guessed, sum(word.end <= word.start for word in passage.words))
    return count if count >= max(GUESSED, 0.2 * len(passage.words)) else 0


def unheard(passages: Sequence[Passage], speech: Sequence[Span], least_s: float) -> list[Span]:
    """Where somebody speaks for `least_s` and more, and no word is near."""
    near = [
        (word.start - NEAR_S, min(word.end, word.start + LONGEST_WORD_S) + NEAR_S)
        for passage in passages
        for word in passage.words
    ]
    # Breaths and blips of the voice detector are no reason to look again.
    left = merged(without(speech, near), NEAR_S)
    return [span for span in left if overlap(speech, *span) >= least_s]


def pace(passage: Passage, speech: Sequence[Span]) -> float:
    """Words per second of speech."""
    return len(passage.words) / max(overlap(speech, passage.start, passage.end), 0.1)


def slow(passages: Sequence[Passage], speech: Sequence[Span], share: float) -> list[int]:
    """Those with less than a share of the usual words per second of speech: words are missing."""
    steady = [i for i, each in enumerate(passages) if overlap(speech, each.start, each.end) >= STEADY_S]
    paces = {index: pace(passages[index], speech) for index in steady}
    usual = statistics.median(paces.values()) if len(paces) >= 3 else 0.0
    return [index for index in steady if paces[index] < share * usual]


def endless(text: str) -> bool:
    """Whether no sentence ends in it, where its script has such ends as capitals have."""
    return _has_case(text) and not _ENDS.search(text)


def small(text: str) -> bool:
    """Whether it has no capitals, but for the word I, where its script has them."""
    return _has_case(text) and not any(letter.isupper() for letter in _SELF.sub("", text))


def _has_case(text: str) -> bool:
    return text.upper() != text.lower()


def nobody_there(passage: Passage, speech: Sequence[Span]) -> bool:
    """Whether the voice detector hears nobody where these words should be."""
    length = max(passage.end - passage.start, 0.1)
    wide = merged((start - NEAR_S, end + NEAR_S) for start, end in speech)
    return overlap(wide, passage.start, passage.end) < 0.2 * length


def surely_invented(passage: Passage, speech: Sequence[Span]) -> bool:
    """Words where nobody speaks that the model itself doubts, or that it is known to make up.

    Music may pass for speech; what is made up over that, the model does not believe itself.
    """
    doubted = passage.silence > NOBODY or passage.logprob < UNLIKELY or passage.squeeze > SQUEEZED
    said = " ".join(words_of(passage.text))
    stock = not said or bool(_STOCK.fullmatch(said))
    if nobody_there(passage, speech):
        return doubted or stock
    return stock and _sure(passage) < UNSURE


def perhaps_invented(passage: Passage, speech: Sequence[Span]) -> bool:
    """Words where nobody speaks; or few, unlikely ones where music may pass for speech."""
    few = pace(passage, speech) < 1.0 and passage.end - passage.start >= STEADY_S
    return nobody_there(passage, speech) or (few and _sure(passage) < UNSURE)


def _sure(passage: Passage) -> float:
    return statistics.fmean(word.probability for word in passage.words)


def suspects(
    passages: Sequence[Passage], speech: Sequence[Span], share: float, end_s: float
) -> list[Suspect]:
    """What should be decoded again, in order and apart from each other; `share` as for `slow`."""
    marks: dict[int, str] = {}
    for kind, indices in (
        (LOWER_CASE, dull_runs(passages)),
        (DROPPED, [*slow(passages, speech, share), *_unlikely(passages), *echoes(passages)]),
        (REPEATED, _looped(passages)),
    ):
        marks |= dict.fromkeys(indices, kind)
    between: list[Suspect] = []
    for span in unheard(passages, speech, LOST_S):
        middle = (span[0] + span[1]) / 2
        index = sum(passage.start <= middle for passage in passages)
        if index and passages[index - 1].end > middle:
            marks.setdefault(index - 1, DROPPED)  # a gap inside a passage
        else:
            between.append(Suspect(DROPPED, index, index, _room(passages, index, span, end_s)))
    runs = list(_runs(passages, marks))
    apart = [each for each in between if not any(run.first < each.first < run.after for run in runs)]
    return sorted([*runs, *apart], key=lambda each: (each.first, each.after))


def _runs(passages: Sequence[Passage], marks: dict[int, str]) -> Iterator[Suspect]:
    """Neighbours with the same fault are one suspect: the model hears better with more around."""
    for kind, group in groupby(range(len(passages)), key=marks.get):
        indices = list(group)
        if kind:
            first, last = indices[0], indices[-1]
            yield Suspect(kind, first, last + 1, (passages[first].start, passages[last].end))


def _room(passages: Sequence[Passage], index: int, span: Span, end_s: float) -> Span:
    """The span with as much around it as no other word takes, up to half a second."""
    before = passages[index - 1].end if index else 0.0
    after = passages[index].start if index < len(passages) else end_s
    return max(before, span[0] - NEAR_S), min(after, span[1] + NEAR_S)


def _unlikely(passages: Sequence[Passage]) -> list[int]:
    """Guesses, by the model's own measure or by words that are nowhere in the audio."""
    return [
        index
        for index, each in enumerate(passages)
        if failed(each.logprob, each.squeeze, each.silence) or untimed(each)
    ]


def _looped(passages: Sequence[Passage]) -> list[int]:
    owners = [index for index, passage in enumerate(passages) for _ in passage.words]
    texts = [word.text for passage in passages for word in passage.words]
    return sorted({owners[at] for first, after, _ in loops(texts) for at in range(first, after)})


def dull_runs(passages: Sequence[Passage]) -> list[int]:
    """Long runs without sentences or without capitals; single passages may well be parts of sentences."""
    found: set[int] = set()
    for fault in (endless, small):
        for faulty, group in groupby(range(len(passages)), key=lambda i: fault(passages[i].text)):
            indices = list(group)
            if faulty and sum(len(passages[index].words) for index in indices) >= DULL_WORDS:
                found.update(indices)
    return sorted(found)
