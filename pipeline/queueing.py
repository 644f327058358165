"""From ledger to queue and back: the outbox, what crashes left behind, and what people ask for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from pipeline import states
from pipeline.errors import Conflict, IllegalMove, LeaseLost
from pipeline.model import Change, DeadLetter, Episode, Job, Lease, State, Step
from pipeline.ports import ArtifactStore, Clock, Fleet, JobQueue, Ledger
from pipeline.states import Delivery

_REMEMBERED_S = 10 * 24 * 3600.0  #: well within what SQS keeps a message for
_SETTLED_S = 900.0  #: by then a queue that counts roughly has counted a job that was sent or put off


@dataclass(frozen=True, kw_only=True)
class Tended:
    """What `tend` found to do."""

    sent: int
    freed: int
    buried: int


def tend(ledger: Ledger, queue: JobQueue, fleet: Fleet, clock: Clock) -> Tended:
    """Put right whatever an interrupted process left undone; safe to run at any time."""
    return Tended(
        freed=free_orphans(ledger, queue, fleet, clock),
        buried=bury_given_up(ledger, queue, clock),
        sent=relay(ledger, queue),
    )


def relay(ledger: Ledger, queue: JobQueue) -> int:
    """Send the outbox. Stopped between the two calls, it sends again: the worker drops the second."""
    waiting = ledger.outbox()
    for episode in waiting:
        queue.send(Job(episode_id=episode.id))
        ledger.sent(episode)
    return len(waiting)


def renew_old(ledger: Ledger, queue: JobQueue, clock: Clock) -> int:
    """Send the jobs anew that a queue which forgets, as SQS does after 14 days, is soon to forget."""
    return _renew(ledger, queue, clock, lambda episode: clock() - episode.queued_at > _REMEMBERED_S)


def renew_lost(ledger: Ledger, queue: JobQueue, clock: Clock) -> int:
    """Send the jobs of all that waits where the queue has none: somebody purged it, or it forgot them."""
    depth = queue.depth()
    if depth.waiting or depth.leased:
        return 0
    return _renew(ledger, queue, clock, lambda episode: clock() - episode.updated_at > _SETTLED_S)


def _renew(ledger: Ledger, queue: JobQueue, clock: Clock, wanted: Callable[[Episode], bool]) -> int:
    """Stopped between its calls it sends again: who gets the second job of an episode drops it."""
    renewed = 0
    for state in (State.QUEUED, State.TRANSCRIBED):
        for episode in ledger.episodes(state=state):
            if episode.claim is None and wanted(episode):
                queue.send(Job(episode_id=episode.id))
                renewed += _record(ledger, states.renewed(episode, clock()))
    return renewed


def in_hand(ledger: Ledger, limit: int | None = None) -> list[Episode]:
    """Episodes that workers have, or had until lately; at most `limit` of either state."""
    return [
        episode
        for state in (State.TRANSCRIBING, State.TRANSCRIBED)
        for episode in ledger.episodes(state=state, limit=limit)
    ]


def by_worker(ledger: Ledger) -> dict[str, Episode]:
    """Who has which episode."""
    return {episode.claim.worker: episode for episode in in_hand(ledger) if episode.claim}


def free_orphans(ledger: Ledger, queue: JobQueue, fleet: Fleet, clock: Clock) -> int:
    """Give back the jobs of workers that are gone, rather than wait for their leases to lapse."""
    claimed = [episode for episode in in_hand(ledger) if episode.claim]
    ended = fleet.ended({episode.claim.worker for episode in claimed if episode.claim})
    freed = 0
    for episode in claimed:
        if episode.claim and episode.claim.worker in ended:
            change = states.given_back(episode, clock(), f"{episode.claim.worker} ended before it was done")
            if _record(ledger, change):
                lease = Lease(
                    job=Job(episode_id=episode.id),
                    token=episode.claim.token,
                    until=episode.claim.until,
                    receives=episode.attempts,
                )
                with suppress(LeaseLost):
                    queue.extend(lease, 0)  # not released: a crash counts, or it might go on for ever
                freed += 1
    return freed


def bury_given_up(ledger: Ledger, queue: JobQueue, clock: Clock) -> int:
    """Mark as failed the episodes whose jobs the queue gave up, so that people see it.

    A second job of an episode that somebody works on may have been given up for waiting too often.
    """
    episodes = {letter.job.episode_id: ledger.get(letter.job.episode_id) for letter in queue.dead_letters()}
    buried = 0
    # Read again: a letter that is gone was redriven by a `retry`, of which the episode does not know yet.
    for letter in queue.dead_letters() if episodes else []:
        episode = episodes.get(letter.job.episode_id)
        if episode and states.delivery(episode, clock()) is Delivery.TAKE:
            step = episode.step or (episode.failure.step if episode.failure else Step.TRANSCRIBE)
            reason = f"{episode.failure.reason}; {letter.reason}" if episode.failure else letter.reason
            buried += _record(ledger, states.failed(episode, step, reason, clock()))
        elif episode and episode.state not in states.WORKABLE | {State.FAILED}:
            queue.forget(episode.id)  # done since, or left out: nobody needs to look at it
    return buried


def given_up(ledger: Ledger, queue: JobQueue) -> tuple[list[Episode], list[DeadLetter]]:
    """Failed episodes whose jobs are on the dead-letter list; those that people left out stay out. And
    jobs of no episode that is known, which are forgotten."""
    letters = {letter.job.episode_id: letter for letter in queue.dead_letters()}
    known = ledger.several(list(letters))
    unknown = letters.keys() - {episode.id for episode in known}
    for episode_id in unknown:
        queue.forget(episode_id)
    return [episode for episode in known if episode.state is State.FAILED], [letters[id] for id in unknown]


def retry(
    ledger: Ledger,
    queue: JobQueue,
    artifacts: ArtifactStore,
    clock: Clock,
    episode: Episode,
    number: int | None = None,
) -> Episode:
    """Bring back what failed, was skipped or was rejected, with another number where one is given.

    Raises IllegalMove, Conflict.
    """
    if not states.may_retry(episode):
        raise IllegalMove(
            f"{episode.id} is {episode.state}: there is nothing to retry",
            "only what failed, was skipped or was rejected can be retried",
        )
    for name in states.stale_artifacts(episode):
        artifacts.delete(episode.artifacts[name])
    if number is not None:
        episode = replace(episode, number=number)
    return _requeue(ledger, queue, states.queued(episode, clock(), "retried by hand"))


def release(ledger: Ledger, queue: JobQueue, clock: Clock, episode: Episode) -> Episode:
    """Say yes to what is held. Raises IllegalMove, Conflict."""
    if episode.state is not State.HELD:
        raise IllegalMove(f"{episode.id} is {episode.state}, not held")
    return _requeue(ledger, queue, states.queued(episode, clock(), "released by hand"))


def first(queue: JobQueue, episode: Episode) -> Episode:
    """Have it worked on before all others that wait. Raises IllegalMove.

    Its other job may go on waiting: who gets the second one of an episode drops it.
    """
    if episode.state is not State.QUEUED:
        raise IllegalMove(f"{episode.id} is {episode.state}: it does not wait in the queue")
    queue.send(Job(episode_id=episode.id), first=True)
    return episode


def skip(ledger: Ledger, queue: JobQueue, clock: Clock, episode: Episode) -> Episode:
    """Leave it out, whatever it is doing. Raises IllegalMove, Conflict."""
    change = states.skipped(episode, clock(), "skipped by hand")
    ledger.record([change])
    queue.redrive(episode.id)  # a worker will drop the job, rather than have it on the list for ever
    return change.episode


def _requeue(ledger: Ledger, queue: JobQueue, change: Change) -> Episode:
    # The dead letter goes first: once the episode is queued, `bury_given_up` would act on it.
    # Its job then waits while the episode is not queued yet, and may be dropped: so one is sent anyway.
    queue.redrive(change.episode.id)
    ledger.record([change])
    relay(ledger, queue)
    return change.episode


def _record(ledger: Ledger, change: Change) -> bool:
    try:
        ledger.record([change])
    except Conflict:
        return False  # somebody else saw to it
    return True
