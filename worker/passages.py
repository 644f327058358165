"""What the model says of a stretch of audio, before it is judged; and times that words can be given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from pipeline.model import Segment, Word
from worker.heard import Span
from worker.shards import Timeline

SHORTEST_S = 0.02  #: of a word, the model's own grain


@dataclass(frozen=True, slots=True)
class Passage:
    """A segment as decoded. Every passage has words; their text has no white space around it."""

    words: tuple[Word, ...]
    text: str
    logprob: float  #: the mean of its tokens' log probabilities, with those beside it in the same 30 s
    silence: float  #: how probable the model thinks it that nobody speaks in these 30 s, 0 to 1
    squeeze: float  #: how far its text can be compressed: bytes before to bytes after
    guessed: int = 0  #: of so many words no time was found

    @property
    def start(self) -> float:
        return self.words[0].start

    @property
    def end(self) -> float:
        return max(self.words[-1].end, self.words[0].start)

    def segment(self) -> Segment:
        return Segment("", self.start, self.end, self.text, self.words)


def moved(passage: Passage, timeline: Timeline) -> Passage:
    """The passage where it is in the whole: its times were those of audio with parts left out."""
    words: list[Word] = []
    for word in passage.words:
        start, end = timeline.span(word.start, word.end)
        words.append(replace(word, start=start, end=end))
    return replace(passage, words=tuple(words))


def later(segment: Segment, seconds: float) -> Segment:
    """The same so many seconds later, in whole milliseconds."""
    words = tuple(
        replace(word, start=round(seconds + word.start, 3), end=round(seconds + word.end, 3))
        for word in segment.words
    )
    return replace(segment, start=words[0].start, end=words[-1].end, words=words)


def spread(texts: Sequence[str], span: Span, probability: float) -> tuple[Word, ...]:
    """Words that have no times share a span by their letters."""
    letters = sum(map(len, texts)) or 1
    words: list[Word] = []
    at, pace = span[0], max(0.0, span[1] - span[0]) / letters
    for text in texts:
        words.append(Word(text, at, at + pace * len(text), probability))
        at = words[-1].end
    return tuple(words)


def ordered(segments: Sequence[Segment], end_s: float) -> tuple[Segment, ...]:
    """The same passages with times that never run backwards, overlap, or pass the audio's end.

    No word is shorter than `SHORTEST_S`, unless there are more than the audio has room for. Every
    passage must have words; its own times become those of its first and last.
    """
    words = [word for segment in segments for word in segment.words]
    if not words:
        return ()
    timed = iter(
        replace(word, start=start, end=end)
        for word, (start, end) in zip(words, _in_order(words, round(end_s, 3)), strict=True)
    )
    result: list[Segment] = []
    for segment in segments:
        own = tuple(islice(timed, len(segment.words)))
        result.append(replace(segment, start=own[0].start, end=own[-1].end, words=own))
    return tuple(result)


def _in_order(words: Sequence[Word], end_s: float) -> list[Span]:
    """In whole milliseconds, as integers: sums of floats drift."""
    limit = round(end_s * 1000)
    least = min(round(SHORTEST_S * 1000), limit // len(words))
    starts: list[int] = []
    at = 0
    for word in words:
        starts.append(max(at, round(word.start * 1000)))
        at = starts[-1] + least
    latest = limit
    for index in reversed(range(len(words))):  # those pushed past the end make room backwards
        latest = starts[index] = min(starts[index], latest - least)
    nexts = [*starts[1:], limit]
    spans: list[Span] = []
    for word, start, after in zip(words, starts, nexts, strict=True):
        end = min(max(round(word.end * 1000), start + least), after)
        spans.append((start / 1000, end / 1000))
    return spans
