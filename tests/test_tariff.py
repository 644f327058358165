"""What is priced beside an instance's own price, and what a deployment costs while nothing runs."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from pipeline.config import Aws
from pipeline.costs import Rate, Use
from pipeline.errors import ConfigError
from pipeline.listed import Listed
from pipeline.model import BillItem, Enclosure, Price
from pipeline.tariff import (
    heard,
    instance_items,
    month_of,
    month_span,
    standing_id,
    standing_items,
)
from tests.builders import an_episode

AWS = Aws(region="us-east-1")
OF = Listed("us-east-1").service
A_MONTH_S = 30 * 86_400.0
HOUR = Use(work_s={"show-1": 2400.0}, start_up_s=900.0, idle_s=300.0)


def aws(**changes: object) -> Aws:
    return msgspec.structs.replace(AWS, **changes)


def priced(usd: str) -> Price:
    return Price(usd=Decimal(usd), source="a test", at=0.0)


def an_hour(config: Aws = AWS, use: Use = HOUR, bytes: int = 60_000_000) -> dict[str, Decimal]:
    """US$ by kind, of an hour of an instance that worked on one episode."""
    episode = an_episode(enclosure=Enclosure(url="https://cdn.example/1.mp3", length=bytes))
    rates = (Rate(price=priced("0.80")),)
    items = instance_items(use, rates, priced("0.0624"), config, OF, heard([episode]), 60)
    return by_kind(items)


def by_kind(items: list[BillItem]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for each in items:
        found[each.what] = found.get(each.what, Decimal(0)) + each.usd
    return found


def test_an_hour_of_an_instance_that_is_public() -> None:
    """60 GB for an hour of 720; 60 MB of audio for 30 days, and then 60 days where it costs half."""
    usd = an_hour()
    assert (usd["instance"], usd["fee"], usd["address"]) == (
        Decimal("0.80"),
        Decimal("0.0624"),
        Decimal("0.005"),
    )
    assert usd["volume"] == pytest.approx(Decimal("60") * Decimal("0.08") / 720)
    assert usd["storage"] == pytest.approx(Decimal("0.06") * (Decimal("0.023") + 2 * Decimal("0.0125")))
    assert 0 < usd["requests"] < Decimal("0.001")
    assert set(usd) == {"instance", "fee", "address", "volume", "storage", "requests"}


def test_behind_a_nat_gateway_audio_is_paid_by_the_gigabyte_and_addresses_are_not() -> None:
    usd = an_hour(aws(network="nat"))
    assert "address" not in usd
    assert usd["transfer"] == Decimal("0.06") * Decimal("0.045")


def test_an_instances_own_disk_is_no_volume() -> None:
    assert "volume" not in an_hour(aws(local_storage=True))


def test_audio_that_is_never_deleted_counts_for_a_year() -> None:
    years = an_hour(aws(audio_days=0))["storage"]
    assert years == pytest.approx(
        Decimal("0.06") * (Decimal("0.023") + Decimal(335) / 30 * Decimal("0.0125"))
    )
    assert an_hour(aws(audio_days=15))["storage"] == pytest.approx(Decimal("0.06") * Decimal("0.0115"))


def test_an_instance_that_did_no_work_costs_itself_alone() -> None:
    items = instance_items(
        Use(work_s={}, start_up_s=3600.0, idle_s=0.0),
        (Rate(price=priced("0.80")),),
        priced("0.0624"),
        AWS,
        OF,
        heard([]),
        60,
    )
    assert set(by_kind(items)) == {"instance", "fee", "address", "volume"}


def test_audio_whose_size_nobody_tells_is_taken_for_128_kbit_a_second() -> None:
    quiet = an_episode(enclosure=Enclosure(url="https://cdn.example/1.mp3"), duration_s=3600.0)
    added = an_episode(enclosure=None, duration_s=3600.0)
    assert heard([quiet, added]).audio_gb == pytest.approx(2 * 0.0576)


def test_the_worked_example_of_what_stands_there() -> None:
    """docs/costs.md: thirty days of the defaults."""
    usd = by_kind(standing_items(AWS, 0.0, A_MONTH_S, OF))
    assert usd == {
        "secret": Decimal("0.40"),
        "alarms": Decimal("0.50"),
        "image": Decimal("0.35"),
        "schedules": Decimal("0.03096"),
        "functions": pytest.approx(Decimal("0.418994"), abs=Decimal("1e-6")),
        "requests": Decimal("0.095202"),
    }
    assert sum(usd.values()) == pytest.approx(Decimal("1.795156"), abs=Decimal("1e-6"))


def test_what_else_stands_there() -> None:
    """A NAT gateway: 720 hours of 4.5 cents; ten endpoints in three zones, of a cent each."""
    assert by_kind(standing_items(aws(network="nat"), 0.0, A_MONTH_S, OF))["nat"] == Decimal("32.40")
    private = by_kind(standing_items(aws(network="endpoints"), 0.0, A_MONTH_S, OF))
    assert (private["nat"], private["endpoints"]) == (Decimal("32.40"), Decimal("216.00"))
    assert "image" not in by_kind(standing_items(aws(image="example/worker"), 0.0, A_MONTH_S, OF))
    service = by_kind(standing_items(aws(dispatch="service"), 0.0, A_MONTH_S, OF))
    assert service["alarms"] == Decimal("0.70")


def test_half_the_time_costs_half_as_much() -> None:
    whole = sum(by_kind(standing_items(AWS, 0.0, A_MONTH_S, OF)).values())
    half = sum(by_kind(standing_items(AWS, 1000.0, 1000.0 + A_MONTH_S / 2, OF)).values())
    assert half == pytest.approx(whole / 2, abs=Decimal("1e-7"))


@pytest.mark.parametrize(
    ("at", "month"), [(1793491199.9, "2026-10"), (1793491200.0, "2026-11"), (1798761600.0, "2027-01")]
)
def test_months_are_those_of_utc(at: float, month: str) -> None:
    assert month_of(at) == month
    begin, end = month_span(month)
    assert begin <= at < end
    assert (month_of(begin), month_of(end - 1)) == (month, month)
    assert standing_id(month) == f"standing-{month}"


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "soon", "2026-1-1"])
def test_what_is_no_month(text: str) -> None:
    with pytest.raises(ConfigError, match="is no month"):
        month_span(text)
