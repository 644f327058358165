"""What every job queue promises: at least once, in no order. See `ports.JobQueue`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from pipeline.adapters.aws.two_queues import TwoQueues
from pipeline.errors import LeaseLost
from pipeline.model import Job, Lease, QueueDepth
from pipeline.ports import JobQueue
from tests.builders import FakeClock
from tests.contracts.conftest import MAX_RECEIVES


def send(queue: JobQueue, *ids: str) -> None:
    for id in ids or ("show-1",):
        queue.send(Job(episode_id=id))


def lease(queue: JobQueue, seconds: float = 60) -> Lease:
    lease = queue.lease(seconds)
    assert lease
    return lease


def depth(waiting: int = 0, leased: int = 0, dead: int = 0) -> QueueDepth:
    return QueueDepth(waiting=waiting, leased=leased, dead=dead)


def lost(queue: JobQueue, clock: FakeClock) -> tuple[Lease, Lease]:
    """A lease that lapsed, and the one that another worker got then."""
    send(queue)
    old = lease(queue)
    clock.go_on(61)
    return old, lease(queue)


def test_an_empty_queue(queue: JobQueue) -> None:
    assert queue.lease(60) is None
    assert queue.depth() == depth()
    assert queue.dead_letters() == []
    assert queue.redrive("show-1") is False


def test_a_leased_job_is_nobody_else_s_until_the_lease_lapses(queue: JobQueue, clock: FakeClock) -> None:
    send(queue)
    assert queue.depth() == depth(waiting=1)
    first = lease(queue)
    assert (first.job, first.receives, first.until) == (Job(episode_id="show-1"), 1, clock.now + 60)
    assert queue.depth() == depth(leased=1)
    clock.go_on(59)
    assert queue.lease(60) is None
    clock.go_on(1)
    assert queue.depth() == depth(waiting=1)
    second = lease(queue)
    assert (second.job, second.receives) == (first.job, 2)
    assert second.token != first.token


def test_every_job_comes(queue: JobQueue) -> None:
    ids = {f"show-{n}" for n in range(9)}
    send(queue, *ids)
    assert {lease(queue).job.episode_id for _ in ids} == ids
    assert queue.lease(60) is None


def test_an_extended_lease_lasts_from_now(queue: JobQueue, clock: FakeClock) -> None:
    send(queue)
    first = lease(queue)
    clock.go_on(50)
    longer = queue.extend(first, 60)
    assert (longer.job, longer.token, longer.until) == (first.job, first.token, clock.now + 60)
    clock.go_on(59)
    assert queue.lease(60) is None
    queue.complete(longer)
    assert queue.depth() == depth()


@pytest.mark.parametrize("end", ["complete", "release", "bury"])
def test_a_lease_that_was_ended_can_not_be_extended(queue: JobQueue, end: str) -> None:
    send(queue)
    ended = lease(queue)
    ends: dict[str, Callable[[], None]] = {
        "complete": lambda: queue.complete(ended),
        "release": lambda: queue.release(ended, 5),
        "bury": lambda: queue.bury(ended, "no"),
    }
    ends[end]()
    with pytest.raises(LeaseLost):
        queue.extend(ended, 60)


def test_a_lost_lease_can_not_be_extended(queue: JobQueue, clock: FakeClock) -> None:
    old, new = lost(queue, clock)
    with pytest.raises(LeaseLost):
        queue.extend(old, 600)
    clock.go_on(60)
    assert lease(queue).receives == new.receives + 1


def test_a_lost_lease_changes_nothing(queue: JobQueue, clock: FakeClock) -> None:
    old, new = lost(queue, clock)
    queue.complete(old)
    queue.bury(old, "no")
    queue.release(old)
    assert queue.depth() == depth(leased=1)
    assert queue.lease(60) is None
    assert queue.extend(new, 60).token == new.token
    queue.complete(new)
    queue.release(new)
    queue.bury(new, "no")
    queue.complete(new)
    clock.go_on(600)
    assert queue.lease(60) is None
    assert queue.depth() == depth()


def test_a_released_job_is_seen_again_after_the_delay(queue: JobQueue, clock: FakeClock) -> None:
    send(queue)
    queue.release(lease(queue))
    assert queue.depth() == depth(waiting=1)
    queue.release(lease(queue), 30)
    # SQS can't tell a job that is put off from one that is leased.
    assert queue.depth() == (depth(leased=1) if isinstance(queue, TwoQueues) else depth(waiting=1))
    clock.go_on(29)
    assert queue.lease(60) is None
    clock.go_on(1)
    assert lease(queue).job.episode_id == "show-1"


def test_a_completed_job_never_comes_again(queue: JobQueue, clock: FakeClock) -> None:
    send(queue, "show-1", "show-2")
    done = lease(queue)
    queue.complete(done)
    clock.go_on(600)
    assert lease(queue).job != done.job
    assert queue.lease(60) is None


def test_a_job_sent_while_its_like_is_worked_on_comes_too(queue: JobQueue) -> None:
    send(queue)
    first = lease(queue)
    send(queue)
    queue.complete(first)
    assert lease(queue).job == first.job


def test_a_buried_job_is_a_dead_letter(queue: JobQueue, clock: FakeClock) -> None:
    send(queue)
    queue.bury(lease(queue), "the audio is a picture")
    (letter,) = queue.dead_letters()
    assert (letter.job, letter.reason) == (Job(episode_id="show-1"), "the audio is a picture")
    assert (letter.receives, letter.at) == (1, clock.now)
    assert queue.depth() == depth(dead=1)
    clock.go_on(600)
    assert queue.lease(60) is None
    assert queue.redrive("show-2") is False


def test_a_dead_letter_can_be_forgotten(queue: JobQueue) -> None:
    send(queue, "show-1", "show-2")
    queue.bury(lease(queue), "one")
    queue.bury(lease(queue), "two")
    queue.forget("show-1")
    queue.forget("show-9")
    assert [letter.job.episode_id for letter in queue.dead_letters()] == ["show-2"]
    assert queue.depth() == depth(dead=1)


def test_a_job_handed_out_too_often_is_buried_and_the_next_one_comes(
    queue: JobQueue, clock: FakeClock
) -> None:
    send(queue, "poison")
    for receives in range(1, MAX_RECEIVES + 1):
        assert lease(queue).receives == receives
        clock.go_on(61)
    send(queue, "show-2")
    assert lease(queue).job.episode_id == "show-2"
    (letter,) = queue.dead_letters()
    assert (letter.job.episode_id, letter.receives) == ("poison", MAX_RECEIVES)
    assert letter.reason
    assert queue.depth() == depth(leased=1, dead=1)


def test_the_last_lease_is_good_until_it_lapses(queue: JobQueue, clock: FakeClock) -> None:
    send(queue)
    for _ in range(MAX_RECEIVES - 1):
        queue.release(lease(queue))
    last = lease(queue)
    assert queue.lease(60) is None
    assert queue.dead_letters() == []
    last = queue.extend(last, 120)
    clock.go_on(119)
    assert queue.lease(60) is None
    queue.complete(last)
    assert queue.depth() == depth()


def test_a_redriven_job_starts_anew(queue: JobQueue) -> None:
    send(queue, "show-1", "show-2")
    for _ in range(2):
        queue.bury(lease(queue), "no")
    assert queue.redrive("show-1") is True
    assert queue.redrive("show-1") is False
    assert queue.depth() == depth(waiting=1, dead=1)
    assert [letter.job.episode_id for letter in queue.dead_letters()] == ["show-2"]
    again = lease(queue)
    assert (again.job.episode_id, again.receives) == ("show-1", 1)


def test_no_two_workers_get_a_job_at_once(open_queue: Callable[[], JobQueue]) -> None:
    jobs, workers = 60, 4
    send(open_queue(), *(f"show-{n}" for n in range(jobs)))
    together = Barrier(workers)

    def take_all(_: int) -> list[str]:
        queue = open_queue()
        together.wait()
        taken: list[str] = []
        while got := queue.lease(60):
            taken.append(got.job.episode_id)
        return taken

    with ThreadPoolExecutor(workers) as threads:
        taken = [id for some in threads.map(take_all, range(workers)) for id in some]
    assert sorted(taken) == sorted(f"show-{n}" for n in range(jobs))
    assert open_queue().depth() == depth(leased=jobs)


def test_what_shall_come_first_does_though_others_wait_longer(queue: JobQueue, clock: FakeClock) -> None:
    send(queue, "show-1", "show-2", "show-3")
    clock.go_on(1)
    queue.send(Job(episode_id="show-3"), first=True)
    queue.send(Job(episode_id="show-4"), first=True)
    came = [lease(queue), lease(queue)]
    assert {each.job.episode_id for each in came} == {"show-3", "show-4"}
    for each in came:
        queue.complete(queue.extend(each, 120))
    left = {lease(queue).job.episode_id for _ in range(queue.depth().waiting)}
    assert {"show-1", "show-2"} <= left <= {"show-1", "show-2", "show-3"}


def test_a_job_of_the_first_is_given_back_and_given_up_like_any(queue: JobQueue, clock: FakeClock) -> None:
    queue.send(Job(episode_id="show-1"), first=True)
    queue.release(lease(queue), delay=30)
    assert queue.lease(60) is None
    clock.go_on(30)
    queue.bury(lease(queue), "no use")
    assert [letter.reason for letter in queue.dead_letters()] == ["no use"]
    assert queue.redrive("show-1")
    assert lease(queue).job == Job(episode_id="show-1")
