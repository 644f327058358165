"""The composition root: an engine's adapters, built from the config. Only entry points call it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import __version__
from pipeline.adapters.files import FileStore
from pipeline.adapters.github import GitHub
from pipeline.adapters.local_fleet import LocalFleet, only_one
from pipeline.adapters.local_git import LocalGit
from pipeline.adapters.sqlite import Database, SqliteLedger, SqliteQueue
from pipeline.config import Config
from pipeline.model import Episode, FeedState, Proposal, Review
from pipeline.ports import (
    ArtifactStore,
    Clock,
    CodeHost,
    FetchAudio,
    Fetched,
    JobQueue,
    Ledger,
    ReviewStatus,
)

if TYPE_CHECKING:
    from pipeline.adapters.http import Http
    from pipeline.publishing import Publisher

# A job whose worker is killed or restarted comes back so often: what fails with an error is given up
# much sooner, by `max_attempts`, so this only ends a job that takes every worker down with it.
_MAX_RECEIVES = 20


@dataclass(frozen=True, kw_only=True)
class CodeHosts:
    """See `ports.CodeHost`: a path is a repository here, owner/name is one on GitHub."""

    local: LocalGit
    github: GitHub

    def check(self, repository: str, base: str) -> None:
        self._of(repository).check(repository, base)

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
        code_host=CodeHosts(
            local=LocalGit(own=config.own_site),
            github=GitHub(
                token=lambda: os.environ.get("GITHUB_TOKEN", ""),
                api=os.environ.get("GITHUB_API_URL", "https://api.github.com"),
                agent=f"proofcast/{__version__}",
            ),
        ),
        fleet=LocalFleet(data / "workers", config_file),
        clock=time.time,
    )
