"""What the fleet remembers in the ledger's table: its tasks and instances, and a start under way.

ECS forgets a task an hour after it ended, and EC2 an instance; what they cost is asked for later. An
instance is remembered until it is billed: the bill says the rest.

A start is noted before ECS is asked, with the token by which ECS knows a repetition: whoever finds it
unfinished asks again, and gets the same tasks.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from pipeline.adapters.aws.records import BILLED, key, text, time_key
from pipeline.adapters.aws.rows import Rows, string
from pipeline.errors import Conflict
from pipeline.model import Instance, Market, Task

if TYPE_CHECKING:
    from pipeline.adapters.aws.rows import Item

_TASK, _INSTANCE, _FLEET, _START = "task", "instance", "fleet", "start"
_RECENT = 200  #: tasks that are looked at for ones that have not ended
_LONGEST_WAIT_S = 2 * 3600.0  #: from asking for a task until its instance is there

AnyRecord = TypeVar("AnyRecord", Task, Instance)


@dataclass(frozen=True, kw_only=True)
class Start:
    """Workers that ECS is being asked for."""

    token: str
    count: int
    market: Market
    at: float


class FleetRecords:
    """Raises StorageError where AWS fails."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def tasks(self) -> list[Task]:
        """The last ones, the newest first."""
        for page in self._rows.pages(_TASK, ScanIndexForward=False, Limit=_RECENT):
            return [_decoded(item, Task) for item in page]
        return []

    def unbilled(self) -> list[Instance]:
        """See `ports.Meter`."""
        return [_decoded(item, Instance) for page in self._rows.pages(_INSTANCE) for item in page]

    def tasks_on(self, instance: Instance) -> list[Task]:
        """See `ports.Meter`."""
        first = time_key((instance.launched_at or 0.0) - _LONGEST_WAIT_S)
        last = time_key(instance.ended_at) if instance.ended_at else "~"
        pages = self._rows.pages(_TASK, within=(first, f"{last}~"))
        tasks = (_decoded(item, Task) for page in pages for item in page)
        return [task for task in tasks if task.instance == instance.id]

    def billed(self, instance: Instance) -> None:
        """See `ports.Meter`."""
        self._rows.delete(_INSTANCE, instance.id)

    def keep_tasks(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self._rows.put({**key(_TASK, f"{time_key(task.asked_at)}#{task.id}"), "doc": {"S": text(task)}})

    def keep_instances(self, instances: Iterable[Instance]) -> None:
        """Those that are not billed: of an ended one, ECS and EC2 tell for an hour."""
        seen = {instance.id: instance for instance in instances}
        billed = self._rows.items([(BILLED, id) for id in seen])
        for id, instance in seen.items():
            if (BILLED, id) not in billed:
                self._rows.put({**key(_INSTANCE, id), "doc": {"S": text(instance)}})

    def starts(self) -> tuple[int, Start | None]:
        """How many starts there were, and the one that is under way."""
        item = self._rows.item(_FLEET, _START)
        if item is None:
            return 0, None
        start = msgspec.json.decode(string(item, "doc"), type=Start) if "doc" in item else None
        return int(item["number"].get("N", "0")), start

    def begin(self, number: int, count: int, market: Market, at: float) -> Start:
        """Note what ECS is going to be asked for. Raises Conflict where others began since `number`."""
        start = Start(token=uuid.uuid4().hex, count=count, market=market, at=at)
        if not self._rows.update(
            _FLEET,
            _START,
            UpdateExpression="SET #number = :number, #doc = :doc",
            ConditionExpression="attribute_not_exists(#number) OR (#number = :number"
            " AND attribute_not_exists(#doc))",
            ExpressionAttributeNames={"#number": "number", "#doc": "doc"},
            ExpressionAttributeValues={":number": {"N": str(number)}, ":doc": {"S": text(start)}},
        ):
            raise Conflict("somebody else is just starting workers", "nothing to do: they see to it")
        return start

    def finish(self, start: Start) -> None:
        """Its tasks are on record, or ECS will never have them."""
        self._rows.update(
            _FLEET,
            _START,
            UpdateExpression="SET #number = #number + :one REMOVE #doc",
            ConditionExpression="#doc = :doc",  # somebody else may have finished it too
            ExpressionAttributeNames={"#number": "number", "#doc": "doc"},
            ExpressionAttributeValues={":one": {"N": "1"}, ":doc": {"S": text(start)}},
        )


def _decoded(item: Item, kind: type[AnyRecord]) -> AnyRecord:
    return msgspec.json.decode(string(item, "doc"), type=kind)
