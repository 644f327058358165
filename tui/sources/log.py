"""The log of a worker, or of the poller: new lines are added to those that are kept."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tui.ports import Engine
from tui.sources.reading import Reading
from tui.values import Column, Line, Tone, clean

COLUMNS = (
    Column(key="time", title="TIME", width=8, drop=2),
    Column(key="level", title="LEVEL", width=7, drop=1),
    Column(key="line", title="LINE", width=40, grows=True),
)

_KEPT = 5000
_LONGEST = 2000  #: characters of a line: a terminal shows no more, and pasting more freezes some
_LAMBDA = re.compile(r"\[(\w+)\]\s+\S*T(\d\d:\d\d:\d\d)\S*\s+\S+\s+(.*)", re.DOTALL)
_OURS = re.compile(r"\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d)\S* (.*)", re.DOTALL)
_BAD = re.compile(r"\b(failed|unexpected|Traceback|[A-Z]\w*Error)\b")


class LogSource(Reading):
    """Of a task, of the last worker that had an episode, or (of nothing) of the poller."""

    name = "log"
    every_s: ClassVar[tuple[float, float]] = (1.0, 3.0)

    def __init__(self, at: Engine, of: str = "") -> None:
        super().__init__(at)
        self.columns = COLUMNS
        self._of = of
        self._seen: list[str] = []
        self._count = 0
        self._kept: deque[Line] = deque(maxlen=_KEPT)
        self._lines: tuple[Line, ...] = ()

    def look(self, now: float) -> tuple[Sequence[Line], Mapping[str, Any]]:
        """The last lines, whose ids are their numbers; how many of them are new."""
        task = self._task()
        told = self.at.fleet.log(task) if task else self.at.poller_log()
        new = _appended(self._seen, told or [])
        self._seen = told or []
        for text in new:
            self._count += 1
            self._kept.append(_line(self._count, text))
        if new:
            self._lines = tuple(self._kept)
        return self._lines, {
            "of": task or "the poller",
            "appended": len(new),
            "first": self._count - len(self._kept) + 1,
            "empty": "" if told is not None else "cron polls on this machine, and keeps its own log",
        }

    def _task(self) -> str:
        episode = self.at.ledger.get(self._of) if self._of else None
        if episode is None:
            return self._of
        if episode.claim:
            return episode.claim.worker
        workers = [event.worker for event in self.at.ledger.events(episode.id) if event.worker]
        return workers[-1] if workers else self._of


def _appended(before: Sequence[str], now: Sequence[str]) -> Sequence[str]:
    """What is new at the end of a window that moves on; all of it, if nothing of the last one is left."""
    for gone in range(len(before)):
        kept = len(before) - gone
        if kept <= len(now) and before[gone] == now[0] and before[gone:] == now[:kept]:
            return now[kept:]
    return now


def _line(number: int, text: str) -> Line:
    text = text[:_LONGEST]
    if match := _LAMBDA.match(text):
        level, at, said = match.groups()
    elif match := _OURS.match(text):
        level, at, said = "", *match.groups()
    else:
        level, at, said = "", "", text
    said = clean(said, _LONGEST)
    bad = level in ("ERROR", "CRITICAL") or _BAD.search(said)
    tone = Tone.BAD if bad else Tone.WARN if level == "WARNING" else Tone.PLAIN
    return Line(id=f"{number}", cells=(at, level, said), values=(at, level, said), tone=tone, why=said)
