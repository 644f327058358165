"""Windows: nothing lost, nothing twice, and cuts where nobody speaks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from worker.audio import RATE
from worker.windows import SEARCH_S, windows

Samples = NDArray[np.float32]


def noise(seconds: float) -> Samples:
    return np.random.default_rng(3).uniform(-1, 1, int(seconds * RATE)).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.integers(0, 40 * RATE), max_size=12),
    seconds=st.floats(30, 100),
)
def test_windows_joined_are_the_blocks_joined(lengths: list[int], seconds: float) -> None:
    whole = np.arange(sum(lengths), dtype=np.float32)
    blocks = np.split(whole, np.cumsum(lengths)[:-1]) if lengths else []
    found = list(windows(blocks, seconds))
    assert np.array_equal(np.concatenate([np.zeros(0, np.float32), *(w.samples for w in found)]), whole)
    for before, after in pairwise(found):
        assert after.start_s == before.start_s + len(before.samples) / RATE
        assert 0 < len(before.samples) <= seconds * RATE
    assert all(0 < len(window.samples) <= (seconds + SEARCH_S) * RATE for window in found)


def test_the_cut_is_in_the_pause() -> None:
    speech = noise(300)
    speech[70 * RATE : 72 * RATE] *= 0.01
    speech[100 * RATE : int(100.2 * RATE)] = 0  # shorter than a pause: a consonant
    first, *_ = windows([speech], 120)
    assert 70 < len(first.samples) / RATE < 72


def test_a_little_more_than_a_window_is_one_window() -> None:
    assert [len(window.samples) for window in windows([noise(170)], 120)] == [170 * RATE]


def test_the_last_window_is_never_a_scrap() -> None:
    *_, last = windows([noise(181)], 120)
    assert len(last.samples) >= SEARCH_S * RATE


def test_nothing_in_nothing_out() -> None:
    assert list(windows([])) == []


def test_no_more_is_read_than_a_window_needs() -> None:
    def blocks(read: list[int]):
        for _ in range(100):
            read.append(1)
            yield noise(10)

    read: list[int] = []
    next(windows(blocks(read), 120))
    assert sum(read) * 10 == pytest.approx(120 + SEARCH_S, abs=10)
