"""How many workers there should be, and where to ask for them: pure functions on what was seen.

No alarm decides: whoever queued something runs `plan`, and so does a clock while work is left. A plan
only ever starts workers, or gives up those that no instance was found for. What works is never ended
from outside; a worker that finds nothing to do ends by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from pipeline.model import Episode, Market, State, Task

NO_INSTANCE = "no instance came"
"""How the reason of a task begins that was given up for want of one."""

FOUND_NOTHING = 3
"""The exit code of a worker that there was no job for."""

_SPEED = 20.0  #: seconds of audio a second, of a small GPU; until it was measured
_START_UP_S = 240.0  #: three to four minutes, as those say who run managed instances; until measured
_TYPICAL_S = 3600.0  #: of audio, where no feed says how long its episodes are
_REVIEW_S = 60.0  #: what opening a review comes to, as seconds of audio
_MEASURED = 10  #: so many of the last tasks count for the start-up time

_MARKET_PAUSE_S = 300.0  #: after a market refused once; twice as long each further time
_WORKER_PAUSE_S = 60.0  #: after a worker came to a bad end; twice as long each further time
_LONGEST_PAUSE_S = 3600.0
_TOGETHER_S = 60.0
_FORGOTTEN_S = 2 * 3600.0  #: after so long without a bad end, the next one is the first again
_STUCK_S = 120.0  #: since a claim should have been renewed


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the config wants."""

    markets: tuple[Market, ...]  #: the preferred one first
    max_workers: int
    drain_s: float  #: what waits shall be done in this time
    patience_s: float  #: for an instance, before another market is asked


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is left to do, in seconds of audio."""

    jobs: int = 0  #: in nobody's hands
    audio_s: float = 0.0  #: what these come to
    in_hand: Mapping[str, float] = field(default_factory=dict[str, float])
    """What workers of the fleet have still to do of what they took, by their ids."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast it goes, as measured lately."""

    speed: float = _SPEED  #: seconds of audio a second and worker
    start_up_s: float = _START_UP_S  #: from asking for a worker until it runs


@dataclass(frozen=True, kw_only=True)
class Hold:
    """Why workers are not asked for, in one market or (None) at all, and until when."""

    market: Market | None
    why: str
    until: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do now."""

    start: int = 0
    market: Market | None = None
    give_up: tuple[str, ...] = ()  #: tasks that wait in vain
    holds: tuple[Hold, ...] = ()


def plan(
    work: Work, tasks: Sequence[Task], pace: Pace, policy: Policy, now: float, *, warm: bool = False
) -> Plan:
    """What to start, given all live tasks and those that ended lately; `warm`: one shall be there anyway."""
    held = holds(tasks, policy, now)
    in_vain = [task for task in tasks if _waits(task) and now - task.asked_at > policy.patience_s]
    market, elsewhere = _market(policy, held, {task.market for task in in_vain})
    given_up = {task.id for task in in_vain} if elsewhere else set[str]()
    live = [task for task in tasks if _goes_on(task) and task.id not in given_up]
    start = max(_missing(work, live, pace, policy, now), int(warm and not live)) if market else 0
    return Plan(start=start, market=market if start else None, give_up=tuple(sorted(given_up)), holds=held)


def holds(tasks: Iterable[Task], policy: Policy, now: float) -> tuple[Hold, ...]:
    """Where nothing may be asked for just now."""
    ended = sorted((task for task in tasks if not task.live), key=lambda task: task.stopped_at or 0.0)
    paused = [
        Hold(market=market, why=refusal_in_words(last), until=until)
        for market in policy.markets
        for last, until in _paused(
            [task for task in ended if task.market is market], was_refused, _MARKET_PAUSE_S
        )
    ]
    paused += [
        Hold(market=None, why=bad_end_in_words(last), until=until)
        for last, until in _paused(
            [task for task in ended if not was_refused(task) and not was_taken_away(task)],
            _bad_end,
            _WORKER_PAUSE_S,
        )
    ]
    return tuple(hold for hold in paused if hold.until > now)


def work_left(
    waiting: Sequence[Episode], taken: Sequence[Episode], fleet: Iterable[str], now: float, more: int = 0
) -> Work:
    """What queued episodes and those that workers have come to.

    `waiting` may be a part, of which `more` like them follow. A worker that is not of the `fleet` sees
    to its episode by itself, as long as it renews its claim. One of the fleet that does not is stuck:
    nothing more is to be expected of it.
    """
    ours = set(fleet)
    in_hand: dict[str, Episode | None] = {}
    given_back: list[Episode] = []
    for episode in taken:
        lapsed = episode.claim is None or now - episode.claim.until > _STUCK_S
        if lapsed:
            given_back.append(episode)
        if episode.claim and episode.claim.worker in ours:
            if lapsed:
                in_hand.setdefault(episode.claim.worker, None)  # it may have lost this one and gone on
            else:
                in_hand[episode.claim.worker] = episode
    lengths = [episode.duration_s for episode in waiting if episode.duration_s]
    typical = median(lengths) if lengths else _TYPICAL_S
    seconds = [episode.duration_s or typical for episode in waiting]
    mean = sum(seconds) / len(seconds) if seconds else typical
    left = [_left(episode, typical) for episode in given_back]
    return Work(
        jobs=len(seconds) + more + len(left),
        audio_s=sum(seconds) + more * mean + sum(left),
        in_hand={
            worker: _left(episode, typical) if episode else math.inf for worker, episode in in_hand.items()
        },
    )


def pace_of(tasks: Iterable[Task], done: Iterable[Episode]) -> Pace:
    """The pace of the last tasks that started and the last episodes that were transcribed."""
    started = sorted((task for task in tasks if task.started_at), key=lambda task: task.asked_at)
    waits = [(task.started_at or 0.0) - task.asked_at for task in started[-_MEASURED:]]
    measured = [
        (episode.duration_s, episode.worked_s) for episode in done if episode.duration_s and episode.worked_s
    ]
    worked = sum(seconds for _, seconds in measured)
    return Pace(
        speed=sum(length for length, _ in measured) / worked if worked else _SPEED,
        start_up_s=median(waits) if waits else _START_UP_S,
    )


def was_refused(task: Task) -> bool:
    """Whether it ended for want of an instance, rather than by somebody's hand."""
    if task.instance or task.started_at:  # nobody may have looked while it had its instance
        return False
    return task.stop_code != "UserInitiated" or task.reason.startswith(NO_INSTANCE)


def was_taken_away(task: Task) -> bool:
    """Whether it was stopped from outside, which says nothing about the worker."""
    return task.stop_code in (
        "SpotInterruption",
        "TerminationNotice",
        "UserInitiated",
        "InfrastructureHealth",
    )


def refusal_in_words(task: Task) -> str:
    """What AWS, or our own patience, said of a task that got no instance."""
    bought = task.market or "any"
    if "VcpuLimitExceeded" in task.reason or "quota" in task.reason.lower():
        return (
            f"the account's vCPU quota for {bought} GPUs is used up: 'proofcast doctor' says how to raise it"
        )
    if any(word in task.reason for word in ("UnfulfillableCapacity", "InsufficientInstanceCapacity")):
        return f"AWS has no {bought} capacity of the configured instance types just now"
    return f"{bought}: {task.reason or 'AWS refused the task and does not say why'}"


def bad_end_in_words(task: Task) -> str:
    """Why a worker ended before it came to anything."""
    if task.exit_code == FOUND_NOTHING:
        return f"the worker {task.id} found no job on the queue, though episodes wait"
    code = f"exit code {task.exit_code}" if task.exit_code is not None else task.stop_code
    return f"the worker {task.id} came to a bad end ({code}): {task.reason or 'its log says more'}"


def _missing(work: Work, live: Sequence[Task], pace: Pace, policy: Policy, now: float) -> int:
    """How many workers to add, so that the work is done in time and each has something to do.

    A worker should work for as long at least as it took to start, however short the time is.
    """
    useful_s = max(policy.drain_s - pace.start_up_s, pace.start_up_s)
    idle = sum(task.id not in work.in_hand for task in live)
    room = min(work.jobs - idle, policy.max_workers - len(live))
    if room <= 0:
        return 0
    uncovered = work.audio_s - sum(_spare(task, work, pace, policy, now) for task in live)
    if uncovered <= 0:
        return 0 if live else 1
    one_episode = work.audio_s / work.jobs
    return min(room, max(1, math.ceil(uncovered / max(useful_s * pace.speed, one_episode))))


def _spare(task: Task, work: Work, pace: Pace, policy: Policy, now: float) -> float:
    """Seconds of audio that a live task gets done in time, after what it has in hand."""
    starting = 0.0 if task.started_at else max(0.0, pace.start_up_s - (now - task.asked_at))
    able = max(0.0, policy.drain_s - starting) * pace.speed
    return max(0.0, able - work.in_hand.get(task.id, 0.0))


def _market(
    policy: Policy, held: Iterable[Hold], in_vain: Collection[Market | None]
) -> tuple[Market | None, bool]:
    """The first one that may be asked, and whether it can take over from those where tasks wait in vain."""
    closed = {hold.market for hold in held}
    may = [market for market in policy.markets if not {None, market} & closed]
    better = [market for market in may if market not in in_vain]
    return next(iter(better or may), None), bool(better)


def _left(episode: Episode, typical: float) -> float:
    if episode.state is State.TRANSCRIBED:
        return _REVIEW_S
    length = episode.duration_s or typical
    done = episode.progress.done_s if episode.progress else 0.0
    return max(_REVIEW_S, length - done)


def _goes_on(task: Task) -> bool:
    """Whether it will do more work: one that is ending gives its job back."""
    return task.live and task.stopping_at is None


def _waits(task: Task) -> bool:
    return _goes_on(task) and not task.instance and task.started_at is None


def _bad_end(task: Task) -> bool:
    return task.exit_code != 0


def _paused(
    ended: Sequence[Task], bad: Callable[[Task], bool], pause_s: float
) -> Iterable[tuple[Task, float]]:
    """The last task, and until when to pause, if it and perhaps others before it were bad."""
    in_a_row = 0  # of occasions: what ends together, ends for one reason
    earlier = math.inf
    for task in reversed(ended):
        if not bad(task):
            break
        at = task.stopped_at or 0.0
        if in_a_row and earlier - at > _FORGOTTEN_S:
            break
        in_a_row += earlier - at > _TOGETHER_S
        earlier = at
    if in_a_row:
        last = ended[-1]
        pause = min(pause_s * 2.0 ** min(in_a_row - 1, 10), _LONGEST_PAUSE_S)
        yield last, (last.stopped_at or 0.0) + pause
