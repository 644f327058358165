"""What a month's budget lets begin."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.budget import Spending, committed, is_held, reason, within
from pipeline.model import BudgetState, Market
from pipeline.scaling import Pace, Plan, Work

PACE = Pace(speed=20, start_up_s=180)
TAIL_S = 60.0
HOUR = Decimal("0.90")  #: so that a minute costs 1.5 cents
AN_EPISODE = Work(jobs=1, audio_s=3600)  #: three minutes of work


def spending(spent: str, limit: str = "10", running: str = "0") -> Spending:
    return Spending(
        month="2026-11",
        limit_usd=Decimal(limit),
        spent_usd=Decimal(spent),
        running_usd=Decimal(running),
        hour_usd=HOUR,
    )


def held(spent: str, work: Work = AN_EPISODE, live: int = 0) -> bool:
    return bool(reason(spending(spent), work, live, PACE, TAIL_S))


def test_an_episode_alone_costs_its_start_its_work_and_its_end() -> None:
    """3 + 3 + 1 minutes at 1.5 cents: 10.5 cents."""
    assert not held("9.895")
    assert held("9.896")


def test_beside_a_worker_it_costs_its_work_and_that_workers_end() -> None:
    """3 minutes of its own, and the minute that the worker idles at its end."""
    assert not held("9.94", live=1)
    assert held("9.941", live=1)


def test_work_in_hand_is_counted_before_anything_new() -> None:
    """Two hours of audio are six minutes: 9 cents, 1.5 for the end."""
    work = replace(AN_EPISODE, in_hand={"w": 7200.0})
    assert committed(spending("1", running="0.5"), work, 1, PACE, TAIL_S) == Decimal("1.605")
    assert held("9.851", work, live=1)
    assert not held("9.85", work, live=1)


def test_a_worker_that_is_stuck_costs_nothing_more_that_is_known() -> None:
    work = replace(AN_EPISODE, in_hand={"w": float("inf")})
    assert not held("9.94", work, live=1)


def test_no_work_is_never_held() -> None:
    assert not held("11", Work())


def test_the_reason_says_what_is_spent_and_what_it_would_take() -> None:
    said = reason(spending("9.80", running="0.15"), AN_EPISODE, 0, PACE, TAIL_S)
    assert said == (
        "the budget of 2026-11: US$ 9.95 of 10.00 is spent, US$ 0.05 is not spoken for,"
        " and the next episode would cost about 0.10"
    )


@pytest.mark.parametrize(("spent", "start"), [("0", 4), ("9.685", 3), ("9.79", 2), ("9.80", 1), ("9.90", 0)])
def test_no_more_workers_than_can_be_paid(spent: str, start: int) -> None:
    """Each would cost 10.5 cents with one episode."""
    plan = Plan(start=4, market=Market.SPOT)
    work = Work(jobs=10, audio_s=36_000)
    allowed = within(plan, spending(spent), work, 0, PACE, TAIL_S)
    assert allowed == Plan(start=start, market=Market.SPOT if start else None)


def test_where_no_price_is_known_nothing_is_held() -> None:
    unknown = replace(spending("9.99"), hour_usd=Decimal(0))
    assert within(Plan(start=2, market=Market.SPOT), unknown, AN_EPISODE, 0, PACE, TAIL_S).start == 2
    assert not reason(unknown, AN_EPISODE, 0, PACE, TAIL_S)


def test_what_a_person_released_is_not_held() -> None:
    state = BudgetState(month="2026-11", held="spent", held_at=1.0)
    assert is_held(state)
    assert not is_held(replace(state, released_at=2.0))
    assert not is_held(BudgetState(month="2026-11"))


@given(st.decimals(0, 12, places=3), st.decimals(0, 3, places=3), st.integers(0, 50), st.integers(0, 9))
def test_who_has_spent_more_may_start_no_more(less: Decimal, more: Decimal, jobs: int, start: int) -> None:
    work, plan = Work(jobs=jobs, audio_s=1800.0 * jobs), Plan(start=start, market=Market.SPOT)
    before = within(plan, spending(str(less)), work, 0, PACE, TAIL_S).start
    after = within(plan, spending(str(less + more)), work, 0, PACE, TAIL_S).start
    assert 0 <= after <= before <= start
