"""Records of the ledger's table: how values are written down, and the writes that changes come to."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.adapters.aws.table import PARTITION_KEY, SORT_AT, SORT_KEY
from pipeline.errors import Conflict
from pipeline.model import Alias, Bill, Change, Claim, Episode, Progress, State, Stint

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef, UniversalAttributeValueTypeDef

    Key = dict[str, UniversalAttributeValueTypeDef]

EPISODE, OUTBOX, FEED, BILL, BILLED, BUDGET = "episode", "outbox", "feed", "bill", "billed", "budget"
WISH, WARM = "wish", "warm"
CHARGE = "charge:"  #: begins the name of an attribute of an episode: its share of a bill

_ACTIONS_A_TRANSACTION = 100  #: DynamoDB's limit

_EPOCH_US = 10**17  #: keeps times before 1970 positive: strings of digits have no order below zero


@dataclass(frozen=True, kw_only=True)
class Write:
    """One action of a transaction, and what it means if its condition does not hold."""

    action: TransactWriteItemTypeDef
    key: tuple[str, str]  #: a transaction may not hold it twice
    refused: str = ""


def key(kind: str, name: str) -> Key:
    """Where a record is; `table` says what is where."""
    return {PARTITION_KEY: {"S": kind}, SORT_KEY: {"S": name}}


def events_of(episode_id: str) -> str:
    """The partition of an episode's history."""
    return f"event#{episode_id}"


def stints_of(worker: str) -> str:
    """The partition of what a worker did."""
    return f"stint#{worker}"


def time_key(seconds: float) -> str:
    """A string of digits that sorts as a time."""
    return f"{round(seconds * 1e6) + _EPOCH_US:018}"


def alias_key(feed: str, alias: Alias) -> tuple[str, str]:
    """Where an alias is; as a hash, since it may be longer than a key and hold anything."""
    return f"alias#{feed}", f"{alias.kind}#{hashlib.sha256(alias.value.encode()).hexdigest()}"


def sort_at(episode: Episode) -> str:
    """A string that sorts as the episode's time, then its id."""
    at = episode.discovered_at if episode.published is None else episode.published
    return f"{time_key(at)}#{episode.id}"


def episode_of(item: Mapping[str, Any]) -> Episode:
    """The document, with what heartbeats and bills wrote beside it."""
    episode = msgspec.json.decode(item["doc"]["S"], type=Episode)
    charges = {
        name.removeprefix(CHARGE): Decimal(usd["S"]) for name, usd in item.items() if name.startswith(CHARGE)
    }
    if charges:
        episode = replace(episode, charges=charges)
    if episode.claim is None:
        return episode
    progress = msgspec.json.decode(item["progress"]["S"], type=Progress) if "progress" in item else None
    claim = episode.claim
    if "beat" in item:
        beat = msgspec.json.decode(item["beat"]["S"], type=Claim)
        if beat.token == claim.token:
            claim = replace(claim, until=max(claim.until, beat.until))
    return replace(episode, claim=claim, progress=progress)


def text(value: object) -> str:
    """A value as a JSON document."""
    return msgspec.json.encode(value).decode()


def by_episode(changes: Iterable[Change]) -> list[list[Change]]:
    """Changes of one episode together, since a transaction may write it only once. Raises Conflict."""
    groups: dict[str, list[Change]] = {}
    for change in changes:
        groups.setdefault(change.episode.id, []).append(change)
    for group in groups.values():
        for before, after in pairwise(group):
            if after.episode.version != before.episode.version + 1:
                raise Conflict(_changed(after.episode), "run again")
    return list(groups.values())


def writes(table: str, changes: Sequence[Change]) -> list[Write]:
    """What an episode's changes come to: its last document, every event, its names."""
    aliases = {
        alias_key(change.episode.feed, alias): _alias(table, change.episode, alias)
        for change in changes
        for alias in change.aliases
    }
    events = [_event(table, change) for change in changes]
    stints = [_stint(table, change.stint) for change in changes if change.stint]
    return [*aliases.values(), *events, *stints, *_outbox(table, changes), _episode(table, changes)]


def bill_writes(table: str, bill: Bill) -> list[Write]:
    """A bill, by when its time ended, and where it is, by what it is of.

    Packed, since a month's may be of more episodes than fit into DynamoDB's 400 KB otherwise.
    """
    doc: UniversalAttributeValueTypeDef = {"B": zlib.compress(msgspec.json.encode(bill))}
    at, name = (BILL, f"{time_key(bill.ended_at)}#{bill.id}"), (BILLED, bill.id)
    return [
        Write(
            action={
                "Put": {
                    "TableName": table,
                    "Item": {**key(*name), "at": {"S": at[1]}},
                    "ConditionExpression": f"attribute_not_exists({PARTITION_KEY})",
                }
            },
            key=name,
            refused=f"{bill.id} is billed already",
        ),
        Write(action={"Put": {"TableName": table, "Item": {**key(*at), "doc": doc}}}, key=at),
    ]


def bill_of(item: Mapping[str, Any]) -> Bill:
    """What `bill_writes` wrote."""
    return msgspec.json.decode(zlib.decompress(item["doc"]["B"]), type=Bill)


def transactions(groups: Iterable[list[Write]]) -> Iterator[list[Write]]:
    """As few transactions as can be, each episode's writes in one.

    No episode has so many names that one can't hold them. Were it so, the names would come first:
    an episode must not be there while one of its names is still to be had by another.
    """
    batch: list[Write] = []
    for group in groups:
        taken = {write.key for write in batch}
        if len(batch) + len(group) > _ACTIONS_A_TRANSACTION or any(write.key in taken for write in group):
            yield from _parts(batch)
            batch = []
        batch = [*batch, *group]
    yield from _parts(batch)


def _parts(batch: list[Write]) -> Iterator[list[Write]]:
    early, last = batch[:-_ACTIONS_A_TRANSACTION], batch[-_ACTIONS_A_TRANSACTION:]
    for start in range(0, len(early), _ACTIONS_A_TRANSACTION):
        yield early[start : start + _ACTIONS_A_TRANSACTION]
    if last:
        yield last


def _episode(table: str, changes: Sequence[Change]) -> Write:
    """An update, not a put: it leaves a heartbeat's time of the same claim as it is."""
    first, last = changes[0].episode, changes[-1].episode
    values: dict[str, UniversalAttributeValueTypeDef] = {
        "feed": {"S": last.feed},
        "state": {"S": last.state},
        "version": {"N": str(last.version)},
        SORT_AT: {"S": sort_at(last)},
        "doc": {"S": text(replace(last, charges={}))},
    }
    removed = ["progress"]
    if last.claim:
        values["claim_token"] = {"S": last.claim.token}
    else:
        removed += ["claim_token", "beat"]
    condition = f"attribute_not_exists({PARTITION_KEY})" if first.version == 1 else "#version = :read"
    read: Key = {} if first.version == 1 else {":read": {"N": str(first.version - 1)}}
    return Write(
        action={
            "Update": {
                "TableName": table,
                "Key": key(EPISODE, last.id),
                "UpdateExpression": f"SET {', '.join(f'#{name} = :{name}' for name in values)}"
                f" REMOVE {', '.join(f'#{name}' for name in removed)}",
                "ConditionExpression": condition,
                "ExpressionAttributeNames": {f"#{name}": name for name in (*values, *removed)},
                "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()} | read,
            }
        },
        key=(EPISODE, last.id),
        refused=_changed(last),
    )


def _event(table: str, change: Change) -> Write:
    episode = change.episode
    at = (events_of(episode.id), f"{episode.version:09}")
    return Write(
        action={"Put": {"TableName": table, "Item": {**key(*at), "doc": {"S": text(change.event)}}}}, key=at
    )


def _stint(table: str, stint: Stint) -> Write:
    at = (stints_of(stint.worker), f"{time_key(stint.began_at)}#{stint.episode}")
    return Write(
        action={"Put": {"TableName": table, "Item": {**key(*at), "doc": {"S": text(stint)}}}}, key=at
    )


def _alias(table: str, episode: Episode, alias: Alias) -> Write:
    at = alias_key(episode.feed, alias)
    return Write(
        action={
            "Put": {
                "TableName": table,
                "Item": {**key(*at), "episode": {"S": episode.id}},
                "ConditionExpression": f"attribute_not_exists({PARTITION_KEY}) OR #episode = :episode",
                "ExpressionAttributeNames": {"#episode": "episode"},
                "ExpressionAttributeValues": {":episode": {"S": episode.id}},
            }
        },
        key=at,
        refused=f"{alias.kind} '{alias.value}' is another episode's",
    )


def _outbox(table: str, changes: Sequence[Change]) -> list[Write]:
    """What the changes make of the outbox: the last one that has a say in it.

    A queued episode that a poll corrects is still to be sent.
    """
    telling = [change for change in changes if change.enqueue or change.episode.state is not State.QUEUED]
    if not telling:
        return []
    episode = telling[-1].episode
    at = (OUTBOX, episode.id)
    if telling[-1].enqueue:
        wish: Key = {**key(*at), "version": {"N": str(episode.version)}}
        return [Write(action={"Put": {"TableName": table, "Item": wish}}, key=at)]
    if changes[0].episode.version == 1:
        return []  # a new episode has nothing there
    return [Write(action={"Delete": {"TableName": table, "Key": key(*at)}}, key=at)]


def _changed(episode: Episode) -> str:
    return f"{episode.id} was changed by somebody else meanwhile"
