"""Dispatch at work: a ledger and a queue on DynamoDB and SQS, an ECS that lives by the test's clock."""

from __future__ import annotations

from decimal import Decimal

import pytest

from pipeline import states
from pipeline.adapters.aws.dynamodb import DynamoLedger
from pipeline.budget import Spending, is_held
from pipeline.dispatch import Budget, Dispatched, dispatch, release_budget
from pipeline.model import BudgetState, Market, State
from pipeline.queueing import relay, skip
from pipeline.scaling import Policy, Work
from pipeline.tariff import month_span
from tests.builders import a_change, an_episode
from tests.deployed_site import DeployedSite

SPOT, ON_DEMAND = Market.SPOT, Market.ON_DEMAND
POLICY = Policy(markets=(SPOT, ON_DEMAND), max_workers=4, drain_s=3600, patience_s=180)
TICK_S = 120


def queue_up(site: DeployedSite, count: int, duration_s: float = 3600.0) -> None:
    """So many episodes on the queue."""
    ledger = site.ledger()
    episodes = [
        an_episode(f"show-{number}", duration_s=duration_s, published=site.clock() - number)
        for number in range(count)
    ]
    ledger.record(
        [change for each in episodes for change in (a_change(each), states.queued(each, site.clock()))]
    )
    relay(ledger, site.queue())


def tick(site: DeployedSite, policy: Policy = POLICY, budget: Budget | None = None) -> Dispatched:
    return dispatch(site.ledger(), site.queue(), site.fleet(), policy, site.clock, budget)


def ten_dollars(spent: str) -> Budget:
    """Of which so much is spent; a minute of an instance costs 1.5 cents."""
    month = Spending(
        month="2026-05",
        limit_usd=Decimal(10),
        spent_usd=Decimal(spent),
        running_usd=Decimal(0),
        hour_usd=Decimal("0.90"),
    )
    return Budget(spending=lambda: month, tail_s=60)


def later(site: DeployedSite, ticks: int, policy: Policy = POLICY) -> list[Dispatched]:
    """What the clock's turns come to."""
    done: list[Dispatched] = []
    for _ in range(ticks):
        site.clock.go_on(TICK_S)
        done.append(tick(site, policy))
    return done


def finish_one(site: DeployedSite) -> None:
    """As a worker does, in its time: the ledger's side of it."""
    (episode, *_) = site.ledger().episodes(state=State.QUEUED)
    site.ledger().record([states.skipped(episode, site.clock(), "done")])


def markets(site: DeployedSite) -> list[Market | None]:
    return [task.market for task in site.fleet().tasks()]


def test_nothing_is_asked_for_while_nothing_waits(deployed: DeployedSite) -> None:
    assert tick(deployed).started == ()
    assert deployed.account.ecs.asked("RunTask") == []


def test_an_episode_gets_a_worker_and_only_one(deployed: DeployedSite) -> None:
    queue_up(deployed, 1)
    assert len(tick(deployed).started) == 1
    assert [done.started for done in later(deployed, 10)] == [()] * 10
    assert markets(deployed) == [SPOT]


def test_two_hundred_at_once_get_as_many_workers_as_are_allowed(deployed: DeployedSite) -> None:
    queue_up(deployed, 200)
    done = tick(deployed)
    assert (done.work.jobs, done.work.audio_s, len(done.started)) == (200, 200 * 3600, 4)
    assert tick(deployed).started == ()


def test_a_job_that_takes_hours_is_never_ended_from_outside(deployed: DeployedSite) -> None:
    queue_up(deployed, 1, duration_s=12 * 3600)
    tick(deployed)
    deployed.queue().lease(43200)  # in a worker's hands: nothing is visible on the queue
    later(deployed, 60)
    assert deployed.account.ecs.asked("StopTask") == []
    assert len(markets(deployed)) == 1


def test_a_worker_that_ends_is_replaced_while_work_is_left_and_not_after(deployed: DeployedSite) -> None:
    queue_up(deployed, 1)
    (task,) = tick(deployed).started
    later(deployed, 3)
    deployed.account.ecs.interrupt(task)
    started = [done.started for done in later(deployed, 2) if done.started]
    assert len(started) == 1
    later(deployed, 3)
    finish_one(deployed)
    deployed.account.ecs.end(started[0][0])
    assert [done.started for done in later(deployed, 3)] == [()] * 3
    assert markets(deployed) == []


def test_without_spot_capacity_the_work_goes_to_on_demand(deployed: DeployedSite) -> None:
    deployed.account.ecs.capacity["SPOT"] = "none"
    queue_up(deployed, 1)
    (waits,) = tick(deployed).started
    turns = later(deployed, 2)
    assert [turn.given_up for turn in turns] == [(), (waits,)]
    assert len(turns[1].started) == 1
    assert ON_DEMAND in markets(deployed)
    (hold,) = later(deployed, 1)[0].holds
    assert (hold.market, "no instance came" in hold.why) == (SPOT, True)


def test_a_quota_that_is_used_up_is_told_and_the_other_market_asked(deployed: DeployedSite) -> None:
    deployed.account.ecs.capacity["SPOT"] = "quota"
    queue_up(deployed, 1)
    tick(deployed)
    (turn,) = later(deployed, 1)
    assert [(hold.market, "quota" in hold.why) for hold in turn.holds] == [(SPOT, True)]
    assert len(turn.started) == 1
    assert markets(deployed) == [ON_DEMAND]


def test_where_nothing_is_to_be_had_it_is_asked_for_ever_more_rarely(deployed: DeployedSite) -> None:
    deployed.account.ecs.capacity.update(SPOT="refused", ON_DEMAND="refused")
    queue_up(deployed, 1)
    tick(deployed)
    later(deployed, 60)  # two hours
    asked = len(deployed.account.ecs.asked("RunTask"))
    assert 6 <= asked <= 12
    deployed.account.ecs.capacity.update(SPOT="plenty", ON_DEMAND="plenty")
    assert sum(len(turn.started) for turn in later(deployed, 35)) == 1


def test_a_worker_that_always_crashes_costs_ever_fewer_instances(deployed: DeployedSite) -> None:
    queue_up(deployed, 1)
    tick(deployed)
    for _ in range(120):  # four hours
        for task in deployed.fleet().tasks():
            if task.started_at:
                deployed.account.ecs.end(task.id, exit_code=1)
        later(deployed, 1)
    assert len(deployed.account.ecs.asked("RunTask")) <= 10
    assert [hold.market for hold in tick(deployed).holds] == [None]


def test_the_queue_tells_how_many_wait_beyond_those_that_are_looked_at(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.dispatch._SAMPLE", 5)
    queue_up(deployed, 8, duration_s=100.0)
    assert tick(deployed).work == Work(jobs=8, audio_s=800.0)


def test_no_new_work_is_begun_beyond_the_budget_until_a_person_says_so(deployed: DeployedSite) -> None:
    queue_up(deployed, 1)
    (hold,) = tick(deployed, budget=ten_dollars("9.95")).holds
    assert hold.market is None
    assert hold.why.startswith("the budget of 2026-05: US$ 9.95 of 10.00 is spent")
    assert hold.until == month_span("2026-05")[1]
    assert deployed.account.ecs.asked("RunTask") == []
    held = deployed.ledger().budget("2026-05")
    assert (held.held, held.held_at) == (hold.why, deployed.clock())
    deployed.clock.go_on(60)
    release_budget(deployed.ledger(), deployed.clock)
    released = tick(deployed, budget=ten_dollars("9.95"))
    assert (len(released.started), released.holds) == (1, ())


def test_people_are_told_once_of_each_share_that_is_spent(deployed: DeployedSite) -> None:
    queue_up(deployed, 1)
    said = [tick(deployed, budget=ten_dollars(spent)).warning for spent in ("4", "6", "7", "8.5", "6", "8.6")]
    assert said == [
        "",
        "more than 50 % of the budget of 2026-05 is spent: US$ 6.00 of 10.00",
        "",
        "more than 80 % of the budget of 2026-05 is spent: US$ 8.50 of 10.00",
        "",
        "",
    ]


def test_a_budget_that_is_raised_holds_no_longer(deployed: DeployedSite) -> None:
    queue_up(deployed, 1)
    tick(deployed, budget=ten_dollars("9.95"))
    assert len(tick(deployed, budget=ten_dollars("1")).started) == 1
    assert deployed.ledger().budget("2026-05").held == ""


def test_as_many_workers_are_started_as_can_be_paid(deployed: DeployedSite) -> None:
    """Four minutes to start, three of work on an hour of audio, one at the end: 12 cents each."""
    queue_up(deployed, 100)
    assert len(tick(deployed, budget=ten_dollars("9.70")).started) == 2


def test_a_release_at_the_same_moment_is_not_lost(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = DynamoLedger.keep_budget

    def releasing(ledger: DynamoLedger, state: BudgetState, before: BudgetState) -> None:
        if state.held:
            monkeypatch.setattr(DynamoLedger, "keep_budget", keep)
            release_budget(deployed.ledger(), deployed.clock)
        keep(ledger, state, before)

    monkeypatch.setattr(DynamoLedger, "keep_budget", releasing)
    queue_up(deployed, 1)
    told = tick(deployed, budget=ten_dollars("9.95"))
    assert (len(told.started), told.holds) == (1, ())
    assert deployed.ledger().budget("2026-05").released_at == deployed.clock()


def test_nothing_is_held_where_nothing_waits_any_more(deployed: DeployedSite) -> None:
    queue_up(deployed, 1)
    tick(deployed, budget=ten_dollars("9.95"))
    (episode,) = deployed.ledger().episodes()
    skip(deployed.ledger(), deployed.queue(), deployed.clock, episode)
    assert tick(deployed, budget=ten_dollars("9.95")).holds == ()
    assert not is_held(deployed.ledger().budget("2026-05"))


def test_a_worker_is_kept_there_though_nothing_waits(deployed: DeployedSite) -> None:
    deployed.ledger().keep_warm(deployed.clock() + 3600)
    assert len(tick(deployed).started) == 1
    assert [done.started for done in later(deployed, 3)] == [()] * 3
    deployed.clock.go_on(3600)
    (task,) = deployed.fleet().tasks()
    deployed.account.ecs.end(task.id, exit_code=0)
    assert later(deployed, 3)[-1].started == ()


def test_a_budget_that_is_used_up_keeps_nothing_warm(deployed: DeployedSite) -> None:
    deployed.ledger().keep_warm(deployed.clock() + 3600)
    assert tick(deployed, budget=ten_dollars("9.99")).started == ()
