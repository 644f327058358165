"""One job at a time: lease it, do what is left to do, and say how it ended.

Every step stores what it made before the ledger hears of it, so a successor goes on where a killed
worker stopped, and a lost lease ends the work without another write.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from pipeline import states
from pipeline.errors import (
    AudioError,
    ConfigError,
    Conflict,
    DownloadError,
    LanguageError,
    LeaseLost,
    ModelError,
    ProofcastError,
    StorageFull,
)
from pipeline.formats import FORMATS, read_transcript, transcript_json
from pipeline.handle import Handle
from pipeline.keys import key_of
from pipeline.model import Episode, Failure, Lease, Progress, State, Step, Transcript
from pipeline.ports import ArtifactStore, Clock, FetchAudio, JobQueue, Ledger
from pipeline.publishing import Publisher
from pipeline.states import Delivery
from worker.heartbeat import Heartbeat

log = logging.getLogger("proofcast.worker")

CAPTIONS = ("vtt", "srt", "txt", "md")  #: stored beside every transcript, for people to fetch
_BACK_OFF_S = 30.0


class Outcome(StrEnum):
    """How one turn of the loop ended."""

    DONE = "done"
    FAILED = "failed"
    RETRY = "will be tried again"
    NOTHING = "nothing to do"


class Stopped(Exception):
    """The worker was told to end."""


class Transcribe(Protocol):
    """Speech to transcript; `progress` is called often, and may raise to stop the work."""

    def __call__(
        self,
        audio: Path,
        episode: dict[str, Any],
        language: str | None,
        progress: Callable[[float, float, float], None],
    ) -> Transcript: ...


class Watch(Protocol):
    """Whoever shows people what the worker does."""

    def step(self, episode: Episode, step: Step) -> None: ...

    def progress(self, done: float, total: float | None, speed: float) -> None: ...

    def ended(self, episode: Episode, outcome: Outcome) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a worker works with."""

    worker: str
    ledger: Ledger
    queue: JobQueue
    artifacts: ArtifactStore
    publisher: Publisher
    fetch_audio: Callable[[Episode], FetchAudio]
    transcribe: Transcribe
    language: Callable[[Episode], str | None]
    clock: Clock
    scratch: Path
    lease_s: float
    max_attempts: int
    stopping: Callable[[], bool]
    at_work: Callable[[], AbstractContextManager[None]]
    watch: Watch


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


def _take(desk: Desk, lease: Lease, episode: Episode) -> Outcome:
    change = states.claimed(episode, desk.worker, lease, desk.clock())
    try:
        desk.ledger.record([change])
    except Conflict:
        desk.queue.release(lease, 1.0)
        return Outcome.NOTHING
    assert change.episode.claim is not None
    heart = Heartbeat(desk.ledger, desk.queue, lease, change.episode.claim, desk.lease_s)
    handle = Handle(desk.ledger, change.episode)
    try:
        with desk.at_work(), heart.beating():
            outcome = _attempt(desk, lease, handle, heart)
    except LeaseLost as error:  # another worker's now, or skipped by hand: nothing more may be written
        log.warning("%s: %s", handle.episode.id, error)
        return Outcome.NOTHING
    desk.watch.ended(handle.episode, outcome)
    return outcome


def _attempt(desk: Desk, lease: Lease, handle: Handle, heart: Heartbeat) -> Outcome:
    try:
        _work(desk, handle, heart)
    except LeaseLost:
        raise
    except (Stopped, StorageFull, ModelError) as reason:
        if isinstance(reason, LanguageError):
            return _try_again(desk, lease, handle, reason)
        # Not the episode's fault, and the next one would fare no better: the worker ends.
        _give_back(desk, lease, handle, reason)
        raise
    except Exception as error:
        if _is_final(error):
            return _fail(desk, lease, handle, error)
        if not isinstance(error, ProofcastError):
            # One episode that trips over a bug must not take the others down with it.
            log.exception("%s: unexpected", handle.episode.id)
        return _try_again(desk, lease, handle, error)
    desk.queue.complete(lease)
    return Outcome.DONE


def _is_final(error: Exception) -> bool:
    """Whether another try would come to the same."""
    return isinstance(error, (AudioError, ConfigError)) or (
        isinstance(error, DownloadError) and error.permanent
    )


def _fail(desk: Desk, lease: Lease, handle: Handle, error: Exception) -> Outcome:
    steps: dict[type[Exception], Step] = {AudioError: Step.DECODE, DownloadError: Step.DOWNLOAD}
    step = steps.get(type(error), Step.REVIEW)
    handle.write(lambda episode: states.failed(episode, step, str(error), desk.clock()))
    desk.queue.complete(lease)
    return Outcome.FAILED


def _try_again(desk: Desk, lease: Lease, handle: Handle, error: Exception) -> Outcome:
    """Another time, a while later; the last time, the job goes where people see it."""
    step = handle.episode.step or Step.TRANSCRIBE
    reason = _reason(error)
    if handle.episode.failures + 1 >= desk.max_attempts:
        handle.write(lambda episode: states.failed(episode, step, reason, desk.clock()))
        desk.queue.bury(lease, reason)
        return Outcome.FAILED
    _give_back(desk, lease, handle, error, delay=_BACK_OFF_S * 2**handle.episode.failures, blamed=True)
    return Outcome.RETRY


def _give_back(
    desk: Desk, lease: Lease, handle: Handle, why: Exception, *, delay: float = 0, blamed: bool = False
) -> None:
    step = handle.episode.step or Step.TRANSCRIBE
    failure = None if isinstance(why, Stopped) else Failure(step=step, reason=_reason(why), at=desk.clock())
    detail = failure.reason if failure else "the worker was stopped"
    try:
        handle.write(lambda now: states.given_back(now, desk.clock(), detail, failure, blamed=blamed))
    except (Conflict, StorageFull) as error:  # the lease lapses by itself where nothing can be written
        log.warning("%s: could not be given back: %s", handle.episode.id, error)
    else:
        desk.queue.release(lease, delay)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ProofcastError) else f"unexpected {error!r}"


def _work(desk: Desk, handle: Handle, heart: Heartbeat) -> None:
    desk.publisher.check(handle.episode)
    if handle.episode.state is not State.TRANSCRIBED:
        stored = desk.artifacts.get(key_of(handle.episode, "transcript.json"))  # by an earlier attempt
        if stored:
            _store(desk, handle, read_transcript(stored), worked_s=None)
        else:
            began = desk.clock()
            made = _transcript(desk, handle, heart)
            _store(desk, handle, made, worked_s=desk.clock() - began)
    _step(desk, handle, Step.REVIEW)
    heart.check()
    desk.publisher.publish(handle)


def _audio(desk: Desk, handle: Handle, heart: Heartbeat) -> Path:
    """The episode's audio as a file, downloaded unless an earlier attempt did."""
    key = key_of(handle.episode, "audio")
    there = desk.artifacts.fetch(key) if "audio" in handle.episode.artifacts else None
    if there:
        return there
    _step(desk, handle, Step.DOWNLOAD)
    episode = handle.episode
    if episode.enclosure is None:
        raise DownloadError("the episode's audio is gone, and no feed says where it is", permanent=True)
    desk.scratch.mkdir(parents=True, exist_ok=True)
    # Its own: a worker that lost its lease may still be writing.
    path = desk.scratch / f"{episode.id}-{desk.worker}"

    def progress(done: int, total: int | None) -> None:
        _go_on(desk, heart)
        desk.watch.progress(done, total, 0.0)

    desk.fetch_audio(episode)(episode.enclosure.url, path, progress)
    heart.check()
    desk.artifacts.put_file(key, path)
    path.unlink(missing_ok=True)
    stored = desk.artifacts.fetch(key)
    assert stored is not None
    return stored


def _transcript(desk: Desk, handle: Handle, heart: Heartbeat) -> Transcript:
    audio = _audio(desk, handle, heart)
    _step(desk, handle, Step.TRANSCRIBE, audio=key_of(handle.episode, "audio"))

    def progress(done: float, total: float, speed: float) -> None:
        _go_on(desk, heart)
        heart.progress = Progress(done_s=done, total_s=total, speed=speed, at=desk.clock())
        desk.watch.progress(done, total, speed)

    return desk.transcribe(audio, about(handle.episode), desk.language(handle.episode), progress)


def _store(desk: Desk, handle: Handle, transcript: Transcript, worked_s: float | None) -> None:
    _step(desk, handle, Step.STORE)
    made = {"transcript": key_of(handle.episode, "transcript.json")}
    if not desk.artifacts.create(made["transcript"], transcript_json(transcript).encode()):
        # A worker that was thought dead, or a successor, was first: everybody goes on from what it stored.
        transcript = read_transcript(desk.artifacts.get(made["transcript"]) or b"")
    for name in CAPTIONS:
        made[name] = key_of(handle.episode, f"transcript.{name}")
        desk.artifacts.put(made[name], FORMATS[name](transcript).encode())
    handle.write(
        lambda episode: states.transcribed(
            episode, {**episode.artifacts, **made}, transcript.duration_s, desk.clock(), worked_s
        )
    )


def _step(desk: Desk, handle: Handle, step: Step, **artifacts: str) -> None:
    handle.write(lambda episode: states.at_step(episode, step, desk.clock(), **artifacts))
    desk.watch.step(handle.episode, step)


def _go_on(desk: Desk, heart: Heartbeat) -> None:
    heart.check()
    if desk.stopping():
        raise Stopped


def about(episode: Episode) -> dict[str, Any]:
    """What the transcript document says of its episode."""
    facts = {
        "id": episode.id,
        "feed": episode.feed,
        "guid": episode.guid,
        "number": episode.number,
        "season": episode.season,
        "title": episode.title,
        "published": episode.published,
        "link": episode.link,
        "duration_s": episode.duration_s,
    }
    return {key: value for key, value in facts.items() if value is not None}
