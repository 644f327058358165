"""An imagined fleet: clock, queue, workers and instances, for `simulation` to decide about.

Times are seconds from the beginning. Nothing is random but through the generator passed in.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from statistics import median, quantiles

from pipeline.costs import LEAST_BILLED_S
from pipeline.model import Claim, Episode, Instance, Market, Progress, Task
from pipeline.scaling import FOUND_NOTHING


@dataclass(frozen=True, kw_only=True)
class Drought:
    """From when until when a market has no instance."""

    market: Market
    begins_at: float
    ends_at: float


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How instances of one type behave; of a range, each value is as likely.

    Defaults are what was seen of ECS managed instances in one account (Tokyo, September 2026), where not
    said otherwise. There a worker with its model took 165 to 197 s, or 232 s with an image from a slow
    registry, and an idle instance was shut down after 71 to 164 s.
    """

    speed: float = 20.0  #: seconds of audio a second; assumed of a small GPU, as in `scaling`
    launch_s: tuple[float, float] = (8.0, 15.0)  #: from asking for a worker until its instance is paid for
    start_up_s: tuple[float, float] = (165.0, 240.0)  #: from asking for a worker until it works
    warm_s: float = 30.0  #: the same where an instance stands idle; assumed: only the model is loaded
    idle_end_s: float = 90.0  #: from an instance's last worker until it is no longer paid for


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is the same whoever decides."""

    machine: Machine = field(default_factory=Machine)
    poll_s: float = 900.0  #: between two polls, which find what was published; 0: found at once
    first_poll_at: float = 0.0
    droughts: tuple[Drought, ...] = ()
    horizon_s: float = 4 * 86_400.0  #: what is not done then never is; SQS keeps a message so long

    def found_at(self, published: float) -> float:
        """When the poll comes that finds what was published then."""
        if not self.poll_s:
            return published
        polls = max(0, math.ceil((published - self.first_poll_at) / self.poll_s))
        return self.first_poll_at + polls * self.poll_s


@dataclass(frozen=True, kw_only=True)
class Sample:
    """How things stand from one time until the next sample's."""

    at: float
    waiting: int  #: episodes that are queued, and no worker has taken
    workers: int  #: asked for, and not ended
    instances: int  #: that are paid for


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it."""

    times_s: tuple[float, ...]  #: from publication to transcript, of each episode that has one
    undone: int  #: episodes that have none
    finished_at: float  #: when the last one was done
    taken: int  #: how often a worker began with an episode
    killed: int  #: how often it was ended before it was done
    busy_s: float  #: of work that led to a transcript
    lost_s: float  #: of work that had to be done again
    start_up_s: float  #: of instances that were paid for while a worker started
    tasks: tuple[Task, ...]
    instances: tuple[Instance, ...]
    history: tuple[Sample, ...]

    @property
    def median_s(self) -> float:
        return median(self.times_s) if self.times_s else math.nan

    @property
    def p95_s(self) -> float:
        return percentile_95(self.times_s)

    @property
    def billed_s(self) -> float:
        return sum(_billed_s(instance) for instance in self.instances)

    @property
    def idle_s(self) -> float:
        """Paid for, with no worker that starts or works."""
        return self.billed_s - self.busy_s - self.lost_s - self.start_up_s

    def cost(self, prices: Mapping[Market | None, float]) -> float:
        """US$, given what an instance of each market costs an hour, fee included."""
        return sum(_billed_s(instance) / 3600 * prices[instance.market] for instance in self.instances)


def percentile_95(values: Sequence[float]) -> float:
    """What 95 of 100 don't exceed; NaN where there are no values."""
    if len(values) < 2:
        return values[0] if values else math.nan
    return quantiles(values, n=20, method="inclusive")[-1]


@dataclass(kw_only=True)
class _Box:
    """An instance, and who is on it."""

    instance: Instance
    worker: Worker | None = None
    since: float = 0.0  #: nobody has been on it


@dataclass(kw_only=True)
class Worker:
    """A task, and what it does."""

    task: Task
    box: _Box | None = None
    episode: Episode | None = None
    since: float = 0.0  #: it has worked on the episode, or idled
    jobs: int = 0  #: that it took

    @property
    def idle(self) -> bool:
        return self.task.live and self.task.started_at is not None and not self.episode


class World:
    """Clock, queue and fleet. What has a name without underscore is for whoever decides."""

    def __init__(
        self, setting: Setting, rng: Random, *, unseen: int, linger_s: float, hidden_s: float
    ) -> None:
        self.now, self.rng = 0.0, rng
        self.waiting: deque[Episode] = deque()
        self.workers: dict[str, Worker] = {}
        self.ended: list[Task] = []
        self.done: list[Episode] = []
        self.unseen, self.hidden = unseen, 0  #: episodes that no poll has found; that the queue doesn't show
        self._setting, self._machine = setting, setting.machine
        self._linger_s, self._hidden_s = linger_s, hidden_s
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._boxes: list[_Box] = []
        self._paid: dict[str, _Box] = {}  #: those that are paid for, the oldest first
        self._scheduled = self._taken = self._killed = 0
        self._busy_s = self._lost_s = self._start_up_s = 0.0
        self._history: list[Sample] = []

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Later, let this happen; what is due at the same time happens in the order of these calls."""
        self._scheduled += 1
        heapq.heappush(self._events, (time, self._scheduled, action))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, action = heapq.heappop(self._events)
            action()
            self._note()
        if self._events:
            self._close(until)

    @property
    def over(self) -> bool:
        return not (self.unseen or self.waiting or self.hidden or self.workers)

    @property
    def at_work(self) -> bool:
        """Whether any worker is."""
        return any(worker.episode for worker in self.workers.values())

    def find(self, episodes: Sequence[Episode]) -> None:
        """Queue what a poll found."""
        self.unseen -= len(episodes)
        self._queue(episodes)

    def start(self, market: Market | None) -> None:
        """Ask for a worker; it takes an instance that stands idle, if there is one."""
        id = f"{len(self.workers) + len(self.ended)}"
        worker = self.workers[id] = Worker(task=Task(id=id, asked_at=self.now, market=market))
        for box in self._paid.values():
            if not box.worker and box.instance.market is market:
                return self._place(worker, box, self._machine.warm_s)
        launch_s = self.rng.uniform(*self._machine.launch_s)
        rest_s = self.rng.uniform(*self._machine.start_up_s) - launch_s
        self.at(self._wet_again(market) + launch_s, partial(self._launch, worker, rest_s))

    def stop(self, worker: Worker, reason: str) -> None:
        """End a worker, whatever it does."""
        if worker.episode:
            self._killed += 1
            self._lost_s += self.now - worker.since
            self.hidden += 1
            again = max(self.now, worker.since + self._hidden_s)
            self.at(again, partial(self._show, worker.episode))
        self._end(worker, stop_code="UserInitiated", reason=reason)

    def taken(self) -> list[Episode]:
        """What workers work on, with the progress that they report."""
        speed = self._machine.speed
        return [
            replace(
                worker.episode,
                claim=Claim(worker=worker.task.id, token="", since=worker.since, until=self.now),
                progress=Progress(
                    done_s=(self.now - worker.since) * speed,
                    total_s=worker.episode.duration_s or 0.0,
                    speed=speed,
                    at=self.now,
                ),
            )
            for worker in self.workers.values()
            if worker.episode
        ]

    def outcome(self, episodes: int) -> Outcome:
        return Outcome(
            times_s=tuple(each.updated_at - (each.published or 0.0) for each in self.done),
            undone=episodes - len(self.done),
            finished_at=max((each.updated_at for each in self.done), default=0.0),
            taken=self._taken,
            killed=self._killed,
            busy_s=self._busy_s,
            lost_s=self._lost_s,
            start_up_s=self._start_up_s,
            tasks=tuple(self.ended),
            instances=tuple(box.instance for box in self._boxes),
            history=tuple(self._history),
        )

    def _wet_again(self, market: Market | None) -> float:
        """When the market has instances: now, or at the end of a drought."""
        ends = [
            each.ends_at
            for each in self._setting.droughts
            if each.market is market and each.begins_at <= self.now < each.ends_at
        ]
        return max(ends, default=self.now)

    def _launch(self, worker: Worker, rest_s: float) -> None:
        if worker.task.live:
            id = f"{len(self._boxes)}"
            box = _Box(instance=Instance(id=id, type="", market=worker.task.market, launched_at=self.now))
            self._boxes.append(box)
            self._paid[id] = box
            self._place(worker, box, rest_s)

    def _place(self, worker: Worker, box: _Box, start_s: float) -> None:
        worker.box, box.worker, worker.since = box, worker, self.now
        worker.task = replace(worker.task, instance=box.instance.id)
        self.at(self.now + start_s, partial(self._begin, worker))

    def _begin(self, worker: Worker) -> None:
        if worker.task.live:
            self._start_up_s += self.now - worker.since
            worker.task = replace(worker.task, started_at=self.now)
            self._next(worker)

    def _next(self, worker: Worker) -> None:
        worker.since = self.now
        worker.episode = self.waiting.popleft() if self.waiting else None
        if worker.episode:
            self._taken += 1
            worker.jobs += 1
            takes_s = (worker.episode.duration_s or 0.0) / self._machine.speed
            self.at(self.now + takes_s, partial(self._finish, worker))
        elif self._linger_s < math.inf:
            self.at(self.now + self._linger_s, partial(self._leave, worker, self.now))

    def _finish(self, worker: Worker) -> None:
        if worker.episode:  # else it was ended meanwhile
            took_s = self.now - worker.since
            self._busy_s += took_s
            self.done.append(replace(worker.episode, worked_s=took_s, updated_at=self.now))
            self._next(worker)

    def _leave(self, worker: Worker, since: float) -> None:
        if worker.idle and worker.since == since:
            self._end(worker, exit_code=0 if worker.jobs else FOUND_NOTHING)

    def _end(
        self, worker: Worker, stop_code: str = "", reason: str = "", exit_code: int | None = None
    ) -> None:
        if worker.box and worker.task.started_at is None:
            self._start_up_s += self.now - worker.since
        worker.task = replace(
            worker.task, stopped_at=self.now, stop_code=stop_code, reason=reason, exit_code=exit_code
        )
        worker.episode = None
        self.ended.append(worker.task)
        del self.workers[worker.task.id]
        if worker.box:
            worker.box.worker, worker.box.since = None, self.now
            self.at(self.now + self._machine.idle_end_s, partial(self._shut, worker.box, self.now))

    def _shut(self, box: _Box, since: float) -> None:
        if not box.worker and box.since == since and box.instance.ended_at is None:
            box.instance = replace(box.instance, ended_at=self.now)
            del self._paid[box.instance.id]

    def _show(self, episode: Episode) -> None:
        self.hidden -= 1
        self._queue([episode])

    def _queue(self, episodes: Iterable[Episode]) -> None:
        self.waiting.extend(episodes)
        for worker in self.workers.values():
            if worker.idle and self.waiting:
                self._next(worker)

    def _note(self) -> None:
        waiting, workers, instances = len(self.waiting), len(self.workers), len(self._paid)
        last = self._history[-1] if self._history else None
        if not last or (last.waiting, last.workers, last.instances) != (waiting, workers, instances):
            self._history.append(Sample(at=self.now, waiting=waiting, workers=workers, instances=instances))

    def _close(self, at: float) -> None:
        self.now = at
        for worker in list(self.workers.values()):
            self.stop(worker, "the horizon")
        for box in self._boxes:
            self._shut(box, box.since)
        self._note()


def _billed_s(instance: Instance) -> float:
    lived_s = (instance.ended_at or 0.0) - (instance.launched_at or 0.0)
    return max(LEAST_BILLED_S, lived_s)
