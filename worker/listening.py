"""Hearing an episode window by window, each kept as soon as it is there.

What a window gave is stored under a name that tells the audio and all that it was heard with, so that
a successor goes on behind the last one, and ends up with the same as if nobody had been interrupted.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline import __version__
from pipeline.errors import AudioError
from worker import audio
from worker.heard import Heard
from worker.windows import Window, windows

if TYPE_CHECKING:
    from worker.handling import Item
    from worker.hints import Hints
    from worker.voices import Voices
    from worker.whisper import Whisper

WINDOW_S = 600.0

Told = Callable[[float], None]
"""Told how many seconds of the audio are done; may raise to stop the work."""


@dataclass(frozen=True, slots=True)
class Part:
    """One window: what was said, and by which voices (`voices.to_bytes`; empty where nobody asked)."""

    heard: Heard
    voiced: bytes


@dataclass(frozen=True, kw_only=True)
class Ears:
    """What listens, and for what."""

    whisper: Whisper
    voices: Voices | None
    hints: Hints
    language: str | None
    window_s: float = WINDOW_S

    def mark(self, path: Path) -> str:
        """The same for the same audio heard in the same way, on whatever machine."""
        choice = self.whisper.choice
        how = [
            __version__,
            choice.name,
            choice.device,
            choice.compute_type,
            msgspec.to_builtins(self.whisper.settings),
            asdict(self.hints),
            self.language,
            self.voices is not None,
            self.window_s,
        ]
        with path.open("rb") as file:
            sound = hashlib.file_digest(file, "sha256").digest()
        return hashlib.sha256(sound + msgspec.json.encode(how)).hexdigest()[:16]

    def hear(self, window: Window, language: str | None, told: Told) -> Part:
        """Beside a GPU that recognises speech the processor hears the voices; alone, it does both in turn."""
        if self.whisper.choice.device != "cuda":
            heard = self.whisper.window(window, language, self.hints, told)
            return Part(heard, self._voiced(window, lambda: told(heard.end_s)))
        with ThreadPoolExecutor(1) as beside:
            voiced = beside.submit(self._voiced, window, lambda: None)
            heard = self.whisper.window(window, language, self.hints, told)
            return Part(heard, voiced.result())

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


def listened(item: Item, ears: Ears) -> list[Part]:
    """All windows of the item's audio, in order. Raises AudioError where nobody speaks."""
    path = item.file()
    mark = ears.mark(path)
    meter = Meter(audio.probe(path).duration_s or item.episode.duration_s or 0.0, item.progress)
    parts: list[Part] = []
    language = ears.language
    for number, window in enumerate(windows(audio.decode(path), ears.window_s)):
        name, end_s = part_name(number, mark), window.end_s
        stored = item.stored(name)
        if stored:
            meter.found(end_s - window.start_s)
        else:
            stored = item.create(name, msgspec.json.encode(ears.hear(window, language, meter)))
        # Read back whether it was made or found, so that both are the same to the last digit.
        parts.append(msgspec.json.decode(stored, type=Part))
        language = language or parts[-1].heard.language
        meter(end_s)
    if not any(part.heard.segments for part in parts):
        end_s = parts[-1].heard.end_s if parts else 0.0
        raise AudioError(f"no speech was found in {audio.clock(end_s)} of audio")
    return parts


def forget(item: Item, ears: Ears, count: int) -> None:
    """Clear the windows away, once the transcript is stored."""
    mark = ears.mark(item.file())
    for number in range(count):
        item.discard(part_name(number, mark))


def part_name(number: int, mark: str) -> str:
    return f"windows/{number:04}-{mark}.json"
