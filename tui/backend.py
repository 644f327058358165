"""What the dashboard shows and does, whatever the engine is. No Textual here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tui.values import Column, Line, Snapshot


class Source(Protocol):
    """Something that can be read again and again, in a thread of its own."""

    @property
    def name(self) -> str: ...
    @property
    def columns(self) -> tuple[Column, ...]: ...
    @property
    def interval_s(self) -> float:
        """From the end of a reading to the next one."""
        ...

    def read(self) -> Snapshot:
        """May take its time, and may raise anything."""
        ...


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something that a person may have done."""

    id: str
    title: str
    run: Callable[[Sequence[str]], str]  #: on rows' ids; returns a sentence of what happened
    asks: bool = False  #: first
    consequence: Callable[[Sequence[Line]], str] = lambda lines: ""  #: of doing it: what is lost, in words


@dataclass(frozen=True, kw_only=True)
class Backend:
    """An engine as the dashboard sees it."""

    name: str
    production: bool
    sources: Mapping[str, Source]  #: by screens' names, and `status`
    detail: Callable[[str], Source]  #: of an episode
    log: Callable[[str], Source]  #: of a task; of the poller where it is empty
    actions: Mapping[str, Action]
    command: Callable[[str, Line | None], str]  #: that shows the same on the command line
    by: Callable[[str], None]  #: what costs are added up for, from the next reading on
    keep_warm: Callable[[float], str]  #: for so many seconds from now; 0: no longer; says what that means


@dataclass(frozen=True)
class Renamed:
    """A source that is shown in another place than its own."""

    source: Source
    name: str

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.source.columns

    @property
    def interval_s(self) -> float:
        return self.source.interval_s

    def read(self) -> Snapshot:
        return replace(self.source.read(), source=self.name)
