"""Files that are written whole: those that a person asked for, and those that are only the user's own."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pipeline.errors import ConfigError


def hand_over(data: bytes, path: Path) -> None:
    """All of it or nothing, replacing what was there. Raises ConfigError."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        hint = "name a file in a folder that is there, that you may write to, and that has room"
        raise ConfigError(f"{path} can't be written: {error.strerror}", hint) from None


def keep(data: bytes, path: Path) -> None:
    """All of it or nothing, replacing what was there, for nobody else to read. Raises OSError."""
    import tempfile  # the dashboard starts without it

    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)
