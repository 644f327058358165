"""The prices that are shipped: dated, said to be shipped, and as they were published."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest

from pipeline.listed import Listed, types
from pipeline.model import Price

REGIONS = [
    *("us-east-1", "us-east-2", "us-west-2", "ca-central-1"),
    *("eu-west-1", "eu-west-2", "eu-central-1", "eu-north-1", "ap-northeast-1", "ap-southeast-2"),
]
SERVICES = [
    *(
        "gp3",
        "ipv4",
        "nat",
        "nat-data",
        "endpoint",
        "secret",
        "alarm",
        "ecr",
        "s3",
        "s3-ia",
        "s3-put",
        "s3-get",
    ),
    *("sqs", "dynamodb-write", "dynamodb-read", "logs", "egress", "lambda", "lambda-call", "schedule"),
    *("fargate-vcpu", "fargate-gb", "ml.g4dn.xlarge", "ml.g5.xlarge", "ml.g6.xlarge"),
]


def price(found: Price | None) -> Price:
    assert found is not None
    return found


def cents(usd: Decimal, digits: str) -> Decimal:
    return usd.quantize(Decimal(digits), ROUND_HALF_UP)


@pytest.mark.parametrize("region", REGIONS)
def test_every_instance_has_a_price_and_a_lower_fee_that_say_whence_they_are(region: str) -> None:
    assert {"g4dn.xlarge", "g5.xlarge", "c7i.4xlarge"} <= set(types(region))
    for kind in types(region):
        on_demand, fee = price(Listed(region).on_demand(kind)), price(Listed(region).fee(kind))
        assert 0 < fee.usd < on_demand.usd < 10
        for each in (on_demand, fee):
            assert each.at == datetime(2026, 2, 7, tzinfo=UTC).timestamp()
            assert "2026-02-07, shipped with Proofcast" in each.source
            assert each.unit == "h"


@pytest.mark.parametrize("region", REGIONS)
def test_no_figure_is_out_of_line_with_its_neighbours(
    region: str,
) -> None:
    for kind in types(region):
        here = price(Listed(region).on_demand(kind)).usd
        assert here >= price(Listed("us-east-1").on_demand(kind)).usd
        if (twice := kind.replace(".xlarge", ".2xlarge")) in types(region) and twice != kind:
            assert here < price(Listed(region).on_demand(twice)).usd <= 2 * here


@pytest.mark.parametrize(
    ("kind", "share", "since"),
    [
        ("g6.xlarge", "0.078", "2026-07-01"),
        ("g4dn.2xlarge", "0.078", "2026-07-01"),
        ("p3.2xlarge", "0.048", "2026-07-01"),
        ("c7i.xlarge", "0.12", "2026-02-07"),
    ],
)
def test_the_fee_is_a_share_that_differs_by_family(kind: str, share: str, since: str) -> None:
    listed = Listed("us-east-1")
    fee = price(listed.fee(kind))
    assert fee.usd == cents(price(listed.on_demand(kind)).usd * Decimal(share), "0.0001")
    assert fee.source.startswith(f"{Decimal(share):.1%} (")
    assert since in fee.source


@pytest.mark.parametrize(
    ("kind", "on_demand", "all_in"),
    [
        ("g6.xlarge", "0.8048", "0.868"),
        ("g5.xlarge", "1.006", "1.085"),
        ("g4dn.xlarge", "0.526", "0.567"),
        ("g6e.xlarge", "1.861", "2.006"),
        ("p3.2xlarge", "3.06", "3.207"),
    ],
)
def test_what_was_published_for_virginia(kind: str, on_demand: str, all_in: str) -> None:
    whole, fee = price(Listed("us-east-1").on_demand(kind)), price(Listed("us-east-1").fee(kind))
    assert whole.usd == Decimal(on_demand)
    assert cents(whole.usd + fee.usd, "0.001") == Decimal(all_in)


def test_what_was_seen_in_tokyo() -> None:
    """Prices and the fee in September 2026, from AWS's offer file and the spot market."""
    tokyo = Listed("ap-northeast-1")
    assert price(tokyo.on_demand("g6.xlarge")).usd == Decimal("1.1672")
    assert price(tokyo.fee("g6.xlarge")).usd == Decimal("0.0910")
    spot = price(tokyo.spot("g6.xlarge", "ap-northeast-1a", 0.0))
    assert Decimal("0.563") <= spot.usd <= Decimal("0.577")
    assert "2026-09-01, shipped with Proofcast" in spot.source


def test_what_is_not_listed_is_unknown() -> None:
    """Never an estimate from another region or size."""
    assert Listed("eu-west-1").on_demand("g6.xlarge") is None
    assert Listed("eu-west-1").fee("g6.xlarge") is None
    assert Listed("us-east-1").spot("g6.xlarge") is None
    assert Listed("us-east-1").on_demand("g7.xlarge") is None
    assert Listed("me-south-1").on_demand("g5.xlarge") is None
    assert types("me-south-1") == ()


@pytest.mark.parametrize("name", SERVICES)
def test_services_have_a_price_a_unit_and_a_date(name: str) -> None:
    found = Listed("eu-west-1").service(name)
    assert 0 < found.usd < 2
    assert found.unit in {"h", "GB-h", "GB-s", "GB", "GB-month", "month", "request"}
    said = datetime.fromtimestamp(found.at, UTC)
    assert 2025 <= said.year <= 2026
    assert f"us-east-1's list price of {said:%Y-%m-%d}, shipped with Proofcast" in found.source


def test_prices_of_requests_are_those_of_a_million() -> None:
    million = {name: Listed("us-east-1").service(name).usd * 1_000_000 for name in SERVICES}
    assert million["sqs"] == Decimal("0.4")
    assert million["s3-put"] == 5
    assert million["s3-get"] == Decimal("0.4")
    assert million["dynamodb-write"] == 5 * million["dynamodb-read"] == Decimal("0.625")
    assert million["lambda-call"] == Decimal("0.2")
    assert million["schedule"] == 1


def test_a_service_that_nobody_listed() -> None:
    with pytest.raises(KeyError):
        Listed("us-east-1").service("quantum")
