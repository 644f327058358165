"""Starting what is needed, right after something was queued and again while anything is left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from pipeline.budget import SHARES, Spending, is_held, reason, within
from pipeline.errors import Conflict
from pipeline.model import BudgetState, State, Task
from pipeline.ports import Clock, Fleet, JobQueue, Ledger
from pipeline.queueing import in_hand
from pipeline.scaling import NO_INSTANCE, Hold, Pace, Plan, Policy, Work, pace_of, plan, work_left
from pipeline.tariff import month_of, month_span

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
    warning: str = ""  #: that a share of the month's budget was spent, said once


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a month may cost."""

    spending: Callable[[], Spending]
    tail_s: float  #: that an instance is paid for after its last work


def dispatch(
    ledger: Ledger,
    queue: JobQueue,
    fleet: Fleet,
    policy: Policy,
    clock: Clock,
    budget: Budget | None = None,
) -> Dispatched:
    """Ask the fleet for what `scaling.plan` says and the budget allows. Safe to run at any time, by
    several at once."""
    tasks = fleet.survey()
    live = [task for task in tasks if task.live]
    now = clock()
    work = _work(ledger, queue, live, now)
    pace = _pace(ledger, tasks) if work.jobs else Pace()  # most turns find nothing to do
    warm = now < ledger.warm_until()
    decided, warning = plan(work, tasks, pace, policy, now, warm=warm), ""
    if budget and (work.jobs or warm or is_held(ledger.budget(month_of(now)))):
        decided, warning = _afforded(ledger, budget, decided, work, len(live), pace, now)
    for task_id in decided.give_up:
        fleet.stop(task_id, f"{NO_INSTANCE} within {policy.patience_s:.0f} s")
    return Dispatched(
        work=work,
        live=len(live),
        started=tuple(task.id for task in _started(fleet, decided)),
        given_up=decided.give_up,
        holds=decided.holds,
        warning=warning,
    )


def budget_hold(state: BudgetState) -> list[Hold]:
    """Why no new work is begun, where a month's budget is used up."""
    until = month_span(state.month)[1]
    return [Hold(market=None, why=state.held, until=until)] if is_held(state) else []


def release_budget(ledger: Ledger, clock: Clock) -> BudgetState:
    """Let this month's work go on, whatever it costs; the next month has its budget again."""
    now = clock()
    return _noted(ledger, month_of(now), lambda state: replace(state, released_at=now))[1]


def _afforded(
    ledger: Ledger,
    budget: Budget,
    decided: Plan,
    work: Work,
    live: int,
    pace: Pace,
    now: float,
) -> tuple[Plan, str]:
    """The part of a plan that may be paid for; workers learn from the ledger that they shall end. And a
    warning, where a share of the budget is spent that nobody was told of yet."""
    spending, tail_s = budget.spending(), budget.tail_s
    why = reason(spending, work, live, pace, tail_s)
    share = max((share for share in SHARES if spending.share >= share), default=0)

    def judged(state: BudgetState) -> BudgetState:
        state = replace(state, told=max(share, state.told))
        if state.released_at is not None or bool(why) == bool(state.held):
            return state
        return replace(state, held=why, held_at=now if why else None)

    before, state = _noted(ledger, spending.month, judged)
    warning = _told(share, spending) if share > before.told else ""
    if state.released_at is not None:
        return decided, warning
    held = budget_hold(state)
    if held:
        return replace(decided, start=0, market=None, holds=(*decided.holds, *held)), warning
    return within(decided, spending, work, live, pace, tail_s), warning


def _told(share: int, spending: Spending) -> str:
    return (
        f"more than {share} % of the budget of {spending.month} is spent:"
        f" US$ {spending.so_far_usd:.2f} of {spending.limit_usd:.2f}"
    )


def _noted(
    ledger: Ledger, month: str, change: Callable[[BudgetState], BudgetState]
) -> tuple[BudgetState, BudgetState]:
    """What a month's budget held, and what it holds now that it is changed; on top of what somebody else
    changed at the same time."""
    while True:
        state = ledger.budget(month)
        changed = change(state)
        if changed == state:
            return state, state
        with suppress(Conflict):
            ledger.keep_budget(changed, state)
            return state, changed


def _work(ledger: Ledger, queue: JobQueue, live: list[Task], now: float) -> Work:
    waiting = ledger.episodes(state=State.QUEUED, limit=_SAMPLE)
    taken = in_hand(ledger, _SAMPLE)
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
