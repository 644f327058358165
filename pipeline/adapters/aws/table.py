"""The ledger's table as data, for whoever creates it: infrastructure code and tests.

A record's partition key says what it is, its sort key which one:

    episode            ID                its document, and what queries and heartbeats need beside it
    event#ID           VERSION           one line of an episode's history
    alias#FEED         KIND#SHA-256      the episode that is known by this name
    outbox             ID                a queued episode whose job was not sent yet
    feed               NAME              what the last polls left behind
    stint#WORKER       TIME#ID           a worker's time with an episode
    bill               TIME#BILL         what an instance, or a month, cost and who shares it
    billed             BILL              where that bill is
    budget             MONTH             what the month's budget holds
    wish               warm              until when a worker shall be there though nothing waits
    task               TIME#TASK         a worker that was asked for
    instance           ID                what workers ran on, until it is billed
    fleet, lock        NAME              a start under way, and who may poll

Episodes share one partition, so that ids can be searched by their beginning, and read as they are
now; it takes a thousand writes a second, which no set of shows comes near. Indexes hold keys only: a
heartbeat costs no write in them, and what they find is read from the table, where it is never stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PARTITION_KEY, SORT_KEY = "pk", "sk"
SORT_AT = "sort_at"  #: only on episodes, which keeps all else out of the indexes


@dataclass(frozen=True)
class Index:
    """A global secondary index; its attributes are strings."""

    name: str
    partition_key: str
    sort_key: str


BY_TIME = Index("by_time", PARTITION_KEY, SORT_AT)
BY_STATE = Index("by_state", "state", SORT_AT)
BY_FEED = Index("by_feed", "feed", SORT_AT)
INDEXES = (BY_TIME, BY_STATE, BY_FEED)


def definition(name: str) -> dict[str, Any]:
    """The arguments of DynamoDB's CreateTable for a table of this name, paid by request."""
    attributes = {PARTITION_KEY, SORT_KEY}
    attributes |= {key for index in INDEXES for key in (index.partition_key, index.sort_key)}
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": "S"} for attribute in sorted(attributes)
        ],
        "KeySchema": _key_schema(PARTITION_KEY, SORT_KEY),
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index.name,
                "KeySchema": _key_schema(index.partition_key, index.sort_key),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
            for index in INDEXES
        ],
    }


def _key_schema(partition_key: str, sort_key: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": partition_key, "KeyType": "HASH"},
        {"AttributeName": sort_key, "KeyType": "RANGE"},
    ]
