"""What every ledger promises of work, bills and budgets: see `ports.Ledger`."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from pipeline import states
from pipeline.errors import Conflict
from pipeline.model import (
    Bill,
    BillItem,
    BudgetState,
    Change,
    Episode,
    Job,
    Lease,
    Market,
    Price,
    ReviewState,
    Step,
    Stint,
)
from pipeline.ports import Ledger
from tests.builders import NOW, a_change, a_review, an_episode
from tests.scenes import queued

LEASE = Lease(job=Job(episode_id="show-1"), token="t", until=NOW + 60, receives=1)


def a_bill(id: str = "i-1", ended_at: float = NOW, **work_s: float) -> Bill:
    item = BillItem(
        what="instance",
        quantity=Decimal("0.250000000"),
        price=Price(usd=Decimal("0.8676"), source="a list", at=NOW, unit="h"),
        usd=Decimal("0.216900000"),
    )
    return Bill(
        id=id,
        began_at=ended_at - 900,
        ended_at=ended_at,
        items=(item,),
        work_s={name.replace("_", "-"): seconds for name, seconds in work_s.items()},
        start_up_s=200,
        idle_s=100,
        type="g6.xlarge",
        zone="us-east-1a",
        market=Market.SPOT,
    )


def claimed(ledger: Ledger, worker: str = "w-1", at: float = NOW) -> Episode:
    change = states.claimed(queued(ledger), worker, LEASE, at)
    ledger.record([change])
    return change.episode


def ends(episode: Episode) -> dict[str, Change]:
    """Every way in which a worker's time with an episode ends."""
    review = a_review(state=ReviewState.OPEN)
    done = states.transcribed(episode, {}, 60.0, NOW + 50).episode
    return {
        "given back": states.given_back(episode, NOW + 100, "stopped"),
        "failed": states.failed(episode, Step.DECODE, "no audio", NOW + 100),
        "skipped": states.skipped(episode, NOW + 100, "by hand"),
        "in review": states.in_review(replace(done, version=episode.version), review, {}, NOW + 100),
    }


@pytest.mark.parametrize("how", ["given back", "failed", "skipped", "in review"])
def test_a_stint_is_kept_when_it_ends(ledger: Ledger, how: str) -> None:
    episode = claimed(ledger)
    assert ledger.stints("w-1") == []
    ledger.record([ends(episode)[how]])
    assert ledger.stints("w-1") == [Stint(worker="w-1", episode="show-1", began_at=NOW, ended_at=NOW + 100)]
    assert ledger.stints("w-2") == []


def test_who_takes_over_ends_the_stint_of_the_one_before(ledger: Ledger) -> None:
    """At the time that it was last heard of, and not when somebody else came."""
    episode = claimed(ledger)
    again = states.claimed(episode, "w-2", replace(LEASE, token="u", until=NOW + 900), NOW + 500)
    ledger.record([again])
    ledger.record([states.given_back(again.episode, NOW + 600, "stopped")])
    assert [stint.ended_at for stint in ledger.stints("w-1")] == [NOW + 60]
    assert [(stint.began_at, stint.ended_at) for stint in ledger.stints("w-2")] == [(NOW + 500, NOW + 600)]


def test_stints_are_told_in_order(ledger: Ledger) -> None:
    for number in (3, 1, 2):
        change = a_change(an_episode(id=f"show-{number}"))
        stint = Stint(worker="w", episode=f"show-{number}", began_at=NOW + number, ended_at=NOW + number + 1)
        ledger.record([replace(change, stint=stint)])
    assert [stint.episode for stint in ledger.stints("w")] == ["show-1", "show-2", "show-3"]


def test_a_bill_is_kept_whole_and_charged(ledger: Ledger) -> None:
    ledger.record([a_change(an_episode(id=id)) for id in ("show-1", "show-2")])
    bill = a_bill(show_1=200.0, show_2=400.0, show_9=0.0)
    assert ledger.enter(bill) == bill
    assert ledger.bills() == [bill]
    first, second = ledger.several(["show-1", "show-2"])
    assert first.charges == {"i-1": Decimal("0.072300000")}
    assert second.charges == {"i-1": Decimal("0.144600000")}
    assert first.version == 1


def test_the_first_bill_of_an_instance_stays(ledger: Ledger) -> None:
    """Whatever a second one says, also of its end: it charges what the first one said."""
    ledger.record([a_change(an_episode())])
    bill = a_bill(show_1=200.0)
    ledger.enter(bill)
    other = replace(a_bill(ended_at=NOW + 5, show_1=1.0, show_2=1.0), items=())
    assert ledger.enter(other) == bill
    assert ledger.bills() == [bill]
    charged = ledger.get("show-1")
    assert charged is not None
    assert charged.charges == {"i-1": bill.usd}


def test_charges_of_several_bills_stay_through_later_changes(ledger: Ledger) -> None:
    episode = queued(ledger)
    ledger.enter(a_bill(show_1=200.0))
    ledger.enter(a_bill("i-2", show_1=200.0))
    read = ledger.get("show-1")
    assert read is not None
    ledger.record([states.claimed(read, "w", LEASE, NOW)])
    (now,) = ledger.episodes(feed="show")
    assert now.charges == {"i-1": Decimal("0.216900000"), "i-2": Decimal("0.216900000")}
    assert now.version == episode.version + 1


def test_an_episode_that_is_gone_keeps_no_bill_from_being_entered(ledger: Ledger) -> None:
    ledger.enter(a_bill(show_7=200.0))
    assert ledger.get("show-7") is None
    assert [bill.id for bill in ledger.bills()] == ["i-1"]


def test_bills_of_a_time(ledger: Ledger) -> None:
    for number, at in enumerate((NOW + 2, NOW, NOW + 1, NOW + 1)):
        ledger.enter(a_bill(f"i-{number}", ended_at=at))
    assert [bill.id for bill in ledger.bills()] == ["i-1", "i-2", "i-3", "i-0"]
    assert [bill.id for bill in ledger.bills(NOW + 1)] == ["i-2", "i-3", "i-0"]
    assert [bill.id for bill in ledger.bills(NOW, NOW + 1)] == ["i-1", "i-2", "i-3"]
    assert ledger.bills(NOW + 3) == []


def test_until_when_a_worker_shall_be_there(ledger: Ledger) -> None:
    assert ledger.warm_until() == 0.0
    ledger.keep_warm(NOW + 0.5)
    assert ledger.warm_until() == NOW + 0.5
    ledger.keep_warm(0.0)
    assert ledger.warm_until() == 0.0


def test_a_budget_is_kept_by_month(ledger: Ledger) -> None:
    nothing = BudgetState(month="2026-11")
    assert ledger.budget("2026-11") == nothing
    held = replace(nothing, held="it is spent", held_at=NOW)
    ledger.keep_budget(held, nothing)
    ledger.keep_budget(replace(held, released_at=NOW + 1), held)
    assert ledger.budget("2026-11") == replace(held, released_at=NOW + 1)
    assert ledger.budget("2026-12") == BudgetState(month="2026-12")


def test_of_two_who_change_a_budget_at_once_one_is_told(ledger: Ledger) -> None:
    nothing = BudgetState(month="2026-11")
    released = replace(nothing, released_at=NOW)
    ledger.keep_budget(released, nothing)
    with pytest.raises(Conflict):
        ledger.keep_budget(replace(nothing, told=50), nothing)
    assert ledger.budget("2026-11") == released
