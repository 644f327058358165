from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pipeline.model import Claim, Episode, Market, Progress, State, Task
from pipeline.scaling import (
    FOUND_NOTHING,
    NO_INSTANCE,
    Pace,
    Plan,
    Policy,
    Work,
    holds,
    pace_of,
    plan,
    work_left,
)
from tests.builders import NOW, an_episode

SPOT, ON_DEMAND = Market.SPOT, Market.ON_DEMAND
POLICY = Policy(markets=(SPOT, ON_DEMAND), max_workers=4, drain_s=3600, patience_s=180)
PACE = Pace(speed=20, start_up_s=240)
HOUR = Work(jobs=1, audio_s=3600)


def asked(id: str = "t1", ago: float = 10, market: Market = SPOT) -> Task:
    return Task(id=id, asked_at=NOW - ago, market=market)


def running(id: str = "t1", ago: float = 600) -> Task:
    return replace(asked(id, ago), started_at=NOW - ago + 240, instance="i-1")


def ended(task: Task, ago: float = 5, **fields: object) -> Task:
    return replace(task, **{"stopped_at": NOW - ago, "exit_code": 0, **fields})  # pyright: ignore[reportArgumentType]


def refused(id: str = "t1", ago: float = 5, market: Market = SPOT, reason: str = "") -> Task:
    return ended(
        asked(id, ago + 10, market), ago, exit_code=None, stop_code="TaskFailedToStart", reason=reason
    )


def decided(work: Work, *tasks: Task, policy: Policy = POLICY, pace: Pace = PACE) -> Plan:
    return plan(work, tasks, pace, policy, NOW)


def test_nothing_is_started_for_nothing() -> None:
    assert decided(Work()) == Plan()


def test_one_episode_gets_one_worker_on_the_preferred_market() -> None:
    assert decided(HOUR) == Plan(start=1, market=SPOT)
    on_demand = replace(POLICY, markets=(ON_DEMAND, SPOT))
    assert decided(HOUR, policy=on_demand) == Plan(start=1, market=ON_DEMAND)


@pytest.mark.parametrize("there", [asked(), running()])
def test_who_was_asked_for_is_not_asked_for_again(there: Task) -> None:
    assert decided(HOUR, there) == Plan()


def test_workers_are_as_many_as_finish_in_time() -> None:
    # One that starts in four minutes does 56 minutes of work, 18 hours and 40 minutes of audio.
    assert decided(Work(jobs=50, audio_s=18 * 3600)).start == 1
    assert decided(Work(jobs=50, audio_s=19 * 3600)).start == 2
    assert decided(Work(jobs=50, audio_s=60 * 3600)).start == 4
    assert decided(Work(jobs=50, audio_s=600 * 3600)).start == POLICY.max_workers


def test_those_that_work_are_counted_by_what_they_can_do() -> None:
    work = Work(jobs=50, audio_s=39 * 3600)  # 20 hours of it for one that runs already
    assert decided(work, running()).start == 2
    assert decided(work, running(), asked("t2")).start == 1
    assert decided(work, running(), asked("t2"), asked("t3")).start == 0


def test_there_are_no_more_workers_than_episodes() -> None:
    slow = Pace(speed=0.5, start_up_s=240)
    assert decided(Work(jobs=2, audio_s=7200), pace=slow).start == 2
    assert decided(Work(jobs=2, audio_s=7200), running(), pace=slow).start == 1
    at_work = Work(jobs=2, audio_s=7200, in_hand={"t1": 3600})
    assert decided(at_work, running(), pace=slow).start == 2


def test_what_a_worker_has_in_hand_nobody_can_take_from_it() -> None:
    slow, hurry = Pace(speed=6, start_up_s=240), replace(POLICY, drain_s=900)
    work = Work(jobs=3, audio_s=900, in_hand={"t1": 10800, "t2": 10800})
    assert decided(work, running("t1"), running("t2"), policy=hurry, pace=slow).start == 1


def test_one_that_is_ending_is_replaced_at_once() -> None:
    ending = replace(running(), stopping_at=NOW - 1)
    assert decided(HOUR, ending).start == 1


def test_a_worker_works_as_long_at_least_as_it_takes_to_start() -> None:
    hurry = replace(POLICY, drain_s=180, max_workers=20)
    assert decided(Work(jobs=100, audio_s=6000), policy=hurry).start == 2


def test_a_target_shorter_than_the_start_still_starts() -> None:
    hurry = replace(POLICY, drain_s=60)
    assert decided(Work(jobs=3, audio_s=10800), policy=hurry).start == 3


def test_a_task_without_an_instance_is_given_up_for_the_other_market() -> None:
    assert decided(HOUR, asked(ago=100)) == Plan()
    assert decided(HOUR, asked(ago=181)) == Plan(start=1, market=ON_DEMAND, give_up=("t1",))


def test_one_that_got_its_instance_is_never_given_up() -> None:
    assert decided(HOUR, replace(asked(ago=900), instance="i-1")) == Plan()


def test_where_there_is_one_market_a_task_waits_on() -> None:
    only = replace(POLICY, markets=(SPOT,))
    assert decided(HOUR, asked(ago=9999), policy=only) == Plan()


def test_a_market_that_refused_is_left_alone_for_a_while() -> None:
    gone = ended(
        asked(ago=200), exit_code=None, stop_code="UserInitiated", reason=f"{NO_INSTANCE} within 180 s"
    )
    for last in (refused(), gone):
        later = decided(HOUR, last)
        assert (later.start, later.market) == (1, ON_DEMAND)
        assert [(hold.market, hold.until) for hold in later.holds] == [(SPOT, NOW - 5 + 300)]


def test_a_worker_that_ran_unseen_was_not_refused() -> None:
    unseen = ended(replace(running(), instance=""), stop_code="EssentialContainerExited")
    assert decided(HOUR, unseen) == Plan(start=1, market=SPOT)


def test_the_more_often_it_refused_the_longer_it_is_left_alone() -> None:
    three = [refused(f"t{n}", ago=n * 400) for n in range(3)]
    (hold,) = holds(three, POLICY, NOW)
    assert hold.until == NOW + 1200
    many = [refused(f"t{n}", ago=n * 4000) for n in range(99)]
    (hold,) = holds(many, POLICY, NOW)
    assert hold.until == NOW + 3600
    (hold,) = holds([refused(ago=5), ended(running("t2"), ago=50), refused("t3", ago=90)], POLICY, NOW)
    assert hold.until == NOW - 5 + 300


def test_tasks_that_are_refused_together_are_one_refusal() -> None:
    (hold,) = holds([refused(f"t{n}", ago=5 + n) for n in range(20)], POLICY, NOW)
    assert hold.until == NOW - 5 + 300


def test_where_both_refuse_nothing_is_started_until_the_first_pause_is_over() -> None:
    both = [refused("t1", ago=5), refused("t2", ago=100, market=ON_DEMAND)]
    waits = decided(HOUR, *both)
    assert (waits.start, {hold.market for hold in waits.holds}) == (0, {SPOT, ON_DEMAND})
    later = plan(HOUR, both, PACE, POLICY, NOW + 201)
    assert (later.start, later.market) == (1, ON_DEMAND)


def test_a_worker_that_comes_to_a_bad_end_is_not_started_over_and_over() -> None:
    crashed = ended(running(), exit_code=137, reason="OutOfMemory")
    again = decided(HOUR, crashed)
    assert again.start == 0
    (hold,) = again.holds
    assert (hold.market, hold.until) == (None, NOW - 5 + 60)
    assert "t1" in hold.why
    assert "137" in hold.why
    assert plan(HOUR, [crashed], PACE, POLICY, NOW + 60).start == 1
    six = [ended(running(f"t{n}"), ago=n * 100, exit_code=1) for n in range(6)]
    assert [hold.until for hold in decided(HOUR, *six).holds] == [NOW + 1920]


@pytest.mark.parametrize("code", ["SpotInterruption", "TerminationNotice", "UserInitiated"])
def test_one_that_was_taken_away_is_replaced_at_once(code: str) -> None:
    assert decided(HOUR, ended(running(), exit_code=143, stop_code=code)).start == 1


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("VcpuLimitExceeded: You have requested more vCPU", "quota for spot GPUs is used up"),
        ("UnfulfillableCapacity", "no spot capacity"),
        ("CannotDoIt", "CannotDoIt"),
        ("", "does not say why"),
    ],
)
def test_a_refusal_is_said_plainly(reason: str, words: str) -> None:
    (hold,) = holds([refused(reason=reason)], POLICY, NOW)
    assert words in hold.why


def test_work_is_what_waits_and_what_the_fleet_has_left() -> None:
    waiting = [an_episode("a", duration_s=1000.0), an_episode("b", duration_s=None)]
    claim = Claim(worker="t1", token="x", since=NOW - 900, until=NOW)
    halfway = Progress(done_s=400.0, total_s=1000.0, speed=9.0, at=NOW)
    ours = an_episode("c", state=State.TRANSCRIBING, duration_s=1000.0, claim=claim, progress=halfway)
    theirs = replace(ours, id="d", claim=replace(claim, worker="laptop-1"))
    unopened = an_episode("e", state=State.TRANSCRIBED, duration_s=5000.0)
    work = work_left(waiting, [ours, theirs, unopened], ["t1"], NOW, more=2)
    assert work.jobs == 2 + 2 + 1
    assert work.audio_s == pytest.approx(2000 + 2000 + 60)
    assert work.in_hand == {"t1": 600}
    assert work_left([an_episode("b", duration_s=None)], [], [], NOW) == Work(jobs=1, audio_s=3600)


def test_what_a_worker_elsewhere_let_go_of_is_work_again() -> None:
    claim = Claim(worker="laptop-1", token="x", since=NOW - 900, until=NOW)
    left = an_episode("a", state=State.TRANSCRIBING, duration_s=1000.0, claim=claim)
    assert work_left([], [left], [], NOW + 100) == Work()
    assert work_left([], [left], [], NOW + 130) == Work(jobs=1, audio_s=1000)


def test_nothing_is_expected_of_a_worker_that_is_stuck() -> None:
    claim = Claim(worker="t1", token="x", since=NOW - 900, until=NOW - 600)
    held = an_episode("a", state=State.TRANSCRIBING, duration_s=3600.0, claim=claim)
    waiting = [an_episode(f"b{n}", duration_s=3600.0) for n in range(15)]
    assert decided(work_left(waiting, [held], ["t1"], NOW), running("t1", ago=9999)).start == 1


def test_a_task_that_runs_is_never_given_up_for_want_of_an_instance() -> None:
    unseen = replace(running(ago=9999), instance="")
    assert decided(HOUR, unseen) == Plan()


def test_a_bad_end_of_long_ago_does_not_count() -> None:
    days = [ended(running(f"t{n}"), ago=5 + n * 86400, exit_code=1) for n in range(8)]
    assert [hold.until for hold in decided(HOUR, *days).holds] == [NOW - 5 + 60]


def test_workers_that_find_nothing_though_episodes_wait_are_not_started_over_and_over() -> None:
    (hold,) = decided(HOUR, ended(running(), exit_code=FOUND_NOTHING)).holds
    assert "found no job" in hold.why


def test_the_pace_is_measured() -> None:
    assert pace_of([], []) == Pace()
    done = [
        an_episode("a", duration_s=3000.0, worked_s=100.0),
        an_episode("b", duration_s=1000.0, worked_s=100.0),
    ]
    unmeasured: list[Episode] = [an_episode("c", duration_s=1000.0)]
    measured = pace_of(
        [running("t1"), replace(running("t2"), asked_at=NOW - 660), asked("t3")], done + unmeasured
    )
    assert measured == Pace(speed=20.0, start_up_s=(240 + 300) / 2)


tasks = some.lists(
    some.builds(
        Task,
        id=some.uuids().map(str),
        asked_at=some.floats(NOW - 9000, NOW),
        started_at=some.none() | some.floats(NOW - 9000, NOW),
        instance=some.sampled_from(["", "i-1"]),
        market=some.sampled_from([SPOT, ON_DEMAND]),
        stopped_at=some.none() | some.floats(NOW - 9000, NOW),
        stop_code=some.sampled_from(["", "TaskFailedToStart", "SpotInterruption"]),
        exit_code=some.sampled_from([None, 0, 1]),
    ),
    max_size=12,
)


@given(tasks, some.integers(0, 500), some.floats(0, 1e7), some.floats(0.1, 100), some.floats(0, 4000))
def test_no_plan_exceeds_its_limits(
    there: list[Task], jobs: int, audio_s: float, speed: float, start_up_s: float
) -> None:
    made = plan(
        Work(jobs=jobs, audio_s=audio_s), there, Pace(speed=speed, start_up_s=start_up_s), POLICY, NOW
    )
    staying = [task for task in there if task.live and task.id not in made.give_up]
    assert made.start >= 0
    if made.start:
        assert len(staying) + made.start <= min(POLICY.max_workers, jobs)
        assert made.market in POLICY.markets
        assert made.market not in {hold.market for hold in made.holds}
    assert all(not task.instance for task in there if task.id in made.give_up)
    if jobs and not staying and not made.holds:
        assert made.start >= 1
