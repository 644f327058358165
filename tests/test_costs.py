"""What instances cost, and how episodes share it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.costs import (
    NANO,
    Use,
    bill_of,
    charges,
    hours,
    item,
    lessened,
    lines_of,
    shares_of,
    so_far,
    split,
    spot_hours,
    use_of,
)
from pipeline.model import Bill, Instance, Market, Part, Price, Stint, Task

T = 1_000_000.0
MINUTE = 60.0


def price(usd: str, unit: str = "h") -> Price:
    return Price(usd=Decimal(usd), source="a test", at=T, unit=unit)


def instance(minutes: float) -> Instance:
    return Instance(
        id="i-1", type="g6.xlarge", market=Market.ON_DEMAND, launched_at=T, ended_at=T + minutes * MINUTE
    )


def task(id: str, asked: float = 0, started: float | None = 3, stopped: float | None = None) -> Task:
    return Task(
        id=id,
        instance="i-1",
        asked_at=T + asked * MINUTE,
        started_at=None if started is None else T + started * MINUTE,
        stopped_at=None if stopped is None else T + stopped * MINUTE,
    )


def stint(worker: str, episode: str, began: float, ended: float) -> Stint:
    return Stint(worker=worker, episode=episode, began_at=T + began * MINUTE, ended_at=T + ended * MINUTE)


def in_minutes(use: Use) -> tuple[dict[str, float], float, float]:
    return (
        {episode: round(seconds / MINUTE, 6) for episode, seconds in use.work_s.items()},
        round(use.start_up_s / MINUTE, 6),
        round(use.idle_s / MINUTE, 6),
    )


def test_time_is_work_or_start_up_or_idle() -> None:
    use = use_of(instance(20), [task("w", started=3)], [stint("w", "a", 3, 8), stint("w", "b", 8.5, 18.5)])
    assert in_minutes(use) == ({"a": 5, "b": 10}, 3, 2)


def test_what_was_done_at_once_is_halved() -> None:
    """Two workers on one instance: while both work, each minute is shared."""
    tasks = [task("w", started=2), task("v", started=4)]
    use = use_of(instance(12), tasks, [stint("w", "a", 2, 10), stint("v", "b", 4, 8)])
    assert in_minutes(use) == ({"a": 6, "b": 2}, 2, 2)


def test_a_second_worker_starts_beside_work_and_alone() -> None:
    tasks = [task("w", started=2), task("v", asked=5, started=8)]
    use = use_of(instance(10), tasks, [stint("w", "a", 2, 6), stint("v", "b", 8, 10)])
    assert in_minutes(use) == ({"a": 4, "b": 2}, 2 + 2, 0)


def test_nothing_counts_outside_an_instances_life() -> None:
    """Clocks differ, and a killed worker's episode is given back after its instance is gone."""
    use = use_of(instance(10), [task("w", asked=-2, started=-1)], [stint("w", "a", -1, 14)])
    assert in_minutes(use) == ({"a": 10}, 0, 0)


@pytest.mark.parametrize(("started", "stopped"), [(None, 4), (4, 5)])
def test_a_worker_that_came_to_nothing_was_starting_until_it_ran_or_ended(
    started: float | None, stopped: float
) -> None:
    use = use_of(instance(10), [task("w", started=started, stopped=stopped)], [])
    assert in_minutes(use) == ({}, 4, 6)


def test_a_minute_is_paid_for_at_least() -> None:
    use = use_of(instance(0.5), [task("w", started=0)], [stint("w", "a", 0, 0.5)])
    assert use.billed_s == 60
    assert in_minutes(use) == ({"a": 0.5}, 0, 0.5)


def hour_bill(use: Use) -> Bill:
    paid = hours(use.billed_s)
    return bill_of(
        instance(20), use, [item("instance", paid, price("0.8048")), item("fee", paid, price("0.0628"))]
    )


def test_the_worked_example_of_the_docs() -> None:
    """docs/costs.md: twenty minutes of a g6.xlarge, an episode of 5 minutes' work and one of 10."""
    bill = hour_bill(Use(work_s={"a": 300.0, "b": 600.0}, start_up_s=180.0, idle_s=120.0))
    assert bill.usd == Decimal("0.289200000")  # a third of 0.8676
    assert charges(bill) == {"a": Decimal("0.096400000"), "b": Decimal("0.192800000")}
    shown = {(line.episode, line.what, line.part): line.usd for line in lines_of(bill)}
    assert shown["a", "instance", Part.WORK] == Decimal("0.067066667")  # 300 s x 0.8048 / 3600
    assert shown["b", "fee", Part.IDLE] == Decimal("0.001395556")  # two thirds of 120 s x 0.0628 / 3600


def test_what_nobody_worked_on_is_nobodys() -> None:
    bill = hour_bill(Use(work_s={}, start_up_s=240.0, idle_s=60.0))
    assert charges(bill) == {}
    assert {(line.episode, line.part) for line in lines_of(bill)} == {
        (None, Part.START_UP),
        (None, Part.IDLE),
    }
    assert sum(line.usd for line in lines_of(bill)) == bill.usd


def test_standing_costs_are_shared_by_work() -> None:
    items = (item("secret", Decimal(1), price("0.40", "month")),)
    bill = Bill(id="standing-2026-10", began_at=0, ended_at=1, items=items, work_s={"a": 100.0, "b": 300.0})
    assert charges(bill) == {"a": Decimal("0.100000000"), "b": Decimal("0.300000000")}
    assert {line.part for line in lines_of(bill)} == {Part.STANDING}
    nobody = replace(bill, work_s={})
    assert [(line.episode, line.usd) for line in lines_of(nobody)] == [(None, Decimal("0.400000000"))]


def test_a_savings_plan_lessens_what_it_covers() -> None:
    half, rest = lessened(price("1.00"), Decimal("0.3"), Decimal("0.5"))
    assert (half.price.usd, half.share, rest.price.usd, rest.share) == (
        Decimal("0.700"),
        Decimal("0.5"),
        Decimal("1.00"),
        Decimal("0.5"),
    )
    assert "less 30% by a savings plan" in half.price.source
    assert lessened(price("1.00"), Decimal(0), Decimal(1)) == lessened(
        price("1.00"), Decimal("0.3"), Decimal(0)
    )


def test_the_hours_of_a_spot_instance_begin_with_its_launch() -> None:
    assert spot_hours(T, T + 7500) == [(T, 3600), (T + 3600, 3600), (T + 7200, 300)]
    assert spot_hours(T, T + 3600) == [(T, 3600)]
    assert spot_hours(T, T + 10) == [(T, 60)]


def test_what_runs_costs_by_the_second_from_the_first_minute() -> None:
    running = replace(instance(0), ended_at=None)
    assert so_far(running, Decimal("3.6"), T + 20) == Decimal("0.060000000")
    assert so_far(running, Decimal("3.6"), T + 1000) == Decimal("1.000000000")


seconds = st.floats(0, 1e6, allow_nan=False)
usd = st.decimals(0, 100, places=6, allow_nan=False)
uses = st.builds(
    Use,
    work_s=st.dictionaries(st.text("abcdef", min_size=1, max_size=3), seconds, max_size=8),
    start_up_s=seconds,
    idle_s=seconds,
)


@given(uses, st.lists(st.tuples(seconds, usd), min_size=1, max_size=4))
def test_lines_add_up_to_the_bill_and_none_is_negative(use: Use, priced: list[tuple[float, Decimal]]) -> None:
    bill = bill_of(
        instance(20), use, [item("instance", quantity, price(str(each))) for quantity, each in priced]
    )
    lines = lines_of(bill)
    assert sum((line.usd for line in lines), Decimal(0)) == bill.usd
    assert sum((line.quantity for line in lines), Decimal(0)) == sum(each.quantity for each in bill.items)
    assert all(line.usd >= 0 and line.quantity >= 0 for line in lines)
    assert sum(charges(bill).values(), Decimal(0)) in (bill.usd, Decimal(0))
    of_lines: dict[tuple[str | None, Part], Decimal] = {}
    for line in lines:
        bearer = line.episode, line.part
        of_lines[bearer] = of_lines.get(bearer, Decimal(0)) + line.usd
    assert shares_of(bill) == of_lines


@given(st.decimals(0, 10_000, places=9), st.lists(st.floats(0, 1e7), min_size=1, max_size=50))
def test_shares_are_within_a_billionth_of_their_proportion(whole: Decimal, weights: list[float]) -> None:
    shares = split(whole, weights)
    assert sum(shares) == whole
    total = sum(Decimal(round(weight * 1_000_000)) for weight in weights)
    if total:
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share - whole * Decimal(round(weight * 1_000_000)) / total) <= NANO


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.floats(-5, 40), st.floats(0, 30)),
        max_size=8,
    ),
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(-5, 40), st.floats(0, 30)), max_size=4),
    st.floats(0, 40),
)
def test_use_adds_up_to_what_is_billed(
    work: list[tuple[str, str, float, float]], starts: list[tuple[str, float, float]], minutes: float
) -> None:
    box = instance(minutes)
    tasks = [task(id, asked, asked + lasts) for id, asked, lasts in starts]
    use = use_of(box, tasks, [stint(w, e, began, began + lasts) for w, e, began, lasts in work])
    assert use.billed_s == pytest.approx(max(60.0, minutes * MINUTE))
    assert use.start_up_s >= 0
    assert use.idle_s >= 0
    assert all(seconds >= 0 for seconds in use.work_s.values())


@given(uses, usd, usd, seconds)
def test_a_higher_price_or_a_longer_life_never_costs_less(
    use: Use, low: Decimal, more: Decimal, longer: float
) -> None:
    def cost(used: Use, an_hour: Decimal) -> Decimal:
        return item("instance", hours(used.billed_s), price(str(an_hour))).usd

    assert cost(use, low) <= cost(use, low + more)
    assert cost(use, low) <= cost(replace(use, idle_s=use.idle_s + longer), low)
