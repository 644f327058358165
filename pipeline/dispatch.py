"""Starting what is needed, right after something was queued and again while anything is left."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import Conflict
from pipeline.model import State, Task
from pipeline.ports import Clock, Fleet, JobQueue, Ledger
from pipeline.scaling import NO_INSTANCE, Hold, Pace, Plan, Policy, Work, pace_of, plan, work_left

_SAMPLE = 500  #: queued episodes that are looked at; of more than these, the queue tells how many
_LATELY = 20  #: episodes whose speed counts


@dataclass(frozen=True, kw_only=True)
class Dispatched:
    """What one dispatch came to; the keys of its line in the poller's log."""

    work: Work
    live: int  #: workers that there were
    started: tuple[str, ...] = ()
    given_up: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()


def dispatch(ledger: Ledger, queue: JobQueue, fleet: Fleet, policy: Policy, clock: Clock) -> Dispatched:
    """Ask the fleet for what `scaling.plan` says. Safe to run at any time, by several at once."""
    tasks = fleet.survey()
    live = [task for task in tasks if task.live]
    now = clock()
    work = _work(ledger, queue, live, now)
    pace = _pace(ledger, tasks) if work.jobs else Pace()  # most turns find nothing to do
    decided = plan(work, tasks, pace, policy, now)
    for task_id in decided.give_up:
        fleet.stop(task_id, f"{NO_INSTANCE} within {policy.patience_s:.0f} s")
    return Dispatched(
        work=work,
        live=len(live),
        started=tuple(task.id for task in _started(fleet, decided)),
        given_up=decided.give_up,
        holds=decided.holds,
    )


def _work(ledger: Ledger, queue: JobQueue, live: list[Task], now: float) -> Work:
    waiting = ledger.episodes(state=State.QUEUED, limit=_SAMPLE)
    taken = [
        episode
        for state in (State.TRANSCRIBING, State.TRANSCRIBED)
        for episode in ledger.episodes(state=state, limit=_SAMPLE)
    ]
    more = queue.depth().waiting - _SAMPLE if len(waiting) == _SAMPLE else 0
    return work_left(waiting, taken, [task.id for task in live], now, max(more, 0))


def _pace(ledger: Ledger, tasks: list[Task]) -> Pace:
    states = (State.TRANSCRIBED, State.IN_REVIEW, State.PUBLISHED)
    done = [episode for state in states for episode in ledger.episodes(state=state, limit=_LATELY)]
    done.sort(key=lambda episode: episode.updated_at)
    return pace_of(tasks, done[-_LATELY:])


def _started(fleet: Fleet, decided: Plan) -> list[Task]:
    if not decided.start:
        return []
    try:
        return fleet.start(decided.start, decided.market)
    except Conflict:
        return []  # somebody else dispatches just now
