"""The composition root: an engine's adapters, built from the config. Only entry points call it."""

from __future__ import annotations

import os
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pipeline import __version__
from pipeline.adapters.files import FileStore
from pipeline.adapters.github import GitHub
from pipeline.adapters.local_fleet import LocalFleet, new_task_id, only_one
from pipeline.adapters.local_git import LocalGit
from pipeline.adapters.remembered import RememberedPrices
from pipeline.adapters.sqlite import Database, SqliteLedger, SqliteQueue
from pipeline.config import Config, load
from pipeline.deployment import ARTIFACTS, DEFAULT_REGION, HOW_TO_INSTALL, deployment
from pipeline.errors import ConfigError
from pipeline.listed import Listed
from pipeline.model import Episode, FeedState, Proposal, Review
from pipeline.ports import (
    ArtifactStore,
    Clock,
    CodeHost,
    FetchAudio,
    Fetched,
    Fleet,
    JobQueue,
    Ledger,
    PriceList,
    ReviewStatus,
)
from pipeline.queueing import Tended, tend
from pipeline.scaling import Policy

if TYPE_CHECKING:
    from pipeline.adapters.aws.clients import Clients
    from pipeline.adapters.aws.machines import Machines
    from pipeline.adapters.aws.rows import Rows
    from pipeline.adapters.http import Http
    from pipeline.budget import Spending
    from pipeline.dispatch import Budget, Dispatched
    from pipeline.proposing import Ask
    from pipeline.publishing import Publisher
    from pipeline.settling import Books, Settled
    from pipeline.status import Status

# A job whose worker is killed or restarted comes back so often: what fails with an error is given up
# much sooner, by `max_attempts`, so this only ends a job that takes every worker down with it.
_MAX_RECEIVES = 20
_PRICES = "prices.json"  # what was asked for lately, in the data folder
_LONG_POLL_S = 20  # what SQS allows; an idle worker asks three times a minute


@dataclass(frozen=True, kw_only=True)
class CodeHosts:
    """See `ports.CodeHost`: a path is a repository here, owner/name is one on GitHub."""

    local: LocalGit
    github: GitHub

    def check(self, repository: str, base: str) -> None:
        self._of(repository).check(repository, base)

    def read(self, repository: str, base: str, path: str) -> str | None:
        return self._of(repository).read(repository, base, path)

    def commit(self, proposal: Proposal) -> str:
        return self._of(proposal.repository).commit(proposal)

    def open(self, proposal: Proposal, commit: str) -> Review:
        return self._of(proposal.repository).open(proposal, commit)

    def status(self, review: Review) -> ReviewStatus:
        return self._of(review.repository).status(review)

    def diff(self, review: Review) -> str:
        return self._of(review.repository).diff(review)

    def _of(self, repository: str) -> CodeHost:
        return self.local if os.path.isabs(repository) else self.github  # noqa: PTH117 - a name is no path


class Engine(ABC):
    """Every port with the adapter that the config asks for. Nothing is opened before it is used."""

    linger_s: float | None = None
    """A worker that drains ends when it found nothing for so long; None: when no other works either."""

    def __init__(self, config: Config, config_file: Path) -> None:
        self.config = config
        self.config_file = config_file
        self.clock: Clock = time.time

    @cached_property
    def ledger(self) -> Ledger:
        return self._make_ledger()

    @cached_property
    def queue(self) -> JobQueue:
        return self._make_queue()

    @cached_property
    def artifacts(self) -> ArtifactStore:
        return self._make_artifacts()

    @cached_property
    def code_host(self) -> CodeHost:
        return self._make_code_host()

    @cached_property
    def fleet(self) -> Fleet:
        return self._make_fleet()

    @abstractmethod
    def polling(self) -> AbstractContextManager[None]:
        """Hold the one right to poll. Raises Busy."""

    @abstractmethod
    def presence(self, task_id: str | None) -> AbstractContextManager[str]:
        """Be a worker that the others know of, under the name that is given."""

    def at_work(self) -> AbstractContextManager[None]:
        """While this lasts, a worker has a job in hand."""
        return nullcontext()

    @cached_property
    def policy(self) -> Policy | None:
        """By which workers are started; None where people, or an ECS service, start them."""
        return self._policy()

    def dispatch(self) -> Dispatched | None:
        """Start the workers that are needed, where that is for us to do."""
        from pipeline.dispatch import dispatch

        if self.policy is None:
            return None
        return dispatch(self.ledger, self.queue, self.fleet, self.policy, self.clock, self._budget())

    def status(self) -> Status:
        """What is going on."""
        from pipeline.status import read_status

        return read_status(
            self.ledger, self.queue, self.fleet, self.clock(), self.policy, self.spending(), held=self.held()
        )

    @cached_property
    def books(self) -> Books | None:
        """What bills are made of; None where nothing is paid for."""
        return self._make_books()

    def settle(self) -> Settled | None:
        """Bill what ended."""
        from pipeline.settling import settle

        return settle(self.books) if self.books else None

    def spending(self) -> Spending | None:
        """What this month cost until now."""
        from pipeline.settling import spending

        return spending(self.books) if self.books else None

    def held(self) -> bool:
        """Whether the month's budget is used up, so that workers take no new job."""
        return False

    def warm(self) -> bool:
        """Whether a worker shall be there though nothing waits."""
        return self.clock() < self.ledger.warm_until()

    @property
    def language_model(self) -> Ask | None:
        """What proposes corrections; None where the config names none. Raises ConfigError."""
        refine = self.config.refine
        if not refine.model:
            return None
        from pipeline.adapters.aws.bedrock import bedrock

        region = refine.region or (self.config.aws.region if self.config.aws else "")
        return bedrock(refine, region, __version__)

    @cached_property
    def prices(self) -> PriceList:
        """What instances cost in the config's region, or in that which most prices are quoted for."""
        return self._make_prices(self.config.aws.region if self.config.aws else DEFAULT_REGION)

    def poller_log(self) -> list[str] | None:
        """The last lines of whoever polls by the clock, oldest first; None where that is the user's cron."""
        return None

    def tend(self) -> Tended:
        """Put right what interrupted processes left undone."""
        return tend(self.ledger, self.queue, self.fleet, self.clock)

    def working(self) -> AbstractContextManager[None]:
        """Hold the one right to work with this data folder. Raises Busy."""
        return only_one(self.config.data_dir / "worker.lock", "a worker")

    @property
    def publisher(self) -> Publisher:
        from pipeline.publishing import Publisher  # it knows every format: 20 ms

        return Publisher(
            config=self.config,
            ledger=self.ledger,
            artifacts=self.artifacts,
            code_host=self.code_host,
            clock=self.clock,
        )

    @property
    def scratch(self) -> Path:
        """A folder for what is not finished yet."""
        return self.config.data_dir / "tmp"

    def fetch_feed(self, state: FeedState) -> Fetched:
        """See `ports.FetchFeed`."""
        return self._http.fetch_feed(state)

    def language_of(self, episode: Episode) -> str | None:
        """The config's word on a show's language today, else what its feed said."""
        return self.config.feed_named(episode.feed).language or episode.language

    def fetch_audio(self, episode: Episode) -> FetchAudio:
        """How to download an episode's audio; only a show that is itself on a private network may
        point to addresses there."""
        private = self._http.is_private(self.config.feed_named(episode.feed).url)

        def download(url: str, path: Path, progress: Callable[[int, int | None], None]) -> None:
            self._http.download(url, path, progress, allow_private=private)

        return download

    def _policy(self) -> Policy | None:
        return None

    def _budget(self) -> Budget | None:
        return None

    def _make_books(self) -> Books | None:
        return None

    def _make_prices(self, region: str) -> PriceList:
        return RememberedPrices(None, region, self.config.data_dir / _PRICES, self.clock)

    @abstractmethod
    def _make_ledger(self) -> Ledger: ...

    @abstractmethod
    def _make_queue(self) -> JobQueue: ...

    @abstractmethod
    def _make_artifacts(self) -> ArtifactStore: ...

    @abstractmethod
    def _make_code_host(self) -> CodeHost: ...

    @abstractmethod
    def _make_fleet(self) -> Fleet: ...

    def _github(self, token: Callable[[], str], place: str = "GITHUB_TOKEN") -> GitHub:
        return GitHub(
            token=token,
            place=place,
            api=os.environ.get("GITHUB_API_URL", "https://api.github.com"),
            agent=f"proofcast/{__version__}",
        )

    @cached_property
    def _http(self) -> Http:
        from pipeline.adapters.http import Http  # 100 ms that `status` need not spend

        return Http(__version__, self.config.worker.max_download_mb * 1_000_000)


class LocalEngine(Engine):
    """Everything on this machine."""

    def _make_ledger(self) -> Ledger:
        return SqliteLedger(self._database)

    def _make_queue(self) -> JobQueue:
        return SqliteQueue(self._database, max_receives=_MAX_RECEIVES, clock=self.clock)

    def _make_artifacts(self) -> ArtifactStore:
        return FileStore(self.config.data_dir / "artifacts")

    def _make_code_host(self) -> CodeHost:
        return CodeHosts(
            local=LocalGit(own=self.config.own_site),
            github=self._github(lambda: os.environ.get("GITHUB_TOKEN", "")),
        )

    def _make_fleet(self) -> Fleet:
        return self.workers

    def polling(self) -> AbstractContextManager[None]:
        return only_one(self.config.data_dir / "poll.lock", "a poll")

    @contextmanager
    def presence(self, task_id: str | None) -> Generator[str]:
        name = task_id or new_task_id()
        with self.workers.presence(name):
            yield name

    @cached_property
    def workers(self) -> LocalFleet:
        """The fleet, for those who ask what only this one knows."""
        return LocalFleet(self.config.data_dir / "workers", self.config_file)

    @cached_property
    def _database(self) -> Database:
        return Database(self.config.data_dir / "proofcast.db")


class AwsEngine(Engine):
    """Ledger, queue, artifacts and workers on AWS, sites on GitHub."""

    def __init__(self, config: Config, config_file: Path) -> None:
        super().__init__(config, config_file)
        self.aws, self.names = deployment(config)
        self.linger_s = self.aws.linger_s

    def _make_ledger(self) -> Ledger:
        rows = self._rows
        from pipeline.adapters.aws.dynamodb import DynamoLedger

        return DynamoLedger(rows)

    def _make_queue(self) -> JobQueue:
        clients = self.clients
        from pipeline.adapters.aws.sqs import SqsQueue
        from pipeline.adapters.aws.two_queues import TwoQueues

        dead = clients.queue_url(self.names.dead_queue)

        def queue(name: str, wait_s: int) -> JobQueue:
            return SqsQueue(clients.sqs(), clients.queue_url(name), dead, self.clock, wait_s=wait_s)

        return TwoQueues(
            queue(self.names.first_queue, 1), queue(self.names.queue, min(_LONG_POLL_S, self.aws.linger_s))
        )

    def _make_artifacts(self) -> ArtifactStore:
        bucket = self.bucket
        from pipeline.adapters.aws.s3 import S3Store

        return S3Store(self.clients.s3(), bucket, self.config.data_dir / "copies", prefix=ARTIFACTS)

    def _make_code_host(self) -> CodeHost:
        clients = self.clients
        from pipeline.adapters.aws.secrets import Secret

        secret = Secret(clients.secrets, self.names.github_token, self.clock)
        place = f"the secret {self.names.github_token} (docs/deploy.md, step 4)"
        return self._github(lambda: os.environ.get("GITHUB_TOKEN") or secret(), place)

    def _make_fleet(self) -> Fleet:
        rows = self._rows
        from pipeline.adapters.aws.ecs import EcsFleet
        from pipeline.adapters.aws.fleet_records import FleetRecords

        return EcsFleet(
            self.clients.ecs(),
            self.clients.logs,
            self.machines,
            FleetRecords(rows),
            self.names,
            self.clock,
        )

    def polling(self) -> AbstractContextManager[None]:
        rows = self._rows
        from pipeline.adapters.aws.lock import Locks

        return Locks(rows, self.clock).alone("a poll")

    @contextmanager
    def presence(self, task_id: str | None) -> Generator[str]:
        from pipeline.adapters.aws.own_task import worker_name

        yield task_id or worker_name()

    def at_work(self) -> AbstractContextManager[None]:
        from pipeline.adapters.aws.own_task import protected

        return protected() if self.aws.dispatch == "service" else nullcontext()

    def _policy(self) -> Policy | None:
        if self.aws.dispatch == "service":
            return None
        return Policy(
            markets=self.aws.markets,
            max_workers=self.aws.max_workers,
            drain_s=self.aws.drain_min * 60.0,
            patience_s=self.aws.patience_s,
        )

    def held(self) -> bool:
        if not self._limited:
            return False
        from pipeline.budget import is_held
        from pipeline.tariff import month_of

        return is_held(self.ledger.budget(month_of(self.clock())))

    def poller_log(self) -> list[str]:
        clients = self.clients
        from pipeline.adapters.aws.logs import written

        return written(clients.logs(), self.names.poller_log, self.clock())

    def _make_books(self) -> Books:
        rows = self._rows
        from pipeline.adapters.aws.fleet_records import FleetRecords
        from pipeline.settling import Books

        return Books(
            ledger=self.ledger,
            meter=FleetRecords(rows),
            prices=self.prices,
            service_price=Listed(self.aws.region).service,
            aws=self.aws,
            lease_s=self.config.worker.lease_s,
            clock=self.clock,
        )

    @property
    def _limited(self) -> bool:
        """Whether dispatch keeps to a budget; a service's workers are not for it to start."""
        return self.aws.budget_usd > 0 and self.aws.dispatch == "tasks"

    def _budget(self) -> Budget | None:
        books = self.books
        if not self._limited or books is None:
            return None
        from pipeline.dispatch import Budget
        from pipeline.settling import spending

        tail_s = self.aws.linger_s + max(0.0, self.aws.scale_in_after_s)
        return Budget(spending=lambda: spending(books), tail_s=tail_s)

    def _make_prices(self, region: str) -> PriceList:
        clients = self.clients
        from pipeline.adapters.aws.prices import Prices

        live = Prices(clients.prices(), clients.ec2(), region, self.clock)
        return RememberedPrices(live, region, self.config.data_dir / _PRICES, self.clock)

    @cached_property
    def bucket(self) -> str:
        """Where artifacts and the inbox are."""
        return self.names.bucket(self.clients.account())

    @cached_property
    def machines(self) -> Machines:
        """The cluster's capacity and instances."""
        clients = self.clients
        from pipeline.adapters.aws.machines import Machines

        return Machines(clients.ecs(), clients.ec2(), self.names)

    @cached_property
    def clients(self) -> Clients:
        """For those who ask AWS what no port has. Raises ConfigError where boto3 is not installed."""
        return _clients(self.aws.region)

    @cached_property
    def _rows(self) -> Rows:
        clients = self.clients
        from pipeline.adapters.aws.rows import Rows

        return Rows(clients.dynamodb(), self.names.table)


def build(config: Config, config_file: Path) -> Engine:
    """The engine of a config. Nothing is opened, made or asked before it is used."""
    return (AwsEngine if config.engine == "aws" else LocalEngine)(config, config_file)


def open_engine(place: str) -> Engine:
    """The engine of a config that is a file here, or on AWS an `s3://bucket/key`. Raises ConfigError."""
    if not place.startswith("s3://"):
        return build(load(Path(place)), Path(place).resolve())
    clients = _clients(None)
    from pipeline.adapters.aws.config_file import fetched

    folder = Path(tempfile.gettempdir(), "proofcast")
    path = fetched(place, folder, clients)
    return build(_in_the_cloud(load(path), folder), path)


def _clients(region: str | None) -> Clients:
    """Before any other module of the adapters: it is here that boto3 is missed."""
    try:
        from pipeline.adapters.aws.clients import Clients
    except ImportError:
        raise ConfigError("the AWS engine needs boto3, which is not installed", HOW_TO_INSTALL) from None
    return Clients(__version__, region)


def _in_the_cloud(config: Config, folder: Path) -> Config:
    """A deployment's config, on whatever machine this is: the only folder that is there for certain, and
    the GPU that is paid for, or an error, never a slow worker with a small model."""
    speech = config.transcribe
    device = "cuda" if speech.device == "auto" else speech.device
    return msgspec.structs.replace(
        config,
        data=str(folder / "data"),
        transcribe=msgspec.structs.replace(speech, device=device),
    )
