"""What ECS and EC2 say of tasks and instances, as values of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from pipeline.model import Instance, Market, Task

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeDef
    from mypy_boto3_ecs.type_defs import ContainerInstanceTypeDef, TaskTypeDef

Item = TypeVar("Item")

_GONE = frozenset({"shutting-down", "terminated", "stopping", "stopped"})
_SINCE = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A container instance: the machine behind it."""

    instance: str
    type: str
    zone: str
    market: Market | None
    status: str = ""


def task_of(said: TaskTypeDef, markets: Mapping[str, Market], places: Mapping[str, Place]) -> Task:
    """A task as ECS describes it, where its capacity provider and container instance are known."""
    place = places.get(said.get("containerInstanceArn", ""))
    containers = said.get("containers", [])
    reason = said.get("stoppedReason") or next(
        (container["reason"] for container in containers if "reason" in container), ""
    )
    return Task(
        id=id_of(said.get("taskArn", "")),
        asked_at=_at(said.get("createdAt")) or 0.0,
        started_at=_at(said.get("startedAt")),
        instance=place.instance if place else "",
        type=place.type if place else "",
        zone=said.get("availabilityZone") or (place.zone if place else ""),
        market=markets.get(said.get("capacityProviderName", "")),
        pull_started_at=_at(said.get("pullStartedAt")),
        pull_stopped_at=_at(said.get("pullStoppedAt")),
        stopping_at=_at(said.get("stoppingAt")),
        stopped_at=_at(said.get("stoppedAt")),
        stop_code=said.get("stopCode", ""),
        reason=reason,
        exit_code=next((container["exitCode"] for container in containers if "exitCode" in container), None),
        detail=said.get("lastStatus", "").lower(),
    )


def updated(before: Task | None, now: Task) -> Task:
    """What is said now, and what was said of it when its instance was still there."""
    if before is None:
        return now
    lost = {
        field.name: getattr(before, field.name)
        for field in fields(Task)
        if getattr(now, field.name) in (None, "") and getattr(before, field.name) not in (None, "")
    }
    return replace(now, **lost, asked_at=before.asked_at)


def place_of(said: ContainerInstanceTypeDef, markets: Mapping[str, Market]) -> Place:
    """Where a container instance is."""
    attributes = {each["name"]: each.get("value", "") for each in said.get("attributes", [])}
    return Place(
        instance=said.get("ec2InstanceId", ""),
        type=attributes.get("ecs.instance-type", ""),
        zone=attributes.get("ecs.availability-zone", ""),
        market=markets.get(said.get("capacityProviderName", "")),
        status=said.get("status", "").lower(),
    )


def instance_of(said: InstanceTypeDef, now: float) -> Instance:
    """An instance as EC2 describes it; `now` is when it was seen to be gone, where EC2 does not say."""
    state = said.get("State", {}).get("Name", "")
    since = _SINCE.search(said.get("StateTransitionReason", ""))
    gone = datetime.fromisoformat(since[1]).replace(tzinfo=UTC).timestamp() if since else now
    return Instance(
        id=said.get("InstanceId", ""),
        type=said.get("InstanceType", ""),
        zone=said.get("Placement", {}).get("AvailabilityZone", ""),
        market=Market.SPOT if said.get("InstanceLifecycle") == "spot" else Market.ON_DEMAND,
        launched_at=_at(said.get("LaunchTime")),
        ended_at=gone if state in _GONE else None,
        detail=state,
    )


def id_of(arn: str) -> str:
    """The last part of a name, which is the task's own."""
    return arn.rpartition("/")[2]


def in_parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """So many at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))


def pieces(count: int, size: int) -> list[int]:
    """A number as numbers of at most a size: 25 by tens is 10, 10, 5."""
    return [min(size, count - start) for start in range(0, count, size)]


def _at(moment: datetime | str | None) -> float | None:
    return moment.timestamp() if isinstance(moment, datetime) else None
