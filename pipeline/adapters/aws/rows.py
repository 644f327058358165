"""The table itself: reading what is there now, changing it under a condition, and patience."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.adapters.aws.errors import code_of, explained
from pipeline.adapters.aws.records import Write, key
from pipeline.adapters.aws.table import PARTITION_KEY, SORT_AT, SORT_KEY, Index
from pipeline.errors import Conflict, StorageError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from pipeline.adapters.aws.records import Key

    Item = dict[str, AttributeValueTypeDef]

_KEYS_A_READ = 100  #: DynamoDB's limit
_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

_REFUSED = "ConditionalCheckFailed"
_COLLIDED = frozenset({"TransactionConflict", "TransactionConflictException", "ThrottlingError"})


class Rows:
    """One table's records. Raises StorageError where AWS fails."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self.table = table
        self._client = client
        self._what = f"the table {table}"

    def put(self, item: Key) -> None:
        """Write a record, whatever was there."""
        with explained(self._what):
            self._client.put_item(TableName=self.table, Item=item)

    def update(self, kind: str, name: str, **request: Any) -> bool:
        """Change a record; False where the condition did not hold."""
        at = key(kind, name)
        return self._changed(lambda: self._client.update_item(TableName=self.table, Key=at, **request))

    def delete(self, kind: str, name: str, **request: Any) -> bool:
        """Remove a record; False where the condition did not hold."""
        at = key(kind, name)
        return self._changed(lambda: self._client.delete_item(TableName=self.table, Key=at, **request))

    def write(self, batch: Sequence[Write]) -> None:
        """All of it or nothing. Raises Conflict where a condition did not hold."""

        def transact() -> None:
            try:
                # botocore gives each call a token, by which AWS knows a repetition of the same.
                self._client.transact_write_items(TransactItems=[write.action for write in batch])
            except ClientError as error:
                for write, reason in zip(batch, _reasons(error), strict=False):
                    if reason == _REFUSED:
                        raise Conflict(write.refused, "run again") from None
                raise

        with explained(self._what):
            _patiently(transact)

    def item(self, kind: str, name: str) -> Item | None:
        """A record as it is now."""
        with explained(self._what):
            found = self._client.get_item(TableName=self.table, Key=key(kind, name), ConsistentRead=True)
        return found.get("Item")

    def items(self, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        """Records by their keys, as they are now; those that are there."""
        keys = [key(*place) for place in places]
        found: dict[tuple[str, str], Item] = {}
        for start in range(0, len(keys), _KEYS_A_READ):
            for item in self._some_items(keys[start : start + _KEYS_A_READ]):
                found[string(item, PARTITION_KEY), string(item, SORT_KEY)] = item
        return found

    def pages(
        self, kind: str, prefix: str = "", *, within: tuple[str, str] | None = None, **options: Any
    ) -> Iterator[list[Item]]:
        """A partition of the table, in the order of its sort keys, as it is now.

        All of it, or what begins with a prefix, or what lies between two keys, both included.
        """
        first, last = within or (prefix, "")
        where = f"{SORT_KEY} BETWEEN :first AND :last" if within else f"begins_with({SORT_KEY}, :first)"
        bounds = {":first": first, ":last": last}
        for page in self._query(
            KeyConditionExpression=f"{PARTITION_KEY} = :kind" + (f" AND {where}" if first else ""),
            ExpressionAttributeValues={
                ":kind": {"S": kind},
                **{name: {"S": value} for name, value in bounds.items() if value},
            },
            ConsistentRead=True,
            **options,
        ):
            yield page["Items"]

    def names(self, index: Index, value: str, limit: int | None, before: str | None) -> Iterator[list[str]]:
        """What an index had a moment ago, the last first; in pages of `limit` at most."""
        values = {":value": {"S": value}, **({":before": {"S": before}} if before else {})}
        options = {} if limit is None else {"Limit": min(limit, _KEYS_A_READ)}
        for page in self._query(
            IndexName=index.name,
            KeyConditionExpression="#key = :value" + (" AND #sort < :before" if before else ""),
            ExpressionAttributeNames={"#key": index.partition_key, **({"#sort": SORT_AT} if before else {})},
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            **options,
        ):
            yield [string(item, SORT_KEY) for item in page["Items"]]

    def count(self, index: Index, value: str) -> int:
        """How many an index had a moment ago."""
        pages = self._query(
            IndexName=index.name,
            KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": index.partition_key},
            ExpressionAttributeValues={":value": {"S": value}},
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)

    def _some_items(self, keys: Sequence[Key]) -> Iterator[Item]:
        wanted: Any = {self.table: {"Keys": keys, "ConsistentRead": True}}
        for pause in (0, *_PAUSES_S):
            _rest(pause)
            with explained(self._what):
                answer = self._client.batch_get_item(RequestItems=wanted)
            yield from answer["Responses"].get(self.table, [])
            wanted = answer["UnprocessedKeys"]  # a busy table answers in parts
            if not wanted:
                return
        raise StorageError(
            f"{self._what} is asked for more than it can take just now", "try again in a minute"
        )

    def _query(self, **request: Any) -> Iterator[Any]:
        with explained(self._what):
            yield from self._client.get_paginator("query").paginate(TableName=self.table, **request)

    def _changed(self, change: Callable[[], object]) -> bool:
        with explained(self._what):
            try:
                _patiently(change)
            except ClientError as error:
                if code_of(error) != f"{_REFUSED}Exception":
                    raise
                return False
            return True


def string(item: Item, name: str) -> str:
    """An attribute that is one."""
    return item[name].get("S", "")


def _reasons(error: ClientError) -> list[str]:
    """Why a transaction was cancelled, a word for each of its actions."""
    reasons: list[dict[str, str]] = error.response.get("CancellationReasons", [])  # pyright: ignore[reportAssignmentType]
    return [reason.get("Code", "") for reason in reasons]


def _patiently(change: Callable[[], object]) -> None:
    """Again, a little later each time, while another transaction holds a record of this one."""
    for pause in _PAUSES_S:
        try:
            change()
        except ClientError as error:
            if not _COLLIDED & {code_of(error), *_reasons(error)}:
                raise
        else:
            return
        _rest(pause)
    change()


def _rest(seconds: float) -> None:
    time.sleep(random.uniform(0, seconds))
