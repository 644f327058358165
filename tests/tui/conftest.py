"""Both engines, as the dashboard's sources find them."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline import states
from pipeline.config import load
from pipeline.formats import transcript_json
from pipeline.model import Episode, Job, Lease, ReviewState, Segment, State, Word
from pipeline.wiring import AwsEngine, Engine, build
from tests.builders import FakeClock, a_change, a_review, a_transcript, an_episode
from tests.deployed_site import DeployedSite
from tests.web import serving_folder
from tests.workers import EcsWorkers, LocalWorkers, Workers

LOCAL = """
[[feed]]
name = "show"
url = "{address}/feed.xml"
backfill = "all"
"""
AWS = """
engine = "aws"
[aws]
region = "us-east-1"
name = "{name}"
budget_usd = 40
instance_types = ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]
[[feed]]
name = "show"
url = "{address}/feed.xml"
backfill = "all"
repository = "https://github.com/ann/site"
"""

FEED = """<rss version="2.0"><channel><title>Show</title>
<item><title>New</title><guid>1</guid><enclosure url="{address}/1.mp3" type="audio/mpeg"/></item>
</channel></rss>"""


@dataclass(frozen=True, kw_only=True)
class Site:
    """An engine, its time, and workers that do nothing by themselves."""

    engine: Engine
    clock: FakeClock
    workers: Workers

    @property
    def remote(self) -> bool:
        return isinstance(self.engine, AwsEngine)

    def has(self, id: str, **fields: Any) -> Episode:
        """A new episode of the ledger's."""
        now = self.clock()
        times = {"discovered_at": now, "updated_at": now, "published": now}
        episode = an_episode(id, **{**times, **fields})
        self.engine.ledger.record([a_change(episode)])
        return episode

    def queued(self, id: str, **fields: Any) -> Episode:
        change = states.queued(self.has(id, **fields), self.clock())
        self.engine.ledger.record([change])
        return change.episode

    def taken(self, id: str, worker: str, **fields: Any) -> Episode:
        """In a worker's hands."""
        now = self.clock()
        episode = self.queued(id, **fields)
        lease = Lease(job=Job(episode_id=id), token=f"t-{id}", until=now + 600, receives=1)
        change = states.claimed(episode, worker, lease, now)
        self.engine.ledger.record([change])
        return change.episode

    def in_review(self, id: str, *words: tuple[str, float], speaker: str = "Ann", **fields: Any) -> Episode:
        """With a transcript of these words and how sure each is."""
        heard = tuple(Word(text, float(n), n + 1.0, sure) for n, (text, sure) in enumerate(words))
        segment = Segment("spk_0", 0.0, 60.0, " ".join(text for text, _ in words), heard)
        made = a_transcript(segments=(segment,), speakers={"spk_0": speaker})
        key = f"show/{id}/transcript.json"
        self.engine.artifacts.put(key, transcript_json(made).encode())
        review = a_review(state=ReviewState.OPEN, branch=f"transcript/show/{id}", opened_at=self.clock())
        return self.has(
            id, **{"state": State.IN_REVIEW, "review": review, "artifacts": {"transcript": key}, **fields}
        )


@pytest.fixture
def feed(tmp_path: Path) -> Generator[str]:
    """The address of a feed with one episode."""
    folder = tmp_path / "served"
    folder.mkdir()
    with serving_folder(folder) as address:
        (folder / "feed.xml").write_text(FEED.format(address=address))
        yield address


@pytest.fixture
def open_site(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, feed: str
) -> Generator[Callable[[str], Site]]:
    """Opens the site of an engine, by its name."""
    clock.go_on(time.time() - clock())
    opened: list[Site] = []

    def open_it(kind: str) -> Site:
        text = LOCAL.format(address=feed)
        workers: Workers = LocalWorkers(tmp_path)
        if kind == "aws":
            deployed: DeployedSite = request.getfixturevalue("deployed")
            request.getfixturevalue("hub")
            text = AWS.format(name=deployed.names.name, address=feed)
            workers = EcsWorkers(deployed)
        (tmp_path / "proofcast.toml").write_text(text)
        engine = build(load(tmp_path / "proofcast.toml"), tmp_path / "proofcast.toml")
        engine.clock = clock
        if kind == "aws":
            deployed = request.getfixturevalue("deployed")
            vars(engine).update(clients=deployed.clients, queue=deployed.queue())  # quicker than its own
        opened.append(Site(engine=engine, clock=clock, workers=workers))
        return opened[-1]

    yield open_it
    for site in opened:
        site.workers.end_all()
        for name in {"_http", "code_host"} & vars(site.engine).keys():
            close: Callable[[], None] = getattr(vars(site.engine)[name], "close", lambda: None)
            close()


@pytest.fixture(params=["local", "aws"])
def site(request: pytest.FixtureRequest, open_site: Callable[[str], Site]) -> Site:
    """Each engine in turn."""
    return open_site(request.param)


@pytest.fixture
def local(open_site: Callable[[str], Site]) -> Site:
    """For what depends on no engine."""
    return open_site("local")
