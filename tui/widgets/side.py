"""The episode under the cursor, beside the table, where the terminal is wide."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.pages import page
from tui.values import Snapshot


class Side(VerticalScroll, can_focus=False):
    """As much of an episode's page as there is room for; Enter opens all of it."""

    def __init__(self) -> None:
        super().__init__(id="side")
        self._said = ""

    def compose(self) -> ComposeResult:
        yield Static(markup=False)

    def accept(self, snapshot: Snapshot | None) -> None:
        """Of another episode, or with news; None: of none."""
        text = page(snapshot.facts, snapshot.lines) if snapshot else ""
        if str(text) != self._said:
            self._said = str(text)
            self.query_one(Static).update(text)
