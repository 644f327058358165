"""What people ask for: retry, release, skip."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline import queueing, states
from pipeline.errors import Conflict, IllegalMove
from pipeline.model import ReviewState, State, Step
from pipeline.ports import ArtifactStore, JobQueue, Ledger
from pipeline.queueing import Tended
from pipeline.states import Delivery
from tests.builders import NOW, FakeClock, a_change, a_review, an_episode
from tests.faulty import Crash, Outage, then
from tests.scenes import failed_for_good, now, queued, taken


def test_a_retry_brings_the_job_back_with_fresh_audio(
    ledger: Ledger, queue: JobQueue, artifacts: ArtifactStore, clock: FakeClock
) -> None:
    failed_for_good(ledger, queue, clock)
    artifacts.put("show/show-1/audio", b"a picture")
    step = states.at_step(now(ledger), Step.DECODE, NOW, audio="show/show-1/audio")
    ledger.record([step])
    episode = queueing.retry(ledger, queue, artifacts, clock, step.episode)
    assert now(ledger) == episode
    assert (episode.state, episode.failure, episode.artifacts) == (State.QUEUED, None, {})
    assert artifacts.get("show/show-1/audio") is None
    assert ledger.outbox() == queue.dead_letters() == []
    assert taken(ledger, queue, clock).receives == 1
    assert queue.lease(60) is None


def test_a_retry_of_a_rejected_one_forgets_the_transcript_and_keeps_the_audio(
    ledger: Ledger, queue: JobQueue, artifacts: ArtifactStore, clock: FakeClock
) -> None:
    keys = {name: f"show/show-1/{name}" for name in ("audio", "transcript", "vtt")}
    for key in keys.values():
        artifacts.put(key, b"x")
    rejected = an_episode(state=State.REJECTED, artifacts=keys, review=a_review(state=ReviewState.CLOSED))
    ledger.record([a_change(rejected)])
    episode = queueing.retry(ledger, queue, artifacts, clock, rejected)
    assert (episode.artifacts, episode.review) == ({"audio": keys["audio"]}, None)
    assert [artifacts.get(key) for key in keys.values()] == [b"x", None, None]
    assert queue.depth().waiting == 1


@pytest.mark.parametrize("state", sorted(set(State) - {State.FAILED, State.SKIPPED, State.REJECTED}))
def test_nothing_else_can_be_retried(
    ledger: Ledger, queue: JobQueue, artifacts: ArtifactStore, clock: FakeClock, state: State
) -> None:
    with pytest.raises(IllegalMove, match="nothing to retry"):
        queueing.retry(ledger, queue, artifacts, clock, an_episode(state=state))


@pytest.mark.parametrize("call", range(6))
def test_a_retry_that_was_cut_off_is_made_or_can_be_made_again(
    ledger: Ledger,
    queue: JobQueue,
    artifacts: ArtifactStore,
    clock: FakeClock,
    tended: Callable[[], Tended],
    call: int,
) -> None:
    episode = failed_for_good(ledger, queue, clock)
    outage = Outage(call)
    try:
        queueing.retry(outage.guard(ledger), outage.guard(queue), artifacts, clock, episode)
    except Crash:
        assert tended().buried == 0
    if now(ledger).state is State.FAILED:
        queueing.retry(ledger, queue, artifacts, clock, now(ledger))
    assert tended().buried == 0
    assert taken(ledger, queue, clock).receives == 1
    assert queue.lease(60) is None


def test_tending_during_a_retry_does_not_undo_it(
    ledger: Ledger, queue: JobQueue, artifacts: ArtifactStore, clock: FakeClock
) -> None:
    episode = failed_for_good(ledger, queue, clock)

    def retry() -> None:
        queueing.retry(ledger, queue, artifacts, clock, episode)

    assert queueing.bury_given_up(ledger, then(queue, "dead_letters", retry), clock) == 0
    assert now(ledger).state is State.QUEUED


def test_tending_between_any_two_calls_of_a_retry_does_not_undo_it(
    ledger: Ledger, queue: JobQueue, artifacts: ArtifactStore, clock: FakeClock, tended: Callable[[], Tended]
) -> None:
    episode = failed_for_good(ledger, queue, clock)
    meddled = then(queue, "redrive", tended), then(ledger, "record", tended)
    queueing.retry(meddled[1], meddled[0], artifacts, clock, episode)
    assert now(ledger).state is State.QUEUED
    assert taken(ledger, queue, clock).receives == 1


def test_what_is_held_can_be_released_and_nothing_else(
    ledger: Ledger, queue: JobQueue, clock: FakeClock
) -> None:
    held = an_episode(state=State.HELD, reason="many at once")
    ledger.record([a_change(held)])
    episode = queueing.release(ledger, queue, clock, held)
    assert (episode.state, episode.reason) == (State.QUEUED, None)
    assert taken(ledger, queue, clock).job.episode_id == "show-1"
    with pytest.raises(IllegalMove, match="not held"):
        queueing.release(ledger, queue, clock, now(ledger))


def test_what_is_skipped_is_dropped_wherever_it_was(
    ledger: Ledger, queue: JobQueue, clock: FakeClock, tended: Callable[[], Tended]
) -> None:
    queued(ledger)
    tended()
    taken(ledger, queue, clock)
    skipped = queueing.skip(ledger, queue, clock, now(ledger))
    assert (now(ledger), skipped.state, skipped.claim) == (skipped, State.SKIPPED, None)
    assert tended() == Tended(sent=0, freed=0, buried=0)
    assert states.delivery(skipped, NOW) is Delivery.DROP


def test_by_hand_means_the_episode_as_it_was_shown(
    ledger: Ledger, queue: JobQueue, artifacts: ArtifactStore, clock: FakeClock
) -> None:
    shown = queued(ledger)
    queueing.skip(ledger, queue, clock, shown)
    with pytest.raises(Conflict):
        queueing.skip(ledger, queue, clock, shown)
    with pytest.raises(IllegalMove):
        queueing.skip(ledger, queue, clock, an_episode(state=State.PUBLISHED))
    assert queueing.retry(ledger, queue, artifacts, clock, now(ledger)).state is State.QUEUED
