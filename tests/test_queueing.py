from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline import queueing, states
from pipeline.adapters.local_fleet import LocalFleet
from pipeline.errors import Conflict
from pipeline.model import Job, State, Step
from pipeline.ports import Fleet, JobQueue, Ledger
from pipeline.queueing import Tended
from tests.builders import NOW, FakeClock, a_failure
from tests.faulty import Crash, Outage, failing, then
from tests.scenes import after, given_up, now, queued, taken


def test_the_outbox_goes_to_the_queue_once(ledger: Ledger, queue: JobQueue) -> None:
    queued(ledger, "show-1")
    queued(ledger, "show-2")
    assert queueing.relay(ledger, queue) == 2
    assert queueing.relay(ledger, queue) == 0
    assert {taken(ledger, queue, FakeClock()).job.episode_id for _ in range(2)} == {"show-1", "show-2"}
    assert queue.lease(60) is None


@pytest.mark.parametrize("call", range(5))
def test_a_relay_that_was_cut_off_loses_nothing(
    ledger: Ledger, queue: JobQueue, clock: FakeClock, call: int
) -> None:
    queued(ledger, "show-1")
    queued(ledger, "show-2")
    outage = Outage(call)
    with pytest.raises(Crash):
        queueing.relay(outage.guard(ledger), outage.guard(queue))
    queueing.relay(ledger, queue)
    assert ledger.outbox() == []
    jobs = [taken(ledger, queue, clock).job.episode_id for _ in range(2)]
    assert sorted(jobs) == ["show-1", "show-2"]
    assert queue.lease(60) is None


def test_a_job_that_is_taken_before_it_is_noted_as_sent_is_not_sent_again(
    ledger: Ledger, queue: JobQueue, clock: FakeClock
) -> None:
    queued(ledger)
    quick = then(queue, "send", lambda: taken(ledger, queue, clock))
    assert queueing.relay(ledger, quick) == 1
    assert ledger.outbox() == []
    assert queue.depth().waiting == 0


def test_a_living_worker_keeps_its_job(
    ledger: Ledger, queue: JobQueue, clock: FakeClock, fleet: LocalFleet, tended: Callable[[], Tended]
) -> None:
    queued(ledger)
    tended()
    with fleet.presence("worker-1"):
        taken(ledger, queue, clock)
        assert tended() == Tended(sent=0, freed=0, buried=0)
    assert now(ledger).state is State.TRANSCRIBING


def test_a_dead_worker_s_jobs_are_free_at_once(
    ledger: Ledger, queue: JobQueue, clock: FakeClock, tended: Callable[[], Tended]
) -> None:
    for id in ("show-1", "show-2"):
        queued(ledger, id)
    tended()
    taken(ledger, queue, clock)
    other = taken(ledger, queue, clock).job.episode_id
    ledger.record([states.transcribed(now(ledger, other), {"transcript": "t"}, 9.0, NOW)])
    assert tended().freed == 2
    assert {episode.state for episode in ledger.episodes()} == {State.QUEUED, State.TRANSCRIBED}
    assert all(episode.claim is None for episode in ledger.episodes())
    assert ledger.events("show-1")[-1].detail == "worker-1 ended before it was done"
    assert tended() == Tended(sent=0, freed=0, buried=0)
    assert {taken(ledger, queue, clock, "worker-2").receives for _ in range(2)} == {2}


@pytest.mark.parametrize("call", range(4))
def test_freeing_that_was_cut_off_loses_nothing(
    ledger: Ledger,
    queue: JobQueue,
    clock: FakeClock,
    fleet: Fleet,
    tended: Callable[[], Tended],
    call: int,
) -> None:
    queued(ledger)
    tended()
    taken(ledger, queue, clock)
    outage = Outage(call)
    with pytest.raises(Crash):
        queueing.free_orphans(outage.guard(ledger), outage.guard(queue), fleet, clock)
    tended()
    clock.go_on(61)  # at the latest when the lease lapses
    assert taken(ledger, queue, clock, "worker-2").receives == 2


def test_somebody_who_was_faster_is_left_alone(
    ledger: Ledger, queue: JobQueue, clock: FakeClock, fleet: Fleet, tended: Callable[[], Tended]
) -> None:
    queued(ledger)
    tended()
    taken(ledger, queue, clock)
    slow = failing(ledger, "record", Conflict("changed meanwhile"))
    assert queueing.free_orphans(slow, queue, fleet, clock) == 0
    assert queue.depth().leased == 1


def test_what_the_queue_gave_up_has_failed(
    ledger: Ledger, queue: JobQueue, clock: FakeClock, tended: Callable[[], Tended]
) -> None:
    given_up(ledger, queue, clock)
    assert tended().buried == 1
    episode = now(ledger)
    assert (episode.state, episode.claim) == (State.FAILED, None)
    assert episode.failure
    assert "handed out 3 times" in episode.failure.reason
    assert tended().buried == 0
    assert queue.depth().dead == 1


def test_what_was_told_of_the_last_attempt_is_not_forgotten(
    ledger: Ledger, queue: JobQueue, clock: FakeClock
) -> None:
    queued(ledger)
    queueing.relay(ledger, queue)
    lease = taken(ledger, queue, clock)
    ledger.record([states.given_back(now(ledger), NOW, "no answer", a_failure(Step.DOWNLOAD, "no answer"))])
    queue.bury(lease, "given up")
    assert queueing.bury_given_up(ledger, queue, clock) == 1
    failure = now(ledger).failure
    assert failure
    assert (failure.step, failure.reason) == (Step.DOWNLOAD, "no answer; given up")


def test_a_second_job_that_was_given_up_does_not_end_the_first(
    ledger: Ledger, queue: JobQueue, clock: FakeClock
) -> None:
    queued(ledger)
    queueing.relay(ledger, queue)
    taken(ledger, queue, clock)
    queue.send(Job(episode_id="show-1"))
    queue.send(Job(episode_id="unheard-of"))
    for _ in range(2):
        second = queue.lease(60)
        assert second
        queue.bury(second, "waited too often")
    assert queueing.bury_given_up(ledger, queue, clock) == 0
    assert now(ledger).state is State.TRANSCRIBING
    clock.go_on(60)  # nobody renewed the claim
    assert queueing.bury_given_up(ledger, queue, clock) == 1


def test_a_job_that_the_queue_may_soon_forget_is_sent_anew(
    ledger: Ledger, queue: JobQueue, clock: FakeClock
) -> None:
    queued(ledger)
    queueing.relay(ledger, queue)
    assert queueing.renew_old(ledger, queue, clock) == 0
    clock.go_on(9 * 24 * 3600)
    ledger.record([after(now(ledger), title="Corrected", updated_at=clock())])
    clock.go_on(2 * 24 * 3600)
    assert queueing.renew_old(ledger, queue, clock) == 1
    assert queueing.renew_old(ledger, queue, clock) == 0
    assert ledger.events("show-1")[-1].detail == "its job was sent anew"
    assert (now(ledger).state, queue.depth().waiting) == (State.QUEUED, 1)


def test_jobs_that_the_queue_lost_are_sent_anew(ledger: Ledger, queue: JobQueue, clock: FakeClock) -> None:
    queued(ledger)
    queueing.relay(ledger, queue)
    clock.go_on(1000)
    assert queueing.renew_lost(ledger, queue, clock) == 0
    lease = queue.lease(60)
    assert lease
    assert queueing.renew_lost(ledger, queue, clock) == 0
    queue.complete(lease)  # without a word to the ledger, as when somebody purges the queue
    assert queueing.renew_lost(ledger, queue, clock) == 1
    assert queueing.renew_lost(ledger, queue, clock) == 0
    assert queue.depth().waiting == 1


def test_a_dead_letter_that_nobody_needs_any_more_is_forgotten(
    ledger: Ledger, queue: JobQueue, clock: FakeClock
) -> None:
    queued(ledger)
    queueing.relay(ledger, queue)
    taken(ledger, queue, clock)
    queue.send(Job(episode_id="show-1"))
    second = queue.lease(60)
    assert second
    queue.bury(second, "waited too often")
    assert queueing.bury_given_up(ledger, queue, clock) == 0
    assert queue.depth().dead == 1
    ledger.record([states.skipped(now(ledger), clock(), "by hand")])
    assert queueing.bury_given_up(ledger, queue, clock) == 0
    assert queue.depth().dead == 0
