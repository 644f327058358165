"""Spans: cut in pauses, packed whole, and the way back from audio without silence."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.heard import Span
from worker.shards import PAD_S, PAUSE_S, Timeline, audible, cuts, merged, overlap, packed, total, without


@st.composite
def speech(draw: st.DrawFn) -> list[Span]:
    """Spans apart from each other, as the voice detector finds them."""
    steps = draw(st.lists(st.tuples(st.floats(0.2, 30), st.floats(0.1, 45)), max_size=30))
    edges = list(accumulate(edge for step in steps for edge in step))
    return list(zip(edges[::2], edges[1::2], strict=True))


def length(spans: list[Span]) -> float:
    return (spans[-1][1] if spans else 0.0) + 1.0


@given(speech(), st.floats(20, 300))
def test_shards_cover_all_and_cut_nobody_short(spans: list[Span], shard_s: float) -> None:
    limits = cuts(spans, length(spans), shard_s)
    assert (limits[0], limits[-1]) == (0.0, length(spans))
    assert limits == sorted(limits)
    assert not any(start < limit < end for limit in limits[1:-1] for start, end in spans)


def test_the_longest_pause_near_is_the_limit() -> None:
    spans = [(0.0, 95.0), (95.3, 110.0), (112.0, 130.0), (130.2, 200.0)]
    assert cuts(spans, 200.0, 100.0) == [0.0, 111.0, 200.0]


def test_who_never_pauses_is_not_cut() -> None:
    assert cuts([(0.0, 600.0)], 600.0, 100.0) == [0.0, 600.0]


@given(speech())
def test_what_is_packed_holds_all_speech_in_short_pieces(spans: list[Span]) -> None:
    pieces = packed(spans, length(spans), 30.0)
    assert total(spans) == pytest.approx(sum(overlap(pieces, *span) for span in spans))
    assert all(0 < end - start <= 30.0001 for start, end in pieces)
    assert all(before[1] <= after[0] + 1e-9 for before, after in pairwise(pieces))


def test_pieces_end_in_pauses() -> None:
    pieces = packed([(1.0, 20.0), (21.0, 27.0), (28.0, 40.0), (90.0, 95.0)], 100.0, 30.0)
    assert pieces == [(1.0 - PAD_S, 27.0 + PAD_S), (28.0 - PAD_S, 40.0 + PAD_S), (90.0 - PAD_S, 95.0 + PAD_S)]


@given(speech())
def test_long_silence_is_left_out_and_found_again(spans: list[Span]) -> None:
    kept = audible(spans, 0.0, length(spans))
    assert all(after[0] - before[1] >= PAUSE_S - 2 * PAD_S - 1e-9 for before, after in pairwise(kept))
    timeline = Timeline(kept)
    at = 0.0
    for start, end in kept:
        middle = at + (end - start) / 2
        assert timeline.span(middle, middle + 0.01) == pytest.approx(
            ((start + end) / 2, (start + end) / 2 + 0.01), abs=1e-6
        )
        at += end - start


@given(speech(), speech())
def test_what_is_left_and_what_is_taken_make_the_whole(spans: list[Span], taken: list[Span]) -> None:
    left = without(spans, taken)
    assert total(left) + sum(overlap(merged(taken), *span) for span in spans) == pytest.approx(total(spans))
    assert all(overlap(merged(taken), *span) == pytest.approx(0.0, abs=1e-9) for span in left)
