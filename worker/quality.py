"""The quality report of a transcript: how much of it is likely wrong, and where a person should listen.

Everything is derived from the transcript, from where the voice detector heard speech, and from what the
recogniser's own checks doubted. Numbers are rounded, so that the same transcript has the same report.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.model import Doubt, Segment, Transcript, Word
from pipeline.spoken import clock, names, settled
from worker.heard import Span
from worker.repeats import loops, numbered, said_before

# How likely a word has to be corrected is 1 / (1 + exp(-sum)), of these times 1 and the doubts (negated log
# odds) of the word, of its neighbours and of the whole text. Learnt by tests/bench/calibrate.py on synthetic
# conversations, clean and in noise, with tiny.en. For conversations that they were not learnt from, the
# expected share was off by 1.8 points on average; for sentences full of names, 8 to 13 too low.
WEIGHTS = (2.373, 0.665, 0.335, 0.645)
NEIGHBOURS = 10  #: words on either side
SUREST = 0.997  #: more, or less than its opposite, says nothing more

BELOW = 0.5  #: words of a smaller probability are doubtful
PACE = (1.5, 4.0)  #: words a second, at least and at most, of speech that nobody wrote down
UNHEARD_S = 2.0  #: speech without a word for longer than this is counted as missing

MOST = 20  #: passages in a report
NEAR_S = 3.0  #: passages of one kind closer than this are one
SPAN_S = 20.0  #: what is listened to at once; longer runs of doubtful words are several passages
CONTEXT = 3  #: words shown on either side of a passage
EXCERPT = 120  #: characters
FOUND = 5.0  #: a check's finding is worth listening to as so many wrong words are

BLOCK = 40  #: words among which a capital is expected
TOLERANCE_S, TOLERANCE = 5.0, 0.02  #: by which a feed may be wrong about the length


@dataclass(frozen=True, slots=True)
class _Passage:
    start: float
    end: float
    kind: str
    detail: str
    found: bool = True  #: by a check, and not only by the words' probabilities


class _Text:
    """The words, and what is expected to be wrong with them."""

    def __init__(self, segments: Sequence[Segment], speech: Sequence[Span]) -> None:
        self.words = [word for segment in segments for word in segment.words]
        self.starts = [word.start for word in self.words]
        self.ends = [word.end for word in self.words]
        self.ids = numbered(self.words)
        self.loops = loops(self.ids)
        self.gaps = [gap for span in speech for gap in self._gaps(*span)]
        self.speech_s = sum(end - start for start, end in speech)
        self.unheard_s = sum(end - start for start, end in self.gaps)
        heard_s = max(self.speech_s - self.unheard_s, 1.0)
        self.pace = min(max(len(self.words) / heard_s, PACE[0]), PACE[1])
        wrong = wrongness([word.probability for word in self.words])
        for loop in self.loops:
            wrong[loop.first + loop.period : loop.last] = 1.0
        self.edits: list[float] = np.concatenate(([0.0], np.cumsum(wrong))).tolist()

    def _gaps(self, start: float, end: float) -> Iterator[Span]:
        """Where somebody speaks, but nothing was heard for long."""
        first, last = self.within(start, end)
        heard_until = start
        for word in self.words[first:last]:
            if word.start - heard_until > UNHEARD_S:
                yield heard_until, word.start
            # A word that lasts longer was stretched over what was not understood.
            heard_until = max(heard_until, min(word.end, word.start + UNHEARD_S))
        if end - heard_until > UNHEARD_S:
            yield heard_until, end

    def within(self, start: float, end: float) -> tuple[int, int]:
        """The words of which something is said between two times, as indices."""
        first = bisect_right(self.ends, start)
        return first, max(first, bisect_left(self.starts, end))

    def wrong(self, start: float, end: float) -> float:
        """How many corrections are expected between two times."""
        first, last = self.within(start, end)
        unheard_s = sum(max(0.0, min(end, b) - max(start, a)) for a, b in self.gaps)
        return self.edits[last] - self.edits[first] + unheard_s * self.pace


def report(
    transcript: Transcript,
    speech: Sequence[Span],
    doubts: Sequence[Doubt],
    feed_duration_s: float | None,
) -> dict[str, Any]:
    """What `Transcript.quality` holds. `speech` is in seconds, in order, without overlaps.

    `expected_wer` is the share of words to correct, 0 to 1. `passages` are what to listen to, worst first.
    """
    transcript = settled(transcript)
    text = _Text(transcript.segments, speech)
    count = len(text.words)
    return {
        "expected_wer": round(_expected_wer(text), 4),
        "coverage": round(1 - text.unheard_s / text.speech_s if text.speech_s else 1.0, 3),
        "words": count,
        "doubtful_words": {"count": sum(w.probability < BELOW for w in text.words), "below": BELOW},
        "passages": _passages(text, doubts),
        "repeated": _repeated(text),
        "speakers": _speakers(transcript),
        "duration": _duration(transcript.duration_s, feed_duration_s),
        "lower_case": round(_lower_case(text.words) / count if count else 0.0, 3),
    }


def wrongness(probabilities: Sequence[float], weights: Sequence[float] = WEIGHTS) -> NDArray[np.float64]:
    """How likely each word has to be corrected, 0 to 1; a smaller probability never makes it less."""
    if not len(probabilities):
        return np.zeros(0)
    return 1 / (1 + np.exp(-(features(probabilities) @ np.array(weights))))


def features(probabilities: Sequence[float]) -> NDArray[np.float64]:
    """What `WEIGHTS` are multiplied with, a row for each word."""
    clipped = np.clip(np.array(probabilities, np.float64), 1 - SUREST, SUREST)
    doubt = np.log(1 / clipped - 1)
    width = 2 * NEIGHBOURS + 1
    near = np.convolve(np.pad(doubt, NEIGHBOURS, mode="edge"), np.full(width, 1 / width), "valid")
    return np.stack([np.ones_like(doubt), doubt, near, np.full_like(doubt, doubt.mean())], axis=1)


def _expected_wer(text: _Text) -> float:
    """Expected corrections by the words that should be there: as heard, and as missing."""
    missing = text.unheard_s * text.pace
    there = len(text.words) + missing
    return min(1.0, (text.edits[-1] + missing) / there) if there else 0.0


def _repeated(text: _Text) -> dict[str, Any]:
    return {
        "share": round(said_before(text.ids), 3),
        "loops": len(text.loops),
        "tail": bool(text.loops) and text.loops[-1].last == len(text.ids),
    }


def _passages(text: _Text, doubts: Sequence[Doubt]) -> list[dict[str, Any]]:
    """What to listen to: where most has to be corrected first."""
    found = [_Passage(doubt.start, doubt.end, doubt.kind, doubt.detail) for doubt in doubts]
    found += (
        _Passage(
            text.starts[o.first], text.ends[o.last - 1], "repeated", f"the same {o.rounds} times in a row"
        )
        for o in text.loops
    )
    found += (_Passage(*gap, "dropped", f"speech for {gap[1] - gap[0]:.0f} s, no words") for gap in text.gaps)
    found = _joined(found)
    found += (each for each in _doubtful(text.words) if not _told(each, found))
    ranked = sorted(
        ((_worth(text, each), each) for each in found), key=lambda pair: (-pair[0], pair[1].start)
    )
    return [_shown(text, each) for _, each in ranked[:MOST]]


def _worth(text: _Text, passage: _Passage) -> float:
    return text.wrong(passage.start, passage.end) + (FOUND if passage.found else 0.0)


def _joined(passages: Sequence[_Passage]) -> list[_Passage]:
    """Passages of one kind that overlap or nearly do are one; what was said of the first counts."""
    joined: list[_Passage] = []
    for _, each in groupby(sorted(passages, key=lambda p: (p.kind, p.start)), key=lambda p: p.kind):
        run: list[_Passage] = []
        for passage in each:
            if run and passage.start - run[-1].end <= NEAR_S:
                run[-1] = replace(run[-1], end=max(run[-1].end, passage.end))
            else:
                run.append(passage)
        joined += run
    return joined


def _doubtful(words: Sequence[Word]) -> Iterator[_Passage]:
    """Doubtful words close to each other."""
    run: list[Word] = []
    for word in (word for word in words if word.probability < BELOW):
        if run and (word.start - run[-1].end > NEAR_S or word.end - run[0].start > SPAN_S):
            yield _unsure(run)
            run = []
        run.append(word)
    if run:
        yield _unsure(run)


def _unsure(run: Sequence[Word]) -> _Passage:
    detail = f"{len(run)} doubtful words" if len(run) > 1 else "a doubtful word"
    return _Passage(run[0].start, run[-1].end, "doubtful", detail, found=False)


def _told(passage: _Passage, found: Sequence[_Passage]) -> bool:
    """Whether it lies within a passage that is listened to anyway."""
    return any(
        each.start <= passage.start and passage.end <= each.end and each.end - each.start <= SPAN_S
        for each in found
    )


def _shown(text: _Text, passage: _Passage) -> dict[str, Any]:
    first, last = text.within(passage.start, passage.end)
    around = text.words[max(0, first - CONTEXT) : last + CONTEXT]
    excerpt = " ".join(word.text for word in around)
    doubtful = [word.text for word in text.words[first:last] if word.probability < BELOW]
    return {
        "start": round(passage.start, 3),
        "end": round(passage.end, 3),
        "kind": passage.kind,
        "detail": passage.detail,
        "text": excerpt if len(excerpt) <= EXCERPT else f"{excerpt[: EXCERPT - 1].rstrip()}\u2026",
        "doubtful": doubtful[:MOST],
    }


def _speakers(transcript: Transcript) -> dict[str, dict[str, float | int]]:
    """Who speaks how much: share of the time of all words, words, and turns."""
    labels = names(transcript)
    turns = [label for label, _ in groupby(s.speaker for s in transcript.segments if s.speaker in labels)]
    own = {label: [w for s in transcript.segments if s.speaker == label for w in s.words] for label in labels}
    seconds = {label: sum(word.end - word.start for word in words) for label, words in own.items()}
    whole_s = sum(seconds.values()) or 1.0
    return {
        label: {
            "share": round(seconds[label] / whole_s, 3),
            "words": len(own[label]),
            "turns": turns.count(label),
        }
        for label in labels
    }


def _duration(audio_s: float, feed_s: float | None) -> dict[str, Any]:
    if feed_s is None:
        return {"audio_s": round(audio_s, 1), "feed_s": None, "difference_s": None}
    difference_s = audio_s - feed_s
    told = {"audio_s": round(audio_s, 1), "feed_s": round(feed_s, 1), "difference_s": round(difference_s, 1)}
    if abs(difference_s) <= max(TOLERANCE_S, TOLERANCE * feed_s):
        return told
    than = "shorter than the feed says: is it whole?" if difference_s < 0 else "longer than the feed says"
    return {**told, "note": f"the audio is {abs(difference_s):.0f} s {than}"}


def _lower_case(words: Sequence[Word]) -> int:
    """How many words stand in blocks without a single capital, but for the English "I"."""
    blocks = (words[at : at + BLOCK] for at in range(0, len(words), BLOCK))
    return sum(len(block) for block in blocks if _uncapitalised(block))


def _uncapitalised(block: Sequence[Word]) -> bool:
    texts = [word.text.lstrip("\"'\u201c\u2018\u00bf\u00a1([-") for word in block]
    cased = [text for text in texts if text[:1].lower() != text[:1].upper()]
    return len(cased) >= BLOCK // 2 and not any(
        text[0].isupper() and text.partition("'")[0].partition("\u2019")[0].rstrip(".,?!") != "I"
        for text in cased
    )


def in_a_line(quality: Mapping[str, Any]) -> str:
    """The report in a few words."""
    share, passages = 100 * quality["expected_wer"], quality["passages"]
    worst = f", first of all that at {clock(passages[0]['start'])}" if passages else ""
    return f"words to correct: about {share:.1f}%; passages worth hearing: {len(passages)}{worst}"
