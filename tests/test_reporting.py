"""Bills added up as people ask for them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pipeline.model import Bill, BillItem, Episode, Market, Part, Price
from pipeline.reporting import NOBODY, By, explained, rows_by, total
from pipeline.tariff import month_span
from tests.builders import an_episode

OCTOBER, NOVEMBER = month_span("2026-10")[0], month_span("2026-11")[0]


def a_bill(id: str, ended_at: float, usd: str, work_s: dict[str, float], start_up_s: float = 0) -> Bill:
    price = Price(usd=Decimal(usd), source="a list", at=0.0)
    item = BillItem(what="instance", quantity=Decimal(1), price=price, usd=Decimal(usd))
    standing = id.startswith("standing")
    return Bill(
        id=id,
        began_at=ended_at - 600,
        ended_at=ended_at,
        items=(item,),
        work_s=work_s,
        start_up_s=start_up_s,
        type="" if standing else "g6.xlarge",
        zone="" if standing else "us-east-1a",
        market=None if standing else Market.SPOT,
    )


BILLS = [
    a_bill("i-1", OCTOBER + 60, "0.30", {"a-1": 100.0, "b-1": 100.0}, start_up_s=100),
    a_bill("i-2", OCTOBER + 90_000, "0.20", {"a-2": 50.0}),
    a_bill("i-3", NOVEMBER - 90, "0.05", {}),
    a_bill("standing-2026-10", NOVEMBER - 1, "1.00", {"a-1": 100.0, "b-1": 100.0, "a-2": 50.0}),
    a_bill("i-4", NOVEMBER + 60, "0.10", {"a-1": 40.0}),
]


@pytest.fixture
def episodes() -> dict[str, Episode]:
    named = {
        "a-1": an_episode("a-1", feed="a", title="A 1", duration_s=3600.0),
        "a-2": an_episode("a-2", feed="a", title="A 2", duration_s=1800.0),
        "b-1": an_episode("b-1", feed="b", title="B 1", duration_s=None),
    }
    return named


def usd(by: By, episodes: dict[str, Episode]) -> dict[str, str]:
    return {row.name: f"{row.usd.normalize():f}" for row in rows_by(by, BILLS, episodes)}


def test_by_month_and_day_in_their_order(episodes: dict[str, Episode]) -> None:
    assert usd(By.MONTH, episodes) == {"2026-10": "1.55", "2026-11": "0.1"}
    assert usd(By.DAY, episodes) == {
        "2026-10-01": "0.3",
        "2026-10-02": "0.2",
        "2026-10-31": "1.05",
        "2026-11-01": "0.1",
    }


def test_by_instance_episode_and_show_the_dearest_first(episodes: dict[str, Episode]) -> None:
    assert list(usd(By.INSTANCE, episodes).items()) == [
        ("standing-2026-10", "1"),
        ("i-1", "0.3"),
        ("i-2", "0.2"),
        ("i-4", "0.1"),
        ("i-3", "0.05"),
    ]
    assert list(usd(By.EPISODE, episodes).items()) == [
        ("a-1", "0.65"),
        ("b-1", "0.55"),
        ("a-2", "0.4"),
        (NOBODY, "0.05"),
    ]
    assert usd(By.SHOW, episodes) == {"a": "1.05", "b": "0.55", NOBODY: "0.05"}


def test_an_episode_that_is_gone_keeps_its_id(episodes: dict[str, Episode]) -> None:
    del episodes["b-1"]
    assert usd(By.EPISODE, episodes)["b-1"] == "0.55"
    assert usd(By.SHOW, episodes)["b-1"] == "0.55"


def test_rows_say_what_was_paid_for_and_how_much_audio_that_was(episodes: dict[str, Episode]) -> None:
    october, november = rows_by(By.MONTH, BILLS, episodes)
    assert october.parts == {
        Part.WORK: Decimal("0.40"),
        Part.START_UP: Decimal("0.10"),
        Part.IDLE: Decimal("0.05"),
        Part.STANDING: Decimal("1.00"),
    }
    assert (october.episodes, october.audio_s) == (3, 5400)
    assert october.usd_per_audio_h == Decimal("1.033333333")
    assert (november.episodes, november.audio_s) == (1, 3600)


def test_the_whole_counts_an_episode_once(episodes: dict[str, Episode]) -> None:
    rows = rows_by(By.MONTH, BILLS, episodes)
    whole = total(rows, BILLS, episodes)
    assert (whole.episodes, whole.audio_s, whole.usd) == (3, 5400, Decimal("1.65"))
    for by in By:
        assert sum((row.usd for row in rows_by(by, BILLS, episodes)), Decimal(0)) == whole.usd


def test_without_audio_an_hour_of_it_has_no_price(episodes: dict[str, Episode]) -> None:
    (row,) = (row for row in rows_by(By.SHOW, BILLS, episodes) if row.name == "b")
    assert (row.episodes, row.audio_s, row.usd_per_audio_h) == (1, 0, None)


def test_an_episodes_own_lines() -> None:
    assert [(line.bill, line.part, line.usd) for line in explained("a-1", BILLS)] == [
        ("i-1", Part.WORK, Decimal("0.10")),
        ("i-1", Part.START_UP, Decimal("0.05")),
        ("standing-2026-10", Part.STANDING, Decimal("0.40")),
        ("i-4", Part.WORK, Decimal("0.10")),
    ]
