"""The ledger on DynamoDB: one table, in which every change of an episode is a transaction.

Indexes are a moment behind the table and only say which episodes to look at; these are then read as
they are now. The outbox, histories, aliases and single episodes are read from the table itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pipeline.adapters.aws.records import (
    BILL,
    BILLED,
    BUDGET,
    CHARGE,
    EPISODE,
    FEED,
    OUTBOX,
    WARM,
    WISH,
    alias_key,
    bill_of,
    bill_writes,
    by_episode,
    episode_of,
    events_of,
    key,
    sort_at,
    stints_of,
    text,
    time_key,
    transactions,
    writes,
)
from pipeline.adapters.aws.rows import Rows, string
from pipeline.adapters.aws.table import BY_FEED, BY_STATE, BY_TIME, PARTITION_KEY, SORT_KEY
from pipeline.costs import charges
from pipeline.errors import Conflict, LeaseLost
from pipeline.model import (
    Alias,
    Bill,
    BudgetState,
    Change,
    Claim,
    Episode,
    Event,
    FeedState,
    Progress,
    State,
    Stint,
)

_LONGEST_ID = 1000  #: characters, within what a key may hold


class DynamoLedger:
    """See `ports.Ledger`; `table.definition` is the table. Raises StorageError where AWS fails.

    What `episodes` and `counts` find may be a moment old; no episode they return is.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def record(self, changes: Sequence[Change], feed: FeedState | None = None) -> None:
        # Where many episodes change, those of earlier transactions stay written if a later one is
        # refused. The feed's state comes last, so the next poll sees to the rest.
        groups = [writes(self._rows.table, group) for group in by_episode(changes)]
        for batch in transactions(groups):
            self._rows.write(batch)
        if feed:
            self._rows.put({**key(FEED, feed.name), "doc": {"S": text(feed)}})

    def get(self, episode_id: str) -> Episode | None:
        item = self._rows.item(EPISODE, episode_id) if _can_be_an_id(episode_id) else None
        return episode_of(item) if item else None

    def several(self, episode_ids: Sequence[str]) -> list[Episode]:
        return self._episodes([id for id in episode_ids if _can_be_an_id(id)])

    def known(self, feed: str, aliases: Sequence[Alias]) -> dict[Alias, str]:
        places = {alias: alias_key(feed, alias) for alias in aliases}
        items = self._rows.items(set(places.values()))
        return {alias: string(items[place], "episode") for alias, place in places.items() if place in items}

    def episodes(
        self,
        *,
        state: State | None = None,
        feed: str | None = None,
        limit: int | None = None,
        after: Episode | None = None,
    ) -> list[Episode]:
        if limit == 0:
            return []
        index, value = (BY_STATE, state) if state else (BY_FEED, feed) if feed else (BY_TIME, EPISODE)
        found: list[Episode] = []
        for ids in self._rows.names(index, value, limit, sort_at(after) if after else None):
            found += [
                episode
                for episode in self._episodes(ids)
                if state in (None, episode.state) and feed in (None, episode.feed)
            ]
            if limit is not None and len(found) >= limit:
                break
        return found[:limit]

    def starting_with(self, prefix: str, limit: int) -> list[Episode]:
        found: list[Episode] = []
        if limit < 1 or (prefix and not _can_be_an_id(prefix)):
            return found
        for page in self._rows.pages(EPISODE, prefix, Limit=limit):
            found += [episode_of(item) for item in page]
            if len(found) >= limit:
                break
        return found[:limit]

    def counts(self) -> dict[State, int]:
        counted = {state: self._rows.count(BY_STATE, state) for state in State}
        return {state: count for state, count in counted.items() if count}

    def events(self, episode_id: str) -> list[Event]:
        pages = self._rows.pages(events_of(episode_id)) if _can_be_an_id(episode_id) else ()
        return [msgspec.json.decode(string(item, "doc"), type=Event) for page in pages for item in page]

    def outbox(self) -> list[Episode]:
        ids = [string(item, SORT_KEY) for page in self._rows.pages(OUTBOX) for item in page]
        waiting = [episode for episode in self._episodes(ids) if episode.state is State.QUEUED]
        return sorted(waiting, key=sort_at)

    def sent(self, episode: Episode) -> None:
        self._rows.delete(
            OUTBOX,
            episode.id,
            ConditionExpression="#version <= :read",  # it may have been queued anew since
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":read": {"N": str(episode.version)}},
        )

    def heartbeat(self, episode_id: str, claim: Claim, progress: Progress | None) -> None:
        values: dict[str, Any] = {":beat": {"S": text(claim)}, ":token": {"S": claim.token}}
        if progress:
            values[":progress"] = {"S": text(progress)}
        if not self._rows.update(
            EPISODE,
            episode_id,
            UpdateExpression="SET #beat = :beat"
            + (", #progress = :progress" if progress else " REMOVE #progress"),
            ConditionExpression="#claim_token = :token",
            ExpressionAttributeNames={f"#{name}": name for name in ("beat", "progress", "claim_token")},
            ExpressionAttributeValues=values,
        ):
            raise LeaseLost(f"{episode_id} is no longer this worker's")

    def feed(self, name: str) -> FeedState:
        item = self._rows.item(FEED, name)
        return msgspec.json.decode(string(item, "doc"), type=FeedState) if item else FeedState(name=name)

    def stints(self, worker: str) -> list[Stint]:
        pages = self._rows.pages(stints_of(worker))
        return [msgspec.json.decode(string(item, "doc"), type=Stint) for page in pages for item in page]

    def enter(self, bill: Bill) -> Bill:
        # The bill comes first, and charges are made of the one that is there: whoever goes on after an
        # interruption, or comes second, charges the same.
        try:
            self._rows.write(bill_writes(self._rows.table, bill))
            kept = bill
        except Conflict:
            kept = self._billed(bill.id)
        for episode_id, usd in charges(kept).items():
            self._rows.update(
                EPISODE,
                episode_id,
                UpdateExpression="SET #charge = :usd",
                ConditionExpression=f"attribute_exists({PARTITION_KEY})",
                ExpressionAttributeNames={"#charge": f"{CHARGE}{kept.id}"},
                ExpressionAttributeValues={":usd": {"S": str(usd)}},
            )
        return kept

    def bills(self, since: float = 0.0, until: float | None = None) -> list[Bill]:
        last = "~" if until is None else f"{time_key(until)}~"
        pages = self._rows.pages(BILL, within=(time_key(since), last))
        return [bill_of(item) for page in pages for item in page]

    def warm_until(self) -> float:
        item = self._rows.item(WISH, WARM)
        return msgspec.json.decode(string(item, "doc"), type=float) if item else 0.0

    def keep_warm(self, until: float) -> None:
        self._rows.put({**key(WISH, WARM), "doc": {"S": text(until)}})

    def budget(self, month: str) -> BudgetState:
        item = self._rows.item(BUDGET, month)
        if item is None:
            return BudgetState(month=month)
        return msgspec.json.decode(string(item, "doc"), type=BudgetState)

    def keep_budget(self, state: BudgetState, before: BudgetState) -> None:
        if not self._rows.update(
            BUDGET,
            state.month,
            UpdateExpression="SET #doc = :doc",
            ConditionExpression="attribute_not_exists(#doc) OR #doc = :before",
            ExpressionAttributeNames={"#doc": "doc"},
            ExpressionAttributeValues={":doc": {"S": text(state)}, ":before": {"S": text(before)}},
        ):
            raise Conflict(f"somebody else just changed what the budget of {state.month} holds", "run again")

    def _billed(self, bill_id: str) -> Bill:
        where = self._rows.item(BILLED, bill_id)
        item = where and self._rows.item(BILL, string(where, "at"))
        assert item  # both were written at once, and nothing deletes them
        return bill_of(item)

    def _episodes(self, ids: Sequence[str]) -> list[Episode]:
        items = self._rows.items([(EPISODE, id) for id in ids])
        return [episode_of(items[EPISODE, id]) for id in ids if (EPISODE, id) in items]


def _can_be_an_id(said: str) -> bool:
    """Whether it may be an id or its beginning; DynamoDB complains of keys that it can't hold."""
    return 0 < len(said) <= _LONGEST_ID and said.isascii()
