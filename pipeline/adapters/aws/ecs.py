"""The fleet on ECS: workers as tasks on managed instances, which come with them and go without them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline.adapters.aws.errors import code_of, explained, may_pass
from pipeline.adapters.aws.fleet_records import FleetRecords, Start
from pipeline.adapters.aws.machines import Machines
from pipeline.adapters.aws.seen import id_of, in_parts, pieces, task_of, updated
from pipeline.deployment import Deployment
from pipeline.errors import StorageError
from pipeline.model import Instance, Market, Task
from pipeline.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import TaskTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient

_A_CALL = 100  #: tasks that ECS describes at once
_STARTS_A_CALL = 10  #: tasks that it starts at once
_FORGOTTEN_S = 300.0  #: a task that ECS does not know so long after it was asked for is gone
_LOG_LINES = 1000
_START_ENDS_S = 3600.0  #: ECS may know its token no longer, and ask for tasks that nobody needs now
_UNKNOWN = frozenset({"InvalidParameterException", "ClientException"})  #: what it says of no such task


class EcsFleet:
    """See `ports.Fleet`. Raises StorageError where AWS fails.

    ECS's lists are a moment behind, so what was started here is remembered and asked for by its id.
    """

    def __init__(
        self,
        ecs: ECSClient,
        logs: Callable[[], CloudWatchLogsClient],
        machines: Machines,
        records: FleetRecords,
        names: Deployment,
        clock: Clock,
    ) -> None:
        self._ecs = ecs
        self._logs = logs
        self._machines = machines
        self._records = records
        self._names = names
        self._clock = clock
        self._what = f"the cluster {names.cluster}"
        self._starts: int | None = None  #: how many there were when tasks were last looked at

    def tasks(self) -> list[Task]:
        return [task for task in self.recent() if task.live]

    def recent(self) -> list[Task]:
        return self._seen(self._records.tasks())

    def survey(self) -> list[Task]:
        self._machines.forget()  # a deployment may have replaced providers
        self._starts, unfinished = self._records.starts()
        if unfinished and self._clock() - unfinished.at > _START_ENDS_S:
            self._records.finish(unfinished)
            self._starts += 1
        elif unfinished:
            self._run(unfinished)
            self._starts += 1
        known = self._records.tasks()
        seen = self._seen(known)
        before = {task.id: task for task in known}
        self._records.keep_tasks(task for task in seen if task != before.get(task.id))
        self._records.keep_instances(self._machines.changed(seen, self._records.unbilled(), self._clock()))
        return seen

    def instances(self) -> list[Instance]:
        return self._machines.present()

    def start(self, count: int, market: Market | None = None) -> list[Task]:
        if count < 1:
            return []
        if self._starts is None:
            self.survey()
        wanted = market or Market.ON_DEMAND
        self._machines.provider(wanted)  # that there is none should be known before anything is noted
        begun = self._records.begin(self._starts or 0, count, wanted, self._clock())
        self._starts = None
        return self._run(begun)

    def stop(self, task_id: str, reason: str = "") -> None:
        with explained(self._what):
            try:
                self._ecs.stop_task(
                    cluster=self._names.cluster, task=task_id, reason=reason or "stopped by hand"
                )
            except ClientError as error:
                if code_of(error) not in _UNKNOWN:
                    raise

    def ended(self, workers: Collection[str]) -> set[str]:
        described = self._described(filter(_is_ours, workers))
        return {task.id for task in described if not task.live}

    def log(self, task_id: str) -> list[str]:
        stream = f"worker/{self._names.worker}/{task_id}"
        with explained(f"the log group {self._names.worker_log}"):
            try:
                found = self._logs().get_log_events(
                    logGroupName=self._names.worker_log, logStreamName=stream, limit=_LOG_LINES
                )
            except ClientError as error:
                if code_of(error) != "ResourceNotFoundException":
                    raise
                return []
        return [event.get("message", "") for event in found["events"]]

    def _run(self, start: Start) -> list[Task]:
        """Ask ECS; the same start again gets the same tasks.

        One that failed in a way that may pass is made again by the next process. Any other would fail
        again and again, and keep all others from being made.
        """
        made: list[Task] = []
        try:
            for number, count in enumerate(pieces(start.count, _STARTS_A_CALL)):
                made += self._run_some(f"{start.token}-{number}", count, start.market)
        except (ClientError, StorageError) as error:
            if not (isinstance(error, ClientError) and may_pass(error)):
                self._records.keep_tasks(made)
                self._records.finish(start)
            with explained(self._what):
                raise
        self._records.keep_tasks(made)
        self._records.finish(start)
        return [task for task in made if task.live]

    def _run_some(self, token: str, count: int, market: Market) -> list[Task]:
        provider = self._machines.provider(market)
        answer = self._ecs.run_task(
            cluster=self._names.cluster,
            taskDefinition=self._names.worker,
            count=count,
            capacityProviderStrategy=[{"capacityProvider": provider, "weight": 1}],
            clientToken=token,
            enableECSManagedTags=True,
            propagateTags="TASK_DEFINITION",
            startedBy=self._names.name,
        )
        now = self._clock()
        refused = [
            Task(
                id=f"{token}-{number}",
                asked_at=now,
                market=market,
                stopped_at=now,
                stop_code="RunTaskFailure",
                reason=" ".join(filter(None, (failure.get("reason"), failure.get("detail")))),
            )
            for number, failure in enumerate(answer.get("failures", []))
        ]
        return [*(task_of(task, {provider: market}, {}) for task in answer["tasks"]), *refused]

    def _seen(self, known: Iterable[Task]) -> list[Task]:
        """What was known, as it is now, and what else ECS has."""
        before = {task.id: task for task in known}
        open_ = [task for task in before.values() if task.live]
        asked = {*self._listed(), *(task.id for task in open_)}
        found = {task.id: task for task in self._described(asked)}
        now = {**before, **{id: updated(before.get(id), task) for id, task in found.items()}}
        for task in open_:
            if task.id not in found and self._clock() - task.asked_at > _FORGOTTEN_S:
                now[task.id] = replace(task, stopped_at=self._clock(), reason="ECS knows it no longer")
        return sorted(now.values(), key=lambda task: (task.asked_at, task.id), reverse=True)

    def _listed(self) -> set[str]:
        """The workers that ECS has, or had within the last hour."""
        ids: set[str] = set()
        pages = self._ecs.get_paginator("list_tasks")
        with explained(self._what):
            for status in ("RUNNING", "STOPPED"):
                for page in pages.paginate(
                    cluster=self._names.cluster, family=self._names.worker, desiredStatus=status
                ):
                    ids |= {id_of(arn) for arn in page["taskArns"]}
        return ids

    def _described(self, ids: Iterable[str]) -> list[Task]:
        tasks: list[TaskTypeDef] = []
        for some in in_parts(sorted(ids), _A_CALL):
            with explained(self._what):
                tasks += self._ecs.describe_tasks(cluster=self._names.cluster, tasks=some)["tasks"]
        places = self._machines.places(
            {task["containerInstanceArn"] for task in tasks if "containerInstanceArn" in task}
        )
        return [task_of(task, self._machines.markets(), places) for task in tasks]


def _is_ours(worker: str) -> bool:
    """Whether it is the id of a task, and not the name of a worker somewhere else."""
    return len(worker) == 32 and all(char in "0123456789abcdef" for char in worker)
