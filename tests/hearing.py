"""A file's transcript as a worker makes it, for tests and benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pipeline.config import Config, Speakers, Transcribe
from worker.hearing import AudioFile
from worker.transcribing import Made, Scribe, Show


def scribe(*, speakers: bool = True, **settings: Any) -> Scribe:
    """With the packaged model on one core, unless told otherwise."""
    given: dict[str, Any] = {"model": "packaged", "device": "cpu", "threads": 1, **settings}
    transcribe = msgspec.convert(given, Transcribe)
    method = Speakers(method="built-in" if speakers else "none")
    return Scribe(Config(transcribe=transcribe, speakers=method), lambda _: None)


def made_of(path: Path, by: Scribe, **show: Any) -> Made:
    """In English, unless told otherwise."""

    def quiet(done_s: float, total_s: float, speed: float) -> None:
        """Nobody watches."""

    about: dict[str, Any] = {"language": "en", **show}
    return by.transcript(AudioFile(path, path.stem, quiet), Show(**about))
