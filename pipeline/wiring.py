"""The composition root: an engine's adapters, built from the config. Only entry points call it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import __version__
from pipeline.adapters.files import FileStore
from pipeline.adapters.local_fleet import LocalFleet, only_one
from pipeline.adapters.local_git import LocalGit
from pipeline.adapters.sqlite import Database, SqliteLedger, SqliteQueue
from pipeline.config import Config, Feed
from pipeline.model import Episode, FeedState
from pipeline.ports import (
    ArtifactStore,
    Clock,
    CodeHost,
    FetchAudio,
    Fetched,
    JobQueue,
    Ledger,
)

if TYPE_CHECKING:
    from pipeline.adapters.http import Http
    from pipeline.publishing import Publisher

# A job whose worker is killed or restarted comes back so often: what fails with an error is given up
# much sooner, by `max_attempts`, so this only ends a job that takes every worker down with it.
_MAX_RECEIVES = 20


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Every port with the adapter that the config asks for."""

    config: Config
    config_file: Path
    ledger: Ledger
    queue: JobQueue
    artifacts: ArtifactStore
    code_host: CodeHost
    fleet: LocalFleet
    clock: Clock

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

    def alone(self, what: str) -> AbstractContextManager[None]:
        """Hold the one right to poll, or to work, with this data folder. Raises Busy."""
        return only_one(self.config.data_dir / f"{what.split()[-1]}.lock", what)

    def fetch_feed(self, state: FeedState) -> Fetched:
        """See `ports.FetchFeed`."""
        return self._http.fetch_feed(state)

    def fetch_audio(self, episode: Episode) -> FetchAudio:
        """How to download an episode's audio; only a show that is itself on a private network may
        point to addresses there."""
        private = self._http.is_private(self.config.feed_named(episode.feed).url)

        def download(url: str, path: Path, progress: Callable[[int, int | None], None]) -> None:
            self._http.download(url, path, progress, allow_private=private)

        return download

    @cached_property
    def _http(self) -> Http:
        from pipeline.adapters.http import Http  # 100 ms that `status` need not spend

        return Http(__version__, self.config.worker.max_download_mb * 1_000_000)


def build(config: Config, config_file: Path) -> Engine:
    """The engine of a config. Nothing is opened, made or asked before it is used."""
    data = config.data_dir
    database = Database(data / "proofcast.db")
    return Engine(
        config=config,
        config_file=config_file,
        ledger=SqliteLedger(database),
        queue=SqliteQueue(database, max_receives=_MAX_RECEIVES, clock=time.time),
        artifacts=FileStore(data / "artifacts"),
        code_host=LocalGit(own=config.repository_of(Feed(name="own"))),
        fleet=LocalFleet(data / "workers", config_file),
        clock=time.time,
    )
