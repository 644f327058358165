from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

from pipeline.adapters.files import FileStore
from pipeline.adapters.local_fleet import LocalFleet
from pipeline.adapters.sqlite import Database, SqliteLedger, SqliteQueue
from pipeline.ports import ArtifactStore, JobQueue, Ledger
from pipeline.queueing import Tended, relay, tend
from tests.builders import FakeClock
from tests.fakes.github import TOKEN, FakeGitHub, served
from tests.scenes import queued
from tests.studio import Stores, Studio, Watcher, a_desk, aws_stores, local_stores
from worker.desk import Desk

pytest_plugins = ["tests.aws_site", "tests.deployed_site", "tests.infra_site"]


settings.register_profile("ci", derandomize=True)  # what it draws anew is for people to try at home
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "proofcast.db")


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return SqliteLedger(database)


@pytest.fixture
def queue(database: Database, clock: FakeClock) -> JobQueue:
    return SqliteQueue(database, max_receives=3, clock=clock)


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return FileStore(tmp_path / "artifacts")


@pytest.fixture
def fleet(tmp_path: Path) -> LocalFleet:
    return LocalFleet(tmp_path / "workers", tmp_path / "proofcast.toml")


@pytest.fixture
def tended(ledger: Ledger, queue: JobQueue, fleet: LocalFleet, clock: FakeClock) -> Callable[[], Tended]:
    """Tends once."""
    return lambda: tend(ledger, queue, fleet, clock)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[FakeGitHub]:
    """GitHub, where the environment says it is, and a token that may write there."""
    folder = tmp_path / "hub"
    folder.mkdir()
    with served(folder) as server:
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        yield server


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture(params=["local", "aws"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Opens the ledger, the queue and the artifacts of an engine."""
    if request.param == "aws":
        request.getfixturevalue("aws_time")
        return aws_stores
    return local_stores


@pytest.fixture
def desk(tmp_path: Path, stores: Stores, clock: FakeClock, studio: Studio, watcher: Watcher) -> Desk:
    """worker-1's, with one episode on the queue."""
    desk = a_desk(tmp_path, stores, clock, studio, watcher)
    queued(desk.ledger)
    relay(desk.ledger, desk.queue)
    return desk
