"""What the fleet remembers in the ledger's table: its tasks and instances, and a start under way.

ECS forgets a task an hour after it ended, and EC2 an instance; what they cost is asked for later. A
start is noted before ECS is asked, with the token by which ECS knows a repetition: whoever finds it
unfinished asks again, and gets the same tasks.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from pipeline.adapters.aws.records import key, text
from pipeline.adapters.aws.rows import Rows, string
from pipeline.errors import Conflict
from pipeline.model import Instance, Market, Task

_TASK, _INSTANCE, _FLEET, _START = "task", "instance", "fleet", "start"
_RECENT = 200  #: tasks that are looked at for ones that have not ended

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
        return self._last(_TASK, Task)

    def instances(self) -> list[Instance]:
        """The last ones, the newest first."""
        return self._last(_INSTANCE, Instance)

    def keep_tasks(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self._rows.put({**key(_TASK, f"{_at(task.asked_at)}#{task.id}"), "doc": {"S": text(task)}})

    def keep_instances(self, instances: Iterable[Instance]) -> None:
        for instance in instances:
            name = f"{_at(instance.launched_at or 0.0)}#{instance.id}"
            self._rows.put({**key(_INSTANCE, name), "doc": {"S": text(instance)}})

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

    def _last(self, kind: str, type_: type[AnyRecord]) -> list[AnyRecord]:
        options: dict[str, Any] = {"ScanIndexForward": False, "Limit": _RECENT}
        for page in self._rows.pages(kind, **options):
            return [msgspec.json.decode(string(item, "doc"), type=type_) for item in page]
        return []


def _at(seconds: float) -> str:
    return f"{round(seconds * 1e6):018}"
