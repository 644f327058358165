"""What a worker works with, and who may know what it does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.model import Episode, Step
from pipeline.ports import ArtifactStore, Clock, FetchAudio, JobQueue, Ledger

if TYPE_CHECKING:
    from worker.lent import Lent


class Outcome(StrEnum):
    """How one turn of the loop ended."""

    DONE = "done"
    FAILED = "failed"
    RETRY = "will be tried again"
    GIVEN_BACK = "given back"
    NOTHING = "nothing to do"


class Stopped(Exception):
    """The worker was told to end."""


@dataclass
class Tag:
    """What is being done, for the lines that are logged meanwhile."""

    episode: str
    step: str = ""


IN_HAND: ContextVar[Tag | None] = ContextVar("in_hand", default=None)


class Watch(Protocol):
    """Whoever shows people what the worker does."""

    def step(self, episode: Episode, step: Step) -> None: ...

    def progress(self, done: float, total: float | None, speed: float) -> None: ...

    def ended(self, episode: Episode, outcome: Outcome) -> None: ...


@dataclass
class Hand:
    """The job in hand, for whoever has to give it back where the handler does not get to it."""

    job: Lent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a worker works with."""

    worker: str
    ledger: Ledger
    queue: JobQueue
    artifacts: ArtifactStore
    fetch_audio: Callable[[Episode], FetchAudio]
    handler: Callable[[Lent], object]  #: see `handling.Handler`
    clock: Clock
    scratch: Path
    lease_s: float
    max_attempts: int
    stopping: Callable[[], bool]
    at_work: Callable[[], AbstractContextManager[None]]
    watch: Watch
    hand: Hand = field(default_factory=Hand)
