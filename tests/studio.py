"""A worker's desk with real stores and a real site, but audio and speech as a test wants them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.adapters.files import FileStore
from pipeline.adapters.local_git import LocalGit
from pipeline.adapters.sqlite import Database, SqliteLedger, SqliteQueue
from pipeline.config import Config, Feed
from pipeline.model import Episode, Step, Transcript
from pipeline.ports import ArtifactStore, Clock, FetchAudio, JobQueue, Ledger
from pipeline.publishing import Publisher
from tests.builders import a_transcript
from worker.desk import Desk, Outcome
from worker.handling import Item
from worker.transcripts import TranscriptHandler, about


def nothing() -> None:
    pass


@dataclass
class Studio:
    """Audio and speech recognition as a test wants them; counts what was asked of it."""

    on_download: Callable[[], None] = nothing
    on_transcribe: Callable[[], None] = nothing
    did: list[str] = field(default_factory=list[str])

    def fetch_audio(self, episode: Episode) -> FetchAudio:
        def download(url: str, path: Path, progress: Callable[[int, int | None], None]) -> None:
            self.did.append(url)
            self.on_download()
            path.write_bytes(b"audio")
            progress(5, 5)

        return download

    def transcribe(self, item: Item) -> Transcript:
        audio = item.file()
        item.step(Step.TRANSCRIBE)
        self.did.append("transcribe")
        assert audio.read_bytes() == b"audio"
        self.on_transcribe()
        item.progress(31.0, 62.0, 2.0)
        return a_transcript(episode=about(item.episode))


@dataclass
class Watcher:
    """Notes what it is shown."""

    seen: list[object] = field(default_factory=list[object])

    def step(self, episode: Episode, step: Step) -> None:
        self.seen.append(step)

    def progress(self, done: float, total: float | None, speed: float) -> None:
        pass

    def ended(self, episode: Episode, outcome: Outcome) -> None:
        self.seen.append((episode.state, outcome))


Stores = Callable[[Path, Clock], tuple[Ledger, JobQueue, ArtifactStore]]


def local_stores(folder: Path, clock: Clock) -> tuple[Ledger, JobQueue, ArtifactStore]:
    database = Database(folder / "proofcast.db")
    queue = SqliteQueue(database, max_receives=20, clock=clock)
    return SqliteLedger(database), queue, FileStore(folder / "artifacts")


def aws_stores(folder: Path, clock: Clock) -> tuple[Ledger, JobQueue, ArtifactStore]:
    """With AWS there."""
    from tests.aws_site import dynamo_ledger, s3_store, two_queues  # a plugin, which pytest imports first

    return dynamo_ledger(folder), two_queues(folder, clock, max_receives=50), s3_store(folder)


def a_desk(folder: Path, stores: Stores, clock: Clock, studio: Studio, watcher: Watcher) -> Desk:
    """worker-1's; a site of its own is made on first use."""
    config = Config(root=str(folder), data="data", feed=[Feed(name="show")])
    folder.mkdir(exist_ok=True)
    ledger, queue, artifacts = stores(folder, clock)
    publisher = Publisher(
        config=config,
        ledger=ledger,
        artifacts=artifacts,
        code_host=LocalGit(own=folder / "data" / "site"),
        clock=clock,
    )
    return Desk(
        worker="worker-1",
        ledger=ledger,
        queue=queue,
        artifacts=artifacts,
        handler=TranscriptHandler(publisher=publisher, transcribe=studio.transcribe),
        fetch_audio=studio.fetch_audio,
        clock=clock,
        scratch=folder / "scratch",
        lease_s=60,
        max_attempts=3,
        stopping=lambda: False,
        at_work=nullcontext,
        watch=watcher,
    )


def raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def publisher_of(desk: Desk) -> Publisher:
    """Of a desk whose handler makes transcripts."""
    assert isinstance(desk.handler, TranscriptHandler)
    return desk.handler.publisher


def publishing_with(desk: Desk, publisher: Publisher) -> Desk:
    """The same desk, whose transcripts are published in another way."""
    assert isinstance(desk.handler, TranscriptHandler)
    return replace(desk, handler=replace(desk.handler, publisher=publisher))
