"""A program in a terminal of its own, and what it writes there."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

_PATIENCE_S = 15.0
_ANSWERS = {b"\x1b[?2026$p": b"\x1b[?2026;2$y", b"\x1b[c": b"\x1b[?62;c"}  #: that Textual asks terminals for


@dataclass(kw_only=True)
class Terminal:
    """The near end; times are seconds since the program was started. What hangs raises TimeoutError."""

    fd: int
    began: float
    written: bytes = b""
    last_s: float = 0.0  #: when the last of it came
    _asked: set[bytes] = field(default_factory=set[bytes])

    def until(self, text: bytes) -> float:
        """Read until the text has come; when it did. Raises EOFError where the program ends before that."""
        while text not in self.written:
            if not self._more():
                raise EOFError(self.written[-2000:])
        return self.last_s

    def rest(self) -> bytes:
        """All that it wrote, when it has ended."""
        while self._more():
            pass
        return self.written

    def until_quiet(self, pause_s: float) -> float:
        """Read until nothing comes for so long; when the last of it came."""
        while select.select([self.fd], [], [], pause_s)[0] and self._more():
            pass
        return self.last_s

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def _more(self) -> bool:
        if not select.select([self.fd], [], [], _PATIENCE_S)[0]:
            raise TimeoutError(self.written[-2000:])
        try:
            data = os.read(self.fd, 65_536)
        except OSError:  # nobody is at the other end any more
            return False
        self.last_s = time.perf_counter() - self.began
        self.written += data
        for question, answer in _ANSWERS.items():
            if question in self.written and question not in self._asked:
                self._asked.add(question)
                self.press(answer)
        return bool(data)


@contextmanager
def running(
    command: Sequence[str], columns: int = 80, rows: int = 24, env: Mapping[str, str] | None = None
) -> Generator[Terminal]:
    """The program is ended afterwards, where it still runs."""
    near, far = os.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    away = ("NO_COLOR", "COLUMNS", "LINES", "TMUX", "SSH_CONNECTION")
    plain = {name: value for name, value in os.environ.items() if name not in away}
    around = {**plain, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
    began = time.perf_counter()
    program = subprocess.Popen(command, stdin=far, stdout=far, stderr=far, env=around, start_new_session=True)
    os.close(far)
    try:
        yield Terminal(fd=near, began=began)
    finally:
        program.kill()
        program.wait()
        os.close(near)
