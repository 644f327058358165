"""One line of text from a person: a filter, a place, a file."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input


class _Completed(Suggester):
    """Shows how the text could go on; the right arrow takes it."""

    def __init__(self, complete: Callable[[str], list[str]]) -> None:
        super().__init__(case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        return next(iter(self._complete(value)), None)


class Ask(ModalScreen[str | None]):
    """Answers with the text, or None; `changed` hears of it while it is typed."""

    BINDINGS = [Binding("escape", "cancel", "Cancel")]

    def __init__(
        self,
        label: str,
        text: str = "",
        changed: Callable[[str], None] = lambda text: None,
        complete: Callable[[str], list[str]] = lambda text: [],
    ) -> None:
        super().__init__()
        self._label, self._text = label, text
        self._changed, self._suggester = changed, _Completed(complete)

    def compose(self) -> ComposeResult:
        yield Input(
            self._text,
            placeholder=self._label,
            id="ask-text",
            compact=True,
            select_on_focus=False,
            suggester=self._suggester,
        )

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._changed(event.value)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_cancel(self) -> None:
        self.dismiss(None)
