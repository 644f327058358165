"""What all sources of an engine have in common."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from pipeline.model import Episode
from pipeline.ports import Ledger
from tui.ports import Engine
from tui.values import Column, Line, Snapshot

_PAGE = 500


def everything(ledger: Ledger) -> Iterator[Episode]:
    """All episodes, the newest first; page by page, so that they are never all in memory at once."""
    page = ledger.episodes(limit=_PAGE)
    while page:
        yield from page
        page = ledger.episodes(limit=_PAGE, after=page[-1])


class Reading(ABC):
    """See `backend.Source`. One thread reads it."""

    name: str
    every_s: ClassVar[tuple[float, float]]  #: on this machine, and where each reading is asked over a network

    def __init__(self, at: Engine) -> None:
        self.at = at
        self.columns: tuple[Column, ...] = ()
        self._version = 0

    @property
    def interval_s(self) -> float:
        """From the end of a reading to the next one."""
        return self.every_s[self.at.config.engine == "aws"]

    def read(self) -> Snapshot:
        """What `look` finds. Raises ProofcastError."""
        now, ticks = self.at.clock(), time.monotonic()
        lines, facts = self.look(now)
        self._version += 1
        return Snapshot(
            source=self.name,
            version=self._version,
            at=now,
            took_s=time.monotonic() - ticks,
            lines=tuple(lines),
            facts=facts,
        )

    @abstractmethod
    def look(self, now: float) -> tuple[Sequence[Line], Mapping[str, Any]]:
        """Lines, and facts beside them."""
