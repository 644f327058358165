"""What AWS billed for a deployment, picked out of an account's bill."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from pipeline.adapters.aws.billed import BilledCosts
from pipeline.adapters.aws.clients import Clients
from pipeline.deployment import TAG, Deployment
from pipeline.errors import ConfigError, StorageError
from pipeline.reconciling import Billed
from tests.aws_site import clients
from tests.builders import FakeClock
from tests.fakes.aws_account import Account
from tests.fakes.aws_costs import Line

EC2 = "Amazon Elastic Compute Cloud - Compute"
OURS = {TAG: "show", "team": "a"}
OCTOBER = date(2026, 10, 7)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def account(aws_at: Callable[[str], None], clock: FakeClock) -> Generator[Account]:
    account = Account(clock)
    account.costs.activated = {TAG}
    with account.served() as url:
        aws_at(url)
        yield account


def billed(clock: FakeClock, attempts: int = 3) -> BilledCosts:
    return BilledCosts(clients(attempts).cost_explorer(), Deployment("show", "eu-west-1"), clock)


def test_a_months_lines_are_added_up_by_type_of_use(account: Account, clock: FakeClock) -> None:
    account.costs.lines = [
        Line(day=date(2026, 9, 30), unblended="5", tags=OURS),
        Line(day=date(2026, 10, 1), unblended="0.1000000001", quantity="0.25", tags=OURS),
        Line(day=date(2026, 10, 31), unblended="0.2", quantity="0.5", tags=OURS),
        Line(
            day=OCTOBER,
            service="Amazon DynamoDB",
            usage_type="WriteRequestUnits",
            unblended="1E-8",
            tags=OURS,
        ),
        Line(day=date(2026, 11, 1), unblended="7", tags=OURS),
    ]
    assert billed(clock).of_month("2026-10") == [
        Billed(
            service=EC2,
            usage_type="BoxUsage:g6.xlarge",
            usd=Decimal("0.3000000001"),
            quantity=Decimal("0.75"),
        ),
        Billed(
            service="Amazon DynamoDB",
            usage_type="WriteRequestUnits",
            usd=Decimal("0.00000001"),
            quantity=Decimal(1),
        ),
    ]


def test_only_the_deployments_own_costs_count(account: Account, clock: FakeClock) -> None:
    account.costs.lines = [
        Line(day=OCTOBER, unblended="1", tags=OURS),
        Line(day=OCTOBER, unblended="2", tags={TAG: "another"}),
        Line(day=OCTOBER, unblended="4", tags={"team": "show"}),
        Line(day=OCTOBER, unblended="8"),
    ]
    assert [line.usd for line in billed(clock).of_month("2026-10")] == [1]


def test_credits_and_tax_are_no_costs_of_use(account: Account, clock: FakeClock) -> None:
    account.costs.lines = [
        Line(day=OCTOBER, unblended="1", tags=OURS),
        *(
            Line(day=OCTOBER, unblended=usd, record_type=kind, tags=OURS)
            for kind, usd in (("Credit", "-1"), ("Refund", "-0.5"), ("Tax", "0.2"))
        ),
    ]
    assert [line.usd for line in billed(clock).of_month("2026-10")] == [1]


def test_what_a_savings_plan_covers_costs_what_it_leaves(account: Account, clock: FakeClock) -> None:
    """Unblended, a covered hour is at its full price."""
    account.costs.lines = [
        Line(
            day=OCTOBER,
            unblended="0.8048",
            amortized="0.59",
            record_type="SavingsPlanCoveredUsage",
            tags=OURS,
        )
    ]
    (line,) = billed(clock).of_month("2026-10")
    assert line.usd == Decimal("0.59")


def test_a_tag_that_is_not_activated_finds_nothing(account: Account, clock: FakeClock) -> None:
    account.costs.activated = set()
    account.costs.lines = [Line(day=OCTOBER, unblended="1", tags=OURS)]
    assert billed(clock).of_month("2026-10") == []


def test_all_pages_are_read(account: Account, clock: FakeClock) -> None:
    account.costs.page_size = 2
    account.costs.lines = [
        Line(day=OCTOBER, usage_type=f"BoxUsage:m{n}.large", unblended="1", tags=OURS) for n in range(5)
    ]
    found = [line.usage_type for line in billed(clock).of_month("2026-10")]
    assert found == [f"BoxUsage:m{n}.large" for n in range(5)]
    assert len(account.costs.asked("GetCostAndUsage")) == 3


def test_a_month_is_asked_for_with_one_request(account: Account, clock: FakeClock) -> None:
    """Each is paid for."""
    account.costs.lines = [
        Line(day=OCTOBER, usage_type=f"BoxUsage:m{n}.large", unblended="1", tags=OURS) for n in range(50)
    ]
    assert len(billed(clock).of_month("2026-10")) == 50
    assert account.requests == [("ce", "GetCostAndUsage")]


@pytest.mark.parametrize("day", [1, 24, 30])
def test_the_month_that_runs_is_estimated(account: Account, clock: FakeClock, day: int) -> None:
    clock.now = datetime(2026, 11, day, 23, 59, tzinfo=UTC).timestamp()
    account.costs.lines = [
        Line(day=date(2026, 11, day), unblended="1", tags=OURS),
        Line(day=date(2026, 10, 31), unblended="2", tags=OURS),
    ]
    assert [(line.usd, line.estimated) for line in billed(clock).of_month("2026-11")] == [(1, True)]
    assert [(line.usd, line.estimated) for line in billed(clock).of_month("2026-10")] == [(2, False)]


@pytest.mark.parametrize(
    ("year", "month", "last"), [(2026, 2, 28), (2024, 2, 29), (2025, 12, 31), (2026, 4, 30)]
)
def test_a_month_ends_with_its_last_day(
    account: Account, clock: FakeClock, year: int, month: int, last: int
) -> None:
    account.costs.lines = [
        Line(day=date(year, month, last), unblended="1", tags=OURS),
        Line(day=date(year + month // 12, month % 12 + 1, 1), unblended="2", tags=OURS),
    ]
    assert [line.usd for line in billed(clock).of_month(f"{year}-{month:02}")] == [1]


def test_a_month_to_come_is_not_asked_for(account: Account, clock: FakeClock) -> None:
    with pytest.raises(ConfigError, match="2026-12 has not begun"):
        billed(clock).of_month("2026-12")
    assert not account.requests


@pytest.mark.parametrize(
    ("code", "message", "words", "hint"),
    [
        (
            "AccessDeniedException",
            "User: a is not authorized to perform: ce:GetCostAndUsage on resource: x",
            "does not allow ce:GetCostAndUsage on Cost Explorer",
            "needs ce:GetCostAndUsage",
        ),
        (
            "AccessDeniedException",
            "User not enabled for cost explorer access",
            "does not allow GetCostAndUsage on Cost Explorer",
            "open Cost Explorer once",
        ),
        ("DataUnavailableException", "", "Cost Explorer has no data yet", "a day after"),
        ("LimitExceededException", "", "more than it can take", "again"),
        ("ValidationException", "Start date is too old", "Start date is too old", ""),
    ],
)
def test_a_refusal_is_said_in_plain_words(
    account: Account, clock: FakeClock, code: str, message: str, words: str, hint: str
) -> None:
    account.costs.fail("GetCostAndUsage", code, message, times=3)
    with pytest.raises(StorageError) as refused:
        billed(clock, attempts=1).of_month("2026-10")
    assert words in refused.value.message
    assert hint in refused.value.hint


def test_cost_explorer_is_asked_where_it_is(account: Account) -> None:
    assert Clients("0", region="eu-west-1").cost_explorer().meta.region_name == "us-east-1"
