"""What is going on, read once for whoever shows it: the command line and the dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from pipeline.budget import Spending
from pipeline.dispatch import budget_hold
from pipeline.errors import ConfigError
from pipeline.model import Episode, Instance, Market, QueueDepth, State, Task
from pipeline.ports import ArtifactStore, Fleet, JobQueue, Ledger
from pipeline.queueing import by_worker
from pipeline.scaling import Hold, Policy, holds
from pipeline.tariff import month_of


@dataclass(frozen=True, kw_only=True)
class EpisodeRow:
    """An episode as `episodes --json` lists it."""

    id: str
    feed: str
    guid: str | None
    number: int | None
    title: str
    state: State
    step: str | None
    attempts: int
    duration_s: float | None
    error: str | None
    cost_usd: Decimal
    review_url: str | None
    artifacts: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class RunningTask:
    """A worker and what it is at."""

    id: str
    instance: str
    type: str
    zone: str
    market: Market | None
    asked_at: float
    started_at: float | None
    detail: str
    episode: str | None
    step: str | None
    done_s: float | None
    total_s: float | None
    speed: float | None


@dataclass(frozen=True, kw_only=True)
class OpenReview:
    """A review that waits for people."""

    episode: str
    title: str
    repository: str
    branch: str
    url: str
    opened_at: float | None


@dataclass(frozen=True, kw_only=True)
class MonthCost:
    """What this month cost until now; nothing where the machine is the user's own."""

    month: str
    usd: Decimal = Decimal(0)
    running_usd: Decimal = Decimal(0)  #: of that, by instances that are not billed yet
    budget_usd: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """Everything on one page; the keys of `status --json`."""

    at: float
    queue: QueueDepth
    episodes: dict[State, int]
    tasks: list[RunningTask]
    instances: list[Instance]
    holds: list[Hold]  #: why no workers are started just now
    reviews: list[OpenReview]
    cost: MonthCost


def read_status(
    ledger: Ledger,
    queue: JobQueue,
    fleet: Fleet,
    at: float,
    policy: Policy | None = None,
    spending: Spending | None = None,
    *,
    held: bool = False,
) -> Status:
    """The state of everything at one time; with the policy of an engine that starts workers itself, what
    it spent where that is anything, and whether its budget is used up."""
    recent = fleet.recent()
    working = by_worker(ledger)
    return Status(
        at=at,
        queue=queue.depth(),
        episodes=ledger.counts(),
        tasks=[_running(task, working.get(task.id)) for task in recent if task.live],
        instances=fleet.instances(),
        holds=[
            *(holds(recent, policy, at) if policy else ()),
            *(budget_hold(ledger.budget(month_of(at))) if held else ()),
        ],
        reviews=reviews_in(ledger),
        cost=month_cost(spending) if spending else MonthCost(month=month_of(at)),
    )


def month_cost(spending: Spending) -> MonthCost:
    """As people are told of it."""
    return MonthCost(
        month=spending.month,
        usd=spending.so_far_usd,
        running_usd=spending.running_usd,
        budget_usd=spending.limit_usd or None,
    )


def reviews_in(ledger: Ledger) -> list[OpenReview]:
    """Those that wait for people."""
    return [_review(episode) for episode in ledger.episodes(state=State.IN_REVIEW)]


def episode_row(episode: Episode, artifacts: ArtifactStore) -> EpisodeRow:
    """An episode for people and scripts, with artifacts where they are found."""
    return EpisodeRow(
        id=episode.id,
        feed=episode.feed,
        guid=episode.guid,
        number=episode.number,
        title=episode.title,
        state=episode.state,
        step=episode.step,
        attempts=episode.attempts,
        duration_s=episode.duration_s,
        error=episode.failure.reason if episode.failure else None,
        cost_usd=sum(episode.charges.values(), Decimal(0)),
        review_url=episode.review.url if episode.review and episode.review.url else None,
        artifacts={name: artifacts.place(key) for name, key in episode.artifacts.items()},
    )


def find_episode(ledger: Ledger, reference: str) -> Episode:
    """The episode meant by an id, the start of one, or `feed#number`. Raises ConfigError."""
    feed, _, number = reference.partition("#")
    found: list[Episode] = []
    if not reference or not reference.isascii():
        pass  # no id begins so, and no feed is named so
    elif number.isdecimal():
        wanted = number.lstrip("0") or "0"  # never an int: it may have thousands of digits
        found = [episode for episode in ledger.episodes(feed=feed) if str(episode.number) == wanted]
    else:
        exact = ledger.get(reference)
        found = [exact] if exact else ledger.starting_with(reference, limit=3)
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigError(f"there is no episode '{reference}'", "'proofcast episodes' lists them")
    raise ConfigError(
        f"'{reference}' could be {', '.join(episode.id for episode in found[:3])}", "give more of the id"
    )


def _running(task: Task, episode: Episode | None) -> RunningTask:
    progress = episode.progress if episode else None
    return RunningTask(
        id=task.id,
        instance=task.instance,
        type=task.type,
        zone=task.zone,
        market=task.market,
        asked_at=task.asked_at,
        started_at=task.started_at,
        detail=task.detail,
        episode=episode.id if episode else None,
        step=episode.step if episode else None,
        done_s=progress.done_s if progress else None,
        total_s=progress.total_s if progress else None,
        speed=progress.speed if progress else None,
    )


def _review(episode: Episode) -> OpenReview:
    review = episode.review
    assert review is not None  # in review without a review: `states` does not allow it
    return OpenReview(
        episode=episode.id,
        title=episode.title,
        repository=review.repository,
        branch=review.branch,
        url=review.url,
        opened_at=review.opened_at,
    )
