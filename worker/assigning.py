"""Which speaker said each word: turns laid over a transcript.

A recogniser's words and a diarizer's turns are each some tenths of a second off, and a turn may begin
with a word that nobody would leave with the speaker before. So speakers change where sentences end, if
one ends near; crumbs in the middle of another's sentence, and speakers who hardly say a thing, are
given to those around them. Words, their texts and their times stay as they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from pipeline.model import Segment, Word
from pipeline.spoken import ends_sentence
from worker.diarizing import Turn, seconds_of
from worker.heard import Span

SOMEBODY = "spk_0"  #: who speaks where nobody was told apart

NEAR_S = 0.7  #: how far a change of speakers may be moved to where a sentence ends
PAUSE_S = 0.3  #: a silence, between words or between turns, at which speakers may well change
SLACK_S = 0.25  #: how far the times of words and of turns may be apart
FEW_WORDS, FEW = 15, 0.02  #: who says fewer words, and speaks for less of all speech, is a phantom
CRUMB = 2  #: as many words or fewer are no turn unless they are a whole sentence
OWN_S, OWN = 0.3, 0.8  #: seconds, and share of its words, that a turn has at least with an interjection


@dataclass(slots=True)
class _Said:
    """A word in its segment, and whose it is as far as that is known."""

    word: Word
    segment: int
    speaker: str = SOMEBODY
    held_s: float = 0.0  #: for how long of it that speaker has the turn

    @property
    def ends(self) -> bool:
        """It ends a sentence."""
        return ends_sentence(self.word.text)


def assigned(segments: Sequence[Segment], turns: Sequence[Turn], fewest: int = 1) -> tuple[Segment, ...]:
    """The same words in segments of one speaker each; times are seconds, turns must not overlap.

    Each segment that several speak is split where they change. Without turns all is `SOMEBODY`'s. The
    `fewest` who speak longest keep their words, however few those are.
    """
    said = [_Said(word, at) for at, segment in enumerate(segments) for word in _words(segment)]
    if said and turns:
        ordered = sorted(turns, key=lambda turn: (turn.start, turn.end))
        seconds = seconds_of(ordered)
        kept = set(sorted(seconds, key=lambda speaker: (-seconds[speaker], speaker))[:fewest])
        _give(said, ordered, kept)
        _move_changes(said, ordered)
        _sweep(said, ordered, kept)
    groups = groupby(said, key=lambda each: each.segment)
    return tuple(part for at, own in groups for part in _split(segments[at], list(own)))


def _words(segment: Segment) -> Sequence[Word]:
    """A segment without words counts as one."""
    return segment.words or (Word(segment.text, segment.start, segment.end, 1.0),)


# Whose words


def _give(said: list[_Said], turns: Sequence[Turn], kept: Set[str]) -> None:
    """Every word to whoever speaks during most of it, or nearest to it; no word to phantoms."""
    _nearest(said, turns)
    words = Counter(each.speaker for each in said)
    seconds = seconds_of(turns)
    total = sum(seconds.values())
    phantoms = {
        speaker for speaker, spoken in seconds.items() if words[speaker] < FEW_WORDS and spoken < FEW * total
    }
    if len(phantoms) < len(seconds) and phantoms - kept:
        _nearest(said, [turn for turn in turns if turn.speaker not in phantoms - kept])


def _nearest(said: list[_Said], turns: Sequence[Turn]) -> None:
    starts = [turn.start for turn in turns]
    for each in said:
        start, end = each.word.start, each.word.end
        last = bisect_right(starts, end)
        first = max(0, bisect_right(starts, start) - 1)
        around = turns[first : last + 1]
        turn = max(around, key=lambda turn: _shared(turn, start, end))
        each.speaker, each.held_s = turn.speaker, max(0.0, _shared(turn, start, end))


def _shared(turn: Turn, start: float, end: float) -> float:
    """Seconds that a turn and a word have in common; where there are none, minus those between them."""
    return min(turn.end, end) - max(turn.start, start)


# Where speakers change


def _move_changes(said: list[_Said], turns: Sequence[Turn]) -> None:
    """Each change to the best place near it, without passing another change."""
    changes = [at for at in range(1, len(said)) if said[at].speaker != said[at - 1].speaker]
    bounds = [0, *changes, len(said)]
    silences = [(a.end, b.start) for a, b in pairwise(turns) if b.start - a.end >= PAUSE_S]
    for number, at in enumerate(changes, 1):
        # The first word of the run before and the last of the run behind stay where they are.
        low, high = bounds[number - 1] + 1, bounds[number + 1] - 1
        worth = {place: _worth(said, place, silences) for place in _places(said, at, low, high)}
        best = max(worth, key=lambda place: worth[place] - _distance(said, place, at))
        before, behind = said[at - 1].speaker, said[at].speaker
        for place in range(min(best, at), max(best, at)):
            said[place].speaker = before if place < best else behind
        bounds[number] = best


def _places(said: Sequence[_Said], at: int, low: int, high: int) -> Iterator[int]:
    yield at
    for step in (-1, 1):
        place = at + step
        while low <= place <= high and _distance(said, place, at) <= NEAR_S:
            yield place
            place += step


def _distance(said: Sequence[_Said], place: int, at: int) -> float:
    """Seconds of turns that are disregarded when a change moves."""
    return sum(each.held_s for each in said[min(place, at) : max(place, at)])


def _worth(said: Sequence[_Said], place: int, silences: Sequence[Span]) -> float:
    """How likely speakers change before this word, in seconds of turns that may be disregarded for it."""
    before, behind = said[place - 1], said[place]
    start, end = before.word.end, behind.word.start
    worth = 3.0 * _silent(silences, start - SLACK_S, end + SLACK_S)
    worth += 2.0 * before.ends + 0.5 * (before.ends and behind.word.text[:1].isupper())
    worth += 0.5 * (end - start >= PAUSE_S)
    return worth + 0.25 * (before.segment != behind.segment)


def _silent(silences: Sequence[Span], start: float, end: float) -> bool:
    """Nobody speaks at some time between these two."""
    at = bisect_right(silences, end, key=lambda silence: silence[0]) - 1
    return at >= 0 and silences[at][1] > start


# Crumbs


def _sweep(said: list[_Said], turns: Sequence[Turn], kept: Set[str]) -> None:
    """Give runs of a word or two to those around them, unless they say something whole, or it is all that
    somebody says who is kept."""
    words = Counter(each.speaker for each in said)
    runs = [list(run) for _, run in groupby(said, key=lambda each: each.speaker)]
    for before, run, behind in zip([None, *runs], runs, [*runs[1:], None], strict=False):
        speaker = run[0].speaker
        alone = speaker in kept and words[speaker] == len(run)
        if len(run) > CRUMB or alone or _interjected(run, turns):
            continue
        if before and not before[-1].ends:
            taker = before[-1]
        elif behind and not run[-1].ends:
            taker = behind[0]
        else:
            continue
        words[speaker] -= len(run)
        words[taker.speaker] += len(run)
        for each in run:
            each.speaker = taker.speaker


def _interjected(run: Sequence[_Said], turns: Sequence[Turn]) -> bool:
    """A whole sentence ("Right.") for which its speaker has a turn of their own."""
    start, end = run[0].word.start, run[-1].word.end
    own = (turn for turn in turns if turn.speaker == run[0].speaker)
    shared = max((_shared(turn, start, end) for turn in own), default=0.0)
    whole = run[-1].ends and run[0].word.text[:1].isupper()
    return whole and shared >= max(OWN_S, OWN * (end - start))


# Segments again


def _split(segment: Segment, said: Sequence[_Said]) -> Iterator[Segment]:
    if len({each.speaker for each in said}) == 1:
        yield replace(segment, speaker=said[0].speaker)
        return
    runs = [(speaker, [each.word for each in run]) for speaker, run in groupby(said, key=lambda e: e.speaker)]
    texts = _texts(segment.text, [words for _, words in runs])
    edges = [segment.start, *(words[0].start for _, words in runs[1:])]
    ends = [*(words[-1].end for _, words in runs[:-1]), segment.end]
    for (speaker, words), text, start, end in zip(runs, texts, edges, ends, strict=True):
        yield Segment(speaker, start, end, text, tuple(words))


def _texts(text: str, runs: Sequence[Sequence[Word]]) -> list[str]:
    """The segment's text cut as its words are; joined by spaces where it isn't made of them."""
    cuts, at = [0], 0
    for words in runs:
        for word in words:
            found = text.find(word.text, at)
            if found < 0 or text[at:found].strip():
                return [" ".join(word.text for word in words) for words in runs]
            at = found + len(word.text)
        cuts.append(at)
    cuts[-1] = len(text)
    return [text[a:b].strip() for a, b in pairwise(cuts)]
