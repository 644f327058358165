"""Hearing an episode window by window, each kept as soon as it is there.

What a window gave is stored with a mark of the audio and of all that it was heard with, so that a
successor goes on behind the last one, and ends up with the same as if nobody had been interrupted.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import msgspec

from pipeline import __version__
from pipeline.errors import AudioError
from pipeline.model import Episode
from pipeline.spoken import clock
from worker import audio
from worker.heard import Heard
from worker.mending import midway
from worker.team import PULSE_S, Ended
from worker.windows import Window, windows

if TYPE_CHECKING:
    from pipeline.config import Transcribe
    from worker.handling import Source
    from worker.hints import Hints
    from worker.voices import Voices
    from worker.whisper import Whisper

WINDOW_S = 600.0

Told = Callable[[float], None]
"""Told how many seconds of the audio are done; may raise to stop the work."""


@dataclass(frozen=True, slots=True)
class Part:
    """One window: what was said, and by which voices (`voices.to_bytes`; empty where nobody asked)."""

    mark: str
    heard: Heard
    voiced: bytes


@dataclass(frozen=True, kw_only=True)
class Ears:
    """What listens, and for what."""

    whisper: Whisper
    settings: Transcribe
    voices: Voices | None
    hints: Hints
    language: str | None

    def mark(self, path: Path) -> str:
        """The same for the same audio heard in the same way, on whatever machine."""
        choice = self.whisper.choice
        how = [
            __version__,
            choice.name,
            choice.device,
            choice.compute_type,
            msgspec.structs.replace(self.settings, threads=0),
            asdict(self.hints),
            self.language,
            self.voices is not None,
            WINDOW_S,
        ]
        with path.open("rb") as file:
            sound = hashlib.file_digest(file, "sha256").digest()
        return hashlib.sha256(sound + msgspec.json.encode(how)).hexdigest()[:16]

    def hear(
        self, mark: str, window: Window, language: str | None, told: Told, go_on: Callable[[], None]
    ) -> Part:
        """Beside a GPU that recognises speech the processor hears the voices; alone, it does both in turn.

        `go_on` is called while others work, `told` when they have done something; what either raises ends
        the work.
        """
        if self.whisper.choice.device != "cuda":
            heard = self.whisper.window(window, language, self.hints, told, go_on)
            return Part(mark, heard, self._voiced(window, lambda: told(heard.end_s)))
        ended = Event()

        def unless_ended() -> None:
            if ended.is_set():
                raise Ended

        with ThreadPoolExecutor(1) as beside:
            voiced = beside.submit(self._voiced, window, unless_ended)
            try:
                heard = self.whisper.window(window, language, self.hints, told, go_on)
                while wait([voiced], PULSE_S).not_done:
                    go_on()
            except BaseException:
                ended.set()
                raise
            return Part(mark, heard, voiced.result())

    def _voiced(self, window: Window, go_on: Callable[[], None]) -> bytes:
        if self.voices is None:
            return b""
        from worker.voices import to_bytes

        return to_bytes(self.voices.listen(window.samples, window.start_s, go_on))


class Meter:
    """Tells how far the work has come, never backwards nor past the end, and how fast it is.

    What an earlier attempt did counts as done, but not as quickly done.
    """

    def __init__(
        self,
        total_s: float,
        progress: Callable[[float, float, float], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total_s = total_s
        self._progress = progress
        self._monotonic = monotonic
        self._began = monotonic()
        self._done_s = 0.0
        self._found_s = 0.0

    def found(self, seconds: float) -> None:
        """So much was done before."""
        self._found_s += seconds

    def __call__(self, done_s: float) -> None:
        self._done_s = max(self._done_s, done_s)
        elapsed = self._monotonic() - self._began
        speed = max(0.0, self._done_s - self._found_s) / elapsed if elapsed > 0 else 0.0
        self._progress(self._done_s, max(self._total_s, self._done_s), speed)


class AudioFile:
    """A file of nobody's show. See `handling.Source`; nothing is kept on the way."""

    def __init__(self, path: Path, title: str, progress: Callable[[float, float, float], None]) -> None:
        self.episode = Episode(id="", feed="", title=title)
        self._progress = progress
        self._path = path

    def file(self) -> Path:
        return self._path

    def progress(self, done_s: float, total_s: float, speed: float) -> None:
        self._progress(done_s, total_s, speed)

    def go_on(self) -> None:
        pass

    def stored(self, name: str) -> bytes | None:
        return None

    def store(self, name: str, data: bytes) -> None:
        pass

    def discard(self, name: str) -> None:
        pass


def listened(source: Source, ears: Ears) -> list[Part]:
    """All windows of the source's audio, in order. Raises AudioError where nobody speaks."""
    try:
        parts = _parts(source, ears)
        if not any(part.heard.segments for part in parts):
            end_s = parts[-1].heard.end_s if parts else 0.0
            raise AudioError(f"no speech was found in {clock(end_s)} of audio")
    except AudioError:  # for good: nobody will come back for the windows
        forget(source)
        raise
    return [*map(_midway, parts[:-1]), parts[-1]]


def _parts(source: Source, ears: Ears) -> list[Part]:
    path = source.file()
    mark = ears.mark(path)
    meter = Meter(audio.probe(path).duration_s or source.episode.duration_s or 0.0, source.progress)
    parts: list[Part] = []
    language = ears.language
    for number, window in enumerate(windows(audio.decode(path), WINDOW_S)):
        part = _stored(source, number, mark)
        if part:
            meter.found(window.end_s - window.start_s)
        else:
            made = msgspec.json.encode(ears.hear(mark, window, language, meter, source.go_on))
            source.store(part_name(number), made)
            # Read back, as what is found is: so that both are the same to the last digit.
            part = msgspec.json.decode(made, type=Part)
        parts.append(part)
        language = language or part.heard.language
        meter(window.end_s)
    return parts


def _midway(part: Part) -> Part:
    """One behind which the audio goes on; no window knows of the next when it is heard."""
    doubts = midway(part.heard.doubts, part.heard.speech)
    return replace(part, heard=replace(part.heard, doubts=doubts))


def _stored(source: Source, number: int, mark: str) -> Part | None:
    """What an earlier attempt heard, if it was the same audio that it heard in the same way."""
    data = source.stored(part_name(number))
    try:
        part = msgspec.json.decode(data, type=Part) if data else None
    except (msgspec.DecodeError, UnicodeDecodeError):  # another version's, or damaged
        return None
    return part if part and part.mark == mark else None


def forget(source: Source) -> None:
    """Clear the windows away, once the transcript is stored or there will be none."""
    number = 0
    while source.stored(part_name(number)) is not None:
        source.discard(part_name(number))
        number += 1


def part_name(number: int) -> str:
    return f"windows/{number:04}.json"
