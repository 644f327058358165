"""Cutting a stream of samples into windows, so that memory stays flat however long an episode is.

Whisper's features take about 60 MB for each minute of audio; a three-hour episode at once would
need more memory than most machines have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.audio import RATE

Samples = NDArray[np.float32]

SEARCH_S = 60.0  #: the last seconds of a window in which the cut is sought
STEP_S = 0.1  #: how finely it is sought
PAUSE_S = 0.5  #: how much around the cut should be quiet: between words it is, within them never


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Samples, and where in the audio they start (seconds)."""

    start_s: float
    samples: Samples

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.samples) / RATE


def windows(blocks: Iterable[Samples], seconds: float = 600.0) -> Iterator[Window]:
    """Windows of at most `seconds`, each cut at the quietest moment of its last minute.

    The windows joined are the blocks joined. Only the last one may be up to a minute longer: it is
    not cut if little would be left for another.
    """
    held: list[Samples] = []
    size = start = 0
    for block in blocks:
        held.append(block)
        size += len(block)
        while size > (seconds + SEARCH_S) * RATE:
            samples = np.concatenate(held)
            cut = quietest(samples, seconds)
            yield Window(start / RATE, samples[:cut])
            held, size, start = [samples[cut:]], size - cut, start + cut
    if size:
        yield Window(start / RATE, np.concatenate(held))


def quietest(samples: Samples, seconds: float) -> int:
    """Where to cut: the middle of the quietest moment in the last minute before `seconds`."""
    step = int(STEP_S * RATE)
    first = max(0, int((seconds - SEARCH_S) * RATE))
    steps = (int(seconds * RATE) - first) // step
    energy = np.square(samples[first : first + steps * step].reshape(steps, step)).mean(axis=1)
    wide = min(int(PAUSE_S / STEP_S), steps)
    pause = np.convolve(energy, np.ones(wide), mode="valid")
    return first + int(pause.argmin()) * step + wide * step // 2
