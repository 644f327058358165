"""One job at a time: lease it, have the handler do what is left to do, and say how it ended.

What is done with a job is the handler's affair. The loop sees to it that the job is never lost, never
two workers', and that nothing a handler does or raises ends the worker without a word.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from pipeline import states
from pipeline.errors import (
    AudioError,
    ConfigError,
    Conflict,
    DownloadError,
    GpuFault,
    LanguageError,
    LeaseLost,
    ModelError,
    ProofcastError,
    StorageFull,
)
from pipeline.handle import Handle
from pipeline.model import Episode, Failure, Lease, Step
from pipeline.states import WORKABLE, Delivery
from worker.desk import IN_HAND, Desk, Outcome, Stopped, Tag
from worker.heartbeat import Heartbeat
from worker.lent import Lent

log = logging.getLogger("proofcast.worker")

_BACK_OFF_S = 30.0


def work_one(desk: Desk) -> Outcome | None:
    """Work on the next job; None when none is ready. Raises StorageFull, ModelError, Stopped."""
    lease = desk.queue.lease(desk.lease_s)
    if lease is None:
        return None
    episode = desk.ledger.get(lease.job.episode_id)
    match states.delivery(episode, desk.clock()):
        case Delivery.DROP:
            desk.queue.complete(lease)
            return Outcome.NOTHING
        case Delivery.WAIT:
            until = episode.claim.until if episode and episode.claim else 0.0
            desk.queue.release(lease, max(0.0, until - desk.clock()))
            return Outcome.NOTHING
        case Delivery.TAKE:
            assert episode is not None
            return _take(desk, lease, episode)


def give_up(desk: Desk, job: Lent) -> bool:
    """Give a job back for a thread that does not get to it; whether it is given back now.

    The ledger lets that thread write nothing more about the episode. Raises no error of ours: the lease
    lapses by itself where nothing can be written.
    """
    episode = job.episode
    if episode.claim is None:  # done, and about to be completed
        return False
    try:
        return _give_back(desk, job, Stopped(), handle=Handle(desk.ledger, episode))
    except ProofcastError as error:
        log.warning("could not be given back: %s", error)
        return False


def _take(desk: Desk, lease: Lease, episode: Episode) -> Outcome:
    change = states.claimed(episode, desk.worker, lease, desk.clock())
    try:
        desk.ledger.record([change])
    except Conflict:
        desk.queue.release(lease, 1.0)
        return Outcome.NOTHING
    assert change.episode.claim is not None
    heart = Heartbeat(desk.ledger, desk.queue, lease, change.episode.claim, desk.lease_s)
    job = Lent(desk, lease, Handle(desk.ledger, change.episode), heart)
    with _in_hand(desk, job):
        try:
            with desk.at_work(), heart.beating():
                outcome = _attempt(desk, job)
        except LeaseLost as error:  # another worker's now, or skipped by hand: nothing more may be written
            log.warning("%s", error)
            return Outcome.NOTHING
        desk.watch.ended(job.episode, outcome)
    return outcome


@contextmanager
def _in_hand(desk: Desk, job: Lent) -> Generator[None]:
    before, desk.hand.job = desk.hand.job, job
    told = IN_HAND.set(Tag(job.episode.id))
    try:
        yield
    finally:
        IN_HAND.reset(told)
        desk.hand.job = before


def _attempt(desk: Desk, job: Lent) -> Outcome:
    try:
        _work(desk, job)
    except (LeaseLost, KeyboardInterrupt):
        raise
    except (Stopped, StorageFull, ModelError) as reason:
        if isinstance(reason, LanguageError):
            return _try_again(desk, job, reason)
        _hand_over(desk, job, reason)
        raise
    except BaseException as error:  # a handler's `sys.exit`, or a panic in a library's native code, included
        if _is_final(error):
            return _fail(desk, job, error)
        if not isinstance(error, ProofcastError):
            # One episode that trips over a bug must not take the others down with it.
            log.exception("unexpected")
        return _try_again(desk, job, error)
    desk.queue.complete(job.lease)
    return Outcome.DONE


def _hand_over(desk: Desk, job: Lent, reason: BaseException) -> None:
    """This worker ends, since the next episode would fare no better in its hands."""
    if isinstance(reason, GpuFault):  # which the episode may have caused: it must not end all workers
        desk.watch.ended(job.episode, _try_again(desk, job, reason))
    elif _give_back(desk, job, reason):
        desk.watch.ended(job.episode, Outcome.GIVEN_BACK)


def _work(desk: Desk, job: Lent) -> None:
    began = desk.clock()
    desk.handler(job)
    if job.episode.state not in WORKABLE:
        return
    now = desk.clock()
    worked_s = now - began if job.episode.attempts == 1 else None
    job.handle.write(
        lambda episode: states.transcribed(episode, job.artifacts, episode.duration_s, now, worked_s)
    )
    job.handle.write(lambda episode: states.done(episode, now))


def _is_final(error: BaseException) -> bool:
    """Whether another try would come to the same."""
    return isinstance(error, (AudioError, ConfigError)) or (
        isinstance(error, DownloadError) and error.permanent
    )


def _fail(desk: Desk, job: Lent, error: BaseException) -> Outcome:
    steps: dict[type[BaseException], Step] = {AudioError: Step.DECODE, DownloadError: Step.DOWNLOAD}
    step = steps.get(type(error), Step.REVIEW)
    job.handle.write(lambda episode: states.failed(episode, step, str(error), desk.clock()))
    desk.queue.complete(job.lease)
    return Outcome.FAILED


def _try_again(desk: Desk, job: Lent, error: BaseException) -> Outcome:
    """Another time, a while later; the last time, the job goes where people see it."""
    step = job.episode.step or Step.TRANSCRIBE
    reason = _reason(error)
    if job.episode.failures + 1 >= desk.max_attempts:
        job.handle.write(lambda episode: states.failed(episode, step, reason, desk.clock()))
        desk.queue.bury(job.lease, reason)
        return Outcome.FAILED
    _give_back(desk, job, error, delay=_BACK_OFF_S * 2**job.episode.failures, blamed=True)
    return Outcome.RETRY


def _give_back(
    desk: Desk,
    job: Lent,
    why: BaseException,
    *,
    delay: float = 0,
    blamed: bool = False,
    handle: Handle | None = None,
) -> bool:
    handle = handle or job.handle
    step = handle.episode.step or Step.TRANSCRIBE
    failure = None if isinstance(why, Stopped) else Failure(step=step, reason=_reason(why), at=desk.clock())
    detail = failure.reason if failure else "the worker was stopped"
    job.heart.end()  # a late beat would hide the job again
    try:
        handle.write(lambda now: states.given_back(now, desk.clock(), detail, failure, blamed=blamed))
    except (Conflict, StorageFull) as error:  # the lease lapses by itself where nothing can be written
        log.warning("could not be given back: %s", error)
        return False
    desk.queue.release(job.lease, delay)
    return True


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, ProofcastError) else f"unexpected {error!r}"
