"""The state machine: which moves an episode may make, as pure functions that return a Change.

Nothing here reads a clock or writes anything; the ledger records what these functions return, and
refuses it if somebody else was faster.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import Any

from pipeline.errors import IllegalMove
from pipeline.model import Change, Claim, Episode, Failure, Lease, Review, ReviewState, State, Step, Stint

MOVES: dict[State, frozenset[State]] = {
    State.DISCOVERED: frozenset({State.QUEUED, State.HELD, State.SKIPPED, State.FAILED}),
    State.HELD: frozenset({State.QUEUED, State.SKIPPED}),
    State.QUEUED: frozenset({State.TRANSCRIBING, State.FAILED, State.SKIPPED}),
    State.TRANSCRIBING: frozenset({State.QUEUED, State.TRANSCRIBED, State.FAILED, State.SKIPPED}),
    State.TRANSCRIBED: frozenset(
        {State.IN_REVIEW, State.PUBLISHED, State.REJECTED, State.FAILED, State.SKIPPED}
    ),
    State.IN_REVIEW: frozenset({State.PUBLISHED, State.REJECTED, State.SKIPPED}),
    State.PUBLISHED: frozenset(),
    State.REJECTED: frozenset({State.QUEUED}),
    State.SKIPPED: frozenset({State.QUEUED}),
    State.FAILED: frozenset({State.QUEUED, State.SKIPPED}),
}

WORKABLE = frozenset({State.QUEUED, State.TRANSCRIBING, State.TRANSCRIBED})
"""States in which a delivered job still has something to do."""


class Delivery(Enum):
    """What to do with a job that the queue handed out."""

    TAKE = auto()
    WAIT = auto()  #: another worker's claim is still good
    DROP = auto()  #: nothing is left to do


def _move(episode: Episode, to: State, at: float, **fields: Any) -> Episode:
    if to is not episode.state and to not in MOVES[episode.state]:
        raise IllegalMove(f"{episode.id} is {episode.state}: it can't become {to}")
    return replace(episode, state=to, version=episode.version + 1, updated_at=at, **fields)


def _let_go(before: Episode, after: Episode, detail: str, until: float | None = None) -> Change:
    """A change with which the stint of whoever had the episode ends, if somebody had."""
    claim, ended_at = before.claim, after.updated_at if until is None else until
    stint = claim and Stint(
        worker=claim.worker, episode=before.id, began_at=claim.since, ended_at=max(claim.since, ended_at)
    )
    return Change(episode=after, detail=detail, stint=stint)


def may_retry(episode: Episode) -> bool:
    """Whether a person's `retry` can bring it back."""
    return episode.state in {State.FAILED, State.SKIPPED, State.REJECTED}


def stale_artifacts(episode: Episode) -> set[str]:
    """What a retry must make anew: the audio that could not be used, if it can be fetched again, and
    everything but the audio where a person turned the transcript down."""
    if episode.state in (State.REJECTED, State.SKIPPED):
        return episode.artifacts.keys() - {"audio"}
    if episode.failure and episode.failure.step is not Step.REVIEW and episode.enclosure:
        return {"audio"} & episode.artifacts.keys()
    return set()


def queued(episode: Episode, at: float, detail: str = "") -> Change:
    """Ask for the transcription, through the outbox."""
    stale = stale_artifacts(episode)
    # A review that was prepared, and perhaps opened, before a failure is found again; a closed one is over.
    review = None if episode.state in (State.REJECTED, State.SKIPPED) else episode.review
    moved = _move(
        episode,
        State.QUEUED,
        at,
        queued_at=at,
        step=None,
        attempts=0,
        failures=0,
        reason=None,
        failure=None,
        claim=None,
        review=review,
        artifacts={name: key for name, key in episode.artifacts.items() if name not in stale},
    )
    return Change(episode=moved, detail=detail, enqueue=True)


def renewed(episode: Episode, at: float) -> Change:
    """It waits still, and its job was sent once more."""
    return Change(episode=_move(episode, episode.state, at, queued_at=at), detail="its job was sent anew")


def held(episode: Episode, at: float, reason: str) -> Change:
    """Keep it back until a person says yes."""
    return Change(episode=_move(episode, State.HELD, at, reason=reason), detail=reason)


def skipped(episode: Episode, at: float, reason: str) -> Change:
    """Leave it out; a worker that has it finds out at its next write."""
    moved = _move(episode, State.SKIPPED, at, reason=reason, step=None, claim=None, progress=None)
    return _let_go(episode, moved, reason)


def delivery(episode: Episode | None, at: float) -> Delivery:
    """What a delivered job means for its episode now."""
    if episode is None or episode.state not in WORKABLE:
        return Delivery.DROP
    if episode.claim and episode.claim.until > at:
        return Delivery.WAIT
    return Delivery.TAKE


def claimed(episode: Episode, worker: str, lease: Lease, at: float) -> Change:
    """A worker takes it: what is transcribed stays so, and only its review is left to do."""
    state = State.TRANSCRIBED if episode.state is State.TRANSCRIBED else State.TRANSCRIBING
    claim = Claim(worker=worker, token=lease.token, since=at, until=lease.until)
    moved = _move(episode, state, at, claim=claim, attempts=episode.attempts + 1)
    # Whoever had it before was last heard of when the claim was last renewed.
    lapsed = min(at, episode.claim.until) if episode.claim else None
    return _let_go(episode, moved, f"taken by {worker}", lapsed)


def at_step(episode: Episode, step: Step, at: float, **artifacts: str) -> Change:
    """The work goes on to a step, with what the last one made."""
    made = {**episode.artifacts, **artifacts}
    return Change(episode=_move(episode, episode.state, at, step=step, artifacts=made))


def given_back(
    episode: Episode, at: float, detail: str, failure: Failure | None = None, *, blamed: bool = False
) -> Change:
    """The worker lets go; the job is on the queue still. A failure counts where the episode is `blamed`."""
    state = State.QUEUED if episode.state is State.TRANSCRIBING else episode.state
    moved = _move(
        episode,
        state,
        at,
        claim=None,
        progress=None,
        step=None,
        failure=failure or episode.failure,
        failures=episode.failures + blamed,
    )
    return _let_go(episode, moved, detail)


def failed(episode: Episode, step: Step, reason: str, at: float) -> Change:
    """No further try will be made by itself."""
    failure = Failure(step=step, reason=reason, at=at)
    moved = _move(episode, State.FAILED, at, step=step, failure=failure, claim=None, progress=None)
    return _let_go(episode, moved, reason)


def transcribed(
    episode: Episode,
    artifacts: dict[str, str],
    duration_s: float | None,
    at: float,
    worked_s: float | None = None,
) -> Change:
    """The transcript, or what else was made, is stored; `worked_s` is how long that took in one go."""
    moved = _move(
        episode,
        State.TRANSCRIBED,
        at,
        artifacts=artifacts,
        duration_s=duration_s,
        worked_s=worked_s,
        step=Step.STORE,
        failure=None,
    )
    return Change(episode=moved, detail="transcript stored" if "transcript" in artifacts else "stored")


def done(episode: Episode, at: float) -> Change:
    """There is nothing to review: what was made is all that was wanted."""
    moved = _move(episode, State.PUBLISHED, at, step=None, claim=None, progress=None, failure=None)
    return _let_go(episode, moved, "done: nothing to review")


def proposed(episode: Episode, review: Review, at: float) -> Change:
    """The review's commit is known, its branch not yet made: a crash from here on is recognised."""
    moved = _move(episode, episode.state, at, review=review, step=Step.REVIEW)
    return Change(episode=moved, detail=f"commit {review.commit[:10]} made")


def in_review(episode: Episode, review: Review, artifacts: dict[str, str], at: float) -> Change:
    """People can read it."""
    moved = _move(
        episode,
        State.IN_REVIEW,
        at,
        review=review,
        artifacts=artifacts,
        step=None,
        claim=None,
        progress=None,
        failure=None,
    )
    return _let_go(episode, moved, review.url)


def concluded(episode: Episode, review: Review, at: float) -> Change:
    """The review ended: merged is published, closed is rejected."""
    merged = review.state is ReviewState.MERGED
    state = State.PUBLISHED if merged else State.REJECTED
    moved = _move(episode, state, at, review=review, step=None, claim=None, progress=None, failure=None)
    return _let_go(episode, moved, "merged" if merged else "closed without merging")
