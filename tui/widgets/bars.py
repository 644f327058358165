"""The lines above and below the table; each paints itself only when its words change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from tui import words


class Bar(Static):
    """One line of text."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._said = Text()

    def say(self, text: Text) -> None:
        if text != self._said:
            # To lay out the screen anew paints more than this line: only where its width comes from its text.
            layout = self.has_class("end") and text.cell_len != self._said.cell_len
            self._said = text
            self.update(text, layout=layout)


class AgedBar(Horizontal):
    """A line that ends with an age, in a widget of its own: of one that changes, Textual sends everything."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._left, self._right = Bar(), Bar(classes="end")

    def compose(self) -> ComposeResult:
        yield self._left
        yield self._right

    def say(self, left: Text, age: str) -> None:
        """Where there is no room for both, a third of it is the age's."""
        width, end = self.size.width, Text(age, style="bold" if age.startswith("~") else "dim")
        end.truncate(max(width - left.cell_len - 1, width // 3), overflow="ellipsis")
        left.truncate(max(0, width - end.cell_len - 1), overflow="ellipsis")
        self._left.say(left)
        self._right.say(end)


class TopBar(AgedBar):
    """Which deployment, its numbers, and how old these are."""

    def tell(self, name: str, facts: Mapping[str, Any], age: str, read_only: bool) -> None:
        text = Text(name, style="bold", no_wrap=True)
        if read_only:
            text.append("  READ ONLY", style="reverse")
        for part, needs in words.summary(facts):
            text.append("  ")
            text.append(part, style="bold" if needs else "")
        self.say(text, age)


class TabBar(AgedBar):
    """Where one is, what is shown of it, and how old that is."""

    def tell(self, screen: str, told: str, age: str) -> None:
        text = Text(no_wrap=True)
        for name, current in words.tabs(screen):
            text.append(f" {name} ", style="reverse" if current else "")
        text.append(f"  {told}")
        self.say(text, age)


class WhyLine(Bar):
    """What is to be said of the row under the cursor, or of what keeps it from being right."""

    def tell(self, why: str) -> None:
        text = Text(why, no_wrap=True)
        text.truncate(max(0, self.size.width), overflow="ellipsis")
        self.say(text)


class KeyBar(Bar):
    """The keys that matter here."""

    def tell(self, screen: str, keys: Mapping[str, str], *, read_only: bool) -> None:
        text = Text(no_wrap=True)
        for key, title in words.hints(screen, keys, read_only=read_only):
            text.append(key, style="bold")
            text.append(f" {title}  ")
        text.truncate(max(0, self.size.width), overflow="ellipsis")
        self.say(text)
