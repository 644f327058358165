"""Which handler the config names: ours, one that is installed, or anybody's function."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from pipeline.errors import ConfigError, ProofcastError
from pipeline.wiring import Engine
from worker.desk import Watch
from worker.handling import Handler

WHISPER = "whisper"
GROUP = "proofcast.handlers"
"""Of entry points, by which a package offers handlers."""


def handler_named(name: str, engine: Engine, say: Callable[[str], None], watch: Watch) -> Handler:
    """`[worker] handler`. Raises ConfigError, and what a handler of ours finds wrong at its start."""
    if name == WHISPER:
        from worker.whisper_handler import whisper_handler  # which others need not load

        return whisper_handler(engine, say, watch)
    found = _found(name)
    if not callable(found):
        raise ConfigError(
            f"the handler '{name}' is no function but {found!r}", "docs/handlers.md tells what it must be"
        )
    return found


def _found(name: str) -> Any:
    try:
        return pkgutil.resolve_name(name) if ":" in name else _installed(name)
    except ProofcastError:
        raise
    except Exception as error:  # noqa: BLE001 - importing runs what its author wrote
        said = str(error) if isinstance(error, (ImportError, AttributeError)) else repr(error)
        raise ConfigError(
            f"the handler '{name}' can't be imported: {said}",
            f"handler under [worker] is '{WHISPER}', a name that an installed package has in the group "
            f"{GROUP}, or package.module:function, where Python finds it (PYTHONPATH)",
        ) from None


def _installed(name: str) -> Any:
    offered = {each.name: each for each in entry_points(group=GROUP)}
    if name not in offered:
        others = ", ".join(sorted(offered)) or "nothing"
        raise ConfigError(
            f"there is no handler '{name}'",
            f"it is neither '{WHISPER}' nor in the group {GROUP} of an installed package (there: {others}); "
            "one of your own is package.module:function",
        )
    return offered[name].load()
