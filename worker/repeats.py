"""Text that repeats itself: the loops that recognisers fall into, and what was said before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.model import Word
from pipeline.scoring import words_of

PERIOD = 40  #: words of a loop's longest round
ROUNDS, LOOPED = 3, 8  #: a loop has at least so many rounds, and words in all…
TAIL_ROUNDS, TAIL_PERIOD = 2, 4  #: …but as the last that is said so many, of so many words
SAID = 8  #: so many words in a row that were said before count as repeated


@dataclass(frozen=True, slots=True)
class Loop:
    """Words that say the same again and again, as indices; `period` of them are one round."""

    first: int
    last: int  #: the one behind its last word
    period: int

    @property
    def rounds(self) -> int:
        return (self.last - self.first) // self.period


def numbered(words: Sequence[Word]) -> list[int]:
    """A number for each different word, whatever its case and punctuation."""
    known: dict[str, int] = {}
    keys = (" ".join(words_of(word.text)) or word.text for word in words)
    return [known.setdefault(key, len(known)) for key in keys]


def loops(ids: Sequence[int]) -> list[Loop]:
    """Where the same words come several times in a row, in order; of several readings the shortest round."""
    array = np.array(ids)
    found: list[Loop] = []
    for period in range(1, min(PERIOD, len(ids) // 2) + 1):
        again = np.concatenate(([0], array[period:] == array[:-period], [0])).astype(np.int8)
        edges: list[int] = np.flatnonzero(np.diff(again)).tolist()
        for first, stop in zip(edges[::2], edges[1::2], strict=True):
            loop = Loop(first, stop + period, period)
            if _counts(loop, len(ids)) and not any(
                loop.first < o.last and o.first < loop.last for o in found
            ):
                found.append(loop)
    return sorted(found, key=lambda loop: loop.first)


def said_before(ids: Sequence[int]) -> float:
    """The share of words that stand in `SAID` or more in a row that were said earlier, 0 to 1."""
    before: set[tuple[int, ...]] = set()
    again: set[int] = set()
    for at in range(len(ids) - SAID + 1):
        run = tuple(ids[at : at + SAID])
        if run in before:
            again.update(range(at, at + SAID))
        before.add(run)
    return len(again) / len(ids) if ids else 0.0


def _counts(loop: Loop, count: int) -> bool:
    """Whether nobody speaks like that; the last that is said needs less for it, as outros loop."""
    if loop.last == count and loop.period >= TAIL_PERIOD:
        return loop.rounds >= TAIL_ROUNDS
    return loop.rounds >= ROUNDS and loop.last - loop.first >= LOOPED
