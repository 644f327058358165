"""Checks of what the worker needs."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.doctor import Finding
from pipeline.errors import ModelError
from pipeline.wiring import Engine
from worker.handlers import WHISPER, handler_named
from worker.hub import NAME_IT, reachable
from worker.models import choose, to_download
from worker.pyannote import Pyannote
from worker.watching import LogWatch


def model(engine: Engine) -> Iterator[Finding]:
    """The speech model is here, or can be fetched; it is not fetched just for this. A handler that is not
    ours needs none, but has to be there; pyannote is loaded. Raises ConfigError, ModelError."""
    handler = engine.config.worker.handler
    if handler != WHISPER:
        handler_named(handler, engine, lambda _: None, LogWatch())
        yield Finding(check="handler", state="ok", found=handler)
        return
    if engine.config.speakers.method == "pyannote":
        pyannote = Pyannote(engine.config.speakers.model)
        pyannote.ready()
        yield Finding(check="speakers", state="ok", found=f"pyannote, {pyannote.model}")
    config = engine.config.transcribe
    missing = to_download(config)
    if missing is None:
        said: list[str] = []
        choice = choose(config, None, said.append)
        found = f"{choice.name} on {choice.device} ({choice.compute_type})"
        yield Finding(check="model", state="ok", found=found)
        return
    try:
        reachable(missing)
    except ModelError as error:
        if config.model == "auto":
            mend = "until then shows in English, or of unknown language, do with the packaged tiny.en"
            yield Finding(check="model", state="warning", found=error.message, mend=mend)
        else:
            yield Finding(check="model", state="failed", found=error.message, mend=NAME_IT)
    else:
        yield Finding(check="model", state="ok", found=f"{missing}, downloaded when it is first needed")
