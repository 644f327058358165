"""Episodes brought to where a test begins, by the moves that the pipeline makes."""

from __future__ import annotations

from dataclasses import replace

from pipeline import states
from pipeline.model import Change, Episode, Lease
from pipeline.ports import JobQueue, Ledger
from pipeline.queueing import bury_given_up, relay
from pipeline.states import Delivery
from tests.builders import NOW, FakeClock, a_change, a_lease, an_episode


def after(episode: Episode, **fields: object) -> Change:
    """The change that follows an episode as it was read."""
    return Change(episode=replace(episode, version=episode.version + 1, **fields))


def queued(ledger: Ledger, id: str = "show-1", **fields: object) -> Episode:
    """An episode that is in the outbox."""
    episode = an_episode(id, **fields)
    change = states.queued(episode, NOW)
    ledger.record([a_change(episode), change])
    return change.episode


def claimed(ledger: Ledger, id: str = "show-1", **fields: object) -> Episode:
    """An episode that worker-1 has, under the lease t1."""
    change = states.claimed(queued(ledger, id, **fields), "worker-1", a_lease(id), NOW)
    ledger.record([change])
    return change.episode


def taken(ledger: Ledger, queue: JobQueue, clock: FakeClock, worker: str = "worker-1") -> Lease:
    """The next job in a worker's hands, recorded as the worker does it."""
    lease = queue.lease(60)
    assert lease
    episode = ledger.get(lease.job.episode_id)
    assert episode
    assert states.delivery(episode, clock()) is Delivery.TAKE
    ledger.record([states.claimed(episode, worker, lease, clock())])
    return lease


def now(ledger: Ledger, id: str = "show-1") -> Episode:
    episode = ledger.get(id)
    assert episode
    return episode


def given_up(ledger: Ledger, queue: JobQueue, clock: FakeClock) -> None:
    """An episode that killed three workers, as the fourth finds it."""
    queued(ledger)
    relay(ledger, queue)
    for _ in range(3):
        taken(ledger, queue, clock)
        clock.go_on(61)
    assert queue.lease(60) is None


def failed_for_good(ledger: Ledger, queue: JobQueue, clock: FakeClock) -> Episode:
    given_up(ledger, queue, clock)
    bury_given_up(ledger, queue, clock)
    return now(ledger)
