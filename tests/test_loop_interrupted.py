"""Workers that are stopped or overtaken, and jobs that somebody else saw to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event

import pytest

from pipeline import states
from pipeline.errors import ModelError, StorageFull
from pipeline.model import QueueDepth, State
from pipeline.ports import Ledger
from tests.builders import FakeClock
from tests.faulty import failing
from tests.scenes import now
from tests.studio import Studio, nothing, raising
from worker.loop import Desk, Outcome, Stopped, work_one

AUDIO, TRANSCRIPT = "show/show-1/audio", "show/show-1/transcript.json"


def taken_over(desk: Desk, clock: FakeClock) -> Callable[[], None]:
    """The lease lapses, and worker-2 takes the job."""

    def take_over() -> None:
        clock.go_on(61)
        lease = desk.queue.lease(60)
        assert lease
        change = states.claimed(now(desk.ledger), "worker-2", lease, clock())
        desk.ledger.record([change])

    return take_over


def waiting(desk: Desk) -> bool:
    """Whether the one job can be taken again at once."""
    return desk.queue.depth() == QueueDepth(waiting=1, leased=0, dead=0) and desk.queue.lease(60) is not None


def test_told_to_end_a_worker_gives_its_job_back_at_once(desk: Desk, studio: Studio) -> None:
    stop = Event()
    studio.on_transcribe = stop.set
    with pytest.raises(Stopped):
        work_one(replace(desk, stopping=stop.is_set))
    episode = now(desk.ledger)
    assert (episode.state, episode.claim, episode.failure) == (State.QUEUED, None, None)
    assert desk.ledger.events("show-1")[-1].detail == "the worker was stopped"
    assert waiting(desk)


def test_however_often_a_worker_is_told_to_end_its_episode_does_not_fail(desk: Desk, studio: Studio) -> None:
    studio.on_transcribe = raising(Stopped())
    for _ in range(desk.max_attempts + 2):
        with pytest.raises(Stopped):
            work_one(desk)
    studio.on_transcribe = nothing
    assert work_one(desk) is Outcome.DONE


@pytest.mark.parametrize("error", [StorageFull("the disk is full"), ModelError("no such model")])
def test_what_is_not_the_episode_s_fault_ends_the_worker(
    desk: Desk, studio: Studio, error: Exception
) -> None:
    studio.on_transcribe = raising(error)
    with pytest.raises(type(error)):
        work_one(desk)
    assert now(desk.ledger).state is State.QUEUED
    assert waiting(desk)


def test_a_full_disk_that_takes_no_word_either_lets_the_lease_lapse(
    desk: Desk, studio: Studio, clock: FakeClock
) -> None:
    full = StorageFull("the disk is full")

    def fill() -> None:
        broken.append(failing(desk.ledger, "record", full))
        raise full

    broken: list[Ledger] = []
    studio.on_transcribe = fill
    writes = 3  # taken, downloading, transcribing: then no more
    with pytest.raises(StorageFull):
        work_one(replace(desk, ledger=failing(desk.ledger, "record", full, after=writes)))
    assert now(desk.ledger).state is State.TRANSCRIBING
    clock.go_on(60)
    studio.on_transcribe = nothing
    assert work_one(desk) is Outcome.DONE
