"""Voices in a window of audio, heard with the packaged models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ModelError
from tests import speaking
from tests.speaking import go_on, sample, samples_of, truth
from worker.audio import RATE
from worker.voices import (
    CHUNK_S,
    EMBEDDING,
    PACKAGED,
    SEGMENTATION,
    STEP_S,
    Voiced,
    Voices,
    from_bytes,
    to_bytes,
)


@pytest.fixture(scope="module")
def voices() -> Voices:
    return Voices()


@pytest.fixture
def heard() -> Voiced:
    return speaking.heard(1)


def test_voices_are_heard_where_somebody_speaks(heard: Voiced) -> None:
    frames = np.zeros((2, round(heard.end_s / 0.01) + 1), dtype=np.bool_)
    for turn in truth(sample(1)).turns:
        frames[0, round(turn.start / 0.01) : round(turn.end / 0.01)] = True
    for start, end in (span for chunk in heard.chunks for each in chunk.voices for span in each.spans):
        frames[1, round(start / 0.01) : round(end / 0.01)] = True
    assert np.mean(frames[0] == frames[1]) > 0.95


def test_chunks_overlap_by_half_and_reach_the_end(heard: Voiced) -> None:
    starts = [chunk.start_s for chunk in heard.chunks]
    assert starts[:3] == [0, STEP_S, 2 * STEP_S]
    assert heard.chunks[-1].end_s == heard.end_s
    assert all(chunk.end_s - chunk.start_s == pytest.approx(CHUNK_S, abs=0.002) for chunk in heard.chunks)


def test_an_embedding_has_length_one(heard: Voiced) -> None:
    vectors = [each.vector for chunk in heard.chunks for each in chunk.voices if each.embedding]
    assert {vector.shape for vector in vectors} == {(192,)}
    assert [float(np.linalg.norm(vector)) for vector in vectors] == pytest.approx(
        [1] * len(vectors), abs=1e-3
    )


def test_stored_it_is_the_same_and_small(heard: Voiced) -> None:
    data = to_bytes(heard)
    assert from_bytes(data) == heard
    assert len(data) < 1500 * heard.end_s / STEP_S


def test_the_same_samples_sound_the_same_wherever_they_are(voices: Voices) -> None:
    samples = samples_of(sample(2))[: 12 * RATE]
    first, again = voices.listen(samples, 0.0, go_on), voices.listen(samples, 600.0, go_on)
    assert again.chunks[0].voices[0].spans[0][0] == pytest.approx(600 + first.chunks[0].voices[0].spans[0][0])
    assert [[each.embedding for each in chunk.voices] for chunk in again.chunks] == [
        [each.embedding for each in chunk.voices] for chunk in first.chunks
    ]
    assert Voices(threads=1).listen(samples, 0.0, go_on) == first


def test_in_silence_there_are_no_voices(voices: Voices) -> None:
    quiet = voices.listen(np.zeros(15 * RATE, dtype=np.float32), 30.0, go_on)
    assert (quiet.start_s, quiet.end_s) == (30.0, 45.0)
    assert [chunk.voices for chunk in quiet.chunks] == [(), ()]
    assert voices.listen(np.zeros(0, dtype=np.float32), 30.0, go_on) == Voiced(30.0, 30.0, ())


@settings(deadline=None, max_examples=10)
@given(seconds=st.floats(0, 11), loudness=st.sampled_from([1e-6, 0.1, 1.0]), seed=st.integers(0, 9))
def test_times_stay_within_the_window(seconds: float, loudness: float, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, loudness, int(seconds * RATE)).astype(np.float32)
    heard = Voices().listen(noise, 7.0, go_on)
    for chunk in heard.chunks:
        times = [time for each in chunk.voices for span in each.spans for time in span]
        assert all(chunk.start_s <= time <= chunk.end_s <= heard.end_s for time in times)
        assert all(start < end for each in chunk.voices for start, end in each.spans)


def test_it_ends_when_told_to(voices: Voices) -> None:
    calls = 0

    def twice() -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        voices.listen(samples_of(sample(1)), 0.0, twice)


@pytest.mark.parametrize("name", [SEGMENTATION, EMBEDDING])
@pytest.mark.parametrize("content", [None, b"not a model"])
def test_a_model_that_is_missing_or_damaged(tmp_path: Path, name: str, content: bytes | None) -> None:
    for file in (SEGMENTATION, EMBEDDING):
        if file != name:
            (tmp_path / file).symlink_to(PACKAGED / file)
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=name) as error:
        Voices(folder=tmp_path).listen(samples_of(sample(1))[: 10 * RATE], 0.0, go_on)
    assert "install proofcast again" in error.value.hint


def test_the_models_come_with_their_licences() -> None:
    licences = (PACKAGED / "THIRD_PARTY_LICENSES").read_text("utf-8")
    assert "Apache License" in licences
    assert "Copyright (c) 2020 CNRS" in licences
