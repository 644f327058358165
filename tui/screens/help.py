"""The keys of one screen."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.keys import here, shown


class Help(ModalScreen[None]):
    """What can be done here."""

    BINDINGS = [Binding("escape,question_mark,q,enter", "dismiss", "Back")]

    def __init__(self, screen: str, keys: Mapping[str, str], *, read_only: bool) -> None:
        super().__init__()
        self._screen, self._keys, self._read_only = screen, keys, read_only

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(self._text())

    def _text(self) -> Text:
        text = Text(f"{self._screen.title()}: keys\n\n", style="bold")
        for key in here(self._screen):
            if self._read_only and key.writes:
                continue
            names = " ".join(map(shown, self._keys[key.id].split(",")))
            text.append(f"{names:14}", style="bold")
            text.append(f"{key.title:16}{key.about}\n")
        if self._read_only:
            text.append("\nread only: keys that change something are off (--write turns them on)\n")
        text.append("\nEverything shown says how old it is; '~' means that it is stale, and why.\n")
        return text
