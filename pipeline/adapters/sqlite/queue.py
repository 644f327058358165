"""The job queue on SQLite, with the semantics of SQS.

A lease is a token on the row; whoever holds another token, or none, changes nothing.
"""

from __future__ import annotations

import uuid
from dataclasses import replace

from pipeline.adapters.sqlite.database import Database
from pipeline.errors import LeaseLost
from pipeline.model import DeadLetter, Job, Lease, QueueDepth
from pipeline.ports import Clock


class SqliteQueue:
    """See `ports.JobQueue`. A job handed out `max_receives` times without an end is buried."""

    def __init__(self, database: Database, max_receives: int, clock: Clock) -> None:
        self._db = database
        self._max_receives = max_receives
        self._clock = clock

    def send(self, job: Job, *, first: bool = False) -> None:
        # A job of the same episode that nobody has seen yet serves as well. One that is leased does
        # not: its worker may be about to complete it.
        visible_at = 0.0 if first else self._clock()
        with self._db.writing() as connection:
            connection.execute(
                "INSERT INTO job (episode_id, visible_at) SELECT ?, ? WHERE NOT EXISTS"
                " (SELECT 1 FROM job WHERE episode_id = ? AND token IS NULL AND dead_at IS NULL)",
                (job.episode_id, visible_at, job.episode_id),
            )
            if first:
                connection.execute(
                    "UPDATE job SET visible_at = ?"
                    " WHERE episode_id = ? AND token IS NULL AND dead_at IS NULL",
                    (visible_at, job.episode_id),
                )

    def lease(self, seconds: float) -> Lease | None:
        now = self._clock()
        token = uuid.uuid4().hex
        with self._db.writing() as connection:
            for number, episode_id, receives in connection.execute(
                "SELECT id, episode_id, receives FROM job WHERE dead_at IS NULL AND visible_at <= ?"
                " ORDER BY visible_at, id",
                (now,),
            ):
                if receives < self._max_receives:
                    connection.execute(
                        "UPDATE job SET visible_at = ?, receives = receives + 1, token = ?, leased = 1"
                        " WHERE id = ?",
                        (now + seconds, token, number),
                    )
                    job = Job(episode_id=episode_id)
                    return Lease(job=job, token=token, until=now + seconds, receives=receives + 1)
                connection.execute(
                    "UPDATE job SET dead_at = ?, token = NULL, leased = 0, reason = ? WHERE id = ?",
                    (now, f"handed out {receives} times, and no worker finished it", number),
                )
        return None

    def extend(self, lease: Lease, seconds: float) -> Lease:
        until = self._clock() + seconds
        if not self._change(
            "UPDATE job SET visible_at = ? WHERE token = ? AND leased = 1", until, lease.token
        ):
            raise LeaseLost(f"the lease on {lease.job.episode_id} was lost")
        return replace(lease, until=until)

    def release(self, lease: Lease, delay: float = 0) -> None:
        self._change(
            "UPDATE job SET visible_at = ?, leased = 0, receives = receives - 1"
            " WHERE token = ? AND leased = 1",
            self._clock() + delay,
            lease.token,
        )

    def complete(self, lease: Lease) -> None:
        self._change("DELETE FROM job WHERE token = ?", lease.token)

    def bury(self, lease: Lease, reason: str) -> None:
        self._change(
            "UPDATE job SET dead_at = ?, reason = ?, token = NULL, leased = 0 WHERE token = ?",
            self._clock(),
            reason,
            lease.token,
        )

    def dead_letters(self) -> list[DeadLetter]:
        with self._db.reading() as connection:
            rows = connection.execute(
                "SELECT episode_id, reason, receives, dead_at FROM job WHERE dead_at IS NOT NULL"
                " ORDER BY dead_at, id"
            ).fetchall()
        return [
            DeadLetter(job=Job(episode_id=episode), reason=reason or "", receives=receives, at=at)
            for episode, reason, receives, at in rows
        ]

    def redrive(self, episode_id: str) -> bool:
        return self._change(
            "UPDATE job SET dead_at = NULL, reason = NULL, receives = 0, visible_at = ?"
            " WHERE episode_id = ? AND dead_at IS NOT NULL",
            self._clock(),
            episode_id,
        )

    def forget(self, episode_id: str) -> None:
        self._change("DELETE FROM job WHERE episode_id = ? AND dead_at IS NOT NULL", episode_id)

    def depth(self) -> QueueDepth:
        with self._db.reading() as connection:
            dead, leased, waiting = connection.execute(
                "SELECT count(dead_at),"
                " count(*) FILTER (WHERE dead_at IS NULL AND leased AND visible_at > ?1),"
                " count(*) FILTER (WHERE dead_at IS NULL AND NOT (leased AND visible_at > ?1)) FROM job",
                (self._clock(),),
            ).fetchone()
        return QueueDepth(waiting=waiting, leased=leased, dead=dead)

    def _change(self, statement: str, *values: object) -> bool:
        with self._db.writing() as connection:
            return connection.execute(statement, values).rowcount > 0
