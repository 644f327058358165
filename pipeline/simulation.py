"""What a day or a catalogue of episodes would take and cost, played through event by event.

The function that decides here how many workers there are is `scaling.plan`, the product's own. `Alarm` is
what it is measured against: a service that alarms on the queue's depth make larger and smaller.

Nothing is random but through the generator passed in. docs/dispatch.md has results and assumptions.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from random import Random

from pipeline import scaling
from pipeline.arrivals import Arrival
from pipeline.imagined import Outcome, Setting, World
from pipeline.model import Episode, Market, Task

_METRIC_S = 60.0  #: between two figures of a queue's depth in CloudWatch
_LATELY_S, _LATEST = 3600.0, 20  #: of tasks that ended so lately, and of so many at least, `dispatch` knows
_SAMPLE, _MEASURED = 500, 20  #: of episodes that wait, and of those done last, `dispatch` looks at so many


@dataclass(frozen=True, kw_only=True)
class Dispatch:
    """The product: `scaling.plan` after a poll that queued something, and by a clock while work is left."""

    policy: scaling.Policy
    tick_s: float = 120.0
    linger_s: float = 60.0  #: a worker ends after so long without work


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A service whose size follows an alarm on the queue's depth; its workers wait until they are ended.

    The defaults are those of fourTheorem's podwhisperer, as its stack of February 2026 synthesises: for each
    minute one task more if the last period saw a message that waits, or one less if it saw none, and whatever
    that one is doing is lost. In its favour, the metric is never late, and a worker takes one message at a
    time (theirs takes ten).
    """

    max_workers: int = 1
    period_s: float = 300.0  #: whole minutes
    lag_s: float = 60.0  #: from a period's end until the alarm acts on it; assumed
    counts_taken: bool = False  #: whether messages that workers have taken count
    steps: tuple[tuple[int, int], ...] = ()  #: from so many messages on, so many workers; if any are given
    protects: bool = False  #: whether a worker at work is left alone
    hidden_s: float = 3600.0  #: from taking a message until it shows again; 0: if its worker is ended
    market: Market = Market.ON_DEMAND


def simulate(
    arrivals: Iterable[Arrival], how: Dispatch | Alarm, rng: Random, setting: Setting | None = None
) -> Outcome:
    """Play it through until all is done and nothing is paid for any more, or to the horizon."""
    setting = setting or Setting()
    episodes = [
        Episode(id=f"{number}", feed="", title="", published=each.at, duration_s=each.audio_s)
        for number, each in enumerate(sorted(arrivals, key=lambda each: each.at))
    ]
    world = World(
        setting,
        rng,
        unseen=len(episodes),
        linger_s=how.linger_s if isinstance(how, Dispatch) else math.inf,
        hidden_s=how.hidden_s if isinstance(how, Alarm) else 0.0,
    )
    decider = _Dispatcher(world, how) if isinstance(how, Dispatch) else _Service(world, how)
    for at, found in _polls(episodes, setting).items():
        world.at(at, partial(decider.poll, found))
    world.run(setting.horizon_s)
    return world.outcome(len(episodes))


class _Dispatcher:
    """Runs the product's function when the product does."""

    def __init__(self, world: World, how: Dispatch) -> None:
        self._world, self._how = world, how
        self._ticks = False

    def poll(self, found: Sequence[Episode]) -> None:
        self._world.find(found)
        self._decide()
        if not self._ticks:
            self._ticks = True
            self._world.at(self._world.now + self._how.tick_s, self._tick)

    def _tick(self) -> None:
        self._ticks = bool(self._world.waiting) or self._world.at_work
        if self._ticks:
            self._decide()
            self._world.at(self._world.now + self._how.tick_s, self._tick)

    def _decide(self) -> None:
        world = self._world
        tasks = [*(worker.task for worker in world.workers.values()), *self._ended_lately()]
        sample = list(islice(world.waiting, _SAMPLE))
        more = len(world.waiting) - len(sample)
        work = scaling.work_left(sample, world.taken(), world.workers, world.now, more)
        pace = scaling.pace_of(tasks, world.done[-_MEASURED:])
        plan = scaling.plan(work, tasks, pace, self._how.policy, world.now)
        for id in plan.give_up:
            world.stop(world.workers[id], f"{scaling.NO_INSTANCE} in time")
        for _ in range(plan.start):
            world.start(plan.market)

    def _ended_lately(self) -> list[Task]:
        """They stand in the order in which they ended, and after years there are many.

        The product remembers 200, whenever they ended: after a quiet week too it knows how long one takes
        to start.
        """
        now, ended = self._world.now, self._world.ended
        lately = bisect(ended, False, key=lambda task: now - (task.stopped_at or 0.0) < _LATELY_S)
        return ended[max(0, min(lately, len(ended) - _LATEST)) :]


class _Service:
    """Is as large as its alarm says."""

    def __init__(self, world: World, how: Alarm) -> None:
        self._world, self._how = world, how
        self._desired = 0
        self._period, lag = round(how.period_s / _METRIC_S), math.ceil(how.lag_s / _METRIC_S)
        self._depths: deque[int] = deque(maxlen=self._period + lag)  #: all that the alarm may yet act on
        world.at(0.0, self._minute)

    def poll(self, found: Sequence[Episode]) -> None:
        self._world.find(found)

    def _minute(self) -> None:
        """The queue tells its depth, and the alarm looks at the deepest of a period."""
        world = self._world
        taken = len(world.taken()) + world.hidden if self._how.counts_taken else 0
        self._depths.append(len(world.waiting) + taken)
        deepest = max(list(self._depths)[-self._period :])
        world.at(world.now + self._how.lag_s, partial(self._act, deepest))
        if any(self._depths) or not world.over:
            world.at(world.now + _METRIC_S, self._minute)

    def _act(self, seen: int) -> None:
        step = self._desired + (1 if seen else -1)
        if self._how.steps:
            step = max((workers for least, workers in self._how.steps if seen >= least), default=0)
        self._desired = max(0, min(step, self._how.max_workers))
        for _ in range(self._desired - len(self._world.workers)):
            self._world.start(self._how.market)
        self._end(len(self._world.workers) - self._desired)

    def _end(self, many: int) -> None:
        """ECS ends whichever it likes."""
        may = [
            worker for worker in self._world.workers.values() if not (self._how.protects and worker.episode)
        ]
        for worker in self._world.rng.sample(may, max(0, min(many, len(may)))):
            self._world.stop(worker, "scaled in")


def _polls(episodes: Iterable[Episode], setting: Setting) -> dict[float, list[Episode]]:
    """What each poll finds that finds something."""
    found: defaultdict[float, list[Episode]] = defaultdict(list)
    for episode in episodes:
        found[setting.found_at(episode.published or 0.0)].append(episode)
    return found
