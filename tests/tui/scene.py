"""An afternoon of an engine, with something of everything that a dashboard shows."""

from __future__ import annotations

import json

import pytest

from pipeline import states
from pipeline.costs import Use, bill_of, hours, item
from pipeline.formats import transcript_json
from pipeline.listed import Listed
from pipeline.model import Bill, Instance, Market, Progress, ReviewState, Segment, State, Step, Word
from pipeline.queueing import relay
from tests.builders import NOW, a_failure, a_review, a_transcript
from tests.tui.conftest import Site

HEARD = (
    *(("So", 0.98), ("Kubernetes", 0.31), ("keeps", 0.97), ("what", 0.99), ("you", 0.95), ("tell", 0.99)),
    *(("it", 0.97), ("to", 0.99), ("keep", 0.96), ("and", 0.98), ("Otis", 0.42), ("deploys", 0.88)),
)
DAY_S = 86_400.0


def paid(site: Site, id: str, **work_s: float) -> Bill:
    """An instance that was launched half an hour ago, for work and nine minutes beside it."""
    began = site.clock() - 1800
    use = Use(work_s={k.replace("_", "-"): v for k, v in work_s.items()}, start_up_s=240.0, idle_s=300.0)
    instance = Instance(
        id=id, type="g5.xlarge", market=Market.ON_DEMAND, launched_at=began, ended_at=began + use.billed_s
    )
    prices = Listed("us-east-1")
    on_demand, fee = prices.on_demand("g5.xlarge"), prices.fee("g5.xlarge")
    assert on_demand
    assert fee
    hour = hours(use.billed_s)
    return site.engine.ledger.enter(
        bill_of(instance, use, [item("instance", hour, on_demand), item("fee", hour, fee)])
    )


class Log:
    """A worker's log in a test's hands."""

    def __init__(self, site: Site, request: pytest.FixtureRequest) -> None:
        self._site = site
        self._request = request
        self._logs = None
        self.task = "worker-1"

    def write(self, *lines: str) -> None:
        if not self._site.remote:
            folder = self._site.engine.config.data_dir / "workers"
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"{self.task}.log").open("a") as file:
                file.writelines(f"{line}\n" for line in lines)
            return
        deployed = self._request.getfixturevalue("deployed")
        logs = deployed.clients.logs()
        where = {
            "logGroupName": deployed.names.worker_log,
            "logStreamName": f"worker/{deployed.names.worker}/{self.task}",
        }
        if self._logs is None:
            logs.create_log_stream(**where)
            self._logs = logs
        now = int(self._site.clock() * 1000)
        logs.put_log_events(**where, logEvents=[{"timestamp": now, "message": line} for line in lines])


def an_afternoon(site: Site, log: Log) -> str:
    """Episodes in every state, a worker at one of them, its log, and bills; the worker's name."""
    site.clock.now = NOW - 2 * DAY_S
    _from_feed_to_review(site)
    site.clock.now = NOW - DAY_S
    site.has("show-1", state=State.PUBLISHED, number=1, title="Hello, who is there?", **_MADE)
    if site.remote:
        paid(site, "i-yesterday", show_1=240.0)
    site.clock.now = NOW - 7200
    failure = a_failure(Step.DECODE, "it is a web page, and no audio")
    site.has("show-4", state=State.FAILED, number=4, title="Ünïcode & 日本語", failure=failure, attempts=3)
    site.has("show-5", state=State.HELD, number=5, title="Best of", reason="40 items are new at once")
    site.has("show-7", state=State.SKIPPED, number=7, title="Trailer", reason="older than the first poll")
    worker = _worker(site)
    if site.remote:
        site.engine.fleet.start(1, Market.SPOT)
    site.clock.now = NOW - 840
    _at_work(site, worker)
    site.queued("show-6", number=6, title="Fridays", duration_s=2400.0)
    relay(site.engine.ledger, site.engine.queue)
    site.clock.now = NOW
    log.task = worker
    log.write(
        "2026-05-28 20:12:40,123 show-3: download",
        "2026-05-28 20:13:02,456 show-3: transcribe",
        "TimeoutError: no answer from cdn.example",
    )
    return worker


_MADE = {"duration_s": 3600.0, "review": a_review(url="https://github.com/ann/site/pull/11"), "attempts": 1}


def _from_feed_to_review(site: Site) -> None:
    """All the way, by the moves that a worker makes."""
    record, clock = site.engine.ledger.record, site.clock
    episode = site.taken("show-2", "worker-1", number=2, title="What stays", duration_s=2880.0)
    for step, took_s in ((Step.DOWNLOAD, 12), (Step.TRANSCRIBE, 240)):
        change = states.at_step(episode, step, clock())
        record([change])
        episode = change.episode
        clock.go_on(took_s)
    words = tuple(Word(text, n, n + 1.0, sure) for n, (text, sure) in enumerate(HEARD))
    segments = (Segment("spk_0", 0.0, 60.0, " ".join(text for text, _ in HEARD), words),)
    made = a_transcript(segments=segments, speakers={"spk_0": "Speaker 1"})
    artifacts = {"transcript": "show/show-2/transcript.json"}
    site.engine.artifacts.put(artifacts["transcript"], transcript_json(made).encode())
    change = states.transcribed(episode, artifacts, 2880.0, clock(), 252.0)
    record([change])
    clock.go_on(3)
    review = a_review(
        state=ReviewState.OPEN, url="https://github.com/ann/site/pull/12", opened_at=clock(), branch="show-2"
    )
    record([states.in_review(change.episode, review, artifacts, clock())])
    if site.remote:
        clock.go_on(1800)
        paid(site, "i-day-before", show_2=255.0)


def _worker(site: Site) -> str:
    """A real one, which has been there for a quarter of an hour."""
    if site.remote:
        site.clock.now = NOW - 1200
        return site.workers.begin()
    worker = site.workers.begin()
    said = site.engine.config.data_dir / "workers" / f"{worker}.json"
    said.write_text(json.dumps({**json.loads(said.read_text()), "started_at": NOW - 900}))
    return worker


def _at_work(site: Site, worker: str) -> None:
    """It has the next job of the queue, and is half through."""
    engine, now = site.engine, site.clock()
    change = states.queued(site.has("show-3", number=3, title="Ship it", duration_s=3000.0), now)
    engine.ledger.record([change])
    relay(engine.ledger, engine.queue)
    lease = engine.queue.lease(900)
    assert lease
    change = states.claimed(change.episode, worker, lease, now)
    engine.ledger.record([change])
    change = states.at_step(change.episode, Step.TRANSCRIBE, now + 30)
    engine.ledger.record([change])
    assert change.episode.claim
    progress = Progress(done_s=1500.0, total_s=3000.0, speed=2.0, at=NOW - 5)
    engine.ledger.heartbeat("show-3", change.episode.claim, progress)
