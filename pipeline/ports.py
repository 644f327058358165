"""Every Protocol, on one page: what the pipeline asks of an engine.

A port promises only what both engines keep. Exactly-once is the ledger's (every write is
conditional on the version that was read); the queue delivers at least once, in no order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.model import (
    Alias,
    Bill,
    BudgetState,
    Change,
    Claim,
    DeadLetter,
    Episode,
    Event,
    FeedState,
    Instance,
    Job,
    Lease,
    Market,
    Price,
    Progress,
    Proposal,
    QueueDepth,
    Review,
    State,
    Stint,
    Task,
)


class Ledger(Protocol):
    """The record of every episode: SQLite, or DynamoDB."""

    def record(self, changes: Sequence[Change], feed: FeedState | None = None) -> None:
        """Write all changes, then the feed's state.

        Version 1 means a new episode; a higher one must follow the stored version directly.
        Raises Conflict where it does not, or where an alias is another episode's: then nothing
        of the change in question is written, and the feed's state is not.
        """
        ...

    def get(self, episode_id: str) -> Episode | None: ...

    def several(self, episode_ids: Sequence[str]) -> list[Episode]:
        """Those of these that are there, in this order; asked for together."""
        ...

    def known(self, feed: str, aliases: Sequence[Alias]) -> dict[Alias, str]:
        """The ids of those aliases that are known in this feed."""
        ...

    def episodes(
        self,
        *,
        state: State | None = None,
        feed: str | None = None,
        limit: int | None = None,
        after: Episode | None = None,
    ) -> list[Episode]:
        """Newest first (published, else discovered); `after` continues a page."""
        ...

    def starting_with(self, prefix: str, limit: int) -> list[Episode]:
        """Episodes whose id begins so."""
        ...

    def counts(self) -> dict[State, int]: ...

    def events(self, episode_id: str) -> list[Event]:
        """Oldest first."""
        ...

    def outbox(self) -> list[Episode]:
        """Queued episodes whose job was not yet sent, oldest first."""
        ...

    def sent(self, episode: Episode) -> None:
        """Take the episode, as it was read, out of the outbox."""
        ...

    def heartbeat(self, episode_id: str, claim: Claim, progress: Progress | None) -> None:
        """Renew a claim and show progress, without a new version. Raises LeaseLost."""
        ...

    def feed(self, name: str) -> FeedState: ...

    def stints(self, worker: str) -> list[Stint]:
        """What a worker did, as changes that ended a stint recorded it; oldest first."""
        ...

    def enter(self, bill: Bill) -> Bill:
        """Keep a bill and charge its episodes; one of that id that is there already stays as it is.

        Returns the one that is kept. Interrupted, it may be called again.
        """
        ...

    def bills(self, since: float = 0.0, until: float | None = None) -> list[Bill]:
        """Those that ended in this time, both ends included; oldest first."""
        ...

    def warm_until(self) -> float:
        """Until when a worker shall be there though nothing waits, POSIX seconds."""
        ...

    def keep_warm(self, until: float) -> None: ...

    def budget(self, month: str) -> BudgetState: ...

    def keep_budget(self, state: BudgetState, before: BudgetState) -> None:
        """Replace what was read. Raises Conflict where somebody else did since."""
        ...


class JobQueue(Protocol):
    """Jobs, with the semantics of SQS: SQLite, or SQS itself."""

    def send(self, job: Job, *, first: bool = False) -> None:
        """With `first`, before those that wait; that it may wait there too does no harm."""
        ...

    def lease(self, seconds: float) -> Lease | None:
        """The next visible job, or None. A job handed out too often is buried instead."""
        ...

    def extend(self, lease: Lease, seconds: float) -> Lease:
        """Until `seconds` from now. Raises LeaseLost."""
        ...

    def release(self, lease: Lease, delay: float = 0) -> None:
        """Give the job back, to be seen again after `delay`; nothing if the lease was lost.

        Whether a job that was given back counts as handed out is the engine's own affair.
        """
        ...

    def complete(self, lease: Lease) -> None:
        """The job is done; nothing if the lease was lost."""
        ...

    def bury(self, lease: Lease, reason: str) -> None:
        """Put the job on the dead-letter list; nothing if the lease was lost."""
        ...

    def dead_letters(self) -> list[DeadLetter]: ...

    def redrive(self, episode_id: str) -> bool:
        """Make an episode's dead letter a waiting job again; False where there is none."""
        ...

    def forget(self, episode_id: str) -> None:
        """Take an episode's dead letters off the list; nothing where there is none."""
        ...

    def depth(self) -> QueueDepth: ...


class ArtifactStore(Protocol):
    """Bytes by key: files, or S3. A key is made of lower-case words, `/`, `.` and `-`."""

    def put(self, key: str, data: bytes) -> None:
        """All of it or nothing, replacing what was there."""
        ...

    def put_file(self, key: str, path: Path) -> None:
        """As `put`, from a file, which stays where it is."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Only if nothing is there yet; says whether it was."""
        ...

    def get(self, key: str) -> bytes | None: ...

    def fetch(self, key: str) -> Path | None:
        """The artifact as a file to read, or None."""
        ...

    def delete(self, key: str) -> None: ...

    def place(self, key: str) -> str:
        """Where a person finds it: a path or a URL."""
        ...


@dataclass(frozen=True, kw_only=True)
class ReviewStatus:
    """What a code host says of a branch now."""

    review: Review
    head: str | None  #: the branch's commit, None where it is gone
    edited: bool  #: a person committed to it


class CodeHost(Protocol):
    """Where reviews live: a local git repository, or GitHub."""

    def check(self, repository: str, base: str) -> None:
        """See that reviews could be opened there, changing nothing. Raises CodeHostError."""
        ...

    def read(self, repository: str, base: str, path: str) -> str | None:
        """A text file of the base branch; None where there is none. Raises CodeHostError."""
        ...

    def commit(self, proposal: Proposal) -> str:
        """Store the commit without a branch; the same proposal on the same base is the same."""
        ...

    def open(self, proposal: Proposal, commit: str) -> Review:
        """Point the branch at the commit and ask for review; again: the same review.

        Never moves a branch that holds another commit. Raises CodeHostError.
        """
        ...

    def status(self, review: Review) -> ReviewStatus:
        """What became of a review, known by its repository, branch, base and commit."""
        ...

    def diff(self, review: Review) -> str:
        """The change as a unified diff against the base."""
        ...


class Fleet(Protocol):
    """Where workers run: processes here, or ECS tasks."""

    def tasks(self) -> list[Task]:
        """The live ones: those that wait for an instance, start, run, or are ending."""
        ...

    def recent(self) -> list[Task]:
        """Live ones and those that ended lately, the newest first."""
        ...

    def survey(self) -> list[Task]:
        """As `recent`, and what is seen is kept on record; for those who may start workers."""
        ...

    def instances(self) -> list[Instance]: ...

    def start(self, count: int, market: Market | None = None) -> list[Task]:
        """Ask for workers, which end by themselves. Interrupted, it may be called again.

        Raises Conflict where somebody else asked for some since `survey` was called.
        """
        ...

    def stop(self, task_id: str, reason: str = "") -> None:
        """Tell a worker to give its job back and end; nothing if there is none of that id."""
        ...

    def ended(self, workers: Collection[str]) -> set[str]:
        """Those of these workers that are known to have ended."""
        ...

    def log(self, task_id: str) -> list[str]:
        """The last lines that a worker wrote, oldest first."""
        ...


class Meter(Protocol):
    """What was seen of paid instances, until it is billed."""

    def unbilled(self) -> list[Instance]:
        """Those that run, and those that ended and were not billed yet."""
        ...

    def tasks_on(self, instance: Instance) -> list[Task]: ...

    def billed(self, instance: Instance) -> None:
        """It need not be asked for again."""
        ...


class PriceList(Protocol):
    """What instances cost in one region, in US$; None where nobody says."""

    def on_demand(self, instance_type: str) -> Price | None:
        """An hour of Linux, shared tenancy."""
        ...

    def fee(self, instance_type: str) -> Price | None:
        """What ECS asks for managing it for an hour, whatever the market."""
        ...

    def spot(self, instance_type: str, zone: str = "", at: float | None = None) -> Price | None:
        """An hour on the spot market, at that time (now); where no zone is named, in the cheapest."""
        ...


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What a server answered to a conditional GET."""

    status: int
    url: str
    body: bytes = b""
    headers: dict[str, str] | None = None  #: lower-case names
    permanent_url: str | None = None  #: where permanent redirects lead


FetchFeed = Callable[[FeedState], Fetched]
"""Ask a feed's server, with the validators of the last answer. Raises FeedError."""

FetchAudio = Callable[[str, Path, Callable[[int, int | None], None]], None]
"""Download a URL to a file, telling bytes done and expected. Raises DownloadError."""

Clock = Callable[[], float]
"""POSIX seconds."""
