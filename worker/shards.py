"""Spans of speech: where to cut them, how to pack them, what they cover. Pure; all times in seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from worker.heard import Span

PAUSE_S = 2.0  #: shorter pauses are heard along with the speech around them, as faster-whisper does
PAD_S = 0.4  #: what is heard before and after speech: the voice detector is late and leaves early
SHARD_S = 150.0  #: so much is heard in one go: in shorter ones the style of numbers changes more often
SEARCH_S = 20.0  #: how far from where a cut should be it is sought


def merged(spans: Iterable[Span], gap_s: float = 0.0) -> list[Span]:
    """The same in order, those that overlap or are `gap_s` or less apart made one."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start - result[-1][1] <= gap_s:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def within(spans: Iterable[Span], start: float, end: float) -> list[Span]:
    """The parts of spans that lie between two times."""
    cut = ((max(a, start), min(b, end)) for a, b in spans)
    return [(a, b) for a, b in cut if a < b]


def total(spans: Iterable[Span]) -> float:
    """Seconds, of spans that do not overlap."""
    return sum(end - start for start, end in spans)


def overlap(spans: Iterable[Span], start: float, end: float) -> float:
    """How many seconds between two times lie in spans that do not overlap each other."""
    return total(within(spans, start, end))


def without(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """What is left of spans where others are taken away."""
    holes = merged(taken)
    result: list[Span] = []
    for start, end in spans:
        at = start
        for a, b in within(holes, start, end):
            if a > at:
                result.append((at, a))
            at = b
        if at < end:
            result.append((at, end))
    return result


def audible(speech: Sequence[Span], start: float, end: float) -> list[Span]:
    """What is listened to between two times: speech, with short pauses and a little around it."""
    near = merged(within(speech, start, end), PAUSE_S)
    return merged(
        (
            start if a - start <= PAUSE_S else a - PAD_S,
            end if end - b <= PAUSE_S else b + PAD_S,
        )
        for a, b in near
    )


def cuts(speech: Sequence[Span], length_s: float, shard_s: float = SHARD_S) -> list[float]:
    """From 0 to `length_s`: the limits of shards of about equal length, each in the longest pause near.

    They depend on the audio alone: not on how many cores there are, nor on who heard what before.
    Where nobody pauses near a limit there is none, and the shards beside it are one.
    """
    shards = max(1, round(length_s / shard_s))
    pauses = [((a[1] + b[0]) / 2, b[0] - a[1]) for a, b in pairwise(speech)]
    result = [0.0]
    for number in range(1, shards):
        aim = length_s * number / shards
        near = [pause for pause in pauses if abs(pause[0] - aim) <= min(SEARCH_S, shard_s / 3)]
        if near:
            result.append(max(near, key=lambda pause: (pause[1], -pause[0]))[0])
    return [*result, length_s]


def packed(speech: Sequence[Span], length_s: float, longest_s: float) -> list[Span]:
    """Stretches of at most `longest_s` that hold all speech, apart from each other.

    They end in pauses, where there are any, and hold none longer than `PAUSE_S`. Around each is a little
    that is no speech.
    """
    room = longest_s - 2 * PAD_S
    result: list[Span] = []
    for start, end in speech:
        if result and end - result[-1][0] <= room and start - result[-1][1] <= PAUSE_S:
            result[-1] = (result[-1][0], end)
            continue
        parts = int((end - start) // room) + 1  # where nobody pauses for so long, it is cut evenly
        step = (end - start) / parts
        result += [(start + step * part, start + step * (part + 1)) for part in range(parts)]
    middles = [(a[1] + b[0]) / 2 for a, b in pairwise(result)]
    return [
        (max(start - PAD_S, before), min(end + PAD_S, after))
        for (start, end), before, after in zip(result, [0.0, *middles], [*middles, length_s], strict=False)
    ]


class Timeline:
    """Finds the way back from audio out of which all but some spans was taken."""

    def __init__(self, kept: Sequence[Span]) -> None:
        self._offsets = [start for start, _ in kept]
        self._begins = list(accumulate((end - start for start, end in kept), initial=0.0))[:-1]

    def span(self, start: float, end: float) -> Span:
        """Where something was in the whole audio; both its ends in one span, that of its middle."""
        index = max(0, bisect_right(self._begins, (start + end) / 2) - 1)
        shift = self._offsets[index] - self._begins[index]
        return max(start + shift, self._offsets[index]), end + shift
