"""The words of Proofcast as frozen values.

Times of day are POSIX seconds (UTC), positions in audio are seconds from its start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where an episode stands; the moves between states are in `states.MOVES`."""

    DISCOVERED = "discovered"
    HELD = "held"
    QUEUED = "queued"
    TRANSCRIBING = "transcribing"
    TRANSCRIBED = "transcribed"
    IN_REVIEW = "in_review"
    PUBLISHED = "published"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    FAILED = "failed"


class Step(StrEnum):
    """What is being done to an episode, and what was being done when it failed."""

    POLL = "poll"
    DOWNLOAD = "download"
    DECODE = "decode"
    TRANSCRIBE = "transcribe"
    STORE = "store"
    REVIEW = "review"


class Market(StrEnum):
    """How an instance is bought."""

    SPOT = "spot"
    ON_DEMAND = "on-demand"


class ReviewState(StrEnum):
    """What became of a proposed change."""

    ABSENT = "absent"  #: no such branch and no trace of one
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"  #: ended without merging


@dataclass(frozen=True, kw_only=True)
class Enclosure:
    """The audio that a feed item points to."""

    url: str
    type: str = ""
    length: int | None = None  #: bytes, as the feed claims


@dataclass(frozen=True, kw_only=True)
class FeedItem:
    """One item of a feed, as parsed; nothing in it is trusted to be unique or stable."""

    title: str
    guid: str | None = None
    number: int | None = None
    season: int | None = None
    published: float | None = None
    duration_s: float | None = None
    link: str | None = None
    enclosure: Enclosure | None = None
    people: tuple[str, ...] = ()  #: who is said to be heard
    mentions: tuple[str, ...] = ()  #: names and terms in its notes


@dataclass(frozen=True, kw_only=True)
class FeedDocument:
    """What a feed's XML said: the show and its items in feed order."""

    title: str
    language: str | None
    items: tuple[FeedItem, ...]
    warning: str | None = None  #: what was wrong with the XML, where it could be read all the same


@dataclass(frozen=True, slots=True)
class Alias:
    """One name by which an episode is known within its feed: `guid`, `enclosure`, `audio`…"""

    kind: str
    value: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A worker's hold on an episode: the lease it holds on the queue, since when and until when."""

    worker: str
    token: str
    since: float
    until: float


@dataclass(frozen=True, kw_only=True)
class Stint:
    """The time that a worker had an episode, from taking it until it was done or let go."""

    worker: str
    episode: str
    began_at: float
    ended_at: float


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a step did not succeed; kept on the episode until it does."""

    step: Step
    reason: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a running step has come."""

    done_s: float  #: seconds of audio
    total_s: float
    speed: float  #: seconds of audio per second of work
    at: float


@dataclass(frozen=True, kw_only=True)
class Review:
    """A change proposed to a site's repository."""

    repository: str
    branch: str
    base: str
    commit: str  #: the one commit that is ours; any other head is a person's
    state: ReviewState = ReviewState.ABSENT
    url: str = ""
    opened_at: float | None = None
    closed_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One episode and where it stands. `version` grows with every recorded change."""

    id: str
    feed: str
    title: str
    state: State = State.DISCOVERED
    version: int = 1
    guid: str | None = None
    number: int | None = None
    season: int | None = None
    published: float | None = None
    duration_s: float | None = None  #: the feed's claim until the audio was decoded
    worked_s: float | None = None  #: how long the worker took that made the transcript
    link: str | None = None
    language: str | None = None
    enclosure: Enclosure | None = None
    people: tuple[str, ...] = ()  #: who is said to be heard
    mentions: tuple[str, ...] = ()  #: names and terms in its notes
    discovered_at: float = 0.0
    updated_at: float = 0.0
    queued_at: float = 0.0  #: when its job was sent last
    step: Step | None = None
    attempts: int = 0  #: how often a worker took it
    failures: int = 0  #: how often it then failed in a way that may pass
    reason: str | None = None  #: why it is held or skipped
    failure: Failure | None = None
    claim: Claim | None = None
    progress: Progress | None = None
    review: Review | None = None
    artifacts: dict[str, str] = field(default_factory=dict[str, str])  #: name -> key
    charges: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Its share of each bill in US$, by the bills' ids; `Ledger.enter` writes them beside the document."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of an episode's history."""

    at: float
    version: int
    state: State
    step: Step | None = None
    worker: str | None = None  #: who has the episode from here to the next line
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """An episode as it shall be, for the ledger to record if nobody was faster."""

    episode: Episode
    detail: str = ""
    aliases: tuple[Alias, ...] = ()
    enqueue: bool = False  #: put it in the outbox, from where it goes to the queue
    stint: Stint | None = None  #: that ends with it

    @property
    def event(self) -> Event:
        """The line that it adds to the episode's history."""
        episode = self.episode
        return Event(
            at=episode.updated_at,
            version=episode.version,
            state=episode.state,
            step=episode.step,
            worker=episode.claim.worker if episode.claim else None,
            detail=self.detail,
        )


@dataclass(frozen=True, kw_only=True)
class FeedState:
    """What the last polls of a feed left behind."""

    name: str
    url: str = ""
    title: str = ""
    language: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    polled_at: float | None = None  #: the last time it was asked
    changed_at: float | None = None  #: the last time it had something new to say
    http_status: int | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """The request to transcribe one episode."""

    episode_id: str


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to work on a job until a time."""

    job: Job
    token: str
    until: float
    receives: int  #: how often the job was handed out, this time included


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A job that was given up."""

    job: Job
    reason: str
    receives: int
    at: float


@dataclass(frozen=True, kw_only=True)
class QueueDepth:
    """How many jobs wait, are leased, and were given up."""

    waiting: int
    leased: int
    dead: int


@dataclass(frozen=True, kw_only=True)
class Task:
    """One worker of the fleet: asked for, running, or ended. What is not known is None or empty."""

    id: str
    asked_at: float  #: when the fleet was asked for it
    started_at: float | None = None  #: when its program started
    instance: str = ""  #: that it runs on, or will; empty while it waits for one
    type: str = ""  #: the instance's
    zone: str = ""
    market: Market | None = None
    pull_started_at: float | None = None  #: when its image began to be fetched
    pull_stopped_at: float | None = None
    stopping_at: float | None = None
    stopped_at: float | None = None
    stop_code: str = ""  #: the engine's word for why
    reason: str = ""  #: the same in more words
    exit_code: int | None = None
    detail: str = ""

    @property
    def live(self) -> bool:
        return self.stopped_at is None


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One machine that workers run on."""

    id: str
    type: str
    zone: str = ""
    market: Market | None = None
    launched_at: float | None = None
    ended_at: float | None = None  #: when it began to shut down: nothing is paid from then on
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Price:
    """What one unit of something costs."""

    usd: Decimal
    source: str  #: who says so, in words
    at: float  #: the time that it is of
    unit: str = "h"  #: h, GB-month, GB, month, request…


@dataclass(frozen=True, kw_only=True)
class BillItem:
    """One priced quantity of a bill; `usd` is their product, rounded to a billionth."""

    what: str  #: instance, fee, volume, address, requests…
    quantity: Decimal  #: in units of the price
    price: Price
    usd: Decimal


class Part(StrEnum):
    """What a share of a bill was paid for."""

    WORK = "work"
    START_UP = "start-up"
    IDLE = "idle"
    STANDING = "standing"  #: what a deployment costs whether it works or not


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What one instance cost, or a month's standing costs of a deployment, and who shares it.

    `costs.lines_of` makes each episode's lines of it: they add up to `usd` exactly.
    """

    id: str  #: an instance's, or `standing-2026-10`
    began_at: float
    ended_at: float
    items: tuple[BillItem, ...]
    work_s: dict[str, float]  #: seconds of work, by episodes' ids
    start_up_s: float = 0.0
    idle_s: float = 0.0
    type: str = ""  #: of the instance; empty for standing costs
    zone: str = ""
    market: Market | None = None

    @property
    def usd(self) -> Decimal:
        return sum((item.usd for item in self.items), Decimal(0))


@dataclass(frozen=True, kw_only=True)
class BudgetState:
    """What the month's budget made dispatch do, and what a person said to that."""

    month: str  #: as 2026-11, in UTC
    held: str = ""  #: why no new work is begun; empty: it is
    held_at: float | None = None
    told: int = 0  #: the largest share of it, in per cent, that people were told of
    released_at: float | None = None  #: a person let it go on, whatever it costs


@dataclass(frozen=True, kw_only=True)
class CostLine:
    """One episode's share of an item of a bill, for one part of it."""

    bill: str
    episode: str | None  #: None: nobody's, since the instance did no work
    what: str
    part: Part
    quantity: Decimal  #: in units of the price
    price: Price
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Word:
    """A word as heard; `probability` is the decoder's own, 0 to 1."""

    text: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A passage by one speaker."""

    speaker: str
    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """A passage that a person should listen to, and why; what could not be mended is never hidden."""

    kind: str  #: invented, repeated, dropped, damaged, cut off, language, lower case, speaker…
    start: float
    end: float
    detail: str = ""  #: in words for the reviewer


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """The transcript document; `formats` writes it and reads it back."""

    episode: dict[str, Any]  #: id, feed, guid, number, title… : what is known
    language: str
    duration_s: float
    model: dict[str, Any]  #: name, device, compute_type, and the versions used
    speakers: dict[str, str]  #: label -> display name
    segments: tuple[Segment, ...]
    quality: dict[str, Any] = field(default_factory=dict[str, Any])
    vocabulary_applied: tuple[dict[str, Any], ...] = ()
    version: int = 1


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a review asks a site to take: files on a branch, and words for the reviewer."""

    repository: str
    base: str
    branch: str
    title: str
    body: str
    files: dict[str, str]  #: path in the repository -> text
    at: float  #: the commit's time, so that the same proposal is the same commit
    trailers: dict[str, str] = field(default_factory=dict[str, str])
