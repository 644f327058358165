"""How many jobs a second the embedded queue leases and completes, and how fast the ledger lists.

    python tests/bench/bench_queue.py

The ratio is to bare SQLite doing the same two writes, each a transaction of its own.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.adapters.sqlite import Database, SqliteLedger, SqliteQueue
from pipeline.model import Change, Episode, Job

JOBS = 5_000
EPISODES = 100_000
PAGE = 100


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def bare(folder: Path) -> Callable[[], None]:
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE job (id INTEGER PRIMARY KEY, token TEXT)")
    connection.executemany("INSERT INTO job VALUES (?, NULL)", ((i,) for i in range(JOBS)))

    def run() -> None:
        for i in range(JOBS):
            connection.execute("UPDATE job SET token = 'x' WHERE id = ?", (i,))
            connection.execute("DELETE FROM job WHERE id = ?", (i,))

    return run


def ours(database: Database) -> Callable[[], None]:
    queue = SqliteQueue(database, max_receives=3, clock=time.time)
    for i in range(JOBS):
        queue.send(Job(episode_id=f"show-{i:06}"))

    def run() -> None:
        while lease := queue.lease(60):
            queue.complete(lease)

    return run


def fill(ledger: SqliteLedger) -> None:
    for start in range(0, EPISODES, 10_000):
        ledger.record(
            [
                Change(
                    episode=Episode(id=f"show-{i:06}", feed="show", title=f"Episode {i}", published=float(i))
                )
                for i in range(start, start + 10_000)
            ]
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(folder / "proofcast.db")
        mine, theirs = ours(database), bare(folder)
        took, base = seconds(mine), seconds(theirs)
        print(
            f"lease + complete   {JOBS / took:8,.0f} a second   bare SQLite {JOBS / base:,.0f}"
            f"   ratio {base / took:.2f}"
        )
        ledger = SqliteLedger(database)
        print(f"record             {EPISODES / seconds(lambda: fill(ledger)):8,.0f} episodes a second")
        page = ledger.episodes(limit=PAGE)
        first = min(seconds(lambda: ledger.episodes(limit=PAGE)) for _ in range(5))
        middle = ledger.episodes(limit=EPISODES // 2)[-1]
        later = min(seconds(lambda: ledger.episodes(limit=PAGE, after=middle)) for _ in range(5))
        counts = min(seconds(ledger.counts) for _ in range(5))
        print(
            f"list of {EPISODES:,}: first page of {len(page)} {first * 1e3:.1f} ms, a page in the middle ",
            end="",
        )
        print(f"{later * 1e3:.1f} ms, counts {counts * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
