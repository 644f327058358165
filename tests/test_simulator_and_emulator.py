"""The simulator that `proofcast plan` rests on, against the product itself on an emulated AWS.

Both are given the same episodes, and an AWS that takes the same times. In the emulation everything but
the workers is the product's own: ledger, queue, dispatch, fleet and bills; workers are played.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from random import Random

import pytest

from pipeline import states
from pipeline.arrivals import Arrival
from pipeline.dispatch import dispatch
from pipeline.imagined import Drought, Machine, Outcome, Setting
from pipeline.model import Episode, Lease, Market, Progress, State
from pipeline.queueing import relay
from pipeline.scaling import FOUND_NOTHING, Policy
from pipeline.settling import hour_of, settle
from pipeline.simulation import Dispatch, simulate
from tests.builders import a_change, a_review, an_episode
from tests.deployed_site import DeployedSite
from tests.fakes.ecs import Timing
from tests.test_settling import AWS, books

SPOT, ON_DEMAND = Market.SPOT, Market.ON_DEMAND
TYPE = "g6.xlarge"  #: which the emulated ECS chooses
POLL_S, TICK_S, LINGER_S = 300.0, 120.0, 20.0  #: the product's defaults
LEASE_S = 3600.0  #: longer than any episode here takes
STEP_S = 1.0
SPEED = 20.0

ECS = Timing()
START_UP_S = ECS.instance_s + ECS.pull_s + ECS.start_s
MACHINE = Machine(
    speed=SPEED,
    launch_s=(0, 0),
    start_up_s=(START_UP_S, START_UP_S),
    warm_s=ECS.pull_s + ECS.start_s,
    idle_end_s=ECS.stop_s + ECS.idle_s + ECS.drain_s,
)

#: All times here are whole seconds, and the emulation goes by seconds. What differs is that ECS tells of a
#: worker's end a moment after it. In three things the simulator is coarser, and no episode here is found when
#: they matter: in that moment, and while an instance drains, the instance takes no worker; and the poller's
#: clock strikes every two minutes, where the simulator counts them from a poll.
NEAR_S = ECS.stop_s + STEP_S


@dataclass
class Worker:
    """A task that runs: it takes episodes as long as there are any, lingers and ends."""

    task_id: str
    since: float  #: it has worked on its episode, or found none
    episode: Episode | None = None
    lease: Lease | None = None
    jobs: int = 0


@dataclass
class Emulation:
    """A deployment whose clock is turned, and who works there."""

    site: DeployedSite
    how: Dispatch
    setting: Setting
    to_come: list[Episode]
    asked: set[str] = field(default_factory=set[str])  #: tasks that don't run yet
    workers: list[Worker] = field(default_factory=list[Worker])
    goes_on: bool = False  #: whether the last turn left anything

    def __post_init__(self) -> None:
        self.ledger, self.queue, self.fleet = self.site.ledger(), self.site.queue(), self.site.fleet()
        self.clock, self.books, self.began_at = self.site.clock, books(self.site), self.site.clock()

    def play(self) -> None:
        """Until all is done, gone and billed."""
        while self.to_come or self.goes_on:
            self.second(self.clock() - self.began_at)
            self.clock.go_on(STEP_S)

    def second(self, at: float) -> None:
        for drought in self.setting.droughts:
            dry = drought.begins_at <= at < drought.ends_at
            self.site.account.ecs.capacity[drought.market.name] = "none" if dry else "plenty"
        if at % POLL_S == 0:
            self.poll()
        if self.goes_on and 0 in (at % POLL_S, at % TICK_S):
            self.turn()
        for task_id in sorted(self.asked):
            if self.site.account.ecs.task(task_id)["lastStatus"] == "RUNNING":
                self.asked.remove(task_id)
                self.workers.append(Worker(task_id, self.clock()))
        for worker in [*self.workers]:
            self.work(worker)

    def poll(self) -> None:
        now = self.clock()
        found = [episode for episode in self.to_come if (episode.published or 0.0) <= now]
        del self.to_come[: len(found)]
        self.ledger.record(
            [change for each in found for change in (a_change(each), states.queued(each, now))]
        )
        self.goes_on |= relay(self.ledger, self.queue) > 0

    def turn(self) -> None:
        """What the poller does each time; nothing comes of it where nothing was left."""
        for worker in self.workers:
            self.beat(worker)
        done = dispatch(self.ledger, self.queue, self.fleet, self.how.policy, self.clock)
        self.asked = (self.asked | {*done.started}) - {*done.given_up}
        settle(self.books)
        self.goes_on = bool(done.live or done.work.jobs or self.books.meter.unbilled())

    def beat(self, worker: Worker) -> None:
        if worker.episode and worker.episode.claim:
            done_s, total_s = (self.clock() - worker.since) * SPEED, worker.episode.duration_s or 0.0
            progress = Progress(done_s=done_s, total_s=total_s, speed=SPEED, at=self.clock())
            self.ledger.heartbeat(worker.episode.id, worker.episode.claim, progress)

    def work(self, worker: Worker) -> None:
        lasts_s = self.clock() - worker.since
        if worker.episode and lasts_s >= (worker.episode.duration_s or 0.0) / SPEED:
            self.finish(worker, worker.episode)
        if not worker.episode:
            self.take(worker)
        if not worker.episode and self.clock() - worker.since >= self.how.linger_s:
            self.site.account.ecs.end(worker.task_id, 0 if worker.jobs else FOUND_NOTHING)
            self.workers.remove(worker)

    def take(self, worker: Worker) -> None:
        worker.lease = self.queue.lease(LEASE_S)
        if worker.lease and (episode := self.ledger.get(worker.lease.job.episode_id)):
            change = states.claimed(episode, worker.task_id, worker.lease, self.clock())
            self.ledger.record([change])
            worker.episode, worker.since = change.episode, self.clock()

    def finish(self, worker: Worker, episode: Episode) -> None:
        now, length_s = self.clock(), episode.duration_s or 0.0
        change = states.transcribed(episode, {}, length_s, now, now - worker.since)
        self.ledger.record([change])
        self.ledger.record([states.in_review(change.episode, a_review(), {}, now)])
        if worker.lease:
            self.queue.complete(worker.lease)
        worker.episode, worker.since, worker.jobs = None, now, worker.jobs + 1


def both(
    site: DeployedSite,
    arrivals: Sequence[tuple[float, float]],
    max_workers: int = 4,
    droughts: tuple[Drought, ...] = (),
) -> Outcome:
    """What the simulator tells, once the emulator has told the same.

    Episodes are given by when they are published and their seconds of audio. Five minutes to drain them
    makes dispatch want a second worker for little more than an hour of audio.
    """
    markets = (SPOT, ON_DEMAND) if droughts else (ON_DEMAND,)
    policy = Policy(markets=markets, max_workers=max_workers, drain_s=300, patience_s=180)
    how = Dispatch(policy=policy, tick_s=TICK_S, linger_s=LINGER_S)
    setting = Setting(machine=MACHINE, poll_s=POLL_S, droughts=droughts)
    outcome = simulate([Arrival(at=at, audio_s=audio_s) for at, audio_s in arrivals], how, Random(0), setting)
    episodes = [
        an_episode(f"show-{number:02}", published=site.clock() + at, duration_s=audio_s)
        for number, (at, audio_s) in enumerate(arrivals)
    ]
    emulation = Emulation(site, how, setting, episodes)
    emulation.play()
    assert_same_workers(emulation, outcome)
    assert_same_bills(emulation, outcome)
    done = sorted(emulation.ledger.episodes(state=State.IN_REVIEW), key=lambda each: each.updated_at)
    times_s = [each.updated_at - (each.published or 0.0) for each in done]
    assert times_s == pytest.approx(list(outcome.times_s), abs=NEAR_S)
    return outcome


def assert_same_workers(emulation: Emulation, outcome: Outcome) -> None:
    """When each was asked for, ran and ended, where and how."""
    told = sorted(emulation.fleet.recent(), key=lambda task: (task.asked_at, task.stopped_at))
    imagined = sorted(outcome.tasks, key=lambda task: (task.asked_at, task.stopped_at))
    assert [(task.market, task.exit_code) for task in told] == [
        (task.market, task.exit_code) for task in imagined
    ]
    since = emulation.began_at
    assert flat(
        (task.asked_at - since, task.started_at and task.started_at - since, (task.stopped_at or 0.0) - since)
        for task in told
    ) == pytest.approx(
        flat((task.asked_at, task.started_at, task.stopped_at) for task in imagined), abs=NEAR_S
    )


def assert_same_bills(emulation: Emulation, outcome: Outcome) -> None:
    """Each instance's life, what its seconds went into, and what they cost by the bills."""
    since, bills = emulation.began_at, emulation.ledger.bills()
    lives = sorted((bill.began_at - since, bill.ended_at - since) for bill in bills)
    imagined = sorted((each.launched_at, each.ended_at or 0.0) for each in outcome.instances)
    assert flat(lives) == pytest.approx(flat(imagined), abs=STEP_S)
    near_s = len(bills) * STEP_S
    assert sum(sum(bill.work_s.values()) for bill in bills) == pytest.approx(outcome.busy_s, abs=near_s)
    assert sum(bill.start_up_s for bill in bills) == pytest.approx(outcome.start_up_s, abs=near_s)
    assert sum(bill.idle_s for bill in bills) == pytest.approx(outcome.idle_s, abs=near_s)
    paid = sum(item.usd for bill in bills for item in bill.items if item.what in ("instance", "fee"))
    prices = {market: hour_of(TYPE, market, emulation.books.prices, AWS) for market in Market}
    expected = outcome.cost({market: float(usd or 0) for market, usd in prices.items()})
    assert float(paid) == pytest.approx(expected, rel=0.01)


def flat(rows: Iterable[tuple[float | None, ...]]) -> list[float | None]:
    return list(chain.from_iterable(rows))


def test_a_day(deployed: DeployedSite) -> None:
    """A worker that still lingers; an instance that still stands, beside which one is started in vain;
    two at once; three at once after more than an hour; and one that comes alone.
    """
    outcome = both(
        deployed,
        [
            *[(60, 3600), (400, 4000)],
            *[(700, 800), (700, 3200)],
            *[(1600, 4000), (1600, 5200)],
            *[(7000, 2500), (7000, 3000), (7000, 3500)],
            (8300, 1500),
        ],
    )
    assert (len(outcome.tasks), len(outcome.instances)) == (9, 8)
    assert [task.exit_code for task in outcome.tasks].count(FOUND_NOTHING) == 1


def test_a_catalogue(deployed: DeployedSite) -> None:
    lengths = [2400, 4100, 1300, 3600, 2900, 5200, 700, 3300, 1900, 4400, 2600, 1700]
    outcome = both(deployed, [(0, length) for length in lengths], max_workers=3)
    assert len(outcome.instances) == len(outcome.tasks) == 3


def test_days_without_spot(deployed: DeployedSite) -> None:
    """Given up twice, not asked for while it is held, and had again."""
    drought = Drought(market=SPOT, begins_at=0, ends_at=1500)
    episodes = [(0, 3000), (500, 2000), (1000, 2400), (1700, 2000)]
    outcome = both(deployed, episodes, droughts=(drought,))
    assert [instance.market for instance in outcome.instances] == [ON_DEMAND] * 3 + [SPOT]
    assert len(outcome.tasks) == 6
