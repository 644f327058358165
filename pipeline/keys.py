"""Keys of artifacts: where each of an episode's files is, in a folder or in a bucket."""

from __future__ import annotations

import re

from pipeline.errors import StorageError
from pipeline.model import Episode

_FORM = re.compile(r"(?!\.)[a-z0-9.-]+(/(?!\.)[a-z0-9.-]+)*")


def key_of(episode: Episode, name: str) -> str:
    """The same whenever it is asked for, so that a successor finds what was stored."""
    return f"{episode.feed}/{episode.id}/{name}"


def checked(key: str) -> str:
    """A key that means the same to every store. Raises StorageError."""
    if not _FORM.fullmatch(key):
        raise StorageError(f"'{key}' can't be the key of an artifact")
    return key
