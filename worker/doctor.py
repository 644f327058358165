"""Checks of what the worker needs."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.doctor import Finding
from pipeline.wiring import Engine
from worker.models import choose


def model(engine: Engine) -> Iterator[Finding]:
    """The speech model is here, or can be fetched."""
    said: list[str] = []
    choice = choose(engine.config.transcribe, None, said.append)
    found = f"{choice.name} on {choice.device} ({choice.compute_type})"
    if choice.fallback_from:
        mend = f"'{choice.fallback_from}' is better: go online once, or name a model folder in [transcribe]"
        yield Finding(check="model", state="warning", found=f"{found}; {' '.join(said)}", mend=mend)
    else:
        yield Finding(check="model", state="ok", found=found)
