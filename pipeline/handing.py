"""Files that a person asked for, under names that the person gave."""

from __future__ import annotations

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
