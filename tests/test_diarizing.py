"""Who spoke when, from voices made up and from real ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.speaking import error_rate, go_on, heard, sample, samples_of, truth, voice, voiced
from worker.audio import RATE
from worker.diarizing import Diarization, Turn, labelled, turns_of
from worker.voices import Chunk, Voice, Voiced, Voices

#: Two people for two minutes, and a third who says something for three seconds in the middle.
TALK = [(at, at + 9.5, int(at / 10) % 2) for at in np.arange(0.0, 120, 10).tolist()]
ASIDE = [*TALK[:6], (60.0, 63.0, 2), (63.2, 69.5, 0), *TALK[7:]]


def speakers(found: Diarization) -> list[str]:
    return sorted({turn.speaker for turn in found.turns})


@pytest.mark.parametrize(("number", "most"), [(1, 12), (1, 2), (2, 12), (2, 2)])
def test_the_sample_shows_hosts_are_told_apart(number: int, most: int) -> None:
    """With the number of speakers found, and given."""
    found = turns_of([heard(number)], 1 if most > 2 else most, most)
    assert speakers(found) == ["spk_0", "spk_1"]
    assert error_rate(truth(sample(number)).turns, found.turns) < 0.01


def test_windows_make_no_difference_to_who_speaks() -> None:
    samples = samples_of(sample(1))
    cut = int(21.9 * RATE)  # in a pause
    parts = [Voices().listen(samples[:cut], 0, go_on), Voices().listen(samples[cut:], cut / RATE, go_on)]
    assert error_rate(truth(sample(1)).turns, turns_of(parts).turns) < 0.02


def test_turns_are_in_order_and_labelled_by_first_words() -> None:
    found = turns_of([voiced([(0.0, 20.0, 5), (20.5, 40.0, 3), (41.0, 60.0, 5), (60.5, 80.0, 9)])])
    assert [(turn.speaker, round(turn.start), round(turn.end)) for turn in found.turns] == [
        ("spk_0", 0, 20),
        ("spk_1", 20, 40),
        ("spk_0", 41, 60),
        ("spk_2", 60, 80),
    ]
    assert found.seconds == pytest.approx({"spk_0": 39, "spk_1": 19.5, "spk_2": 19.5}, abs=0.2)
    assert [int(found.voices[label].argmax()) for label in ("spk_0", "spk_1", "spk_2")] == [5, 3, 9]


def test_who_is_hardly_heard_is_nobody_unless_the_number_is_given() -> None:
    talk = [
        voiced(
            [
                *TALK,
                *((a + 120, b + 120, who) for a, b, who in ASIDE),
                *((a + 240, b + 240, p) for a, b, p in TALK),
            ]
        )
    ]
    assert speakers(turns_of(talk)) == ["spk_0", "spk_1"]
    assert speakers(turns_of(talk, 3, 3)) == ["spk_0", "spk_1", "spk_2"]
    assert speakers(turns_of(talk, 3, 12)) == ["spk_0", "spk_1", "spk_2"]


@pytest.mark.parametrize(
    ("fewest", "most", "expected"), [(1, 1, 1), (2, 2, 2), (1, 2, 2), (3, 8, 3), (1, 12, 3)]
)
def test_the_number_of_speakers_is_bounded(fewest: int, most: int, expected: int) -> None:
    talk = [voiced([(0.0, 30.0, 0), (30.5, 60.0, 1), (60.5, 90.0, 2)])]
    assert len(speakers(turns_of(talk, fewest, most))) == expected


def test_one_voice_may_be_all_there_is() -> None:
    assert speakers(turns_of([voiced([(0.0, 4.0, 0)])])) == ["spk_0"]
    assert speakers(turns_of([voiced([(0.0, 4.0, 0)])], 2, 2)) == ["spk_0"]


def test_without_voices_there_are_no_turns() -> None:
    too_short = Voice(((1.0, 1.2),), 0.2, b"")
    for talk in ([], [Voiced(0, 0, ())], [Voiced(0, 10, (Chunk(0, 10, (too_short,)),))]):
        assert turns_of(talk).turns == ()


def test_a_short_silence_ends_no_turn_and_a_blip_is_none() -> None:
    found = turns_of(
        [voiced([(0.0, 4.0, 0), (4.3, 12.0, 0), (12.02, 12.12, 1), (12.14, 20.0, 0), (21.0, 30.0, 1)])]
    )
    assert [(turn.start, turn.end) for turn in found.turns] == [(0.0, 20.0), (21.0, 30.0)]


def test_a_very_long_episode_is_heard_in_parts_from_beginning_to_end() -> None:
    """4 hours: 5,000 voices, of which not all can be compared with all."""
    hours = [(at, at + 9.5, int(at / 10) % 2) for at in np.arange(0.0, 4 * 3600, 10).tolist()]
    found = turns_of([voiced(hours)])
    assert speakers(found) == ["spk_0", "spk_1"]
    assert error_rate([Turn(a, b, str(who)) for a, b, who in hours], found.turns) < 0.01


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(
        st.tuples(st.floats(0.1, 20), st.floats(0, 3), st.integers(0, 4)), min_size=1, max_size=30
    ),
    fewest=st.integers(1, 4),
    more=st.integers(0, 4),
)
def test_turns_never_overlap(lengths: list[tuple[float, float, int]], fewest: int, more: int) -> None:
    at, turns = 0.0, list[tuple[float, float, int]]()
    for length, pause, person in lengths:
        turns.append((at, at + length, person))
        at += length + pause
    talk = [voiced(turns, spread=0.5)]
    found = turns_of(talk, fewest, fewest + more)
    assert all(turn.start < turn.end <= at + 0.02 for turn in found.turns)
    assert all(before.end <= after.start for before, after in pairwise(found.turns))
    assert speakers(found) == sorted(f"spk_{number}" for number in range(len(speakers(found))))
    assert len(speakers(found)) <= fewest + more
    assert set(found.voices) == set(found.seconds) == set(speakers(found))
    assert found.turns == turns_of(talk, fewest, fewest + more).turns


def test_labels_of_another_system_are_renamed() -> None:
    found = labelled([Turn(5, 9, "B"), Turn(0, 4, "A")], {"B": voice(1)})
    assert [turn.speaker for turn in found.turns] == ["spk_0", "spk_1"]
    assert list(found.voices) == ["spk_1"]


def test_error_rate_counts_missed_invented_and_mistaken_speech() -> None:
    true = [Turn(0, 10, "a"), Turn(10, 20, "b")]
    assert error_rate(true, [Turn(0, 10, "x"), Turn(10, 20, "y")], 0) == 0
    assert error_rate(true, [Turn(0, 10, "x"), Turn(15, 20, "y")], 0) == pytest.approx(0.25)
    assert error_rate(true, [Turn(0, 20, "x")], 0) == pytest.approx(0.5)
    assert error_rate(true, [*true, Turn(20, 25, "a")], 0) == pytest.approx(0.25)
