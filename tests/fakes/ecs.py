"""A fake of ECS with managed instances: tasks and instances live by a clock, or with real processes.

What time brings is worked out whenever something is asked, with the times at which it came to be.
"""

from __future__ import annotations

import copy
import json
import math
import re
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from typing import Any, Literal, Protocol, cast

from tests.fakes.aws_service import AwsError, Json, Service, invalid, page

ACCOUNT = "123456789012"  #: moto's
MARKETS = ("SPOT", "ON_DEMAND")
VCPUS, MEMORY_MIB = 4, 16_384  #: of g4dn.xlarge, g5.xlarge and g6.xlarge alike, which have one GPU
DESCRIBED_S = 3600  #: how long a stopped task can be described
STALE_S = 30  #: how old tasks are that stale lists lack

Capacity = Literal["plenty", "none", "refused", "quota"]
REFUSALS: dict[Capacity, str] = {
    "refused": "UnfulfillableCapacity: Unable to fulfill capacity due to your request configuration.",
    "quota": "VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit allows.",
}


class Process(Protocol):
    """What runs for a task, as `subprocess.Popen` has it."""

    def poll(self) -> int | None: ...

    def terminate(self) -> None: ...


Launch = Callable[[Json], Process]


@dataclass
class Timing:
    """How many seconds things take; a provider's own scaleInAfter goes before `idle_s`."""

    instance_s: float = 43  #: from the start of an instance to its registration
    pull_s: float = 55
    start_s: float = 5
    stop_s: float = 3  #: from the end of the process to STOPPED
    refuse_s: float = 6
    idle_s: float = 100  #: from an instance's last task to its draining
    drain_s: float = 5  #: from there to its shutting down
    terminate_s: float = 330  #: from there to its end, until which it counts against the quota


def when(seconds: float) -> datetime:
    """A time of the clock as answers have it."""
    return datetime.fromtimestamp(seconds, UTC)


def last(name: str) -> str:
    """The name or id that an ARN ends with."""
    return name.rpartition("/")[2]


class Machines:
    """EC2's side: instances in moto, which answers DescribeInstances; `lock` guards all of moto."""

    def __init__(self, region: str) -> None:
        self.lock = threading.Lock()
        self._region = region
        self._reservations: dict[str, Any] = {}

    @property
    def _backend(self) -> Any:
        from moto.ec2.models import ec2_backends  # a second

        return cast(Any, ec2_backends)[ACCOUNT][self._region]

    def launched(self, kind: str, zone: str, market: str, at: float, tags: dict[str, str]) -> str:
        """The id of a new instance."""
        settings = {"instance_type": kind, "is_instance_type_default": False, "placement": zone}
        spot = "spot" if market == "SPOT" else ""
        with self.lock:
            reservation = self._backend.run_instances(
                "ami-00000000000000000", 1, None, [], **settings, instance_market_options=spot,
                region_name=self._region, tags={"instance": tags},
            )  # fmt: skip
            instance = reservation.instances[0]
            instance.launch_time = when(at).replace(tzinfo=None)
            self._reservations[instance.id] = reservation
        return instance.id

    def shut_down(self, instance_id: str, at: float) -> None:
        """From now on it costs nothing."""
        with self.lock:
            instance = self._reservations[instance_id].instances[0]
            instance.instance_state.name, instance.instance_state.code = "shutting-down", 32
            instance._reason = f"Service initiated ({when(at):%Y-%m-%d %H:%M:%S} GMT)"

    def terminate(self, instance_id: str) -> None:
        """From now on it counts against no quota."""
        with self.lock:
            instance = self._reservations[instance_id].instances[0]
            reason = instance.state_transition_reason
            self._backend.terminate_instances([instance_id])
            instance._reason = reason

    def hide(self) -> None:
        """As AWS does from those who don't ask for managed resources; the caller has the lock."""
        for reservation in self._reservations.values():
            self._backend.reservations.pop(reservation.id, None)

    def show(self) -> None:
        """What was hidden; the caller has the lock."""
        for reservation in self._reservations.values():
            self._backend.reservations[reservation.id] = reservation


@dataclass(eq=False)
class Instance:
    """A managed instance, which has one task at a time."""

    arn: str
    cluster: str
    provider: str
    kind: str
    zone: str
    ec2_id: str
    scale_in_after: float | None
    registered_at: float
    free_since: float
    task: Task | None = None
    draining_at: float | None = None
    shutting_down: bool = False

    def shown(self) -> Json:
        """As DescribeContainerInstances has it."""
        status = self.task.status if self.task else None
        attributes = {"ecs.instance-type": self.kind, "ecs.availability-zone": self.zone}
        all_of_it = _resources(VCPUS * 1024, MEMORY_MIB, ["GPU-0"])
        return {
            "containerInstanceArn": self.arn,
            "ec2InstanceId": self.ec2_id,
            "capacityProviderName": self.provider,
            "status": "ACTIVE" if self.draining_at is None else "DRAINING",
            "agentConnected": True,
            "runningTasksCount": int(status == "RUNNING"),
            "pendingTasksCount": int(status in ("PROVISIONING", "PENDING")),
            "registeredAt": when(self.registered_at),
            "attributes": [{"name": name, "value": value} for name, value in attributes.items()],
            "registeredResources": all_of_it,
            "remainingResources": all_of_it if self.task is None else _resources(0, 0, []),
            "attachments": [],
            "tags": [],
        }


def _resources(cpu: int, memory: int, gpus: list[str]) -> list[Json]:
    return [
        {"name": "CPU", "type": "INTEGER", "integerValue": cpu},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
        {"name": "GPU", "type": "STRINGSET", "stringSetValue": gpus},
    ]


@dataclass(eq=False)
class Task:
    """`facts` is what DescribeTasks tells; the present stage began at `since`."""

    facts: Json
    cluster: str
    provider: str
    market: str
    since: float
    tags: list[Json]
    instance: Instance | None = None
    process: Process | None = None
    protected_until: float = -math.inf

    @property
    def id(self) -> str:
        return last(self.facts["taskArn"])

    @property
    def status(self) -> str:
        return self.facts["lastStatus"]

    @property
    def container(self) -> Json:
        return self.facts["containers"][0]

    def enter(self, status: str, at: float, **times: float) -> None:
        self.since = at
        self.facts["version"] += 1
        self.facts["lastStatus"] = status
        self.container["lastStatus"] = {"DEACTIVATING": "RUNNING", "STOPPING": "STOPPED"}.get(status, status)
        self.facts.update({name: when(at) for name, at in times.items()})

    def shown(self, with_tags: bool = True) -> Json:
        return copy.deepcopy({**self.facts, "tags": self.tags if with_tags else []})


@dataclass(eq=False)
class EcsService:
    """Keeps up a number of tasks; the parameters are those it was created with."""

    params: Json
    facts: Json

    @property
    def group(self) -> str:
        return f"service:{self.facts['serviceName']}"


class Life(Service):
    """What becomes of tasks and instances as time goes by.

    `capacity` is how each market takes requests for instances: "none" says nothing for ever.
    """

    name = "ecs"

    def __init__(
        self, clock: Callable[[], float], launch: Launch | None = None, region: str = "us-east-1"
    ) -> None:
        super().__init__()
        self._clock = clock
        self.launch = launch  #: starts the process of a task that runs
        self.region = region
        self.timing = Timing()
        self.capacity: dict[str, Capacity] = dict.fromkeys(MARKETS, "plenty")
        self.instance_type = "g6.xlarge"  #: if the provider allows it
        self.stale_lists = 0  #: so many answers of ListTasks lack the newest tasks
        self.machines = Machines(region)
        self._clusters: dict[str, Json] = {}
        self._providers: dict[tuple[str, str], Json] = {}  #: by cluster and name
        self._definitions: dict[str, list[Json]] = {}  #: by family
        self._services: list[EcsService] = []
        self._tasks: dict[str, Task] = {}
        self._tokens: dict[tuple[str, str], tuple[Json, list[Task]]] = {}
        self._instances: list[Instance] = []

    def advance(self) -> None:
        """Brings everything to the present time; every call does."""
        with self.lock:
            now = self._clock()
            for task in list(self._tasks.values()):
                self._catch_up(task, now)
            for service in self._services:
                self._keep_up(service, now)
            for instance in list(self._instances):
                self._age(instance, now)

    before_call = advance

    def end(self, task_id: str, exit_code: int = 0) -> None:
        """A running task's process ends by itself."""
        with self.lock:
            self.advance()
            task = self._tasks[task_id]
            assert task.status == "RUNNING", task.status
            self._exit(task, self._clock(), exit_code)
            self.advance()

    def remove_provider(self, name: str) -> None:
        """A deployment takes a capacity provider away."""
        with self.lock:
            for known in [key for key in self._providers if name in str(key)]:
                del self._providers[known]

    def interrupt(self, task_id: str) -> None:
        """AWS takes a Spot instance back, and its task with it."""
        with self.lock:
            self.advance()
            task = self._tasks[task_id]
            instance = task.instance
            assert task.market == "SPOT", task.market
            assert instance, task.status
            instance.draining_at = now = self._clock()
            self._stop(task, now, "SpotInterruption", "Your Spot Task was interrupted.")
            self.advance()

    def task(self, task_id: str) -> Json:
        """As DescribeTasks has it now. Raises KeyError."""
        with self.lock:
            self.advance()
            return self._tasks[task_id].shown()

    def close(self) -> None:
        """Ends the processes that still run, and takes the instances out of moto."""
        with self.lock:
            for task in self._tasks.values():
                if task.process and task.process.poll() is None:
                    task.process.terminate()
        with self.machines.lock:
            self.machines.hide()

    def _arn(self, *path: str) -> str:
        return f"arn:aws:ecs:{self.region}:{ACCOUNT}:{'/'.join(path)}"

    # Tasks

    def _start(self, params: Json, definition: Json, provider: Json, group: str, started_by: str) -> Task:
        now, cluster, task_id = self._clock(), last(provider["cluster"]), uuid.uuid4().hex
        container = definition["containerDefinitions"][0]
        arn = self._arn("task", cluster, task_id)
        facts = {
            "taskArn": arn,
            "clusterArn": provider["cluster"],
            "taskDefinitionArn": definition["taskDefinitionArn"],
            "containers": [
                {
                    "containerArn": self._arn("container", cluster, task_id, str(uuid.uuid4())),
                    "taskArn": arn,
                    "name": container["name"],
                    "image": container["image"],
                    "lastStatus": "PENDING",
                }
            ],
            "capacityProviderName": provider["name"],
            "launchType": "MANAGED_INSTANCES",
            "group": group,
            "startedBy": started_by,
            "overrides": {"containerOverrides": [{"name": container["name"]}], **params.get("overrides", {})},
            "lastStatus": "PROVISIONING",
            "desiredStatus": "RUNNING",
            "createdAt": when(now),
            "version": 1,
        }
        facts |= {key: definition[key] for key in ("cpu", "memory") if key in definition}
        if not started_by:
            del facts["startedBy"]
        task = Task(facts, cluster, provider["name"], _market(provider), now, params.get("tags", []))
        self._tasks[task_id] = task
        self._catch_up(task, now)
        return task

    def _catch_up(self, task: Task, now: float) -> None:
        steps = {
            "PROVISIONING": self._place,
            "PENDING": self._pull,
            "RUNNING": self._watch,
            "DEACTIVATING": self._wind_up,
            "STOPPING": self._halt,
            "STOPPED": self._forget,
        }
        while steps[task.status](task, now):
            pass

    def _place(self, task: Task, now: float) -> bool:
        task.instance = task.instance or self._found_instance(task, now)
        if task.instance is None:
            return self._refuse(task, now)
        task.instance.task = task
        at = max(task.since, task.instance.registered_at)
        if at > now:
            return False
        task.facts["containerInstanceArn"] = task.instance.arn
        task.facts["availabilityZone"] = task.instance.zone
        task.container["gpuIds"] = ["GPU-0"]
        task.enter("PENDING", at, pullStartedAt=at)
        return True

    def _refuse(self, task: Task, now: float) -> bool:
        reason = REFUSALS.get(self.capacity.get(task.market, "plenty"))
        at = task.since + self.timing.refuse_s
        if reason is None or at > now:
            return False
        self._stop(task, at, "TaskFailedToStart", reason)
        return True

    def _pull(self, task: Task, now: float) -> bool:
        pulled = task.since + self.timing.pull_s
        started = pulled + self.timing.start_s
        if pulled <= now:
            task.facts["pullStoppedAt"] = when(pulled)
        if started > now:
            return False
        task.enter("RUNNING", started, startedAt=started)
        task.facts |= {"connectivity": "CONNECTED", "connectivityAt": when(started)}
        if self.launch:
            task.process = self.launch(task.shown())
        return True

    def _watch(self, task: Task, now: float) -> bool:
        code = task.process.poll() if task.process else None
        if code is None:
            return False
        self._exit(task, now, code)
        return True

    def _exit(self, task: Task, at: float, code: int) -> None:
        task.facts |= {"stopCode": "EssentialContainerExited", "desiredStatus": "STOPPED"}
        task.facts["stoppedReason"] = "Essential container in task exited"
        task.container["exitCode"] = code
        task.enter("STOPPING", at, stoppingAt=at, executionStoppedAt=at)

    def _stop(self, task: Task, at: float, code: str, reason: str) -> None:
        if task.facts["desiredStatus"] == "STOPPED":
            return
        task.facts |= {"stopCode": code, "stoppedReason": reason, "desiredStatus": "STOPPED"}
        if task.status in ("PROVISIONING", "PENDING"):
            self._release(task, at)
            task.enter("STOPPED", at, stoppingAt=at, stoppedAt=at)
            return
        task.enter("DEACTIVATING", at, stoppingAt=at)
        if task.process:
            task.process.terminate()

    def _wind_up(self, task: Task, now: float) -> bool:
        """Without a process it's as if SIGTERM had ended one that takes no notice of it."""
        code = task.process.poll() if task.process else 143
        if code is None:
            return False
        at = now if task.process else task.since
        task.container["exitCode"] = code
        task.enter("STOPPING", at, executionStoppedAt=at)
        return True

    def _halt(self, task: Task, now: float) -> bool:
        at = task.since + self.timing.stop_s
        if at > now:
            return False
        task.facts["connectivity"] = "DISCONNECTED"
        self._release(task, at)
        task.enter("STOPPED", at, stoppedAt=at)
        return True

    def _release(self, task: Task, at: float) -> None:
        if task.instance:
            task.instance.task = None
            task.instance.free_since = max(at, task.instance.registered_at)

    def _forget(self, task: Task, now: float) -> bool:
        if task.since + DESCRIBED_S <= now:
            self._tasks.pop(task.id, None)
        return False

    # Services

    def _keep_up(self, service: EcsService, now: float) -> None:
        live = self._live_of(service)
        wanted: int = service.facts["desiredCount"]
        for task in [task for task in live if task.protected_until <= now][: max(0, len(live) - wanted)]:
            self._stop(task, now, "ServiceSchedulerInitiated", "Scaling activity initiated by the service")
            self._catch_up(task, now)
        definition = self.definition(service.facts["taskDefinition"])
        strategy = service.facts["capacityProviderStrategy"]
        for provider in self._chosen(last(service.facts["clusterArn"]), strategy, wanted - len(live)):
            started_by: str = service.facts["deployments"][0]["id"]
            self._start(service.params, definition, provider, service.group, started_by)

    def _live_of(self, service: EcsService) -> list[Task]:
        return [
            task
            for task in self._tasks.values()
            if (task.facts["clusterArn"], task.facts["group"]) == (service.facts["clusterArn"], service.group)
            and task.facts["desiredStatus"] == "RUNNING"
        ]

    def definition(self, name: str) -> Json:
        """By family, family:revision or ARN."""
        family, _, revision = last(name).partition(":")
        revisions = self._definitions.get(family, [])
        number = int(revision) if revision.isdecimal() else len(revisions)
        if not 0 < number <= len(revisions):
            raise AwsError("ClientException", "Unable to describe task definition.")
        return revisions[number - 1]

    def _chosen(self, cluster: str, strategy: Iterable[Json], count: int) -> list[Json]:
        """The capacity providers of so many tasks, by their weights."""
        entries = list(strategy)
        for entry in entries:
            if (cluster, last(entry["capacityProvider"])) not in self._providers:
                raise invalid(f"The specified capacity provider '{entry['capacityProvider']}' was not found.")
        least = 1 if len(entries) == 1 else 0
        names = [last(one["capacityProvider"]) for one in entries for _ in range(one.get("weight", least))]
        if not names:
            raise invalid("The weights of all capacity providers are zero.")
        return [self._providers[cluster, names[number % len(names)]] for number in range(count)]

    # Instances

    def _found_instance(self, task: Task, now: float) -> Instance | None:
        for instance in self._instances:
            same = (instance.cluster, instance.provider) == (task.cluster, task.provider)
            if same and instance.task is None and instance.draining_at is None:
                return instance
        if self.capacity.get(task.market, "plenty") != "plenty":
            return None
        instance = self._new_instance(self._providers[task.cluster, task.provider], now)
        self._instances.append(instance)
        return instance

    def _new_instance(self, provider: Json, now: float) -> Instance:
        cluster, settings = last(provider["cluster"]), provider["managedInstancesProvider"]
        kind, zone = self._kind(settings), f"{self.region}a"
        propagated = settings.get("propagateTags") == "CAPACITY_PROVIDER"
        tags: dict[str, str] = {tag["key"]: tag["value"] for tag in provider["tags"] if propagated}
        registered_at = now + self.timing.instance_s
        return Instance(
            arn=self._arn("container-instance", cluster, uuid.uuid4().hex),
            cluster=cluster,
            provider=provider["name"],
            kind=kind,
            zone=zone,
            ec2_id=self.machines.launched(kind, zone, _market(provider), now, tags),
            scale_in_after=settings.get("infrastructureOptimization", {}).get("scaleInAfter"),
            registered_at=registered_at,
            free_since=registered_at,
        )

    def _kind(self, settings: Json) -> str:
        requirements = settings["instanceLaunchTemplate"].get("instanceRequirements", {})
        allowed = requirements.get("allowedInstanceTypes") or ["*"]
        if any(fnmatch(self.instance_type, pattern) for pattern in allowed):
            return self.instance_type
        return next(pattern for pattern in allowed if "*" not in pattern)

    def _age(self, instance: Instance, now: float) -> None:
        if instance.task is not None:
            return
        if instance.draining_at is None:
            idle_s = self.timing.idle_s if instance.scale_in_after is None else instance.scale_in_after
            due = math.inf if idle_s == -1 else instance.free_since + idle_s
            instance.draining_at = due if due <= now else None
        if instance.draining_at is not None:
            self._retire(instance, max(instance.draining_at, instance.free_since), now)

    def _retire(self, instance: Instance, since: float, now: float) -> None:
        down = since + self.timing.drain_s
        if down <= now and not instance.shutting_down:
            instance.shutting_down = True
            self.machines.shut_down(instance.ec2_id, down)
        if down + self.timing.terminate_s <= now:
            self.machines.terminate(instance.ec2_id)
            self._instances.remove(instance)


def _market(provider: Json) -> str:
    template = provider["managedInstancesProvider"]["instanceLaunchTemplate"]
    return template.get("capacityOptionType", "ON_DEMAND")


class FakeEcs(Life):
    """The operations."""

    # Clusters and capacity providers

    def create_cluster(self, params: Json) -> Json:
        name = params.get("clusterName", "default")
        facts = {"clusterName": name, "clusterArn": self._arn("cluster", name), "status": "ACTIVE"}
        return {"cluster": self._clusters.setdefault(name, facts)}

    def describe_clusters(self, params: Json) -> Json:
        found, failures = self._described("cluster", params.get("clusters", ["default"]), self._clusters)
        return {"clusters": [self._counted(cluster) for cluster in found], "failures": failures}

    def _counted(self, cluster: Json) -> Json:
        name = cluster["clusterName"]
        here = [task.status for task in self._tasks.values() if task.cluster == name]
        return {
            **cluster,
            "runningTasksCount": here.count("RUNNING"),
            "pendingTasksCount": here.count("PENDING") + here.count("PROVISIONING"),
            "registeredContainerInstancesCount": len(self._registered(name)),
            "activeServicesCount": sum(last(one.facts["clusterArn"]) == name for one in self._services),
            "capacityProviders": [provider for cluster, provider in self._providers if cluster == name],
        }

    def _cluster(self, params: Json) -> str:
        name = last(params.get("cluster", "default"))
        if name not in self._clusters:
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return name

    def create_capacity_provider(self, params: Json) -> Json:
        name = params["name"]
        if "managedInstancesProvider" not in params or "cluster" not in params:
            raise AwsError("ClientException", "managed instances need a cluster, and here is nothing else")
        if not re.fullmatch(r"(?!aws|ecs|fargate)[A-Za-z0-9_-]{1,255}", name):
            raise AwsError("ClientException", f"'{name}' can't be a capacity provider's name")
        cluster = self._cluster(params)
        if (cluster, name) in self._providers:
            raise AwsError("ClientException", f"there is a capacity provider '{name}' already")
        provider = self._providers[cluster, name] = {
            "name": name,
            "cluster": self._arn("cluster", cluster),
            "capacityProviderArn": self._arn("capacity-provider", name),
            "status": "ACTIVE",
            "type": "MANAGED_INSTANCES",
            "managedInstancesProvider": params["managedInstancesProvider"],
            "tags": params.get("tags", []),
        }
        return {"capacityProvider": provider}

    def describe_capacity_providers(self, params: Json) -> Json:
        """Those of managed instances are only shown to who names their cluster."""
        cluster = self._cluster(params) if "cluster" in params else ""
        here = {name: provider for (at, name), provider in self._providers.items() if at == cluster}
        found, failures = self._described("capacity-provider", params.get("capacityProviders", here), here)
        shown, after = page(found, params, most=10)
        return {"capacityProviders": shown, "failures": failures, **after}

    def _described(
        self, kind: str, names: Iterable[str], there: dict[str, Json]
    ) -> tuple[list[Json], list[Json]]:
        known = {last(name): there.get(last(name)) for name in names}
        missing = [
            {"arn": self._arn(kind, name), "reason": "MISSING"} for name, it in known.items() if it is None
        ]
        return [it for it in known.values() if it is not None], missing

    # Container instances

    def _registered(self, cluster: str) -> list[Instance]:
        now = self._clock()
        return [
            instance
            for instance in self._instances
            if instance.cluster == cluster and instance.registered_at <= now and not instance.shutting_down
        ]

    def list_container_instances(self, params: Json) -> Json:
        if "filter" in params:
            raise NotImplementedError("filters of ListContainerInstances")
        statuses = [params["status"]] if "status" in params else ["ACTIVE", "DRAINING"]
        there = self._registered(self._cluster(params))
        arns = [instance.arn for instance in there if instance.shown()["status"] in statuses]
        found, after = page(arns, params)
        return {"containerInstanceArns": found, **after}

    def describe_container_instances(self, params: Json) -> Json:
        names = _some(params, "containerInstances", 100)
        cluster = self._cluster(params)
        there = {last(instance.arn): instance.shown() for instance in self._registered(cluster)}
        found, failures = self._described(f"container-instance/{cluster}", names, there)
        return {"containerInstances": found, "failures": failures}

    # Task definitions

    def register_task_definition(self, params: Json) -> Json:
        family, compatibilities = params["family"], params.get("requiresCompatibilities", ["EC2"])
        mode = params.get("networkMode", "awsvpc")
        if "MANAGED_INSTANCES" in compatibilities and mode not in ("awsvpc", "host"):
            raise AwsError("ClientException", f"managed instances have no network mode {mode}")
        for container in params["containerDefinitions"]:
            if not ({"memory", "memoryReservation"} & set(container) or "memory" in params):
                raise AwsError(
                    "ClientException", f"Container '{container['name']}' has no setting for memory."
                )
        revisions = self._definitions.setdefault(family, [])
        revision = len(revisions) + 1
        definition = {name: value for name, value in params.items() if name != "tags"} | {
            "taskDefinitionArn": self._arn("task-definition", f"{family}:{revision}"),
            "networkMode": mode,
            "revision": revision,
            "status": "ACTIVE",
            "compatibilities": compatibilities,
            "registeredAt": when(self._clock()),
        }
        revisions.append(definition)
        return {"taskDefinition": definition, "tags": params.get("tags", [])}

    def describe_task_definition(self, params: Json) -> Json:
        return {"taskDefinition": self.definition(params["taskDefinition"])}

    # Tasks

    def run_task(self, params: Json) -> Json:
        _check_run(params)
        cluster = self._cluster(params)
        key = cluster, params.get("clientToken", uuid.uuid4().hex)
        if key not in self._tokens:
            self._tokens[key] = params, self._run(params, cluster)
        before, tasks = self._tokens[key]
        if before != params:
            arns = [task.facts["taskArn"] for task in tasks]
            raise AwsError("ConflictException", "The token had other parameters.", resourceIds=arns)
        return {"tasks": [task.shown() for task in tasks], "failures": []}

    def _run(self, params: Json, cluster: str) -> list[Task]:
        definition = self.definition(params["taskDefinition"])
        _check_definition(params, definition)
        names = {container["name"] for container in definition["containerDefinitions"]}
        for override in params.get("overrides", {}).get("containerOverrides", []):
            if override.get("name") not in names:
                raise invalid(f"Override for container named {override.get('name')} has no such container.")
        group = params.get("group", f"family:{definition['family']}")
        providers = self._chosen(cluster, params["capacityProviderStrategy"], params.get("count", 1))
        started_by = params.get("startedBy", "")
        return [self._start(params, definition, provider, group, started_by) for provider in providers]

    def list_tasks(self, params: Json) -> Json:
        others = {"family", "serviceName", "containerInstance"} & set(params)
        if "startedBy" in params and others:
            raise invalid(f"startedBy can't be combined with {min(others)}")
        wanted = {"desiredStatus": "RUNNING", **params, "cluster": self._cluster(params)}
        if "serviceName" in params:
            self._service(params, params["serviceName"])
        newest = self._clock() - STALE_S if self.stale_lists else math.inf
        self.stale_lists = max(0, self.stale_lists - 1)
        arns = [
            task.facts["taskArn"]
            for task in self._tasks.values()
            if task.facts["createdAt"].timestamp() <= newest
            and all(fact(task, wanted[name]) for name, fact in _FACTS.items() if name in wanted)
        ]
        found, after = page(arns, params)
        return {"taskArns": found, **after}

    def describe_tasks(self, params: Json) -> Json:
        cluster, names = self._cluster(params), _some(params, "tasks", 100)
        with_tags = "TAGS" in params.get("include", [])
        tasks = {task.id: task.shown(with_tags) for task in self._tasks.values() if task.cluster == cluster}
        found, failures = self._described(f"task/{cluster}", names, tasks)
        return {"tasks": found, "failures": failures}

    def stop_task(self, params: Json) -> Json:
        cluster, task = self._cluster(params), self._tasks.get(last(params["task"]))
        if task is None or task.cluster != cluster:
            raise invalid("The referenced task was not found.")
        now = self._clock()
        self._stop(task, now, "UserInitiated", params.get("reason", "Task stopped by user"))
        self._catch_up(task, now)
        return {"task": task.shown()}

    # Protection, which only tasks of services need and can have

    def update_task_protection(self, params: Json) -> Json:
        minutes = params.get("expiresInMinutes", 120)
        if not 1 <= minutes <= 2880:
            raise invalid("expiresInMinutes is 1 to 2880")
        until = self._clock() + minutes * 60 if params["protectionEnabled"] else -math.inf

        def protect(task: Task) -> None:
            task.protected_until = until

        return self._protection(params, protect)

    def get_task_protection(self, params: Json) -> Json:
        return self._protection(params, lambda task: None)

    def _protection(self, params: Json, do: Callable[[Task], None]) -> Json:
        answer: dict[str, list[Json]] = {"protectedTasks": [], "failures": []}
        cluster = self._cluster(params)
        for name in _some(params, "tasks", 10):
            task = self._tasks.get(last(name))
            if task is None or task.cluster != cluster:
                arn = self._arn("task", cluster, last(name))
                answer["failures"].append({"arn": arn, "reason": "MISSING"})
            elif not task.facts["group"].startswith("service:"):
                arn = task.facts["taskArn"]
                answer["failures"].append({"arn": arn, "reason": "TASK_NOT_VALID"})
            else:
                do(task)
                answer["protectedTasks"].append(self._protected(task))
        return answer

    def _protected(self, task: Task) -> Json:
        on = task.protected_until > self._clock()
        until = {"expirationDate": when(task.protected_until)} if on else {}
        return {"taskArn": task.facts["taskArn"], "protectionEnabled": on, **until}

    # Services

    def create_service(self, params: Json) -> Json:
        name, cluster = params["serviceName"], self._cluster(params)
        definition = self.definition(params["taskDefinition"])
        _check_definition(params, definition)
        strategy = params.get("capacityProviderStrategy", [])
        self._chosen(cluster, strategy, 0)
        facts = {
            "serviceName": name,
            "serviceArn": self._arn("service", cluster, name),
            "clusterArn": self._arn("cluster", cluster),
            "status": "ACTIVE",
            "desiredCount": params.get("desiredCount", 0),
            "taskDefinition": definition["taskDefinitionArn"],
            "capacityProviderStrategy": strategy,
            "deployments": [{"id": f"ecs-svc/{uuid.uuid4().int % 10**19}", "status": "PRIMARY"}],
            "createdAt": when(self._clock()),
        }
        service = EcsService(params, facts)
        self._services.append(service)
        return {"service": self._kept_up(service)}

    def update_service(self, params: Json) -> Json:
        unknown = set(params) - {"cluster", "service", "desiredCount", "taskDefinition"}
        if unknown:
            raise NotImplementedError(f"UpdateService with {sorted(unknown)}")
        service = self._service(params, params["service"])
        if "taskDefinition" in params:
            service.facts["taskDefinition"] = self.definition(params["taskDefinition"])["taskDefinitionArn"]
        service.facts["desiredCount"] = params.get("desiredCount", service.facts["desiredCount"])
        return {"service": self._kept_up(service)}

    def describe_services(self, params: Json) -> Json:
        there = {one.facts["serviceName"]: self._kept_up(one) for one in self._in(params)}
        kind = f"service/{self._cluster(params)}"
        found, failures = self._described(kind, _some(params, "services", 10), there)
        return {"services": found, "failures": failures}

    def _service(self, params: Json, name: str) -> EcsService:
        for service in self._in(params):
            if service.facts["serviceName"] == last(name):
                return service
        raise AwsError("ServiceNotFoundException", "Service not found.")

    def _in(self, params: Json) -> list[EcsService]:
        arn = self._arn("cluster", self._cluster(params))
        return [service for service in self._services if service.facts["clusterArn"] == arn]

    def _kept_up(self, service: EcsService) -> Json:
        self._keep_up(service, self._clock())
        running = [task.status == "RUNNING" for task in self._live_of(service)]
        counts = {"runningCount": sum(running), "pendingCount": len(running) - sum(running)}
        return {**service.facts, **counts}


_FACTS: dict[str, Callable[[Task, str], bool]] = {
    "cluster": lambda task, name: task.cluster == name,
    "desiredStatus": lambda task, status: task.facts["desiredStatus"] == status,
    "launchType": lambda task, kind: task.facts["launchType"] == kind,
    "startedBy": lambda task, who: task.facts.get("startedBy") == who,
    "family": lambda task, name: last(task.facts["taskDefinitionArn"]).partition(":")[0] == name,
    "serviceName": lambda task, name: task.facts["group"] == f"service:{last(name)}",
    "containerInstance": lambda task, name: last(task.facts.get("containerInstanceArn", "")) == last(name),
}  #: by what ListTasks selects


def _some(params: Json, name: str, most: int) -> list[str]:
    names: list[str] = params.get(name, [])
    if not 0 < len(names) <= most:
        raise invalid(f"{name} are one to {most}")
    return names


def _check_run(params: Json) -> None:
    """What ECS wants of RunTask beyond its model."""
    strategy, token = params.get("capacityProviderStrategy"), params.get("clientToken", "-")
    overrides = json.dumps(params.get("overrides", {}))
    if "launchType" in params and strategy:
        raise invalid("Specifying both a launch type and capacity provider strategy is not supported.")
    if not strategy:
        raise invalid("No Container Instances were found in your cluster.")
    if not 1 <= params.get("count", 1) <= 10:
        raise invalid("count is 1 to 10")
    if not re.fullmatch(r"[!-~]{1,64}", token):
        raise invalid("clientToken is up to 64 printable characters")
    if not re.fullmatch(r"[A-Za-z0-9/_-]{1,128}", params.get("startedBy", "-")) or len(overrides) > 8192:
        raise invalid(
            "startedBy is up to 128 letters, digits, /, _ and -; overrides are up to 8192 characters"
        )


def _check_definition(params: Json, definition: Json) -> None:
    """What a task definition wants of those who run it."""
    if "MANAGED_INSTANCES" not in definition["compatibilities"]:
        raise invalid("Task definition does not support launch_type MANAGED_INSTANCES.")
    if (definition["networkMode"] == "awsvpc") != ("networkConfiguration" in params):
        raise invalid("Network Configuration is for networkMode awsvpc, which can't do without.")
