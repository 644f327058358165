"""What 10,000 lines cost on a screen, beside Textual's own DataTable.

    python -m tests.bench.bench_table [--size 200x50] [--lines 10000]

Runs each table in a real pseudo-terminal, one after the other, within two minutes or so, and prints medians
of the time from a call until its last bytes are written, and the ratio between the two.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from random import Random

from textual import work
from textual.app import App, ComposeResult
from textual.widgets import DataTable

from tui.values import Column, Line, Tone
from tui.widgets.table import Table

RUNS = 7
REFRESHES = 8  #: at one a second
GOALS_MS = {
    "2 % changed": 16,
    "all changed": 50,
    "sorted": 50,
    "filtered": 50,
    "cursor down": 16,
    "page down": 16,
}

COLUMNS = (
    Column(key="status", title="ST", width=6),
    Column(key="episode", title="EPISODE", width=24, grows=True),
    Column(key="step", title="STEP", width=10, drop=3),
    Column(key="dur", title="DUR", width=5, right=True),
    Column(key="cost", title="$", width=6, right=True),
    Column(key="age", title="AGE", width=4, right=True, drop=1),
    Column(key="show", title="SHOW", width=10, drop=2),
    Column(key="gpu", title="GPU", width=10, drop=4),
)


def a_line(number: int, version: int = 0) -> Line:
    busy = number % 3 == 0
    title = f"An episode title number {number} about clouds"
    cost = number % 7 + version % 100 / 100
    return Line(
        id=f"{number}",
        cells=(
            "* run" if busy else "+ done",
            title,
            "transcribe",
            f"{number % 90}m",
            f"{cost:.2f}",
            f"{(number + version) % 60}m",
            f"show {number % 40}",
            "g6.xlarge",
        ),
        values=(
            "run",
            title,
            "transcribe",
            number % 90 * 60.0,
            cost,
            version * 60.0,
            f"show {number % 40}",
            "",
        ),
        tone=Tone.BUSY if busy else Tone.PLAIN,
    )


def lines(count: int, version: int = 0) -> list[Line]:
    return [a_line(number, version) for number in range(count)]


class Measured(App[None]):
    """Knows when it painted last, and how much it wrote."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.painted = 0.0
        self.written = 0
        self.random = Random(0)
        self.turn: int = 0
        self.found: dict[str, float] = {}

    def on_mount(self) -> None:
        assert self._driver
        write = self._driver.write

        def counted(data: str) -> None:
            self.written += len(data.encode())
            write(data)
            self.painted = time.perf_counter()

        self._driver.write = counted
        self.measure()

    @work
    async def measure(self) -> None:
        await asyncio.sleep(0.5)
        for name, change in self.changes():
            await self.median(name, change)
        await self.once_a_second()
        self.exit()

    async def median(self, name: str, change: Callable[[], None]) -> None:
        """Times until all is painted, and how long nothing else could happen."""
        times: list[float] = []
        for _ in range(RUNS if name != "filled" else 1):
            await asyncio.sleep(0.2)
            start = time.perf_counter()
            change()
            await asyncio.sleep(0.3)
            while time.perf_counter() - self.painted < 0.2:
                await asyncio.sleep(0.05)
            times.append(max(self.painted - start, 0))
        self.found[name] = statistics.median(times) * 1e3

    async def once_a_second(self) -> None:
        """2 % of the lines change once a second; processor time and bytes."""
        self.settle()
        await asyncio.sleep(1)
        self.written, began, start = 0, time.process_time(), time.perf_counter()
        for _ in range(REFRESHES):
            await asyncio.sleep(1)
            self.change_some()
        await asyncio.sleep(0.5)
        self.found["CPU at 1 Hz, %"] = 100 * (time.process_time() - began) / (time.perf_counter() - start)
        self.found["bytes a refresh"] = self.written / REFRESHES

    def some(self) -> list[int]:
        self.turn += 1
        return sorted({3, *self.random.sample(range(self.count), self.count // 50)})

    def changes(self) -> Iterator[tuple[str, Callable[[], None]]]:
        raise NotImplementedError

    def change_some(self) -> None:
        raise NotImplementedError

    def settle(self) -> None:
        """As most people leave it: at the top, in the order of the source."""


class Ours(Measured):
    CSS = "Table { height: 1fr }"

    def compose(self) -> ComposeResult:
        yield Table(COLUMNS)

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    def changes(self) -> Iterator[tuple[str, Callable[[], None]]]:
        fresh = iter([lines(self.count, version) for version in range(50, 50 + RUNS)])
        orders = iter(["cost", "episode"] * RUNS)
        filters = iter(["clouds 7", "show:12 cost>1", "7|8", "!run", "age>0", "12", ""])
        self.table.focus()
        yield "filled", lambda: self.table.set_lines(lines(self.count))
        yield "2 % changed", self.change_some
        yield "all changed", lambda: self.table.set_lines(next(fresh))
        yield "sorted", lambda: self.table.sort_by(next(orders))
        yield "filtered", lambda: self.table.filter_by(next(filters))
        yield "cursor down", lambda: self.table.action_move(1)
        yield "page down", lambda: self.table.action_page(1)

    def change_some(self) -> None:
        fresh = list(self.table.lines)
        for number in self.some():
            fresh[number] = a_line(number, self.turn)
        self.table.set_lines(fresh)

    def settle(self) -> None:
        self.table.sort_by("")
        self.table.action_top()


class Theirs(Measured):
    CSS = "DataTable { height: 1fr }"

    def compose(self) -> ComposeResult:
        yield DataTable[str](cursor_type="row")

    @property
    def table(self) -> DataTable[str]:
        return self.query_one(DataTable[str])

    def changes(self) -> Iterator[tuple[str, Callable[[], None]]]:
        for column in COLUMNS:
            self.table.add_column(column.title, key=column.key, width=column.width)
        self.table.focus()
        yield "filled", self.fill
        yield "2 % changed", self.change_some
        yield "sorted", self.sort
        yield "cursor down", self.table.action_cursor_down
        yield "page down", self.table.action_page_down

    def sort(self) -> None:
        self.turn += 1
        self.table.sort("cost", reverse=bool(self.turn % 2))

    def fill(self) -> None:
        for line in lines(self.count):
            self.table.add_row(*line.cells, key=line.id)

    def change_some(self) -> None:
        for number in self.some():
            line = a_line(number, self.turn)
            for at in (4, 5):
                self.table.update_cell(line.id, COLUMNS[at].key, line.cells[at])


def in_a_terminal(which: str, size: str, count: int) -> dict[str, float]:
    """What the run in a terminal of that size found."""
    wide, high = map(int, size.split("x"))
    results, given = os.pipe()
    os.set_inheritable(given, True)
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", high, wide, 0, 0))
        program = [sys.executable, "-m", __spec__.name, "--run", which, "--into", f"{given}"]
        os.execv(sys.executable, [*program, "--lines", f"{count}"])
    os.close(given)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", high, wide, 0, 0))
    _answer(terminal)
    os.waitpid(child, 0)
    with open(results, encoding="utf-8") as file:  # noqa: PTH123
        return json.load(file)


def _answer(terminal: int) -> None:
    """Read until the program ends, as a terminal does that can paint a frame at once."""
    while True:
        select.select([terminal], [], [])
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:
            return
        if not data:
            return
        if b"2026$p" in data:
            os.write(terminal, b"\x1b[?2026;2$y")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", action="append", help="such as 80x24; of the terminal")
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--into", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        app = (Ours if given.run == "ours" else Theirs)(given.lines)
        app.run()
        os.write(given.into, json.dumps(app.found).encode())
        return
    for size in given.size or ["80x24", "200x50"]:
        ours = in_a_terminal("ours", size, given.lines)
        theirs = in_a_terminal("theirs", size, given.lines)
        print(f"\n{given.lines} lines at {size}{'Table':>24}{'DataTable':>12}{'ratio':>8}{'goal':>8}")
        for name, value in ours.items():
            other = theirs.get(name)
            beside = f"{other:12.1f}{other / value if value else 0:7.0f}x" if other is not None else " " * 20
            goal = f"{GOALS_MS[name]:8}" if name in GOALS_MS else ""
            print(f"{name:32}{value:12.1f}{beside}{goal}")


if __name__ == "__main__":
    main()
