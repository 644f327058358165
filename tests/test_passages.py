"""Times that words can be given: forward, apart, and within the audio."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Segment, Word
from worker.passages import SHORTEST_S, ordered, spread


def check_times(segments: Sequence[Segment], end_s: float) -> None:
    words = [word for segment in segments for word in segment.words]
    assert all(0 <= word.start <= word.end <= round(end_s, 3) for word in words)
    assert all(before.end <= after.start for before, after in pairwise(words))
    assert all((s.start, s.end) == (s.words[0].start, s.words[-1].end) for s in segments)
    assert all(round(time, 3) == time for word in words for time in (word.start, word.end))
    if words and end_s / len(words) > SHORTEST_S + 0.001:
        assert all(word.end - word.start > SHORTEST_S - 1e-6 for word in words)


times = st.floats(-1, 100, allow_nan=False)
words = st.builds(Word, st.just("word"), times, times, st.just(0.5))
passages = st.lists(words, min_size=1, max_size=5).map(
    lambda own: Segment("", 0, 0, "text", tuple(own)),
)


@given(segments=st.lists(passages, max_size=8), end_s=st.floats(0, 90))
def test_any_times_are_put_in_order(segments: list[Segment], end_s: float) -> None:
    result = ordered(segments, end_s)
    check_times(result, end_s)
    assert [[w.text for w in s.words] for s in result] == [[w.text for w in s.words] for s in segments]


@given(segments=st.lists(passages, max_size=8), end_s=st.floats(0, 90))
def test_what_is_in_order_stays(segments: list[Segment], end_s: float) -> None:
    once = ordered(segments, end_s)
    assert ordered(once, end_s) == once


def test_good_times_are_left_alone() -> None:
    own = (Word("a", 1.0, 1.5, 0.9), Word("b", 1.5, 2.25, 0.8))
    segment = Segment("", 1.0, 2.25, "a b", own)
    assert ordered([segment], 3.0) == (segment,)


def test_digits_without_times_are_put_between_their_neighbours() -> None:
    own = (Word("in", 1.0, 1.5, 0.9), Word("20", 1.5, 1.5, 0.8), Word("26,", 1.5, 1.5, 0.8))
    (segment,) = ordered([Segment("", 1.0, 1.5, "in 20 26,", own)], 3.0)
    assert [(word.start, word.end) for word in segment.words] == [(1.0, 1.5), (1.5, 1.52), (1.52, 1.54)]


def test_words_past_the_end_make_room() -> None:
    own = (Word("the", 2.99, 3.4, 0.9), Word("end", 3.5, 3.9, 0.8))
    (segment,) = ordered([Segment("", 2.99, 3.9, "the end", own)], 3.0)
    assert [(word.start, word.end) for word in segment.words] == [(2.96, 2.98), (2.98, 3.0)]


def test_words_without_times_share_them_by_their_letters() -> None:
    assert spread(["a", "abc"], (1.0, 3.0), 0.5) == (Word("a", 1.0, 1.5, 0.5), Word("abc", 1.5, 3.0, 0.5))
