"""Recognising real speech with the packaged model, and what is made of what it says."""

from __future__ import annotations

import json
import wave
from collections.abc import Sequence
from functools import partial
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

import pipeline.sample
from pipeline.config import Transcribe
from pipeline.errors import AudioError, ModelError
from pipeline.formats import read_transcript, transcript_json
from pipeline.model import Segment, Transcript, Word
from worker.audio import RATE
from worker.models import ModelChoice, choose
from worker.whisper import Whisper, explained, ordered
from worker.windows import windows

SAMPLE = Path(pipeline.sample.__file__).with_name("episode-1.mp3")
TRUTH = json.loads(SAMPLE.with_suffix(".json").read_text(encoding="utf-8"))
EPISODE = {"id": "sample", "title": TRUTH["title"]}

Steps = list[tuple[float, float, float]]


@pytest.fixture(scope="module")
def choice() -> ModelChoice:
    config = Transcribe(model="packaged", device="cpu", compute_type="int8", threads=1)
    return choose(config, "en", lambda _: None)


@pytest.fixture(scope="module")
def whisper(choice: ModelChoice) -> Whisper:
    ticks = count()
    return Whisper(choice, beam_size=1, monotonic=lambda: float(next(ticks)))


@pytest.fixture(scope="module")
def heard(whisper: Whisper) -> tuple[Transcript, Steps]:
    steps: Steps = []

    def progress(done_s: float, total_s: float, speed: float) -> None:
        steps.append((done_s, total_s, speed))

    return whisper.transcribe(SAMPLE, EPISODE, "en-GB", progress), steps


def ignore(done_s: float, total_s: float, speed: float) -> None:
    """Nobody watches."""


def silence(path: Path, seconds: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.zeros(seconds * RATE, np.int16).tobytes())
    return path


def plain(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() or letter == "'" else " " for letter in text.lower()).split()


def test_most_words_are_right(heard: tuple[Transcript, Steps]) -> None:
    truth = plain(" ".join(turn["text"] for turn in TRUTH["turns"]))
    said = plain(" ".join(segment.text for segment in heard[0].segments))
    assert Levenshtein.distance(truth, said) / len(truth) < 0.12


def test_words_stand_where_they_were_said(heard: tuple[Transcript, Steps]) -> None:
    words = [word for segment in heard[0].segments for word in segment.words]
    for turn in TRUTH["turns"]:
        assert min(abs(word.start - turn["start"]) for word in words) < 0.6


def test_the_document_is_complete(heard: tuple[Transcript, Steps], choice: ModelChoice) -> None:
    transcript, _ = heard
    assert transcript.episode == EPISODE
    assert transcript.language == "en"
    assert transcript.duration_s == pytest.approx(TRUTH["duration_s"], abs=0.1)
    assert transcript.speakers == {"spk_0": "Speaker 1"}
    assert {"name": "tiny.en", "device": "cpu", "compute_type": "int8", "beam_size": 1}.items() <= (
        transcript.model.items()
    )
    assert {"faster_whisper", "ctranslate2"} <= transcript.model.keys()
    assert "fallback_from" not in transcript.model
    assert read_transcript(transcript_json(transcript).encode()) == transcript


def check_times(segments: Sequence[Segment], end_s: float) -> None:
    words = [word for segment in segments for word in segment.words]
    assert all(0 <= word.start <= word.end <= round(end_s, 3) for word in words)
    assert all(before.end <= after.start for before, after in pairwise(words))
    assert all((s.start, s.end) == (s.words[0].start, s.words[-1].end) for s in segments)
    assert all(round(time, 3) == time for word in words for time in (word.start, word.end))


def test_times_run_forward(heard: tuple[Transcript, Steps]) -> None:
    check_times(heard[0].segments, heard[0].duration_s)
    for segment in heard[0].segments:
        assert plain(segment.text) == plain(" ".join(word.text for word in segment.words))
        assert all(word.text == word.text.strip() != "" for word in segment.words)
        assert all(0 <= word.probability <= 1 for word in segment.words)


def test_progress_reaches_the_end(heard: tuple[Transcript, Steps]) -> None:
    transcript, steps = heard
    assert len(steps) >= len(transcript.segments)
    assert steps == sorted(steps, key=lambda step: step[0])
    done_s, total_s, speed = steps[-1]
    assert done_s == pytest.approx(transcript.duration_s, abs=0.001)
    assert total_s == pytest.approx(transcript.duration_s, rel=0.02)
    assert speed == pytest.approx(done_s / len(steps))  # the fixture's clock ticks once a step


def test_an_episode_is_heard_alike_in_windows(
    whisper: Whisper, heard: tuple[Transcript, Steps], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut at a pause, no word is lost, none comes twice, and times go on where they were."""
    monkeypatch.setattr("worker.windows.SEARCH_S", 10.0)
    monkeypatch.setattr("worker.whisper.windows", partial(windows, seconds=20.0))
    cut = whisper.transcribe(SAMPLE, EPISODE, None, ignore)
    whole = heard[0]
    assert cut.duration_s == whole.duration_s
    check_times(cut.segments, cut.duration_s)
    before, after = (plain(" ".join(s.text for s in each.segments)) for each in (whole, cut))
    assert Levenshtein.distance(before, after) <= 0.06 * len(before)
    starts = [word.start for s in whole.segments for word in s.words]
    late = [min(abs(word.start - start) for start in starts) for s in cut.segments for word in s.words]
    assert sorted(late)[int(len(late) * 0.9)] < 0.3


def test_silence_has_no_transcript(whisper: Whisper, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no speech was found in 1:05 of audio"):
        whisper.transcribe(silence(tmp_path / "silence.wav", 65), EPISODE, None, ignore)


def test_audio_cut_short_has_no_transcript(whisper: Whisper, tmp_path: Path) -> None:
    path = tmp_path / "cut.mp3"
    data = SAMPLE.read_bytes()
    path.write_bytes(data[: len(data) // 5])
    with pytest.raises(AudioError, match=r"the audio ends at 0:\d\d, but its header promises 0:50"):
        whisper.transcribe(path, EPISODE, "en", ignore)


def test_who_watches_may_stop_the_work(whisper: Whisper) -> None:
    class Stop(RuntimeError):
        pass

    def stop(done_s: float, total_s: float, speed: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        whisper.transcribe(SAMPLE, EPISODE, "en", stop)


def test_a_language_that_the_model_lacks_is_refused(whisper: Whisper) -> None:
    with pytest.raises(ModelError, match=r"'tiny\.en' doesn't know the language 'it-IT'") as caught:
        whisper.transcribe(SAMPLE, EPISODE, "it-IT", ignore)
    assert "English" in caught.value.hint


def test_a_broken_model_is_named(choice: ModelChoice, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"not a model")
    broken = ModelChoice(name="mine", path=tmp_path, device="cpu", compute_type="int8", threads=1)
    with pytest.raises(ModelError, match=f"the model in {tmp_path} can't be used"):
        Whisper(broken, beam_size=1).transcribe(SAMPLE, EPISODE, None, ignore)


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("Library libcublas.so.12 is not found or cannot be loaded", "libcublas.so.12", "LD_LIBRARY_PATH"),
        ("Unable to load any of {libcudnn_ops.so.9.1.0, libcudnn_ops.so}", "libcudnn_ops.so.9", "cuDNN 9"),
        ("CUDA failed with error out of memory", "too little memory", "int8_float16"),
        ("CUDA failed with error no CUDA-capable device is detected", "the GPU can't be used", "nvidia-smi"),
    ],
)
def test_what_a_gpu_lacks_is_named(choice: ModelChoice, said: str, message: str, hint: str) -> None:
    error = explained(RuntimeError(said), choice)
    assert message in error.message
    assert hint in error.hint


times = st.floats(-1, 100, allow_nan=False)
words = st.builds(Word, st.just("word"), times, times, st.just(0.5))
passages = st.lists(words, min_size=1, max_size=5).map(
    lambda own: Segment("spk_0", 0, 0, "text", tuple(own)),
)


@given(segments=st.lists(passages, max_size=8), end_s=st.floats(0, 90))
def test_any_times_are_put_in_order(segments: list[Segment], end_s: float) -> None:
    result = ordered(segments, end_s)
    check_times(result, end_s)
    assert [[w.text for w in s.words] for s in result] == [[w.text for w in s.words] for s in segments]


def test_good_times_are_left_alone() -> None:
    own = (Word("a", 1.0, 1.5, 0.9), Word("b", 1.5, 2.25, 0.8))
    segment = Segment("spk_0", 1.0, 2.25, "a b", own)
    assert ordered([segment], 3.0) == (segment,)
