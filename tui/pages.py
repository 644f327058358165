"""An episode's page as text: its way as a timeline, files, quality, costs, history. No Textual here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.text import Text

from tui import words
from tui.values import Line

_SIGNS = {"done": "+", "now": "*", "failed": "!", "next": "."}
_BAR = 30  #: cells of a progress bar


def page(facts: Mapping[str, Any], history: Iterable[Line]) -> Text:
    """The whole page as text."""
    text = Text()
    _heading(text, facts.get("state", ""))
    if facts.get("why"):
        text.append(f"{facts['why']}\n")
    error = facts.get("error")
    if error:
        text.append(f"\n! {error['step']}: {error['reason']}\n", style="bold")
        text.append(f"  what to do: {error['to_do']}\n")
    _timeline(text, facts)
    _pairs(text, "about", facts.get("about", ()))
    review = facts.get("review")
    if review:
        _pairs(text, "review", (("state", review[2]), ("name", review[0]), ("at", review[1])))
    _pairs(text, "files", facts.get("artifacts", ()))
    _pairs(text, "quality", tuple((name, f"{value}") for name, value in facts.get("quality", {}).items()))
    _costs(text, facts)
    _heading(text, "history")
    for line in history:
        text.append(
            f"{line.cells[0]}  {line.cells[1]:8} {line.cells[2]:10} {line.cells[3]:>6}  {line.cells[4]}\n"
        )
    return text


def _timeline(text: Text, facts: Mapping[str, Any]) -> None:
    phases = facts.get("timeline", ())
    if not phases:
        return
    _heading(text, "timeline")
    longest = max((phase.took_s or 0.0 for phase in phases), default=0.0) or 1.0
    for phase in phases:
        took = words.age(phase.took_s) if phase.took_s is not None else ""
        bar = "=" * round(_BAR * (phase.took_s or 0.0) / longest)
        style = "bold" if phase.state in ("now", "failed") else "dim" if phase.state == "next" else ""
        text.append(f"{_SIGNS.get(phase.state, ' ')} {phase.name:12}{took:>5}  {bar}\n", style=style)
        if phase.state == "now":
            _progress(text, facts.get("progress"))


def _progress(text: Text, progress: tuple[float, float, float] | None) -> None:
    if progress and progress[1]:
        done = min(1.0, progress[0] / progress[1])
        filled = round(_BAR * done)
        text.append(f"  [{'=' * filled}{' ' * (_BAR - filled)}] {done:.0%} at {progress[2]:.1f}x\n")


def _costs(text: Text, facts: Mapping[str, Any]) -> None:
    if not facts.get("costs"):
        return
    imagined = facts.get("imagined_on")
    title = f"cost, had it been on {imagined}" if imagined is not None else "cost"
    _heading(text, f"{title}: US$ {facts.get('usd', 0):.4f}")
    for what, part, quantity, unit, usd, source in facts["costs"]:
        text.append(f"{what:10} {part:9} {quantity:>18} x {unit:>10} = {usd:>10}  {source}\n")


def _pairs(text: Text, title: str, pairs: Iterable[tuple[str, str]]) -> None:
    pairs = list(pairs)
    if pairs:
        _heading(text, title)
        for name, value in pairs:
            text.append(f"{name:12} {value}\n")


def _heading(text: Text, title: str) -> None:
    text.append(f"\n{title}\n" if len(text) else f"{title}\n", style="bold underline")
