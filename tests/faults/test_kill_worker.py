"""A worker with real Whisper is killed in mid-job: its successor goes on, to the very same transcript."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

import pipeline.sample
from tests.faults.long_job import killed, queued
from worker.audio import RATE, decode

WINDOW_S = 70.0  # as short as windows may be: the last minute is for a good place to cut


@pytest.fixture
def three_windows(tmp_path: Path) -> Path:
    folder = Path(pipeline.sample.__file__).parent
    once = [block for number in (1, 2) for block in decode(folder / f"episode-{number}.mp3")]
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.concatenate(once * 2) * 32767).astype(np.int16).tobytes())
    return path


def test_killed_at_random_times_the_transcript_is_the_same(tmp_path: Path, three_windows: Path) -> None:
    whole = queued(tmp_path / "whole", three_windows, WINDOW_S)
    whole_s = whole.finish()
    job = queued(tmp_path / "killed", three_windows, WINDOW_S)
    killed(job, 3, whole_s, seed=1)
    assert job.kills >= 2
    assert job.transcript == whole.transcript
    assert not job.redone  # so each kill cost less than a window
    assert not job.windows  # cleared away once the transcript was stored
    assert job.episode.attempts == job.kills + 1
