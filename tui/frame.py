"""The last frame: what the dashboard showed when it was last seen, painted before anything else is loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.errors import one_line
from pipeline.handing import keep
from tui.words import age

if TYPE_CHECKING:
    from typing import TextIO

_OLDEST_S = 7 * 86_400.0
_LONGEST = 1 << 20  #: characters of a file that are looked at: frames have some 50,000

_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")
_OTHER = re.compile(r"\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-ln-~]")
_COLOUR = re.compile(r"\x1b\[(?!(?:[0-9](?:;[0-9])*)?m)[0-9;]*m")

# The alternate screen, which Textual enters too and leaves: the shell's lines stay as they were. No cursor.
# Lines are not wrapped: the terminal cuts what it has no room for, by its own notion of widths.
_COVER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
_COVERED = "\x1b[?7h"
_UNCOVER = "\x1b[?25h\x1b[?1049l"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A screenful: printable text and codes for its colours."""

    at: float  #: when it was seen, POSIX seconds
    lines: tuple[str, ...]


def place(config: Path) -> Path:
    """Where the last frame of a config's dashboard is, which can be told without reading the config."""
    from zlib import crc32

    import platformdirs

    name = f"{crc32(os.fsencode(config.resolve())):08x}"
    return platformdirs.user_cache_path("proofcast") / f"{name}.frame"


def save(path: Path, frame: Frame) -> None:
    """Keep a frame for the next start, for the user's eyes only. One that can't be kept is no harm."""
    text = "\n".join([f"{frame.at:.0f}", *map(_harmless, frame.lines)])
    with suppress(OSError):
        keep(text.encode(), path)


def load(path: Path) -> Frame | None:
    """The frame that was kept; None where there is none that can be read."""
    try:
        with path.open(encoding="utf-8", newline="\n") as file:
            at, *lines = file.read(_LONGEST).split("\n")
        return Frame(at=float(at), lines=tuple(map(_harmless, lines)))
    except (OSError, ValueError):
        return None


@contextmanager
def covering(path: Path, stream: TextIO, now: float, *, colour: bool) -> Generator[None]:
    """Paint the last frame, and have Textual take over from it.

    Whatever else is written uncovers the shell first, and so does the end, so that no complaint is lost.
    There is nothing to see where `stream` is no terminal, or where no frame of the last 7 days is.
    """
    frame = load(path) if stream.isatty() else None
    if frame is None or not 0 <= now - frame.at <= _OLDEST_S:
        yield
        return
    stream.write(painted(frame, now, os.get_terminal_size(stream.fileno()), colour=colour))
    stream.flush()
    uncover = _once(stream)
    out, err = (cast("TextIO", _Uncovering(one, uncover)) for one in _standard())
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield
    finally:
        uncover()


def painted(frame: Frame, now: float, size: tuple[int, int], *, colour: bool) -> str:
    """What paints a frame in a terminal of so many columns and rows, with its age in the first line."""
    columns, rows = size
    lines = frame.lines[:rows]
    label = f" last seen {age(now - frame.at)} ago "[:columns]
    body = "".join(f"\x1b[{row};1H{line}\x1b[0m" for row, line in enumerate(lines, start=1))
    body = body if colour else _COLOUR.sub("", body)
    return f"{_COVER}{body}\x1b[1;{columns - len(label) + 1}H\x1b[0;1;7m{label}\x1b[0m{_COVERED}"


def _harmless(line: str) -> str:
    """A line with nothing but printable text and the codes of its colours, whoever wrote it."""
    parts = _STYLE.split(_OTHER.sub("", line))
    return "".join(part if number % 2 else one_line(part) for number, part in enumerate(parts))


def _standard() -> tuple[TextIO, TextIO]:
    import sys

    return sys.stdout, sys.stderr


def _once(stream: TextIO) -> Callable[[], None]:
    """Uncovers the shell when it is first called."""
    waiting = [_UNCOVER]

    def uncover() -> None:
        if waiting:
            stream.write(waiting.pop())
            stream.flush()

    return uncover


class _Uncovering:
    """A stream that uncovers the shell before it writes. Textual writes to the terminal past it."""

    def __init__(self, stream: TextIO, uncover: Callable[[], None]) -> None:
        self._stream, self._uncover = stream, uncover

    def write(self, text: str) -> int:
        if text:
            self._uncover()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
