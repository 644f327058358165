"""The embedded database's file; what ledgers and queues promise is in contracts/."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from pipeline.adapters.sqlite import Database, SqliteLedger
from pipeline.errors import StorageError, StorageFull
from pipeline.ports import JobQueue, Ledger
from tests.builders import a_change, an_episode


def test_many_may_open_a_new_one_at_once(tmp_path: Path) -> None:
    together = Barrier(8)

    def begin(number: int) -> None:
        ledger = SqliteLedger(Database(tmp_path / "data" / "new.db"))
        together.wait()
        ledger.record([a_change(an_episode(f"show-{number}"))])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(begin, range(8)))
    assert len(SqliteLedger(Database(tmp_path / "data" / "new.db")).episodes()) == 8


def test_ledger_and_queue_share_it(database: Database, ledger: Ledger, queue: JobQueue) -> None:
    ledger.record([a_change()])
    assert queue.lease(60) is None
    assert [path.name for path in database.path.parent.glob("*.db")] == ["proofcast.db"]


def test_another_version_s_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=999")
    connection.close()
    with pytest.raises(StorageError, match="another version of Proofcast"):
        SqliteLedger(Database(path)).counts()


def test_what_can_not_be_opened_is_said(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to look like something" * 100)
    (tmp_path / "folder.db").mkdir()
    for name in ("text.db", "folder.db", "text.db/below.db"):
        with pytest.raises(StorageError, match=r"can't be used"):
            SqliteLedger(Database(tmp_path / name)).counts()


def test_a_full_disk_is_said_and_nothing_is_half_written(database: Database, ledger: Ledger) -> None:
    ledger.record([a_change(an_episode("show-1"))])
    pages = database.connection().execute("PRAGMA page_count").fetchone()[0]
    database.connection().execute(f"PRAGMA max_page_count={pages}")
    large = an_episode("show-3", title="x" * 100_000)
    with pytest.raises(StorageFull, match=r"proofcast\.db is full"):
        ledger.record([a_change(an_episode("show-2")), a_change(large)])
    assert [episode.id for episode in ledger.episodes()] == ["show-1"]
    database.connection().execute("PRAGMA max_page_count=100000")
    ledger.record([a_change(large)])
    assert len(ledger.episodes()) == 2


def test_a_database_that_is_deleted_is_told_and_one_in_its_place_is_read(tmp_path: Path) -> None:
    database, other = Database(tmp_path / "a.db"), Database(tmp_path / "b.db")
    ledger = SqliteLedger(database)
    ledger.record([a_change(an_episode("show-1"))])
    SqliteLedger(other).record([a_change(an_episode("show-2"))])
    other.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for name in ("a.db", "a.db-wal", "a.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(StorageError, match=r"a\.db is gone"):
        ledger.get("show-1")
    assert not (tmp_path / "a.db").exists()
    (tmp_path / "b.db").rename(tmp_path / "a.db")
    assert [episode.id for episode in ledger.episodes()] == ["show-2"]
