"""The imagined fleet keeps its books, whoever decides; and what deciders make of it, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.arrivals import Arrival, catalogue, network_day
from pipeline.imagined import Drought, Machine, Outcome, Setting, percentile_95
from pipeline.model import Market
from pipeline.scaling import NO_INSTANCE, Policy
from pipeline.simulation import Alarm, Dispatch, simulate

SPOT, ON_DEMAND = Market.SPOT, Market.ON_DEMAND
PRICES: dict[Market | None, float] = {
    ON_DEMAND: 3.6,
    SPOT: 1.8,
}  #: US$ an hour, so that a second is a tenth of a cent
HOUR = 3600.0

#: Ten times real time, and no chance: an instance after 10 s, a worker after 200, or 20 on a warm one.
EXACT = Setting(machine=Machine(speed=10, launch_s=(10, 10), start_up_s=(200, 200), warm_s=20, idle_end_s=90))


def dispatch(
    max_workers: int = 4, drain_min: float = 60, markets: tuple[Market, ...] = (ON_DEMAND,)
) -> Dispatch:
    policy = Policy(markets=markets, max_workers=max_workers, drain_s=drain_min * 60, patience_s=180)
    return Dispatch(policy=policy, linger_s=60)


def played(
    how: Dispatch | Alarm, *arrivals: tuple[float, float], setting: Setting = EXACT, seed: int = 1
) -> Outcome:
    """What becomes of episodes, each given by when it is published and its seconds of audio."""
    return simulate([Arrival(at=at, audio_s=audio_s) for at, audio_s in arrivals], how, Random(seed), setting)


def assert_books_balance(outcome: Outcome, max_workers: int) -> None:
    """What is true of any decider."""
    assert max(sample.workers for sample in outcome.history) <= max_workers
    end = outcome.history[-1]
    assert (end.workers, end.instances) == (0, 0)
    assert not any(task.live for task in outcome.tasks)
    assert all(each.ended_at is not None for each in outcome.instances)
    assert outcome.taken == len(outcome.times_s) + outcome.killed
    assert outcome.idle_s >= -1e-6
    assert min(outcome.lost_s, outcome.start_up_s) >= 0
    assert outcome.cost(PRICES) >= outcome.busy_s * 0.0005 - 1e-6


def test_one_worker_by_hand() -> None:
    """Found at 900, a worker from 1100 on; 60 and 120 s of work, 60 of lingering, 90 until the end."""
    outcome = played(dispatch(), (100, 600), (300, 1200))
    assert outcome.times_s == (1160 - 100, 1280 - 300)
    (instance,) = outcome.instances
    assert (instance.launched_at, instance.ended_at) == (910, 1430)
    assert (outcome.start_up_s, outcome.busy_s, outcome.idle_s, outcome.lost_s) == (190, 180, 150, 0)
    assert math.isclose(outcome.cost(PRICES), 0.520)
    assert outcome.finished_at == 1280


def test_a_catalogue_by_hand() -> None:
    """A hundred hours for five workers at ten times real time: two hours each, and 200 s to start."""
    outcome = played(dispatch(5), *[(0, HOUR)] * 100)
    assert outcome.finished_at == 200 + 2 * HOUR
    assert outcome.billed_s == 5 * (190 + 2 * HOUR + 60 + 90)
    assert len(outcome.tasks) == 5


def test_a_worker_that_lingers_takes_what_comes() -> None:
    setting = replace(EXACT, poll_s=0)
    assert len(played(dispatch(), (0, 600), (300, 600), setting=setting).tasks) == 1  # idle from 260 to 320


def test_an_idle_instance_takes_the_next_worker() -> None:
    outcome = played(dispatch(), (0, 600), (350, 600), setting=replace(EXACT, poll_s=0))
    assert (len(outcome.tasks), len(outcome.instances)) == (2, 1)
    assert outcome.times_s == (260, 20 + 60)
    assert outcome.start_up_s == 190 + 20


def test_a_minute_is_paid_at_least() -> None:
    machine = Machine(speed=1000, launch_s=(0, 0), start_up_s=(1, 1), idle_end_s=0)
    outcome = simulate(
        [Arrival(at=0, audio_s=1000)], replace(dispatch(), linger_s=1), Random(1), Setting(machine=machine)
    )
    assert (outcome.billed_s, outcome.busy_s, outcome.idle_s) == (60, 1, 58)


some_episodes = st.lists(st.tuples(st.floats(0, 20_000), st.floats(60, 10_800)), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None)
@given(some_episodes, st.sampled_from([1, 3, 20]), st.sampled_from([1, 15, 240]), st.integers(0, 9))
def test_dispatch_does_each_episode_once(
    episodes: list[tuple[float, float]], max_workers: int, drain_min: int, seed: int
) -> None:
    how = dispatch(max_workers, drain_min, (SPOT, ON_DEMAND))
    droughts = (Drought(market=SPOT, begins_at=2000, ends_at=9000),)
    setting = Setting(droughts=droughts)
    outcome = played(how, *episodes, setting=setting, seed=seed)
    assert_books_balance(outcome, max_workers)
    assert len(outcome.times_s) == outcome.taken == len(episodes)
    assert (outcome.undone, outcome.killed, outcome.lost_s) == (0, 0, 0)
    audio_s = sum(seconds for _, seconds in episodes)
    assert math.isclose(outcome.busy_s, audio_s / setting.machine.speed)
    assert all(time > 0 for time in outcome.times_s)


@settings(max_examples=40, deadline=None)
@given(
    some_episodes, st.sampled_from([1, 3, 20]), st.booleans(), st.booleans(), st.sampled_from([0.0, 3600.0])
)
def test_alarms_keep_the_books_too(
    episodes: list[tuple[float, float]], max_workers: int, counts: bool, protects: bool, hidden_s: float
) -> None:
    how = Alarm(max_workers=max_workers, counts_taken=counts, protects=protects, hidden_s=hidden_s)
    outcome = played(how, *episodes, setting=Setting(horizon_s=100_000))
    assert_books_balance(outcome, max_workers)
    assert len(outcome.times_s) + outcome.undone == len(episodes)
    assert protects <= (outcome.killed == 0)
    assert (outcome.lost_s > 0) <= (outcome.killed > 0)  # one may be ended the moment it begins


def test_the_same_seed_is_the_same_day() -> None:
    days = [network_day(Random(seed), 200) for seed in (1, 1, 2)]
    assert days[0] == days[1] != days[2]
    for how in (dispatch(), Alarm()):
        one, again, other = (simulate(days[0], how, Random(seed)) for seed in (1, 1, 2))
        assert one == again != other


def test_what_waits_is_done_in_the_time_that_was_asked_for() -> None:
    """From its poll on, and but for one episode that a worker had in hand and its own work."""
    for drain_min in (15, 60):
        for seed in range(3):
            setting = Setting(machine=Machine(speed=6))
            outcome = simulate(
                network_day(Random(seed), 1000), dispatch(20, drain_min), Random(seed), setting
            )
            assert max(outcome.times_s) <= 900 + drain_min * 60 + 120 + 2 * 10_800 / 6


def test_another_market_is_asked_where_one_has_nothing() -> None:
    dry = replace(EXACT, droughts=(Drought(market=SPOT, begins_at=0, ends_at=HOUR),))
    outcome = played(dispatch(markets=(SPOT, ON_DEMAND)), (0, 600), setting=dry)
    first, second = outcome.tasks
    assert (first.market, first.instance, first.stopped_at) == (SPOT, "", 240)  # at the tick after 180 s
    assert first.reason.startswith(NO_INSTANCE)
    assert (second.market, second.asked_at) == (ON_DEMAND, 240)
    assert outcome.times_s == (240 + 200 + 60,)
    assert math.isclose(outcome.cost(PRICES), (190 + 60 + 60 + 90) * 0.001)


def test_the_only_market_is_waited_for() -> None:
    dry = replace(EXACT, droughts=(Drought(market=SPOT, begins_at=0, ends_at=HOUR),))
    outcome = played(dispatch(markets=(SPOT,)), (0, 600), setting=dry)
    assert len(outcome.tasks) == 1
    assert outcome.times_s == (HOUR + 200 + 60,)


def test_an_alarm_by_hand() -> None:
    """The queue tells of the message from 60 on; the alarm acts at 120, and the worker takes it at 320. All
    that the queue tells from 360 to 600 is that nothing waits: at 660, the alarm ends the worker."""
    outcome = played(Alarm(), (0, 600))
    (task,) = outcome.tasks
    assert (task.asked_at, task.started_at, task.stopped_at) == (120, 320, 660)
    assert outcome.times_s == (380,)


def test_an_alarm_on_waiting_messages_kills_what_works() -> None:
    """Half an hour's work is never done: it shows no message for five minutes, and that's its end."""
    outcome = played(Alarm(), (0, 18_000), setting=replace(EXACT, horizon_s=10 * HOUR))
    assert outcome.undone == 1
    assert outcome.killed >= 9  # once an hour, when the queue shows it again
    assert (outcome.busy_s, outcome.times_s) == (0, ())
    assert outcome.lost_s > 9 * 300
    assert math.isnan(outcome.median_s)
    assert math.isnan(outcome.p95_s)


@pytest.mark.parametrize("better", [Alarm(counts_taken=True), Alarm(protects=True)])
def test_it_does_not_if_it_counts_or_protects_it(better: Alarm) -> None:
    outcome = played(better, (0, 18_000))
    assert (outcome.undone, outcome.killed, outcome.busy_s) == (0, 0, 1800)


def test_a_killed_job_is_done_by_another() -> None:
    """It shows again after an hour, and this time others come to wait behind it."""
    outcome = played(Alarm(), (0, 10_800), (4400, 2700), (4400, 2700), setting=Setting())
    assert (outcome.undone, outcome.killed, outcome.taken) == (0, 1, 4)
    assert math.isclose(outcome.busy_s, 16_200 / 20)


def test_steps_say_how_many_workers_a_queue_is_worth() -> None:
    how = Alarm(max_workers=9, period_s=60, counts_taken=True, steps=((1, 1), (3, 2), (5, 4)))
    for many, workers in ((1, 1), (2, 1), (3, 2), (4, 2), (9, 4)):
        outcome = played(how, *[(0, HOUR)] * many)
        assert max(sample.workers for sample in outcome.history) == workers


def test_a_network_s_day_costs_less_with_dispatch() -> None:
    day = network_day(Random(3), 1000)
    ours = simulate(day, dispatch(), Random(3))
    for alarm in (Alarm(), Alarm(max_workers=4), Alarm(max_workers=4, counts_taken=True, hidden_s=0)):
        theirs = simulate(day, alarm, Random(3))
        assert ours.cost(PRICES) < theirs.cost(PRICES)
    assert ours.p95_s < simulate(day, Alarm(), Random(3)).p95_s


def test_scenarios_are_as_large_as_they_say() -> None:
    day, back = network_day(Random(1), 7000), catalogue(Random(1), 1000)
    assert 900 < len(day) < 1100
    assert all(0 <= each.at <= 24 * HOUR for each in day)
    assert all(300 <= each.audio_s <= 10_800 for each in (*day, *back))
    assert sorted(day, key=lambda each: each.at) == list(day)
    assert {each.at for each in back} == {0}
    assert 800 < sum(each.audio_s for each in back) / HOUR < 900


def test_the_95th_percentile() -> None:
    assert percentile_95([float(n) for n in range(101)]) == 95
    assert percentile_95([7.0]) == 7
