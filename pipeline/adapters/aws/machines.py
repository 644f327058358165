"""The instances of the cluster: which there are, of what kind, and since when they cost money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.adapters.aws.errors import explained
from pipeline.adapters.aws.seen import Place, in_parts, instance_of, place_of
from pipeline.deployment import TAG, Deployment
from pipeline.errors import StorageError
from pipeline.model import Instance, Market, Task

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import CapacityProviderTypeDef, DescribeCapacityProvidersRequestTypeDef

_A_CALL = 100
_TOLD_S = 3600.0  #: EC2 tells for so long of an instance that ended
_MARKETS = {"SPOT": Market.SPOT, "ON_DEMAND": Market.ON_DEMAND}


class Machines:
    """Reads only. Raises StorageError where AWS fails."""

    def __init__(self, ecs: ECSClient, ec2: EC2Client, names: Deployment) -> None:
        self._ecs = ecs
        self._ec2 = ec2
        self._name = names.name
        self._cluster = names.cluster
        self._what = f"the cluster {names.cluster}"
        self._markets: dict[str, Market] = {}

    def markets(self) -> Mapping[str, Market]:
        """How each capacity provider of the cluster buys instances, by its name; the newest last."""
        if not self._markets:
            found = sorted(self.providers(), key=lambda provider: provider.get("status") == "ACTIVE")
            self._markets = {provider.get("name", ""): _market(provider) for provider in found}
        return self._markets

    def forget(self) -> None:
        """Ask for the providers anew when they are next needed."""
        self._markets = {}

    def provider(self, market: Market) -> str:
        """The name of the capacity provider to ask."""
        names = [name for name, there in self.markets().items() if there is market]
        if not names:
            raise StorageError(
                f"{self._what} has no capacity provider that buys {market}",
                "deploy again after the market was changed: proofcast deploy",
            )
        return names[-1]

    def providers(self) -> list[CapacityProviderTypeDef]:
        """The cluster's capacity providers of managed instances."""
        found: list[CapacityProviderTypeDef] = []
        more: DescribeCapacityProvidersRequestTypeDef = {"cluster": self._cluster}
        while True:
            with explained(self._what):
                answer = self._ecs.describe_capacity_providers(**more)
            found += [each for each in answer["capacityProviders"] if "managedInstancesProvider" in each]
            token = answer.get("nextToken")
            if not token:
                return found
            more["nextToken"] = token

    def places(self, arns: Iterable[str]) -> dict[str, Place]:
        """Container instances by their names; those that are known still."""
        found: dict[str, Place] = {}
        for some in in_parts(sorted(arns), _A_CALL):
            with explained(self._what):
                answer = self._ecs.describe_container_instances(
                    cluster=self._cluster, containerInstances=some
                )
            for each in answer["containerInstances"]:
                found[each.get("containerInstanceArn", "")] = place_of(each, self.markets())
        return found

    def present(self) -> list[Instance]:
        """Every instance of the cluster, with work or without."""
        arns: list[str] = []
        with explained(self._what):
            for page in self._ecs.get_paginator("list_container_instances").paginate(cluster=self._cluster):
                arns += page["containerInstanceArns"]
        places = {place.instance: place for place in self.places(arns).values()}
        launched = self._described(places, 0.0)
        return [
            replace(launched.get(id, _unseen(place)), market=place.market, detail=place.status)
            for id, place in places.items()
        ]

    def changed(self, tasks: Iterable[Task], known: Iterable[Instance], now: float) -> list[Instance]:
        """What is new of the deployment's instances: of those that carry its tag, as one does that came
        too late for its task, and of those that tasks ran on or that have not ended as far as is known."""
        before = {instance.id: instance for instance in known}
        markets = {
            task.instance: task.market
            for task in tasks
            if task.instance and (task.live or now - (task.stopped_at or 0.0) < _TOLD_S)
        }
        open_ = [id for id in {**before, **markets} if id not in before or before[id].ended_at is None]
        tagged = self._asked(f"tag:{TAG}", [self._name], now)
        seen = self._described([id for id in open_ if id not in tagged], now)
        seen |= {id: each for id, each in tagged.items() if id not in before or id in open_}
        for id in open_:
            if id not in seen and id in before:  # EC2 forgets an instance an hour after its end
                seen[id] = replace(before[id], ended_at=now)
        fresh = [replace(each, market=markets.get(id) or each.market) for id, each in seen.items()]
        return [each for each in fresh if each != before.get(each.id)]

    def _described(self, ids: Iterable[str], now: float) -> dict[str, Instance]:
        """By a filter: asked for by ids, EC2 refuses the whole question if it does not know one."""
        found: dict[str, Instance] = {}
        for some in in_parts(sorted(ids), _A_CALL):
            found |= self._asked("instance-id", some, now)
        return found

    def _asked(self, about: str, values: Sequence[str], now: float) -> dict[str, Instance]:
        pages = self._ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": about, "Values": list(values)}],
            IncludeManagedResources=True,  # without it, those of ECS are left out
        )
        with explained("EC2"):
            said = [
                instance_of(each, now)
                for page in pages
                for reservation in page["Reservations"]
                for each in reservation.get("Instances", [])
            ]
        return {instance.id: instance for instance in said}


def _market(provider: CapacityProviderTypeDef) -> Market:
    template = provider.get("managedInstancesProvider", {}).get("instanceLaunchTemplate", {})
    return _MARKETS.get(template.get("capacityOptionType", ""), Market.ON_DEMAND)


def _unseen(place: Place) -> Instance:
    return Instance(id=place.instance, type=place.type, zone=place.zone)
