"""Connections, schema and transactions of one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import ProofcastError, StorageError, StorageFull, storage_error

SCHEMA_VERSION = 2

_TRIES, _PAUSE_S = 100, 0.05

SCHEMA = """
CREATE TABLE episode (
    id TEXT PRIMARY KEY,
    feed TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    sort_at REAL NOT NULL,
    outbox INTEGER NOT NULL DEFAULT 0,
    claim_token TEXT,
    claim_until REAL,
    progress BLOB,
    charges BLOB,
    doc BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX episode_time ON episode (sort_at, id);
CREATE INDEX episode_state ON episode (state, sort_at, id);
CREATE INDEX episode_feed ON episode (feed, sort_at, id);
CREATE INDEX episode_outbox ON episode (sort_at) WHERE outbox = 1;

CREATE TABLE alias (
    feed TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    episode_id TEXT NOT NULL REFERENCES episode (id),
    PRIMARY KEY (feed, kind, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    episode_id TEXT NOT NULL REFERENCES episode (id),
    version INTEGER NOT NULL,
    doc BLOB NOT NULL,
    PRIMARY KEY (episode_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE stint (
    worker TEXT NOT NULL,
    began_at REAL NOT NULL,
    episode_id TEXT NOT NULL,
    doc BLOB NOT NULL,
    PRIMARY KEY (worker, began_at, episode_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE bill (id TEXT PRIMARY KEY, ended_at REAL NOT NULL, doc BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX bill_time ON bill (ended_at, id);

CREATE TABLE wish (name TEXT PRIMARY KEY, doc BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE budget (month TEXT PRIMARY KEY, doc BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE feed (name TEXT PRIMARY KEY, doc BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    episode_id TEXT NOT NULL,
    visible_at REAL NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    token TEXT,
    leased INTEGER NOT NULL DEFAULT 0,
    dead_at REAL,
    reason TEXT
) STRICT;
CREATE INDEX job_visible ON job (visible_at, id) WHERE dead_at IS NULL;
CREATE UNIQUE INDEX job_token ON job (token) WHERE token IS NOT NULL;
CREATE INDEX job_episode ON job (episode_id);
"""


class _Connection(sqlite3.Connection):
    """Closes itself with the thread it belongs to."""

    def __del__(self) -> None:
        with suppress(sqlite3.Error):  # it was never opened
            self.close()


class Database:
    """One file; a connection for each thread that asks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit mode. Raises StorageError, StorageFull.

        A file that was put in the other's place is opened; one that is gone is not made anew.
        """
        opened: tuple[sqlite3.Connection, tuple[int, int]] | None = getattr(self._local, "opened", None)
        with self._explained():
            if opened is None or opened[1] != self._identity():
                opened = self._open(), self._identity()
                self._local.opened = opened
        return opened[0]

    def _identity(self) -> tuple[int, int]:
        """Which file it is: one that was deleted stays readable to those who have it open, for ever."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            raise StorageError(f"the database {self.path} is gone", "put it back, or start again") from None
        return found.st_dev, found.st_ino

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path,
            timeout=30,
            isolation_level=None,
            check_same_thread=False,  # one thread uses it, but any may be the one that collects it
            factory=_Connection,
        )
        _write_ahead(connection)
        # NORMAL survives a killed process; after a power cut the last moments may be missing, which
        # is as if they had not happened: every step can be run again.
        connection.execute("PRAGMA synchronous=NORMAL")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            self._create(connection)
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found != SCHEMA_VERSION:
            raise StorageError(
                f"{self.path} was written by another version of Proofcast (schema {found})",
                "use that version, or move the file away to start anew",
            )
        return connection

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:  # two processes may start at once: the second finds the tables made
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """For single SELECTs."""
        connection = self.connection()
        with self._explained():
            yield connection

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start; undone on any exception."""
        connection = self.connection()
        with self._explained():
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except ProofcastError:
            raise
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise StorageFull(f"the disk of {self.path} is full", "make room, then run again") from None
            raise StorageError(
                f"the database {self.path} can't be used: {error}", "'proofcast doctor' checks it"
            ) from error
        except OSError as error:
            raise storage_error(error, self.path.parent) from None


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a write-ahead log, so that readers and a writer don't wait for each other."""
    for attempt in range(1, _TRIES + 1):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # The connection's timeout does not count here: of two that make the file, one fails at once.
            if attempt == _TRIES or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_PAUSE_S)
