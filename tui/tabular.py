"""Where lines and columns stand in a table, and how they fit. No Textual here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rich.cells import cell_len, set_cell_size

from tui.values import Column, Line, clean

GUTTER = 2  #: cells on the left: where the cursor is, and what is marked


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What a table draws beside its cells."""

    cursor: str
    mark: str
    up: str  #: sorted, the least first
    down: str
    cut: str


ASCII = Signs(cursor=">", mark="x", up="^", down="v", cut="~")
UNICODE = Signs(cursor="\u276f", mark="\u2713", up="\u25b2", down="\u25bc", cut="\u2026")


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Where a column stands on the screen."""

    at: int  #: its number among the columns
    x: int
    width: int
    right: bool


def ordered(lines: Sequence[Line], at: int, reverse: bool = False) -> list[Line]:
    """By the value in a place, numbers before text, lines without one last; equal ones stay as they are."""

    def rank(line: Line) -> Any:
        value = line.values[at]
        return (1, value.casefold()) if isinstance(value, str) else (0, value)

    valued = [line for line in lines if line.values[at] is not None]
    missing = [line for line in lines if line.values[at] is None]
    return sorted(valued, key=rank, reverse=reverse) + missing


def nearest(neighbours: Sequence[Line], id: str, places: Mapping[str, int]) -> int:
    """The place of a line, else of that which stood nearest to it among its neighbours, else 0."""
    if id in places:
        return places[id]
    at = next((place for place, line in enumerate(neighbours) if line.id == id), 0)
    stayed = (place for place, line in enumerate(neighbours) if line.id in places)
    found = min(stayed, key=lambda place: abs(place - at), default=None)
    return 0 if found is None else places[neighbours[found].id]


@lru_cache(maxsize=64)
def slots(columns: tuple[Column, ...], width: int) -> tuple[Slot, ...]:
    """Which columns fit, and where: the highest `drop` goes first, growing ones share what room is left."""
    room = width - GUTTER + 1  # every column is followed by a space, the last by the edge
    kept = list(enumerate(columns))
    while _needed(kept) > room and any(column.drop for _, column in kept):
        kept.remove(max(kept, key=lambda each: (each[1].drop, each[0])))
    growing = [at for at, column in kept if column.grows]
    spare = max(0, room - _needed(kept))
    found: list[Slot] = []
    x = GUTTER
    for at, column in kept:
        more = 0
        if at in growing:
            more = spare // len(growing) + (at == growing[-1]) * (spare % len(growing))
        found.append(Slot(at=at, x=x, width=column.width + more, right=column.right))
        x += column.width + more + 1
    return tuple(found)


def fitted(text: str, slot: Slot, signs: Signs) -> str:
    """Text in exactly the slot's cells; a sign says that some of it is cut off."""
    shown = text if text.isprintable() else clean(text)
    length = cell_len(shown)
    if length > slot.width:
        return set_cell_size(shown, slot.width - 1) + signs.cut
    blank = " " * (slot.width - length)
    return blank + shown if slot.right else shown + blank


def _needed(columns: Sequence[tuple[int, Column]]) -> int:
    return sum(column.width + 1 for _, column in columns)
