"""What `proofcast doctor` asks AWS beyond what a port has, as plain values."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline.adapters.aws.clients import Clients
from pipeline.adapters.aws.config_file import place_of
from pipeline.adapters.aws.errors import code_of, explained
from pipeline.adapters.aws.secrets import Secret
from pipeline.deployment import IN_ECR, Deployment

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import InstanceTypeInfoTypeDef

SPOT_ROLE = "AWSServiceRoleForEC2Spot"
_NO_QUEUE = ("NonExistentQueue", "QueueDoesNotExist")


@dataclass(frozen=True, kw_only=True)
class InstanceType:
    """A type as a region offers it."""

    name: str
    vcpus: int
    gpus: int = 1  #: of NVIDIA's
    disks: bool = True  #: of its own
    zones: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class WorkerTask:
    """The container of the worker's newest task definition."""

    image: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


class Facts:
    """Asks anew each time, and changes nothing. Raises StorageError where AWS fails or refuses."""

    def __init__(self, clients: Clients, names: Deployment) -> None:
        self._clients = clients
        self._names = names

    def caller(self) -> tuple[str, str]:
        """The account, and who in it."""
        with explained("AWS"):
            said = self._clients.sts().get_caller_identity()
        return said["Account"], said["Arn"]

    def missing(self, *, service: bool) -> list[str]:
        """What of the deployment is not there; `service`: it has one."""
        names = self._names
        bucket = names.bucket(self._clients.account())
        there: dict[str, Callable[[str], bool]] = {
            f"table {names.table}": self._has_table,
            f"queue {names.queue}": lambda what: self._has_queue(what, names.queue),
            f"queue {names.first_queue}": lambda what: self._has_queue(what, names.first_queue),
            f"queue {names.dead_queue}": lambda what: self._has_queue(what, names.dead_queue),
            f"bucket {bucket}": lambda what: self._has_bucket(what, bucket),
            f"cluster {names.cluster}": lambda what: self.has_cluster(),
            f"task definition {names.worker}": lambda what: self.worker() is not None,
        }
        missing = [what for what, is_there in there.items() if not is_there(what)]
        if service and f"cluster {names.cluster}" not in missing and not self._has_service():
            missing.append(f"service {names.service}")
        return missing

    def worker(self) -> WorkerTask | None:
        """What is started as a worker; None where there is no such task definition."""
        with explained(f"the task definition {self._names.worker}"):
            try:
                said = self._clients.ecs().describe_task_definition(taskDefinition=self._names.worker)
            except ClientError as error:
                if code_of(error) != "ClientException":
                    raise
                return None
        for container in said["taskDefinition"].get("containerDefinitions", []):
            if container.get("name") == self._names.worker:
                pairs = container.get("environment", [])
                return WorkerTask(
                    image=container.get("image", ""),
                    command=tuple(container.get("command", [])),
                    environment={pair.get("name", ""): pair.get("value", "") for pair in pairs},
                )
        return None

    def instance_types(self, names: Collection[str]) -> list[InstanceType]:
        """Those that the region offers, in the order of the names.

        By filters: asked for by names, EC2 refuses the whole question if it does not know one.
        """
        zones: dict[str, set[str]] = {}
        ec2 = self._clients.ec2()
        with explained("EC2's list of instance types"):
            for offered in ec2.get_paginator("describe_instance_type_offerings").paginate(
                LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": [*names]}]
            ):
                for each in offered["InstanceTypeOfferings"]:
                    zones.setdefault(each.get("InstanceType", ""), set()).add(each.get("Location", ""))
            found: dict[str, InstanceType] = {}
            for page in ec2.get_paginator("describe_instance_types").paginate(
                Filters=[{"Name": "instance-type", "Values": [*names]}]
            ):
                for kind in page["InstanceTypes"]:
                    name: str = kind.get("InstanceType", "")
                    found[name] = _instance_type(kind, zones.get(name, ()))
        return [found[name] for name in names if name in found and found[name].zones]

    def zones(self, subnets: Collection[str]) -> set[str]:
        """The availability zones of subnets that are there."""
        with explained("EC2"):
            answer = self._clients.ec2().describe_subnets(
                Filters=[{"Name": "subnet-id", "Values": [*subnets]}]
            )
        return {zone for subnet in answer["Subnets"] if (zone := subnet.get("AvailabilityZone"))}

    def quota(self, code: str) -> float | None:
        """The account's own value, else everybody's; None where the region has no such quota of EC2's."""
        quotas = self._clients.quotas()
        for ask in (quotas.get_service_quota, quotas.get_aws_default_service_quota):
            with explained("Service Quotas"):
                try:
                    return ask(ServiceCode="ec2", QuotaCode=code)["Quota"].get("Value")
                except ClientError as error:
                    if code_of(error) != "NoSuchResourceException":
                        raise
        return None

    def has_spot_role(self) -> bool:
        """Without this role of the account, EC2 buys nothing on the spot market."""
        return _there(
            f"the role {SPOT_ROLE}",
            lambda: self._clients.iam().get_role(RoleName=SPOT_ROLE),
            unless=("NoSuchEntity",),
        )

    def has_github_token(self) -> bool:
        """Whether somebody put one into the secret."""
        return bool(Secret(self._clients.secrets, self._names.github_token, time.time)())

    def has_image(self, uri: str) -> bool | None:
        """Whether a registry of ECR's has the image; None where it is in none."""
        parts = IN_ECR.fullmatch(uri)
        if parts is None:
            return None
        account, region, name, tag, digest = parts.groups()
        wanted = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
        return _there(
            f"the image {uri}",
            lambda: self._clients.ecr(region).describe_images(
                registryId=account,
                repositoryName=name,
                imageIds=[wanted],  # pyright: ignore[reportArgumentType] - a dict with one of its keys
            ),
            unless=("ImageNotFoundException", "RepositoryNotFoundException"),
        )

    def content(self, url: str) -> bytes | None:
        """Of the object that an `s3://bucket/key` names, if it is there."""
        bucket, key = place_of(url)
        with explained(url):
            try:
                return self._clients.s3().get_object(Bucket=bucket, Key=key)["Body"].read()
            except ClientError as error:
                if code_of(error) not in ("NoSuchKey", "NoSuchBucket"):
                    raise
                return None

    def _has_table(self, what: str) -> bool:
        table = self._names.table
        return _there(
            what,
            lambda: self._clients.dynamodb().describe_table(TableName=table),
            unless=("ResourceNotFoundException",),
        )

    def _has_queue(self, what: str, name: str) -> bool:
        return _there(what, lambda: self._clients.sqs().get_queue_url(QueueName=name), unless=_NO_QUEUE)

    def _has_bucket(self, what: str, name: str) -> bool:
        return _there(
            what, lambda: self._clients.s3().head_bucket(Bucket=name), unless=("404", "NoSuchBucket")
        )

    def has_cluster(self) -> bool:
        """Whether workers could run."""
        with explained(f"the cluster {self._names.cluster}"):
            found = self._clients.ecs().describe_clusters(clusters=[self._names.cluster])["clusters"]
        return any(cluster.get("status") == "ACTIVE" for cluster in found)

    def _has_service(self) -> bool:
        with explained(f"the service {self._names.service}"):
            found = self._clients.ecs().describe_services(
                cluster=self._names.cluster, services=[self._names.service]
            )["services"]
        return any(service.get("status") == "ACTIVE" for service in found)


def _there(what: str, ask: Callable[[], object], unless: Collection[str]) -> bool:
    """Whether AWS answers, and not with one of these errors."""
    with explained(what):
        try:
            ask()
        except ClientError as error:
            if code_of(error) not in unless:
                raise
            return False
    return True


def _instance_type(said: InstanceTypeInfoTypeDef, zones: Iterable[str]) -> InstanceType:
    gpus = said.get("GpuInfo", {}).get("Gpus", [])
    return InstanceType(
        name=said.get("InstanceType", ""),
        vcpus=said.get("VCpuInfo", {}).get("DefaultVCpus", 0),
        gpus=sum(gpu.get("Count", 0) for gpu in gpus if gpu.get("Manufacturer") == "NVIDIA"),
        disks=said.get("InstanceStorageSupported", False),
        zones=frozenset(zones),
    )
