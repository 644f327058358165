"""The unfinished file of a download, and what it takes to go on with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import DownloadError

_PAGE = re.compile(rb"<(?:!doctype|\?xml|[a-z])", re.IGNORECASE)
_JSON = re.compile(rb"[{\[]\s*[\"{\[\]}\w-]")


class Part:
    """`NAME.part` beside the target; `NAME.part.etag` holds the version of which it is a part."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._data = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.etag")

    def resumable(self) -> tuple[int, bytes]:
        """How many bytes are there, and of which version; (0, b"") to start anew."""
        try:
            etag, size = self._note.read_bytes(), self._data.stat().st_size
        except FileNotFoundError:
            return 0, b""
        return (size, etag) if etag else (0, b"")

    def open(self, start: int, etag: bytes) -> BinaryIO:
        """To write from `start`, which is either 0 or where it ends."""
        if start:
            return self._data.open("ab")
        self._note.unlink(missing_ok=True)  # first, so that it never speaks of other data
        file = self._data.open("wb")
        if etag:
            self._note.write_bytes(etag)
        return file

    def drop(self) -> None:
        self._note.unlink(missing_ok=True)
        self._data.unlink(missing_ok=True)

    def finish(self) -> None:
        """Put it in the target's place. Raises DownloadError if it can't be audio."""
        with self._data.open("rb") as file:
            complaint = _complaint(file.read(512))
        if complaint:
            self.drop()
            raise DownloadError(complaint, "listen to the episode's enclosure in a browser", permanent=True)
        self._data.replace(self._target)
        self._note.unlink(missing_ok=True)


def _complaint(head: bytes) -> str | None:
    """What a file is that begins so, if it is surely not audio."""
    if not head:
        return "the server sent 0 bytes"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _PAGE.match(text):
        return "the enclosure is a web page, not audio"
    if text.startswith(b"#EXTM3U"):
        return "the enclosure is a playlist, not audio"
    if _JSON.match(text) and b"\x00" not in head:
        return "the enclosure is JSON text, not audio"
    return None
