"""The ledger on SQLite: an episode is a JSON document with the columns that queries need."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec

from pipeline.adapters.sqlite.database import Database
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

_COLUMNS = "doc, claim_until, progress, charges"
_WARM = "warm"
_ALIASES_A_QUERY = 400


class SqliteLedger:
    """See `ports.Ledger`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def record(self, changes: Sequence[Change], feed: FeedState | None = None) -> None:
        with self._db.writing() as connection:
            for change in changes:
                _write_episode(connection, change)
                _write_aliases(connection, change)
                _write_event(connection, change)
                if change.stint:
                    _write_stint(connection, change.stint)
            if feed:
                connection.execute(
                    "INSERT INTO feed VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc",
                    (feed.name, msgspec.json.encode(feed)),
                )

    def get(self, episode_id: str) -> Episode | None:
        found = self._select("WHERE id = ?", (episode_id,))
        return found[0] if found else None

    def several(self, episode_ids: Sequence[str]) -> list[Episode]:
        return [found for episode_id in episode_ids if (found := self.get(episode_id))]

    def known(self, feed: str, aliases: Sequence[Alias]) -> dict[Alias, str]:
        found: dict[Alias, str] = {}
        with self._db.reading() as connection:
            for start in range(0, len(aliases), _ALIASES_A_QUERY):
                chunk = aliases[start : start + _ALIASES_A_QUERY]
                pairs = ", ".join(["(?, ?)"] * len(chunk))
                rows = connection.execute(
                    "SELECT kind, value, episode_id FROM alias"
                    f" WHERE feed = ? AND (kind, value) IN (VALUES {pairs})",
                    [feed, *(text for alias in chunk for text in (alias.kind, alias.value))],
                )
                found.update({Alias(kind, value): episode for kind, value, episode in rows})
        return found

    def episodes(
        self,
        *,
        state: State | None = None,
        feed: str | None = None,
        limit: int | None = None,
        after: Episode | None = None,
    ) -> list[Episode]:
        wheres: list[tuple[str, list[Any]]] = []
        if state:
            wheres.append(("state = ?", [state]))
        if feed:
            wheres.append(("feed = ?", [feed]))
        if after:
            wheres.append(("(sort_at, id) < (?, ?)", [_sort_at(after), after.id]))
        where = "WHERE " + " AND ".join(text for text, _ in wheres) if wheres else ""
        values = [value for _, some in wheres for value in some]
        values.append(-1 if limit is None else limit)
        return self._select(f"{where} ORDER BY sort_at DESC, id DESC LIMIT ?", values)

    def starting_with(self, prefix: str, limit: int) -> list[Episode]:
        # An id holds only a-z, 0-9 and '-', so '~' sorts after all that it can go on with.
        return self._select("WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (prefix, prefix + "~", limit))

    def counts(self) -> dict[State, int]:
        with self._db.reading() as connection:
            rows = connection.execute("SELECT state, count(*) FROM episode GROUP BY state").fetchall()
        return {State(state): count for state, count in rows}

    def events(self, episode_id: str) -> list[Event]:
        with self._db.reading() as connection:
            rows = connection.execute(
                "SELECT doc FROM event WHERE episode_id = ? ORDER BY version", (episode_id,)
            ).fetchall()
        return [msgspec.json.decode(doc, type=Event) for (doc,) in rows]

    def outbox(self) -> list[Episode]:
        return self._select("WHERE outbox = 1 ORDER BY sort_at", ())

    def sent(self, episode: Episode) -> None:
        with self._db.writing() as connection:
            connection.execute(
                "UPDATE episode SET outbox = 0 WHERE id = ? AND version = ?", (episode.id, episode.version)
            )

    def heartbeat(self, episode_id: str, claim: Claim, progress: Progress | None) -> None:
        with self._db.writing() as connection:
            updated = connection.execute(
                "UPDATE episode SET claim_until = ?, progress = ? WHERE id = ? AND claim_token = ?",
                (claim.until, msgspec.json.encode(progress) if progress else None, episode_id, claim.token),
            )
            if updated.rowcount != 1:
                raise LeaseLost(f"{episode_id} is no longer this worker's")

    def feed(self, name: str) -> FeedState:
        with self._db.reading() as connection:
            row = connection.execute("SELECT doc FROM feed WHERE name = ?", (name,)).fetchone()
        return msgspec.json.decode(row[0], type=FeedState) if row else FeedState(name=name)

    def stints(self, worker: str) -> list[Stint]:
        with self._db.reading() as connection:
            rows = connection.execute(
                "SELECT doc FROM stint WHERE worker = ? ORDER BY began_at, episode_id", (worker,)
            ).fetchall()
        return [msgspec.json.decode(doc, type=Stint) for (doc,) in rows]

    def enter(self, bill: Bill) -> Bill:
        with self._db.writing() as connection:
            connection.execute(
                "INSERT INTO bill VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (bill.id, bill.ended_at, msgspec.json.encode(bill)),
            )
            (doc,) = connection.execute("SELECT doc FROM bill WHERE id = ?", (bill.id,)).fetchone()
            kept = msgspec.json.decode(doc, type=Bill)
            for episode_id, usd in charges(kept).items():
                _charge(connection, episode_id, kept.id, usd)
        return kept

    def bills(self, since: float = 0.0, until: float | None = None) -> list[Bill]:
        with self._db.reading() as connection:
            rows = connection.execute(
                "SELECT doc FROM bill WHERE ended_at >= ? AND ended_at <= ? ORDER BY ended_at, id",
                (since, math.inf if until is None else until),
            ).fetchall()
        return [msgspec.json.decode(doc, type=Bill) for (doc,) in rows]

    def warm_until(self) -> float:
        with self._db.reading() as connection:
            row = connection.execute("SELECT doc FROM wish WHERE name = ?", (_WARM,)).fetchone()
        return msgspec.json.decode(row[0], type=float) if row else 0.0

    def keep_warm(self, until: float) -> None:
        with self._db.writing() as connection:
            connection.execute(
                "INSERT INTO wish VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc",
                (_WARM, msgspec.json.encode(until)),
            )

    def budget(self, month: str) -> BudgetState:
        with self._db.reading() as connection:
            row = connection.execute("SELECT doc FROM budget WHERE month = ?", (month,)).fetchone()
        return msgspec.json.decode(row[0], type=BudgetState) if row else BudgetState(month=month)

    def keep_budget(self, state: BudgetState, before: BudgetState) -> None:
        with self._db.writing() as connection:
            kept = connection.execute(
                "INSERT INTO budget VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc WHERE doc = ?",
                (state.month, msgspec.json.encode(state), msgspec.json.encode(before)),
            )
            if not kept.rowcount:
                raise Conflict(
                    f"somebody else just changed what the budget of {state.month} holds", "run again"
                )

    def _select(self, rest: str, values: Sequence[Any]) -> list[Episode]:
        with self._db.reading() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM episode {rest}", values).fetchall()
        return [_episode(*row) for row in rows]


def _episode(doc: bytes, claim_until: float | None, progress: bytes | None, charged: bytes | None) -> Episode:
    """The document, with what heartbeats and bills wrote beside it."""
    episode = msgspec.json.decode(doc, type=Episode)
    if charged:
        episode = replace(episode, charges=msgspec.json.decode(charged, type=dict[str, Decimal]))
    if episode.claim is None or claim_until is None:
        return episode
    return replace(
        episode,
        claim=replace(episode.claim, until=claim_until),
        progress=msgspec.json.decode(progress, type=Progress) if progress else None,
    )


def _sort_at(episode: Episode) -> float:
    return episode.discovered_at if episode.published is None else episode.published


def _write_episode(connection: sqlite3.Connection, change: Change) -> None:
    episode = change.episode
    claim = episode.claim
    values: dict[str, Any] = {
        "id": episode.id,
        "feed": episode.feed,
        "state": episode.state,
        "version": episode.version,
        "sort_at": _sort_at(episode),
        "outbox": int(change.enqueue),
        "token": claim.token if claim else None,
        "until": claim.until if claim else None,
        "doc": msgspec.json.encode(replace(episode, charges={})),
    }
    if episode.version == 1:
        written = connection.execute(
            "INSERT INTO episode (id, feed, state, version, sort_at, outbox, claim_token, claim_until, doc)"
            " VALUES (:id, :feed, :state, :version, :sort_at, :outbox, :token, :until, :doc)"
            " ON CONFLICT DO NOTHING",
            values,
        )
    else:
        # A heartbeat may have renewed the same claim since the episode was read: keep the later time.
        # A queued episode that a poll corrects is still to be sent.
        written = connection.execute(
            "UPDATE episode SET state = :state, version = :version, sort_at = :sort_at,"
            " outbox = CASE WHEN :state = 'queued' THEN max(outbox, :outbox) ELSE :outbox END,"
            " claim_until = CASE WHEN claim_token = :token THEN max(claim_until, :until) ELSE :until END,"
            " claim_token = :token, progress = NULL, doc = :doc WHERE id = :id AND version = :version - 1",
            values,
        )
    if written.rowcount != 1:
        raise Conflict(f"{episode.id} was changed by somebody else meanwhile", "run again")


def _write_aliases(connection: sqlite3.Connection, change: Change) -> None:
    for alias in change.aliases:
        written = connection.execute(
            "INSERT INTO alias VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET episode_id = episode_id"
            " WHERE episode_id = excluded.episode_id",
            (change.episode.feed, alias.kind, alias.value, change.episode.id),
        )
        if written.rowcount != 1:
            raise Conflict(f"{alias.kind} '{alias.value}' is another episode's", "run again")


def _write_event(connection: sqlite3.Connection, change: Change) -> None:
    episode = change.episode
    connection.execute(
        "INSERT INTO event VALUES (?, ?, ?)", (episode.id, episode.version, msgspec.json.encode(change.event))
    )


def _write_stint(connection: sqlite3.Connection, stint: Stint) -> None:
    connection.execute(
        "INSERT INTO stint VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (stint.worker, stint.began_at, stint.episode, msgspec.json.encode(stint)),
    )


def _charge(connection: sqlite3.Connection, episode_id: str, bill_id: str, usd: Decimal) -> None:
    row = connection.execute("SELECT charges FROM episode WHERE id = ?", (episode_id,)).fetchone()
    if row:
        charged = msgspec.json.decode(row[0], type=dict[str, Decimal]) if row[0] else {}
        connection.execute(
            "UPDATE episode SET charges = ? WHERE id = ?",
            (msgspec.json.encode({**charged, bill_id: usd}), episode_id),
        )
