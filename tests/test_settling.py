"""From instances that ended to bills, on a deployment whose ECS lives by the test's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from pipeline import states
from pipeline.adapters.aws.fleet_records import FleetRecords
from pipeline.adapters.aws.prices import Prices
from pipeline.adapters.aws.rows import Rows
from pipeline.config import Aws, Savings
from pipeline.costs import charges, lines_of
from pipeline.listed import Listed
from pipeline.model import Bill, Job, Lease, Market, Price, Task
from pipeline.settling import Books, bills_of, settle, spending
from pipeline.tariff import month_span
from tests.builders import a_change, a_review, an_episode
from tests.deployed_site import DeployedSite
from tests.faulty import Crash

SPOT, ON_DEMAND = Market.SPOT, Market.ON_DEMAND
AWS = Aws(region="us-east-1")


def books(site: DeployedSite, **other: object) -> Books:
    clients = site.clients
    made = Books(
        ledger=site.ledger(),
        meter=site.records(),
        prices=Prices(clients.prices(), clients.ec2(), "us-east-1", site.clock),
        service_price=Listed("us-east-1").service,
        aws=AWS,
        lease_s=60,
        clock=site.clock,
    )
    return replace(made, **other)  # pyright: ignore[reportArgumentType] - each is one of its fields


@dataclass
class Shift:
    """An instance's life: a worker that is started, works on episodes and ends."""

    site: DeployedSite
    task: Task = field(init=False)

    def begin(self, market: Market = ON_DEMAND) -> Shift:
        (self.task,) = self.site.fleet().start(1, market)
        while not any(task.started_at for task in self.site.fleet().survey() if task.id == self.task.id):
            self.site.clock.go_on(5)
        return self

    def work(self, episode_id: str, seconds: float) -> None:
        ledger, clock = self.site.ledger(), self.site.clock
        episode = ledger.get(episode_id) or an_episode(id=episode_id, duration_s=1800.0)
        ledger.record([a_change(episode)])
        change = states.queued(episode, clock())
        ledger.record([change])
        lease = Lease(job=Job(episode_id=episode_id), token="t", until=clock() + 60, receives=1)
        change = states.claimed(change.episode, self.task.id, lease, clock())
        ledger.record([change])
        clock.go_on(seconds)
        change = states.transcribed(change.episode, {}, 1800.0, clock(), seconds)
        ledger.record([change])
        ledger.record([states.in_review(change.episode, a_review(), {}, clock())])

    def end(self) -> None:
        """Until the instance is gone and known to be."""
        self.site.account.ecs.end(self.task.id)
        for _ in range(60):
            self.site.clock.go_on(10)
            self.site.fleet().survey()


def test_what_an_instance_cost_is_shared_by_those_who_were_on_it(deployed: DeployedSite) -> None:
    shift = Shift(deployed).begin()
    shift.work("show-1", 100)
    shift.work("show-2", 300)
    assert settle(books(deployed)).bills == ()  # it runs still
    shift.end()
    (instance,) = deployed.records().unbilled()
    settled = settle(books(deployed))
    assert settled.bills == (instance.id,)

    (bill,) = deployed.ledger().bills()
    assert bill.work_s == pytest.approx({"show-1": 100, "show-2": 300})
    lived_s = (instance.ended_at or 0) - (instance.launched_at or 0)
    assert bill.start_up_s + bill.idle_s + 400 == pytest.approx(lived_s)
    assert bill.start_up_s > 60
    assert bill.idle_s > 100
    by_kind = {item.what: item for item in bill.items}
    assert by_kind["instance"].price.usd == Decimal("0.8048")
    assert by_kind["instance"].usd == pytest.approx(Decimal("0.8048") * Decimal(lived_s) / 3600)
    assert by_kind["fee"].price.usd == pytest.approx(Decimal("0.8048") * Decimal("0.078"))
    assert all(item.price.source and item.price.at for item in bill.items)

    first, second = deployed.ledger().several(["show-1", "show-2"])
    assert first.charges == {instance.id: charges(bill)["show-1"]}
    assert float(second.charges[instance.id]) == pytest.approx(3 * float(first.charges[instance.id]))
    assert sum(line.usd for line in lines_of(bill)) == bill.usd


def test_it_is_billed_once_for_ever(deployed: DeployedSite) -> None:
    """Though ECS and EC2 tell of it for an hour."""
    Shift(deployed).begin().end()
    assert len(settle(books(deployed)).bills) == 1
    for _ in range(10):
        deployed.fleet().survey()
        assert settle(books(deployed)).bills == ()
        deployed.clock.go_on(600)
    assert deployed.records().unbilled() == []
    assert len(deployed.ledger().bills()) == 1


def test_who_is_killed_between_bill_and_note_is_repeated_without_harm(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift = Shift(deployed).begin()
    shift.work("show-1", 100)
    shift.end()

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(FleetRecords, "billed", crash)
        with pytest.raises(Crash):
            settle(books(deployed))
    (bill,) = deployed.ledger().bills()
    savings = replace_aws(savings=Savings(discount=0.5))
    assert settle(books(deployed, aws=savings)).bills == (bill.id,)
    assert deployed.ledger().bills() == [bill]
    (episode,) = deployed.ledger().several(["show-1"])
    assert episode.charges == {bill.id: charges(bill)["show-1"]}


def replace_aws(**changes: object) -> Aws:
    return msgspec.structs.replace(AWS, **changes)


class Quoted:
    """A list of prices that says what it is told to."""

    def __init__(self, spot: Callable[[float], str | None] = lambda at: None, on_demand: str = "") -> None:
        self._spot, self._on_demand = spot, on_demand

    def on_demand(self, instance_type: str) -> Price | None:
        return price(self._on_demand)

    def fee(self, instance_type: str) -> Price | None:
        return price("0.06")

    def spot(self, instance_type: str, zone: str = "", at: float | None = None) -> Price | None:
        return price(self._spot(at or 0.0))


def price(usd: str | None) -> Price | None:
    return Price(usd=Decimal(usd), source="said so", at=0) if usd else None


def test_without_a_price_a_bill_waits(deployed: DeployedSite) -> None:
    Shift(deployed).begin().end()
    settled = settle(books(deployed, prices=Quoted()))
    assert (settled.bills, settled.unpriced) == ((), ("g6.xlarge",))
    assert len(settle(books(deployed, prices=Quoted(on_demand="0.80"))).bills) == 1


def test_each_hour_on_spot_has_the_price_that_it_began_with(deployed: DeployedSite) -> None:
    shift = Shift(deployed).begin(SPOT)
    shift.work("show-1", 5400)
    shift.end()
    (instance,) = deployed.records().unbilled()
    launched_at = instance.launched_at or 0

    def spot(at: float) -> str:
        return "0.30" if at < launched_at + 3600 else "0.40"

    settle(books(deployed, prices=Quoted(spot)))
    (bill,) = deployed.ledger().bills()
    paid = {item.price.usd: item.quantity for item in bill.items if item.what == "instance"}
    lived_h = Decimal((instance.ended_at or 0) - launched_at) / 3600
    assert paid == {
        Decimal("0.30"): pytest.approx(Decimal(1)),
        Decimal("0.40"): pytest.approx(lived_h - 1),
    }
    (fee,) = (item for item in bill.items if item.what == "fee")
    assert fee.quantity == pytest.approx(lived_h)


def test_a_savings_plan_leaves_the_fee_as_it_is(deployed: DeployedSite) -> None:
    Shift(deployed).begin().end()
    settle(books(deployed, aws=replace_aws(savings=Savings(discount=0.4))))
    (bill,) = deployed.ledger().bills()
    by_kind = {item.what: item.price.usd for item in bill.items}
    assert by_kind["instance"] == Decimal("0.8048") * Decimal("0.6")
    assert by_kind["fee"] == pytest.approx(Decimal("0.8048") * Decimal("0.078"))


def test_a_months_standing_costs_are_shared_when_it_is_over(deployed: DeployedSite) -> None:
    _, ends_at = month_span("2026-06")
    deployed.clock.go_on(month_span("2026-06")[0] + 86_400 - deployed.clock())
    shift = Shift(deployed).begin()
    shift.work("show-1", 100)
    shift.work("show-2", 300)
    shift.end()
    settle(books(deployed))
    (of_instance,) = deployed.ledger().bills()
    deployed.clock.go_on(ends_at + 60 - deployed.clock())
    assert settle(books(deployed)).bills == ()
    deployed.clock.go_on(3600)
    assert settle(books(deployed)).bills == ("standing-2026-06",)
    assert settle(books(deployed)).bills == ()

    standing: Bill = deployed.ledger().bills()[-1]
    assert standing.began_at == of_instance.began_at
    secret = next(item for item in standing.items if item.what == "secret")
    months = Decimal(ends_at - 1 - standing.began_at) / (30 * 86_400)
    assert secret.usd == pytest.approx(Decimal("0.40") * months, rel=Decimal("1e-5"))
    first, second = deployed.ledger().several(["show-1", "show-2"])
    assert float(second.charges[standing.id]) == pytest.approx(3 * float(first.charges[standing.id]))
    assert first.charges[standing.id] + second.charges[standing.id] == standing.usd


def test_what_nothing_ran_in_has_no_standing_costs(deployed: DeployedSite) -> None:
    deployed.clock.go_on(40 * 86_400)
    assert settle(books(deployed)).bills == ()


def test_a_month_until_now_counts_what_runs(deployed: DeployedSite) -> None:
    shift = Shift(deployed).begin()
    shift.work("show-1", 100)
    shift.end()
    settle(books(deployed))
    (bill,) = deployed.ledger().bills()
    Shift(deployed).begin()
    deployed.clock.go_on(3600)
    now = spending(books(deployed, aws=replace_aws(budget_usd=30.0)))
    assert now.limit_usd == 30
    assert now.running_usd == pytest.approx(Decimal("0.8676") * Decimal("1.02"), rel=Decimal("0.02"))
    standing = now.spent_usd - bill.usd
    assert 0 < standing < Decimal("0.05")
    # The dearest of the types in the market that is asked first; moto's spot price is next to nothing.
    assert now.hour_usd == pytest.approx(Decimal("1.006") * Decimal("0.078"), rel=Decimal("0.01"))


def test_who_is_killed_while_a_month_is_charged_goes_on_next_time(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ends_at = month_span("2026-06")
    deployed.clock.go_on(ends_at - 86_400 - deployed.clock())
    shift = Shift(deployed).begin()
    shift.work("show-1", 100)
    shift.work("show-2", 300)
    shift.end()
    settle(books(deployed))
    deployed.clock.go_on(ends_at + 3600 - deployed.clock())
    update = Rows.update

    def crash(rows: Rows, kind: str, name: str, **request: Any) -> bool:
        if name == "show-2":
            raise Crash
        return update(rows, kind, name, **request)

    with monkeypatch.context() as patched:
        patched.setattr(Rows, "update", crash)
        with pytest.raises(Crash):
            settle(books(deployed))
    settle(books(deployed))
    standing = deployed.ledger().bills()[-1]
    charged = {each.id: each.charges[standing.id] for each in deployed.ledger().several(["show-1", "show-2"])}
    assert charged == charges(standing)
    assert settle(books(deployed)).bills == ()


def test_a_bill_waits_for_a_worker_that_is_not_known_to_be_gone(deployed: DeployedSite) -> None:
    """What it had in hand is not noted yet; but ECS may never tell."""
    shift = Shift(deployed).begin()
    (instance,) = deployed.records().unbilled()
    ended_at = deployed.clock() + 100
    deployed.records().keep_instances([replace(instance, ended_at=ended_at)])
    deployed.clock.go_on(100 + 3000)
    assert settle(books(deployed)).bills == ()
    (task,) = deployed.records().tasks_on(instance)
    deployed.records().keep_tasks([replace(task, stopped_at=ended_at)])
    assert settle(books(deployed)).bills == (instance.id,)
    assert task.id == shift.task.id


def test_an_instance_is_billed_though_ecs_says_for_ever_that_its_worker_runs(deployed: DeployedSite) -> None:
    Shift(deployed).begin()
    (instance,) = deployed.records().unbilled()
    deployed.records().keep_instances([replace(instance, ended_at=deployed.clock())])
    deployed.clock.go_on(3601)
    assert settle(books(deployed)).bills == (instance.id,)


def test_what_is_billed_and_not_yet_noted_is_counted_once(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shift(deployed).begin().end()

    def unnoted(*_: object) -> None: ...

    monkeypatch.setattr(FleetRecords, "billed", unnoted)
    settle(books(deployed))
    now = spending(books(deployed))
    (bill,) = deployed.ledger().bills()
    assert now.running_usd == 0
    assert bill.usd < now.spent_usd < bill.usd + Decimal("0.01")


def test_the_bills_of_a_month_that_is_not_over_have_what_stood_there_until_now(
    deployed: DeployedSite,
) -> None:
    _, ends_at = month_span("2026-06")
    deployed.clock.go_on(ends_at - 86_400 - deployed.clock())
    Shift(deployed).begin().end()
    settle(books(deployed))
    (instance,) = deployed.ledger().bills()
    whole, standing = bills_of(books(deployed), "2026-06")
    assert whole == instance
    assert (standing.id, standing.ended_at) == ("standing-2026-06", deployed.clock())
    assert 0 < standing.usd < Decimal("0.01")
    deployed.clock.go_on(ends_at + 60 - deployed.clock())  # and while its last instances are billed
    _, nearly = bills_of(books(deployed), "2026-06")
    assert standing.usd < nearly.usd
    deployed.clock.go_on(3600)
    settle(books(deployed))
    assert bills_of(books(deployed), "2026-06") == deployed.ledger().bills()
    assert bills_of(books(deployed), "2026-05") == []


def test_an_instance_that_came_too_late_for_its_task_is_billed_too(deployed: DeployedSite) -> None:
    (task,) = deployed.fleet().start(1, ON_DEMAND)
    deployed.clock.go_on(20)
    deployed.fleet().stop(task.id, "no instance came")
    deployed.clock.go_on(40)  # ECS does not know of it yet, or no longer: EC2 does
    deployed.fleet().survey()
    (instance,) = deployed.records().unbilled()
    for _ in range(30):
        deployed.clock.go_on(60)
        deployed.fleet().survey()
    assert settle(books(deployed)).bills == (instance.id,)
    (bill,) = deployed.ledger().bills()
    assert (bill.work_s, bill.start_up_s) == ({}, 0)
    assert bill.idle_s > 60
    assert bill.usd > 0
