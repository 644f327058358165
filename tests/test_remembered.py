"""Prices are asked for no more often than they change, and known when nobody can be asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.remembered import RememberedPrices
from pipeline.errors import StorageError
from pipeline.listed import Listed
from pipeline.model import Price
from pipeline.ports import PriceList
from tests.builders import NOW, FakeClock

HOUR_S, DAY_S = 3600.0, 86_400.0
REGION = "us-east-1"


@dataclass
class Market:
    """A price list whose price may be changed, and that notes what it is asked."""

    clock: FakeClock
    usd: str | None = "0.7"
    failure: str = ""
    asked: list[str] = field(default_factory=list[str])

    def on_demand(self, instance_type: str) -> Price | None:
        return self._say(f"on-demand {instance_type}")

    def fee(self, instance_type: str) -> Price | None:
        return self._say(f"fee {instance_type}")

    def spot(self, instance_type: str, zone: str = "", at: float | None = None) -> Price | None:
        return self._say(f"spot {instance_type} {zone} {at}", at)

    def _say(self, question: str, at: float | None = None) -> Price | None:
        self.asked.append(question)
        if self.failure:
            raise StorageError(self.failure, "try again in a minute")
        if self.usd is None:
            return None
        return Price(usd=Decimal(self.usd), source="the market", at=self.clock() if at is None else at)


@pytest.fixture
def market(clock: FakeClock) -> Market:
    return Market(clock)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "prices.json"


def opened(live: PriceList | None, file: Path, clock: FakeClock, region: str = REGION) -> RememberedPrices:
    """As a process of its own opens it."""
    return RememberedPrices(live, region, file, clock)


def usd(price: Price | None) -> str:
    assert price is not None
    return str(price.usd)


@pytest.mark.parametrize(("question", "lasts_s"), [("on_demand", DAY_S), ("fee", DAY_S), ("spot", HOUR_S)])
def test_a_price_is_asked_for_again_when_it_is_old(
    market: Market, file: Path, clock: FakeClock, question: str, lasts_s: float
) -> None:
    def ask() -> Price | None:
        return getattr(opened(market, file, clock), question)("g6.xlarge")

    assert usd(ask()) == "0.7"
    market.usd = "0.9"
    clock.go_on(lasts_s - 1)
    assert ask() == Price(usd=Decimal("0.7"), source="the market", at=NOW)
    assert len(market.asked) == 1
    clock.go_on(1)
    assert ask() == Price(usd=Decimal("0.9"), source="the market", at=NOW + lasts_s)
    assert len(market.asked) == 2


def test_a_past_spot_price_is_asked_for_once(market: Market, file: Path, clock: FakeClock) -> None:
    assert usd(opened(market, file, clock).spot("g6.xlarge", "us-east-1a", NOW - 60)) == "0.7"
    market.usd = "0.9"
    clock.go_on(1000 * DAY_S)
    assert usd(opened(market, file, clock).spot("g6.xlarge", "us-east-1a", NOW - 60)) == "0.7"
    assert len(market.asked) == 1


def test_prices_are_not_taken_for_each_other(market: Market, file: Path, clock: FakeClock) -> None:
    questions: list[tuple[str, tuple[Any, ...]]] = [
        ("on_demand", ()),
        ("fee", ()),
        ("spot", ()),
        ("spot", ("a",)),
        ("spot", ("a", NOW)),
        ("spot", ("b", NOW)),
        ("spot", ("b", NOW + 1)),
    ]
    every = list(product((REGION, "eu-west-1"), ("g6.xlarge", "g5.xlarge"), questions))
    for _ in range(2):
        for number, (region, kind, (question, more)) in enumerate(every, 1):
            market.usd = str(number)
            assert usd(getattr(opened(market, file, clock, region), question)(kind, *more)) == str(number)
    assert len(market.asked) == len(every)


def test_without_a_market_what_was_remembered_serves_however_old_it_is(
    market: Market, file: Path, clock: FakeClock
) -> None:
    opened(market, file, clock).on_demand("g6.xlarge")
    clock.go_on(400 * DAY_S)
    assert opened(None, file, clock).on_demand("g6.xlarge") == Price(
        usd=Decimal("0.7"), source="the market", at=NOW
    )
    assert opened(None, file, clock).fee("g6.xlarge") == Listed(REGION).fee("g6.xlarge")
    assert opened(None, file, clock).spot("g6.xlarge") is None


def test_a_market_that_failed_is_left_alone_for_an_hour(market: Market, file: Path, clock: FakeClock) -> None:
    opened(market, file, clock).on_demand("g6.xlarge")
    clock.go_on(2 * DAY_S)
    market.failure = "the AWS Price List can't be reached"
    prices = opened(market, file, clock)
    assert prices.trouble == ""
    assert usd(prices.on_demand("g6.xlarge")) == "0.7"
    assert prices.on_demand("g5.xlarge") == Listed(REGION).on_demand("g5.xlarge")
    assert prices.spot("g6.xlarge") is None
    assert prices.trouble == market.failure
    assert len(market.asked) == 2
    market.failure = ""
    clock.go_on(HOUR_S - 1)
    assert prices.on_demand("g5.xlarge") == Listed(REGION).on_demand("g5.xlarge")
    clock.go_on(1)
    assert usd(prices.on_demand("g5.xlarge")) == "0.7"
    assert prices.trouble == ""


def test_what_the_market_does_not_know(market: Market, file: Path, clock: FakeClock) -> None:
    """What it knew once is kept, the list serves for the rest, and it is not asked all the time."""
    opened(market, file, clock).on_demand("g6.xlarge")
    clock.go_on(DAY_S)
    market.usd = None
    for _ in range(3):
        prices = opened(market, file, clock)
        assert usd(prices.on_demand("g6.xlarge")) == "0.7"
        assert prices.on_demand("g5.xlarge") == Listed(REGION).on_demand("g5.xlarge")
        assert prices.spot("g6.xlarge", "us-east-1a", NOW) is None
    assert len(market.asked) == 4
    clock.go_on(DAY_S)
    market.usd = "0.9"
    assert usd(opened(market, file, clock).spot("g6.xlarge", "us-east-1a", NOW)) == "0.9"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"\xff", b"[]", b'{"us-east-1 on-demand g6.xlarge": {"price": 1}}']
)
def test_a_damaged_file_is_as_none(market: Market, file: Path, clock: FakeClock, damage: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(damage)
    assert usd(opened(market, file, clock).on_demand("g6.xlarge")) == "0.7"
    assert usd(opened(None, file, clock).on_demand("g6.xlarge")) == "0.7"


def test_a_folder_that_can_not_be_written_costs_only_the_memory(
    market: Market, tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "taken").write_text("a file")
    prices = opened(market, tmp_path / "taken" / "prices.json", clock)
    assert usd(prices.on_demand("g6.xlarge")) == usd(prices.on_demand("g6.xlarge")) == "0.7"
    assert len(market.asked) == 1


def test_of_several_processes_none_loses_what_another_learned(
    market: Market, file: Path, clock: FakeClock
) -> None:
    one, other = opened(market, file, clock), opened(market, file, clock)
    one.on_demand("g6.xlarge")
    other.on_demand("g5.xlarge")
    one.fee("g6.xlarge")
    assert len(json.loads(file.read_bytes())) == 3
    assert [path.name for path in file.parent.iterdir()] == ["prices.json"]


def test_digits_are_kept(market: Market, file: Path, clock: FakeClock) -> None:
    market.usd = "0.1000000000000000000001"
    opened(market, file, clock).on_demand("g6.xlarge")
    assert usd(opened(None, file, clock).on_demand("g6.xlarge")) == market.usd
