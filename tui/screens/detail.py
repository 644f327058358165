"""Everything about one episode, on one page that follows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from tui.pages import page
from tui.values import Freshness, Line, Snapshot
from tui.widgets.bars import Bar


class Detail(Screen[tuple[str, Line] | None]):
    """Read again and again while it is open; answers with what is to be done with the episode."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Back"),
        Binding("j,down", "scroll('down')", show=False),
        Binding("k,up", "scroll('up')", show=False),
        Binding("g,home", "scroll('home')", show=False),
        Binding("G,end", "scroll('end')", show=False),
        Binding("ctrl+d,pagedown", "scroll('page_down')", show=False),
        Binding("ctrl+u,pageup", "scroll('page_up')", show=False),
        Binding("l", "leave('logs')", "Logs"),
        Binding("o", "leave('browse')", "Open it"),
        Binding("R", "leave('retry')", "Retry"),
    ]

    def __init__(self, episode: str) -> None:
        super().__init__()
        self._episode = episode
        self.snapshot: Snapshot | None = None
        self._said = ""

    def compose(self) -> ComposeResult:
        yield Bar(id="detail-top")
        with VerticalScroll(id="detail"):
            yield Static(f"reading {self._episode}…", id="detail-text", markup=False)
        yield Static("esc back  l logs  o open it  R retry  j/k scroll", id="detail-keys", markup=False)

    @property
    def _whole(self) -> bool:
        """Not so while it begins and ends, though it counts as mounted then."""
        return len(self.query("#detail-top, #detail-text")) == 2

    def accept(self, what: Snapshot | Freshness) -> None:
        """Paints only what is new."""
        if what.source != "detail" or not self._whole:
            return
        if isinstance(what, Snapshot):
            self.snapshot = what
            text = page(what.facts, what.lines)
            if str(text) != self._said:
                self._said = str(text)
                self.query_one("#detail-text", Static).update(text)

    def tell(self, age: str) -> None:
        """How old the page is."""
        if not self._whole:
            return
        facts: Mapping[str, Any] = self.snapshot.facts if self.snapshot else {}
        title = f"{facts.get('sign', '')} {facts.get('title', self._episode)}"
        room = max(10, self.size.width - len(age) - 3)
        line = Text(title, style="bold", no_wrap=True)
        line.truncate(room, overflow="ellipsis", pad=True)
        self.query_one("#detail-top", Bar).say(Text.assemble(line, " ", age))

    def action_scroll(self, how: str) -> None:
        getattr(self.query_one("#detail", VerticalScroll), f"scroll_{how}")(animate=False)

    def action_leave(self, id: str) -> None:
        """Back to the table, and do it with this episode."""
        facts: Mapping[str, Any] = self.snapshot.facts if self.snapshot else {}
        line = Line(
            id=facts.get("id", self._episode),
            cells=(),
            values=(),
            url=facts.get("url", ""),
            episode=facts.get("id", self._episode),
            task=facts.get("task", ""),
            lost=facts.get("lost", ""),
        )
        self.dismiss((id, line))
