"""An episode is heard window by window, and what was heard is not heard again."""

from __future__ import annotations

import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any, cast

import numpy as np
import pytest

from pipeline.config import Transcribe
from pipeline.errors import AudioError
from pipeline.model import Doubt, Episode, Segment, Word
from worker import hearing
from worker.audio import RATE
from worker.heard import Heard
from worker.hearing import AudioFile, Ears, Meter, forget, listened
from worker.hints import NONE, Hints
from worker.models import ModelChoice
from worker.windows import Window

CHOICE = ModelChoice(name="some", path=Path("some"), device="cpu", compute_type="int8", threads=2)


EPISODE = Episode(id="show-1", feed="show", title="One", duration_s=1.0)


@dataclass
class Listener:
    """Hears a word in each window, in the language that is given, else in Finnish."""

    choice: ModelChoice = CHOICE
    speaks: bool = True
    asks: bool = True  #: whether it may go on
    heard: list[tuple[float, str | None]] = field(default_factory=list[tuple[float, "str | None"]])

    def window(
        self,
        window: Window,
        language: str | None,
        hints: Hints,
        told: Callable[[float], None],
        go_on: Callable[[], None],
    ) -> Heard:
        self.heard.append((window.start_s, language))
        if self.asks:
            go_on()
        told(window.start_s + 1.0)
        word = Word("sana", window.start_s + 0.1, window.start_s + 1 / 3, 0.9)
        segments = (Segment("", word.start, word.end, "sana", (word,)),) if self.speaks else ()
        code = (language or "fi") if self.speaks else None
        speech = ((word.start, word.end), (window.end_s - 9.0, window.end_s))
        doubts = (Doubt("cut off", *speech[1], "the last 9 s of speech have no words"),)
        return Heard(window.start_s, window.end_s, code, segments, speech, doubts)


@dataclass
class Kept(AudioFile):
    """Keeps what is stored, and fails at a position if it is told to."""

    path: Path
    stop_at: float | None = None
    episode: Episode = EPISODE
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    told: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def file(self) -> Path:
        return self.path

    def progress(self, done_s: float, total_s: float, speed: float) -> None:
        if self.stop_at is not None and done_s > self.stop_at:
            raise InterruptedError
        self.told.append((done_s, total_s))

    def go_on(self) -> None:
        pass

    def stored(self, name: str) -> bytes | None:
        return self.files.get(name)

    def store(self, name: str, data: bytes) -> None:
        self.files[name] = data

    def discard(self, name: str) -> None:
        self.files.pop(name, None)


def noise(path: Path, seconds: int, seed: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.random.default_rng(seed).integers(-900, 900, seconds * RATE, np.int16).tobytes())
    return path


def ears(listener: Listener, language: str | None = "en", hints: Hints = NONE) -> Ears:
    whisper = cast(Any, listener)
    return Ears(whisper=whisper, settings=Transcribe(), voices=None, hints=hints, language=language)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr(hearing, "WINDOW_S", 70.0)
    return Kept(noise(tmp_path / "audio.wav", 290))


def test_what_was_heard_before_an_interruption_is_not_heard_again(source: Kept) -> None:
    whole = Kept(source.path)
    expected = listened(whole, ears(Listener()))
    source.stop_at = 150.0
    first = Listener()
    with pytest.raises(InterruptedError):
        listened(source, ears(first))
    done = len(source.files)
    assert 1 <= done < len(expected)
    source.stop_at, second = None, Listener()
    assert listened(source, ears(second)) == expected
    assert source.files == whole.files
    assert [start for start, _ in second.heard] == [part.heard.start_s for part in expected[done:]]


@pytest.mark.parametrize(
    "other",
    [
        ears(Listener(), language="de"),
        ears(Listener(), hints=Hints("fourTheorem")),
        ears(Listener(choice=replace(CHOICE, name="another"))),
        replace(ears(Listener()), settings=Transcribe(beam_size=1)),
    ],
)
def test_what_was_heard_in_another_way_does_not_count(source: Kept, other: Ears) -> None:
    count = len(listened(source, ears(Listener())))
    listened(source, other)
    assert len(cast(Any, other.whisper).heard) == count


def test_nor_what_was_heard_of_other_audio_or_is_damaged(source: Kept, tmp_path: Path) -> None:
    listened(source, ears(Listener()))
    source.path, again = noise(tmp_path / "other.wav", 290, seed=2), Listener()
    assert len(listened(source, ears(again))) == len(again.heard)
    source.files["windows/0001.json"], again = b"{}", Listener()
    listened(source, ears(again))
    assert len(again.heard) == 1


def test_the_number_of_threads_changes_nothing(source: Kept) -> None:
    listened(source, ears(Listener()))
    other = Listener(choice=replace(CHOICE, threads=7))
    listened(source, replace(ears(other), settings=Transcribe(threads=7)))
    assert not other.heard


def test_the_language_that_is_found_first_is_that_of_the_rest(source: Kept) -> None:
    listener = Listener()
    listened(source, ears(listener, language=None))
    assert [language for _, language in listener.heard] == [None, *["fi"] * (len(listener.heard) - 1)]


def test_windows_are_cleared_away(source: Kept) -> None:
    listened(source, ears(Listener()))
    source.files["transcript.json"] = b"made of them"
    forget(source)
    assert list(source.files) == ["transcript.json"]


def test_audio_without_speech_is_refused(source: Kept) -> None:
    with pytest.raises(AudioError, match="no speech was found in 4:50"):
        listened(source, ears(Listener(speaks=False)))
    assert source.files == {}  # nobody will come back for them


def test_only_the_last_window_can_be_cut_off(source: Kept) -> None:
    *others, last = listened(source, ears(Listener()))
    doubts = {(doubt.kind, doubt.detail) for part in others for doubt in part.heard.doubts}
    assert doubts == {("dropped", "9 s of speech, or of music like it, have no words")}
    assert [doubt.kind for doubt in last.heard.doubts] == ["cut off"]


@pytest.mark.parametrize("damaged", [b"", b"{", b'{"mark": 1}', b'{"mark":"\xff\xfe","heard":{}}', b"\xff"])
def test_a_damaged_window_is_heard_again(source: Kept, damaged: bytes) -> None:
    expected = listened(source, ears(Listener()))
    source.files["windows/0001.json"] = damaged
    again = Listener()
    assert listened(source, ears(again)) == expected
    assert [start for start, _ in again.heard] == [expected[1].heard.start_s]


@dataclass
class Slow:
    """Voices that take their time; they are told to end, or `count` grows to a thousand."""

    begun: Event = field(default_factory=Event)
    patience: Event = field(default_factory=Event)
    count: int = 0

    def listen(self, samples: Any, start_s: float, go_on: Callable[[], None]) -> Any:
        self.begun.set()
        for self.count in range(1000):
            go_on()
            self.patience.wait(0.01)


class Stop(Exception):
    """A worker is told to end."""


@pytest.mark.parametrize("hears_first", [False, True])
def test_told_to_end_beside_a_gpu_the_voices_end_too(source: Kept, hears_first: bool) -> None:
    voices = Slow()

    def stop() -> None:
        assert voices.begun.wait(10)
        raise Stop

    listener = Listener(choice=replace(CHOICE, device="cuda"), asks=not hears_first)
    hearing = replace(ears(listener), voices=cast(Any, voices))
    samples = np.zeros(RATE, np.float32)
    with pytest.raises(Stop):
        hearing.hear("mark", Window(0.0, samples), "en", lambda done_s: None, stop)
    assert voices.count < 900


def test_progress_only_goes_forwards_and_ends_at_the_end(source: Kept) -> None:
    listened(source, ears(Listener()))
    done: Sequence[float] = [done for done, _ in source.told]
    assert list(done) == sorted(done)
    assert source.told[-1] == (290.0, 290.0)


def test_what_was_found_done_does_not_count_as_quickly_done() -> None:
    told: list[tuple[float, float, float]] = []
    ticks = iter([0.0, 0.0, 2.0])

    def progress(done_s: float, total_s: float, speed: float) -> None:
        told.append((done_s, total_s, speed))

    meter = Meter(100.0, progress, lambda: next(ticks))
    meter.found(60.0)
    meter(60.0)
    meter(70.0)
    assert told == [(60.0, 100.0, 0.0), (70.0, 100.0, 5.0)]
