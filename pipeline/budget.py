"""Whether the month's budget lets new work begin: pure functions on what was spent and what is under way.

Work in hand is finished. What it will yet cost is counted before anything new is begun, so that a budget
is overspent by little: by the work that workers took since dispatch looked last.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from pipeline.costs import hours, rounded
from pipeline.model import BudgetState
from pipeline.scaling import Pace, Plan, Work

SHARES = (50, 80, 100)  #: per cent of a budget that people are told of


@dataclass(frozen=True, kw_only=True)
class Spending:
    """This month, as far as is known."""

    month: str
    limit_usd: Decimal
    spent_usd: Decimal  #: by bills
    running_usd: Decimal  #: by instances that are not billed yet, until now
    hour_usd: Decimal  #: of an instance that is about to be started, fee included; 0 where there is no budget

    @property
    def so_far_usd(self) -> Decimal:
        return self.spent_usd + self.running_usd

    @property
    def share(self) -> float:
        """Per cent of the budget; 0 where there is none."""
        return float(100 * self.so_far_usd / self.limit_usd) if self.limit_usd else 0.0


def within(plan: Plan, spending: Spending, work: Work, live: int, pace: Pace, tail_s: float) -> Plan:
    """As much of a plan as the budget allows; `tail_s` is what an instance idles at its end."""
    left = spending.limit_usd - committed(spending, work, live, pace, tail_s)
    one_s = pace.start_up_s + tail_s + (work.audio_s / work.jobs / pace.speed if work.jobs else 0.0)
    one = _cost(one_s, spending)
    may = max(0, int(left / one)) if one else plan.start
    return replace(plan, start=min(plan.start, may), market=plan.market if min(plan.start, may) else None)


def reason(spending: Spending, work: Work, live: int, pace: Pace, tail_s: float) -> str:
    """Why no new work is begun; empty where some may be."""
    if not work.jobs:
        return ""
    left = spending.limit_usd - committed(spending, work, live, pace, tail_s)
    overhead_s = 0.0 if live else pace.start_up_s + tail_s
    one = _cost(overhead_s + work.audio_s / work.jobs / pace.speed, spending)
    if one <= left:
        return ""
    return (
        f"the budget of {spending.month}: US$ {spending.so_far_usd:.2f} of {spending.limit_usd:.2f} is spent,"
        f" US$ {max(left, Decimal(0)):.2f} is not spoken for, and the next episode would cost about {one:.2f}"
    )


def committed(spending: Spending, work: Work, live: int, pace: Pace, tail_s: float) -> Decimal:
    """What was spent, and what finishing the work in hand will cost."""
    in_hand_s = sum(audio_s for audio_s in work.in_hand.values() if audio_s < float("inf")) / pace.speed
    return spending.so_far_usd + _cost(in_hand_s + live * tail_s, spending)


def is_held(state: BudgetState) -> bool:
    """Whether dispatch found the budget used up, and nobody let it go on."""
    return bool(state.held) and state.released_at is None


def _cost(seconds: float, spending: Spending) -> Decimal:
    return rounded(hours(seconds) * spending.hour_usd)
