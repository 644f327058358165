"""What is ECS's own about the fleet on it; what every fleet promises is in contracts/."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.adapters.aws.ecs import EcsFleet
from pipeline.adapters.aws.fleet_records import FleetRecords
from pipeline.errors import Conflict, StorageError
from pipeline.model import Market
from tests.deployed_site import DeployedSite
from tests.fakes.ecs import Capacity
from tests.faulty import Crash

SPOT, ON_DEMAND = Market.SPOT, Market.ON_DEMAND


def known(deployed: DeployedSite) -> set[str]:
    """The ids of all tasks that ECS has, as another client sees them."""
    return {task.id for task in deployed.fleet().survey()}


def crashing(deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch, name: str, *, before: bool) -> EcsFleet:
    """A fleet whose process is gone at a call to its records."""
    method: Callable[..., Any] = getattr(FleetRecords, name)

    def crash(records: FleetRecords, *arguments: Any) -> Any:
        if not before:
            method(records, *arguments)
        monkeypatch.setattr(FleetRecords, name, method)
        raise Crash(name)

    fleet = deployed.fleet()
    fleet.survey()
    monkeypatch.setattr(FleetRecords, name, crash)
    return fleet


def test_a_task_is_asked_for_with_a_gpu_on_the_market_that_is_wanted(deployed: DeployedSite) -> None:
    (task,) = deployed.fleet().start(1, SPOT)
    (request,) = deployed.account.ecs.asked("RunTask")
    (strategy,) = request["capacityProviderStrategy"]
    assert strategy["capacityProvider"] == deployed.made.providers[SPOT.name]
    assert "launchType" not in request
    assert task.market is SPOT
    assert deployed.fleet().start(1, ON_DEMAND)[0].market is ON_DEMAND
    definition = deployed.account.ecs.definition(request["taskDefinition"])
    assert definition["containerDefinitions"][0]["resourceRequirements"] == [{"type": "GPU", "value": "1"}]


def test_ten_tasks_are_asked_for_at_a_time(deployed: DeployedSite) -> None:
    assert len({task.id for task in deployed.fleet().start(25)}) == 25
    requests = deployed.account.ecs.asked("RunTask")
    assert [request["count"] for request in requests] == [10, 10, 5]
    assert len({request["clientToken"] for request in requests}) == 3


def test_every_time_that_a_cost_needs_is_kept(deployed: DeployedSite) -> None:
    fleet, clock = deployed.fleet(), deployed.clock
    asked_at = clock()
    (task,) = fleet.start(1, SPOT)
    for _ in range(20):
        clock.go_on(20)
        fleet.survey()
    deployed.account.ecs.end(task.id)
    for _ in range(50):
        clock.go_on(20)
        fleet.survey()
    clock.go_on(3 * 3600)  # ECS and EC2 know nothing of it any more
    (kept,) = deployed.fleet().survey()
    moments = [asked_at, kept.pull_started_at, kept.pull_stopped_at, kept.started_at, kept.stopped_at]
    assert None not in moments
    assert moments == sorted(moments, key=lambda moment: moment or 0)
    assert (kept.id, kept.market, kept.type, kept.exit_code) == (task.id, SPOT, "g6.xlarge", 0)
    assert kept.zone.startswith("us-east-1")
    (machine,) = deployed.records().unbilled()
    assert (machine.id, machine.type, machine.market) == (kept.instance, "g6.xlarge", SPOT)
    assert asked_at <= (machine.launched_at or 0) <= (kept.started_at or 0)
    assert (kept.stopped_at or 0) < (machine.ended_at or 0) < clock() - 3600


def test_an_idle_instance_is_seen_until_it_is_gone(deployed: DeployedSite) -> None:
    fleet, clock = deployed.fleet(), deployed.clock
    assert fleet.instances() == []
    (task,) = fleet.start(1, ON_DEMAND)
    clock.go_on(300)
    (machine,) = fleet.instances()
    assert (machine.type, machine.market, machine.detail) == ("g6.xlarge", ON_DEMAND, "active")
    assert machine.launched_at
    deployed.account.ecs.end(task.id)
    clock.go_on(20)
    assert [each.id for each in fleet.instances()] == [machine.id]
    clock.go_on(600)
    assert fleet.instances() == []


@pytest.mark.parametrize(
    ("name", "before"),
    [("begin", False), ("keep_tasks", True), ("keep_tasks", False), ("finish", True), ("finish", False)],
)
def test_a_start_that_is_cut_short_is_finished_by_the_next_process(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch, name: str, before: bool
) -> None:
    with pytest.raises(Crash):
        crashing(deployed, monkeypatch, name, before=before).start(2, SPOT)
    deployed.account.ecs.stale_lists = 2
    assert len(known(deployed)) == 2
    assert len(deployed.fleet().start(1, SPOT)) == 1
    assert len(known(deployed)) == 3


def test_nothing_is_started_by_who_is_killed_before_it_is_noted(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Crash):
        crashing(deployed, monkeypatch, "begin", before=True).start(2, SPOT)
    assert known(deployed) == set()


def test_of_two_that_decide_at_once_one_starts(deployed: DeployedSite) -> None:
    first, second = deployed.fleet(), deployed.fleet()
    assert first.survey() == second.survey() == []
    assert len(first.start(1)) == 1
    with pytest.raises(Conflict):
        second.start(1)
    assert len(known(deployed)) == 1
    second.survey()
    assert len(second.start(1)) == 1


def test_what_was_just_started_is_not_missed_where_the_list_is_behind(deployed: DeployedSite) -> None:
    (task,) = deployed.fleet().start(1)
    deployed.account.ecs.stale_lists = 4
    assert known(deployed) == {task.id}


def test_a_start_that_ecs_refuses_is_told_once_and_keeps_nothing_from_starting(
    deployed: DeployedSite,
) -> None:
    fleet = deployed.fleet()
    deployed.account.ecs.fail("RunTask", "AccessDeniedException", "not authorized to perform: ecs:RunTask")
    with pytest.raises(StorageError, match="ecs:RunTask"):
        fleet.start(1)
    assert len(fleet.start(1)) == 1


def test_a_start_that_was_throttled_is_made_again(deployed: DeployedSite) -> None:
    fleet = deployed.fleet()
    deployed.account.ecs.fail("RunTask", "ThrottlingException", "Rate exceeded", times=3)
    with pytest.raises(StorageError, match="more than it can take"):
        fleet.start(1)
    assert len(known(deployed)) == 1


@pytest.mark.parametrize(("capacity", "word"), [("refused", "UnfulfillableCapacity"), ("quota", "VcpuLimit")])
def test_why_no_instance_came_is_kept(deployed: DeployedSite, capacity: Capacity, word: str) -> None:
    deployed.account.ecs.capacity["SPOT"] = capacity
    (task,) = deployed.fleet().start(1, SPOT)
    deployed.clock.go_on(60)
    (kept,) = deployed.fleet().survey()
    assert (kept.id, kept.live, kept.instance, kept.stop_code) == (task.id, False, "", "TaskFailedToStart")
    assert word in kept.reason


def test_workers_of_elsewhere_are_never_known_to_have_ended(deployed: DeployedSite) -> None:
    (task,) = deployed.fleet().start(1)
    gone = "0" * 32  # so long ago that ECS knows it no more
    assert deployed.fleet().ended({"laptop-1", task.id, gone}) == set()
    deployed.clock.go_on(300)
    deployed.fleet().stop(task.id)
    assert deployed.fleet().ended({task.id}) == set()  # it is giving its job back
    deployed.clock.go_on(60)
    assert deployed.fleet().ended({"laptop-1", task.id}) == {task.id}


def test_what_a_worker_wrote_can_be_read(deployed: DeployedSite) -> None:
    from tests.aws_site import clients

    logs, names = clients().logs(), deployed.names
    stream = f"worker/{names.worker}/task-1"
    logs.create_log_stream(logGroupName=names.worker_log, logStreamName=stream)
    now = round(deployed.clock() * 1000)
    events: list[Any] = [{"timestamp": now + n, "message": f"line {n}"} for n in range(3)]
    logs.put_log_events(logGroupName=names.worker_log, logStreamName=stream, logEvents=events)
    assert deployed.fleet().log("task-1") in ([], ["line 0", "line 1", "line 2"])


def test_a_market_without_a_capacity_provider_is_told(deployed: DeployedSite) -> None:
    deployed.account.ecs.fail("DescribeCapacityProviders", "ClusterNotFoundException")
    with pytest.raises(StorageError):
        deployed.fleet().start(1, SPOT)


def test_a_start_without_a_provider_is_refused_before_it_is_noted(deployed: DeployedSite) -> None:
    lacking = deployed.made.providers["SPOT"]
    fleet = deployed.fleet()
    deployed.account.ecs.remove_provider(lacking)
    with pytest.raises(StorageError, match="no capacity provider that buys spot"):
        fleet.start(1, SPOT)
    assert len(deployed.fleet().start(1, ON_DEMAND)) == 1


def test_a_start_whose_provider_went_away_keeps_nothing_else_from_starting(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Crash):
        crashing(deployed, monkeypatch, "begin", before=False).start(1, SPOT)
    deployed.account.ecs.remove_provider(deployed.made.providers["SPOT"])
    with pytest.raises(StorageError):
        deployed.fleet().survey()
    assert deployed.fleet().survey() == []
    assert len(deployed.fleet().start(1, ON_DEMAND)) == 1


def test_a_start_of_long_ago_is_not_made_any_more(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Crash):
        crashing(deployed, monkeypatch, "begin", before=False).start(1, SPOT)
    deployed.clock.go_on(3700)
    assert deployed.fleet().survey() == []
    assert len(deployed.fleet().start(1, SPOT)) == 1
    assert len(known(deployed)) == 1


@pytest.mark.parametrize(
    "code", ["ClusterNotFoundException", "BlockedException", "UnsupportedFeatureException"]
)
def test_whatever_refuses_a_start_for_good_ends_it(deployed: DeployedSite, code: str) -> None:
    deployed.account.ecs.fail("RunTask", code)
    fleet = deployed.fleet()
    with pytest.raises(StorageError):
        fleet.start(1, SPOT)
    assert deployed.fleet().survey() == []
