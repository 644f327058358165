"""What sources hand to screens: rows that are ready to show, and how fresh they are. No Textual here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LONGEST = 500  #: characters of one cell; no terminal shows more on a line
MARKS = 3  #: on one letter; Vietnamese and pointed Hebrew need no more

# Fillers, variants and skin tones of emoji: terminals disagree about their width.
_UNSURE = re.compile("[\u115f\u1160\u3164\uffa0\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]")


def clean(text: str, longest: int = LONGEST) -> str:
    """One line that shows as it is stored: no control, nothing invisible that moves or hides its neighbours.

    Of letters under a flood of marks a few marks stay; what is longer than `longest` characters is cut.
    """
    if text.isascii() and text.isprintable():
        return text[:longest]
    kept: list[str] = []
    marks = 0
    for char in unicodedata.normalize("NFC", _UNSURE.sub("", text[: 4 * longest])):
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if char.isspace():
            kept.append(" ")
        elif char.isprintable() and marks <= MARKS:
            kept.append(char)
    return "".join(kept[:longest])


class Tone(StrEnum):
    """What a row means, for themes to colour; it is always said in words or a sign too."""

    PLAIN = "plain"
    BUSY = "busy"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    DIM = "dim"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table."""

    key: str  #: by which filters and sorting name it
    title: str
    width: int  #: cells, at least 2
    right: bool = False  #: numbers stand on the right
    grows: bool = False  #: takes what room is left
    drop: int = 0  #: the highest goes first where the terminal is narrow; 0: it stays


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row; `cells` and `values` stand in the order of the columns."""

    id: str  #: by which cursor and marks find it again
    cells: tuple[str, ...]  #: printable text and nothing that a terminal would obey
    values: tuple[Any, ...]  #: what is sorted and filtered by: str, float or None
    tone: Tone = Tone.PLAIN
    why: str = ""  #: one sentence for the line under the table: an error, a reason, what next
    url: str = ""  #: what can be opened outside: a page, a folder
    episode: str = ""  #: that it is about
    task: str = ""  #: whose log tells more
    lost: str = ""  #: what is done again if its worker is stopped


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything that one reading of a source found."""

    source: str
    version: int  #: grows with every reading
    at: float  #: when the reading began, POSIX seconds
    took_s: float
    lines: tuple[Line, ...]
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])  #: beside the table: totals, counts


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How a source stands; every number on the screen has one."""

    source: str
    at: float | None = None  #: of the last reading that succeeded
    trouble: str = ""  #: why the last one failed; empty: it did not
    next_at: float | None = None  #: when it is read again; None: paused
    reading: bool = False
    interval_s: float = 1.0

    def stale(self, now: float) -> bool:
        """Whether two readings are missing, or the last one failed."""
        return bool(self.trouble) or self.at is None or now - self.at > 2 * self.interval_s + 1
