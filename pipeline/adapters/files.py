"""Artifacts as files below one folder, each written under another name first and moved to its place."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import IO

from pipeline.errors import storage_error
from pipeline.keys import checked

_ABANDONED_S = 24 * 3600.0  #: longer than any write takes


class FileStore:
    """See `ports.ArtifactStore`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        with self._written(key, BytesIO(data)) as temporary:
            temporary.replace(self._path(key))

    def put_file(self, key: str, path: Path) -> None:
        with self._explained(path), path.open("rb") as source, self._written(key, source) as temporary:
            temporary.replace(self._path(key))

    def create(self, key: str, data: bytes) -> bool:
        with self._written(key, BytesIO(data)) as temporary:
            try:
                os.link(temporary, self._path(key))  # unlike a rename, this never replaces
            except FileExistsError:
                return False
            return True

    def get(self, key: str) -> bytes | None:
        path = self._path(key)
        with self._explained(path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def fetch(self, key: str) -> Path | None:
        path = self._path(key)
        return path if path.is_file() else None

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._explained(path):
            path.unlink(missing_ok=True)

    def place(self, key: str) -> str:
        return os.fspath(self._path(key))

    def _path(self, key: str) -> Path:
        return self._root / checked(key)

    @contextmanager
    def _written(self, key: str, source: IO[bytes]) -> Generator[Path]:
        """The bytes on disk, under a name of their own."""
        path = self._path(key)
        with self._explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._unfinished())
            try:
                with os.fdopen(handle, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).chmod(0o644)
                yield Path(name)
            finally:
                Path(name).unlink(missing_ok=True)

    def _unfinished(self) -> Path:
        """Where files are written; what writers that were killed left there is cleared away."""
        folder = self._root / ".unfinished"
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.iterdir():
            with suppress(FileNotFoundError):  # its writer was just done with it
                if time.time() - left.stat().st_mtime > _ABANDONED_S:
                    left.unlink()
        return folder

    @contextmanager
    def _explained(self, path: Path) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise storage_error(error, path) from None
