"""What an instance costs now, read from lists that hold much else."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest

from pipeline.adapters.aws.prices import Prices
from pipeline.errors import StorageError
from tests.aws_site import Obstacle, clients, serving
from tests.builders import NOW, FakeClock
from tests.deployed_site import REGION
from tests.fakes.aws_account import Account
from tests.fakes.aws_prices import FEE, ON_DEMAND_USD, product


def history(rows: list[tuple[str, str, str]], token: str = "") -> bytes:
    """EC2's words for prices: zone, time, dollars."""
    items = "".join(
        f"<item><instanceType>g6.xlarge</instanceType><productDescription>Linux/UNIX</productDescription>"
        f"<spotPrice>{usd}</spotPrice><timestamp>2026-05-28T{at}:00.000Z</timestamp>"
        f"<availabilityZone>{zone}</availabilityZone></item>"
        for zone, at, usd in rows
    )
    return (
        '<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<spotPriceHistorySet>{items}</spotPriceHistorySet><nextToken>{token}</nextToken>"
        "</DescribeSpotPriceHistoryResponse>"
    ).encode()


class SpotMarket:
    """An EC2 that knows when prices changed: tells those in effect at a time, and what was set since."""

    def __init__(self, changes: list[tuple[str, str, str]]) -> None:
        self._changes = sorted(changes, key=lambda change: change[1])

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        asked = parse_qs(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
        since, until = (asked[name][0].removeprefix("2026-05-28T")[:5] for name in ("StartTime", "EndTime"))
        in_effect = {zone: (zone, at, usd) for zone, at, usd in self._changes if at <= since}
        within = [change for change in self._changes if since < change[1] <= until]
        start_response("200 OK", [])
        return [history([*in_effect.values(), *within])]


@pytest.fixture
def account(aws_at: Callable[[str], None], clock: FakeClock) -> Generator[Account]:
    account = Account(clock)
    with account.served() as url:
        aws_at(url)
        yield account


@contextmanager
def behind(account: Account, aws_at: Callable[[str], None]) -> Generator[Obstacle]:
    obstacle = Obstacle(account)
    with serving(obstacle) as url:
        aws_at(url)
        yield obstacle


def prices(clock: FakeClock, region: str = REGION, attempts: int = 3) -> Prices:
    made = clients(attempts)
    return Prices(made.prices(), made.ec2(), region, clock)


@pytest.mark.parametrize("kind", ON_DEMAND_USD)
def test_an_instance_and_its_fee_are_found_among_their_variants(
    account: Account, clock: FakeClock, kind: str
) -> None:
    on_demand, fee = prices(clock).on_demand(kind), prices(clock).fee(kind)
    assert on_demand
    assert fee
    assert on_demand.usd == ON_DEMAND_USD[kind]
    assert fee.usd == ON_DEMAND_USD[kind] * FEE
    assert on_demand.at == fee.at == NOW
    assert on_demand.source != fee.source


def test_the_fee_of_a_type_is_not_that_of_one_whose_name_ends_alike(
    account: Account, clock: FakeClock
) -> None:
    account.prices.products = [
        product(
            "AmazonECS",
            "Compute",
            f"SKU{number}",
            Decimal(usd),
            operation="ECSManagedInstancesUsage",
            usagetype=f"EUW1-ECS-Managed-Instances:{usage}",
        )
        for number, (usage, usd) in enumerate(
            [
                ("gr6.xlarge-management-hours", "9"),
                ("g6.xlarge-management-hours-extra", "8"),
                ("g6.xlarge-management-hours", "0.06"),
            ]
        )
    ]
    fee = prices(clock).fee("g6.xlarge")
    assert fee is not None
    assert fee.usd == Decimal("0.06")
    assert prices(clock).fee("6.xlarge") is None


def test_the_list_is_asked_for_no_more_than_is_wanted(account: Account, clock: FakeClock) -> None:
    """There are hundreds of types, and a page of the list has a hundred entries."""
    more: list[Any] = [
        product(
            "AmazonECS",
            "Compute",
            f"MORE{number}",
            Decimal(1),
            operation="ECSManagedInstancesUsage",
            usagetype=f"USE1-ECS-Managed-Instances:m{number}.large-management-hours",
        )
        for number in range(250)
    ]
    account.prices.products = more + account.prices.products
    assert prices(clock).fee("g6.xlarge")
    assert len(account.prices.asked("GetProducts")) == 1


def test_all_pages_are_read(account: Account, clock: FakeClock) -> None:
    """The right entry may come after many that cost nothing."""
    wanted = {"instanceType": "g6.xlarge", "operatingSystem": "Linux", "tenancy": "Shared"}
    free: list[Any] = [
        product("AmazonEC2", "x", f"F{n}", Decimal(0), preInstalledSw="NA", capacitystatus="Used", **wanted)
        for n in range(150)
    ]
    account.prices.products = free + account.prices.products
    price = prices(clock).on_demand("g6.xlarge")
    assert price is not None
    assert price.usd == ON_DEMAND_USD["g6.xlarge"]
    assert len(account.prices.asked("GetProducts")) == 2


def test_what_is_not_in_the_list_has_no_price(account: Account, clock: FakeClock) -> None:
    assert prices(clock).on_demand("g7.xlarge") is None
    assert prices(clock).fee("g7.xlarge") is None
    assert prices(clock).spot("g7.xlarge") is None
    assert prices(clock, region="eu-west-1").on_demand("g6.xlarge") is None
    assert prices(clock, region="eu-west-1").fee("g6.xlarge") is None


def test_the_spot_price_is_the_cheapest_zones(
    account: Account, clock: FakeClock, aws_at: Callable[[str], None]
) -> None:
    with behind(account, aws_at) as obstacle:
        obstacle.answer(
            "POST", 200, history([("us-east-1a", "20:00", "0.40"), ("us-east-1b", "19:00", "0.3")])
        )
        price = prices(clock).spot("g6.xlarge")
    assert price is not None
    assert (price.usd, price.at) == (Decimal("0.3"), NOW)
    assert "us-east-1b" in price.source


def test_of_a_zones_spot_prices_the_last_counts(
    account: Account, clock: FakeClock, aws_at: Callable[[str], None]
) -> None:
    rows = [("us-east-1a", "20:00", "0.40"), ("us-east-1a", "19:00", "0.10"), ("us-east-1b", "18:00", "0.45")]
    with behind(account, aws_at) as obstacle:
        obstacle.answer("POST", 200, history(rows))
        price = prices(clock).spot("g6.xlarge")
    assert price is not None
    assert price.usd == Decimal("0.4")


@pytest.mark.parametrize(
    ("ago_s", "zone", "usd"),
    [
        (0, "us-east-1a", "0.40"),
        (0, "us-east-1b", "0.45"),
        (0, "", "0.40"),
        (90 * 60, "us-east-1a", "0.50"),
        (90 * 60, "us-east-1b", "0.45"),
        (90 * 60, "", "0.45"),
    ],
)
def test_a_spot_price_is_of_a_time_and_a_zone(
    clock: FakeClock, aws_at: Callable[[str], None], ago_s: float, zone: str, usd: str
) -> None:
    changes = [
        ("us-east-1a", "20:00", "0.40"),
        ("us-east-1a", "17:00", "0.50"),
        ("us-east-1b", "18:00", "0.45"),
    ]
    with serving(SpotMarket(changes)) as url:
        aws_at(url)
        price = prices(clock).spot("g6.xlarge", zone, NOW - ago_s if ago_s else None)
        assert prices(clock).spot("g6.xlarge", "us-east-1f") is None
    assert price is not None
    assert (price.usd, price.at) == (Decimal(usd), NOW - ago_s)
    assert zone in price.source


def test_an_empty_page_of_spot_prices_is_not_the_last(
    account: Account, clock: FakeClock, aws_at: Callable[[str], None]
) -> None:
    with behind(account, aws_at) as obstacle:
        obstacle.answer("POST", 200, history([], token="more"))
        obstacle.answer("POST", 200, history([("us-east-1a", "20:00", "0.31")]))
        price = prices(clock).spot("g6.xlarge")
    assert price is not None
    assert price.usd == Decimal("0.31")


def test_a_spot_price_of_the_region(account: Account, clock: FakeClock) -> None:
    price = prices(clock).spot("g6.xlarge")
    assert price is not None
    assert price.usd > 0
    assert price.source.removeprefix("EC2 spot price in ").startswith(REGION)


@pytest.mark.parametrize("service", ["pricing", "ec2"])
def test_a_list_that_is_too_busy_says_so(account: Account, clock: FakeClock, service: str) -> None:
    account.throttle(service, 1)
    asked = prices(clock, attempts=1)
    with pytest.raises(StorageError, match="more than it can take") as refused:
        asked.spot("g6.xlarge") if service == "ec2" else asked.fee("g6.xlarge")
    assert "again" in refused.value.hint


def test_who_may_not_ask_is_told_what_for(account: Account, clock: FakeClock) -> None:
    account.prices.fail(
        "GetProducts",
        "AccessDeniedException",
        "User: a is not authorized to perform: pricing:GetProducts on x",
    )
    with pytest.raises(StorageError, match="does not allow pricing:GetProducts on the AWS Price List"):
        prices(clock).on_demand("g6.xlarge")


def test_a_busy_moment_is_waited_for(account: Account, clock: FakeClock) -> None:
    account.throttle("pricing", 1)
    assert prices(clock).on_demand("g6.xlarge")
