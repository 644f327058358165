"""What every screen shows on its first line: the queue, the budget, why nothing is started."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pipeline.scaling import Hold
from tui.ports import Engine
from tui.sources.reading import Reading
from tui.sources.said import span
from tui.values import Line, clean

_KEPT = 60  #: readings of how fast work goes


class StatusSource(Reading):
    """Has facts only, no lines."""

    name = "status"
    every_s: ClassVar[tuple[float, float]] = (2.0, 15.0)

    def __init__(self, at: Engine) -> None:
        super().__init__(at)
        self._speeds: deque[float] = deque(maxlen=_KEPT)

    def look(self, now: float) -> tuple[Sequence[Line], Mapping[str, Any]]:
        """Queue depths, counts by state, workers, the month's cost and budget, holds, seconds of audio a
        second."""
        found = self.at.status()
        self._speeds.append(sum(task.speed or 0.0 for task in found.tasks))
        return (), {
            "waiting": found.queue.waiting,
            "leased": found.queue.leased,
            "dead": found.queue.dead,
            "episodes": {state.value: count for state, count in found.episodes.items()},
            "workers": len(found.tasks),
            "instances": len(found.instances),
            "month": found.cost.month,
            "usd": found.cost.usd if self.at.books else None,
            "running_usd": found.cost.running_usd,
            "budget_usd": found.cost.budget_usd,
            "warm_s": max(0.0, self.at.ledger.warm_until() - now),
            "holds": tuple(held(hold, now) for hold in found.holds),
            "speeds": tuple(self._speeds),
        }


def held(hold: Hold, now: float) -> str:
    """Why no workers are started, and for how long."""
    where = f" on {hold.market}" if hold.market else ""
    return clean(f"no workers{where} for {span(hold.until - now).text}: {hold.why}")
