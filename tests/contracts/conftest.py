"""The adapters behind each port: another one is one more line, and passes the same suite."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.files import FileStore
from pipeline.adapters.github import GitHub
from pipeline.adapters.local_git import LocalGit
from pipeline.adapters.sqlite import Database, SqliteLedger, SqliteQueue
from pipeline.ports import ArtifactStore, Clock, CodeHost, JobQueue, Ledger
from tests.aws_site import dynamo_ledger, s3_store, two_queues
from tests.builders import FakeClock
from tests.fakes.github import TOKEN, served
from tests.git_site import GitSite
from tests.workers import EcsWorkers, LocalWorkers, Workers

ON_AWS: dict[object, str] = {dynamo_ledger: "aws", s3_store: "aws", two_queues: "aws_time"}


def chosen(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """This turn's adapter, with AWS there if it is one of those."""
    if request.param in ON_AWS:
        request.getfixturevalue(ON_AWS[request.param])
    return request.param


def sqlite_ledger(folder: Path) -> Ledger:
    return SqliteLedger(Database(folder / "proofcast.db"))


LEDGERS: dict[str, Callable[[Path], Ledger]] = {"sqlite": sqlite_ledger, "dynamodb": dynamo_ledger}


@pytest.fixture(params=LEDGERS.values(), ids=list(LEDGERS))
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Ledger]:
    """Opens the one ledger of a test, as another process would."""
    return partial(chosen(request), tmp_path)


@pytest.fixture
def ledger(open_ledger: Callable[[], Ledger]) -> Ledger:
    return open_ledger()


MAX_RECEIVES = 3


def sqlite_queue(folder: Path, clock: Clock) -> JobQueue:
    return SqliteQueue(Database(folder / "proofcast.db"), MAX_RECEIVES, clock)


QUEUES: dict[str, Callable[[Path, Clock], JobQueue]] = {"sqlite": sqlite_queue, "sqs": two_queues}


@pytest.fixture(params=QUEUES.values(), ids=list(QUEUES))
def open_queue(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Callable[[], JobQueue]:
    """Opens the one queue of a test, which hands a job out three times at most."""
    return partial(chosen(request), tmp_path, clock)


@pytest.fixture
def queue(open_queue: Callable[[], JobQueue]) -> JobQueue:
    return open_queue()


def file_store(folder: Path) -> ArtifactStore:
    return FileStore(folder / "artifacts")


STORES: dict[str, Callable[[Path], ArtifactStore]] = {"files": file_store, "s3": s3_store}


@pytest.fixture(params=STORES.values(), ids=list(STORES))
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return chosen(request)(tmp_path)


Hosted = tuple[CodeHost, GitSite]


@contextmanager
def local_git(folder: Path) -> Generator[Hosted]:
    yield LocalGit(own=folder / "own"), GitSite.made(folder / "site")


@contextmanager
def github(folder: Path) -> Generator[Hosted]:
    with served(folder) as server, GitHub(lambda: TOKEN, server.url) as code_host:
        yield code_host, server.site


HOSTS: dict[str, Callable[[Path], AbstractContextManager[Hosted]]] = {
    "local git": local_git,
    "github": github,
}


@pytest.fixture(params=HOSTS.values(), ids=list(HOSTS))
def hosted(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Hosted]:
    monkeypatch.setenv("no_proxy", "*")
    with request.param(tmp_path) as hosted:
        yield hosted


@pytest.fixture
def code_host(hosted: Hosted) -> CodeHost:
    return hosted[0]


@pytest.fixture
def site(hosted: Hosted) -> GitSite:
    """The repository that reviews are proposed to."""
    return hosted[1]


FLEETS: dict[str, tuple[Callable[[Any], Workers], str]] = {
    "processes": (LocalWorkers, "tmp_path"),
    "ecs": (EcsWorkers, "deployed"),
}


@pytest.fixture(params=FLEETS.values(), ids=list(FLEETS))
def workers(request: pytest.FixtureRequest) -> Generator[Workers]:
    opened, place = request.param
    workers: Workers = opened(request.getfixturevalue(place))
    yield workers
    workers.end_all()
