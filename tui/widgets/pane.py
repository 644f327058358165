"""One screen's table: what its source found, filtered, sorted, and never emptied by a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.widgets import Static

from tui import words
from tui.export import View
from tui.query import suggest
from tui.values import Line, Snapshot
from tui.widgets.side import Side
from tui.widgets.table import Table

if TYPE_CHECKING:
    from tui.backend import Source

_EMPTY = {
    "episodes": "no episode yet: 'u' looks for some, 'proofcast add' takes a file",
    "fleet": "no worker and no instance",
    "costs": "nothing is billed yet",
    "reviews": "no review waits for anybody",
    "log": "no log: 'l' on an episode or a worker shows its log, 'p' the poller's",
}


class Pane(Container):
    """Shows snapshots of one source."""

    def __init__(self, source: Source | None, *, id: str) -> None:
        super().__init__(id=id)
        self.snapshot: Snapshot | None = None
        self.text = ""
        self._columns = source.columns if source else ()
        self._following = True
        self._about = ""

    def compose(self) -> ComposeResult:
        yield Static(classes="about", markup=False)
        with Horizontal():
            yield Table(self._columns, empty=_EMPTY.get(self.id or "", ""))
            if self.id == "episodes":
                yield Side()

    @property
    def table(self) -> Table:
        return self.query_one(Table)

    def restart(self, source: Source) -> None:
        """Another source takes its place."""
        self.snapshot = None
        self._columns = source.columns
        self.table.columns = source.columns
        self.table.set_lines(())

    def accept(self, snapshot: Snapshot) -> None:
        """Newer lines; older ones that come late are dropped."""
        if self.snapshot and snapshot.version <= self.snapshot.version:
            return
        self.snapshot = snapshot
        columns = snapshot.facts.get("columns", self._columns)
        if columns != self._columns:
            self.table.columns = self._columns = columns
        self.table.set_lines(snapshot.lines)
        said = words.about(self.id or "", snapshot.facts)
        if said != self._about:
            self._about = said
            about = self.query_one(".about", Static)
            about.update(said)
            about.display = bool(said)
        if self.id == "log" and self._following:
            self.table.action_bottom()

    def filter(self, text: str) -> None:
        """Show only what matches; what can't be understood is said in `told`."""
        self.text = text
        self.table.filter_by(text)

    def complete(self, text: str) -> list[str]:
        """How a filter could go on."""
        return suggest(text, self._columns)

    def told(self) -> str:
        """How much is shown, and by what filter."""
        table = self.table
        said = words.counted(len(table.shown_lines), len(table.lines), len(table.marked))
        if not self.text:
            return said
        trouble = f" ({table.wanted.trouble})" if table.wanted.trouble else ""
        return f"/{self.text}{trouble}  {said}"

    def view(self) -> View:
        """What is shown, for a file."""
        table = self.table
        return View(
            source=self.id or "",
            at=self.snapshot.at if self.snapshot else None,
            filter=self.text,
            sort=table.sorted_by,
            columns=self._columns,
            lines=table.shown_lines,
        )

    def chosen(self) -> list[Line]:
        """The marked rows, else the one under the cursor."""
        table = self.table
        marked = [line for line in table.lines if line.id in table.marked]
        return marked or ([table.cursor_line] if table.cursor_line else [])

    def do(self, id: str) -> bool:
        """What a table can do by itself; False where it is none of that."""
        table = self.table
        moves = {
            "down": lambda: table.action_move(1),
            "up": lambda: table.action_move(-1),
            "page_down": lambda: table.action_page(1),
            "page_up": lambda: table.action_page(-1),
            "half_down": lambda: table.action_half(1),
            "half_up": lambda: table.action_half(-1),
            "top": table.action_top,
            "bottom": table.action_bottom,
            "mark": table.action_mark,
            "sort": table.action_sort_next,
            "reverse": table.action_sort_reverse,
            "follow": self._follow,
        }
        if id not in moves:
            return False
        moves[id]()
        return True

    def _follow(self) -> None:
        self._following = not self._following
        if self._following:
            self.table.action_bottom()
