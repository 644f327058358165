from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from threading import Event
from types import SimpleNamespace

import pytest

from pipeline import states
from pipeline.errors import LeaseLost, StorageError
from pipeline.model import Lease
from pipeline.ports import JobQueue, Ledger
from pipeline.queueing import relay, skip
from tests.builders import FakeClock, some_progress
from tests.faulty import failing, then
from tests.scenes import now, queued
from worker.heartbeat import Heartbeat

LEASE_S = 0.03  #: so that it beats every hundredth of a second


@pytest.fixture
def lease(ledger: Ledger, queue: JobQueue, clock: FakeClock) -> Lease:
    """A job that worker-1 has taken."""
    queued(ledger)
    relay(ledger, queue)
    lease = queue.lease(60)
    assert lease
    ledger.record([states.claimed(now(ledger), "worker-1", lease, clock())])
    clock.go_on(59.99)
    return lease


@pytest.fixture
def beaten() -> Event:
    return Event()


@pytest.fixture
def heart(ledger: Ledger, queue: JobQueue, lease: Lease, beaten: Event) -> Callable[..., Heartbeat]:
    """A heartbeat that tells when it was recorded."""

    def make(queue: JobQueue = queue, seconds: float = LEASE_S) -> Heartbeat:
        claim = now(ledger).claim
        assert claim
        return Heartbeat(then(ledger, "heartbeat", beaten.set), queue, lease, claim, seconds)

    return make


def test_lease_and_claim_are_renewed_with_the_progress(
    heart: Callable[..., Heartbeat], ledger: Ledger, queue: JobQueue, beaten: Event, clock: FakeClock
) -> None:
    before = now(ledger)
    beating = heart()
    beating.progress = some_progress(30)
    with beating.beating():
        assert beaten.wait(30)
        beating.check()
    there = now(ledger)
    assert before.claim
    assert there == replace(
        before, claim=replace(before.claim, until=clock() + LEASE_S), progress=some_progress(30)
    )
    assert queue.depth().leased == 1


def test_between_two_beats_nothing_is_written(heart: Callable[..., Heartbeat], ledger: Ledger) -> None:
    before = now(ledger)
    with heart(seconds=600).beating():
        pass
    assert now(ledger) == before


def test_no_beat_comes_after_its_end(heart: Callable[..., Heartbeat], ledger: Ledger, beaten: Event) -> None:
    beating = heart()
    with beating.beating():
        assert beaten.wait(30)
        beating.end()
        assert "heartbeat" not in {thread.name for thread in threading.enumerate()}
        beating.check()


def test_a_lost_lease_is_told_to_whoever_works(
    heart: Callable[..., Heartbeat], ledger: Ledger, queue: JobQueue, clock: FakeClock
) -> None:
    clock.go_on(61)
    assert queue.lease(60)
    beating = heart()
    with beating.beating():
        lost(beating)
    claim = now(ledger).claim
    assert claim
    assert claim.until < clock()


def test_a_lost_claim_is_told_too(
    heart: Callable[..., Heartbeat], ledger: Ledger, queue: JobQueue, clock: FakeClock
) -> None:
    beating = heart()
    skip(ledger, queue, clock, now(ledger))
    with beating.beating():
        lost(beating)


def lost(heart: Heartbeat) -> None:
    """Waits for the loss to be noticed."""
    patience = Event()
    for _ in range(3000):
        try:
            heart.go_on()
        except LeaseLost:
            return
        patience.wait(0.01)
    raise AssertionError("nobody noticed")


def test_one_failed_beat_does_no_harm(
    heart: Callable[..., Heartbeat], queue: JobQueue, beaten: Event, caplog: pytest.LogCaptureFixture
) -> None:
    shaky = failing(queue, "extend", StorageError("the database is busy"))
    beating = heart(queue=shaky)
    with caplog.at_level(logging.WARNING), beating.beating():
        assert beaten.wait(30)
        beating.check()
    assert "heartbeat failed: the database is busy" in caplog.text


def test_a_worker_that_is_stuck_ends(
    ledger: Ledger, queue: JobQueue, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.heartbeat._STUCK_S", 0.02)
    claim, ended = now(ledger).claim, Event()
    assert claim
    with Heartbeat(ledger, queue, lease, claim, LEASE_S, ended.set).beating():
        assert ended.wait(10)


def test_to_ask_whether_to_go_on_is_no_sign_of_life(
    ledger: Ledger, queue: JobQueue, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.heartbeat._STUCK_S", 0.2)
    claim, ended = now(ledger).claim, Event()
    assert claim
    heart = Heartbeat(ledger, queue, lease, claim, LEASE_S, ended.set)
    with heart.beating():
        for _ in range(3000):
            heart.go_on()
            if ended.wait(0.01):
                return
    raise AssertionError("nobody noticed")


def test_one_that_goes_on_does_not(
    ledger: Ledger, queue: JobQueue, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = FakeClock()
    monkeypatch.setattr("worker.heartbeat.time", SimpleNamespace(monotonic=ticks))
    claim, ended = now(ledger).claim, Event()
    assert claim
    heart = Heartbeat(ledger, queue, lease, claim, LEASE_S, ended.set)
    with heart.beating():
        for _ in range(5):
            ticks.go_on(3000)
            heart.check()
            assert not ended.wait(0.1)


def test_one_that_does_not_notice_that_it_lost_its_lease_ends_too(
    ledger: Ledger, queue: JobQueue, clock: FakeClock, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.heartbeat._LOST_S", 0.02)
    claim, ended = now(ledger).claim, Event()
    assert claim
    skip(ledger, queue, clock, now(ledger))
    with Heartbeat(ledger, queue, lease, claim, LEASE_S, ended.set).beating():
        assert ended.wait(10)
