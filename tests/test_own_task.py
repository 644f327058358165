"""What a worker asks the ECS agent beside it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.aws.own_task import protected, worker_name
from pipeline.config import Aws, Config, Feed
from pipeline.model import State
from pipeline.queueing import relay
from pipeline.wiring import build
from tests.deployed_site import DeployedSite
from tests.scenes import now, queued
from worker.handling import Item
from worker.run import work
from worker.watching import LogWatch


def in_task(site: DeployedSite, monkeypatch: pytest.MonkeyPatch, task: dict[str, Any]) -> None:
    """This process is the container of a task."""
    for name, value in site.account.environment(task).items():
        monkeypatch.setenv(name, value)


def in_service(site: DeployedSite) -> dict[str, Any]:
    """A running task of a service."""
    ecs, names = site.clients.ecs(), site.names
    ecs.create_service(
        cluster=names.cluster,
        serviceName=names.service,
        taskDefinition=names.worker,
        desiredCount=1,
        capacityProviderStrategy=[{"capacityProvider": site.made.providers["SPOT"], "weight": 1}],
    )
    site.clock.go_on(300)
    (arn,) = ecs.list_tasks(cluster=names.cluster, serviceName=names.service)["taskArns"]
    return site.account.ecs.task(arn.rpartition("/")[2])


def is_protected(site: DeployedSite, task: dict[str, Any]) -> bool:
    answer = site.clients.ecs().get_task_protection(cluster=site.names.cluster, tasks=[task["taskArn"]])
    (said,) = answer["protectedTasks"]
    return bool(said.get("protectionEnabled"))


def test_a_worker_goes_by_the_id_of_its_task(deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    (task,) = deployed.fleet().start(1)
    in_task(deployed, monkeypatch, deployed.account.ecs.task(task.id))
    assert worker_name() == task.id


def test_elsewhere_it_has_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECS_CONTAINER_METADATA_URI_V4", raising=False)
    assert worker_name() != worker_name()


def test_a_service_s_worker_is_protected_while_it_works(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = in_service(deployed)
    in_task(deployed, monkeypatch, task)
    assert not is_protected(deployed, task)
    with protected():
        assert is_protected(deployed, task)
    assert not is_protected(deployed, task)


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:9"])
def test_protection_that_can_not_be_had_keeps_nobody_from_working(
    deployed: DeployedSite,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    address: str,
) -> None:
    (task,) = deployed.fleet().start(1)
    deployed.clock.go_on(300)
    in_task(deployed, monkeypatch, deployed.account.ecs.task(task.id))
    if address:
        monkeypatch.setenv("ECS_AGENT_URI", address)
    with caplog.at_level(logging.WARNING), protected():
        assert "does not protect" in caplog.text


def test_protection_is_held_from_taking_a_job_until_it_is_done(
    deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = in_service(deployed)
    in_task(deployed, monkeypatch, task)
    config = Config(
        engine="aws",
        root=str(tmp_path),
        aws=Aws(region="us-east-1", name=deployed.names.name, dispatch="service", linger_s=1),
        feed=[Feed(name="show")],
    )
    at = build(config, tmp_path / "proofcast.toml")
    queued(at.ledger)
    relay(at.ledger, at.queue)
    seen: list[bool] = []

    def look(item: Item) -> None:
        seen.append(is_protected(deployed, task))

    assert work(at, look, task_id=None, drain=True, watch=LogWatch()).jobs == 1
    assert now(at.ledger).state is State.PUBLISHED
    assert seen == [True]
    assert not is_protected(deployed, task)


def test_without_an_agent_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.delenv("ECS_AGENT_URI", raising=False)
    with protected():
        assert caplog.text == ""
