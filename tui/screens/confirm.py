"""Asking before something is done that can't be taken back."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label

_MANY = 5  #: rows, above which their number has to be typed


class Confirm(ModalScreen[bool]):
    """Cancel has the focus, so that Enter is harmless; of many rows the number has to be typed."""

    BINDINGS = [
        Binding("escape", "cancel", "Cancel"),
        Binding("left,right,tab", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, consequence: str, count: int) -> None:
        super().__init__()
        self._title, self._consequence, self._count = title, consequence, count

    def compose(self) -> ComposeResult:
        with Vertical(id="confirm"):
            yield Label(self._title, id="confirm-title", markup=False)
            yield Label(self._consequence, id="confirm-what", markup=False)
            if self._count > _MANY:
                yield Label(f"Type {self._count} to go on:", markup=False)
                yield Input(id="confirm-count", compact=True)
            with Horizontal():
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(self._title, id="yes", compact=True, disabled=self._count > _MANY)

    def on_mount(self) -> None:
        self.query_one("#cancel").focus()

    @on(Input.Changed, "#confirm-count")
    def _typed(self, event: Input.Changed) -> None:
        self.query_one("#yes", Button).disabled = event.value.strip() != f"{self._count}"

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_cancel(self) -> None:
        self.dismiss(False)
