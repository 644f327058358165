"""`python -m tests.tui.picture` draws docs/dashboard.svg: the dashboard of shows that nobody has recorded,
on an AWS that is emulated, as its own export draws it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from pipeline import states
from pipeline.config import load
from pipeline.deployment import Deployment
from pipeline.model import Progress, ReviewState, State, Step
from pipeline.queueing import relay
from pipeline.wiring import build
from tests.aws_site import use_aws_at
from tests.builders import NOW, FakeClock, a_failure, a_review
from tests.deployed_site import REGION, DeployedSite
from tests.fakes.aws_account import Account, deploy
from tests.tui.conftest import Site
from tests.tui.desks import running, until
from tests.tui.scene import paid
from tests.workers import EcsWorkers
from tui import export
from tui.app import Dashboard
from tui.engine import backend

TARGET = Path(__file__).parents[2] / "docs" / "dashboard.svg"
SIZE = (150, 30)
CONFIG = """
engine = "aws"
[aws]
region = "us-east-1"
name = "podcasts"
budget_usd = 20
"""
WORKER = "8c41f0c2a7d94e0c9b1f6f8f2f0d3a57"
HOUR_S, DAY_S = 3600.0, 86_400.0
OLD = (
    # days ago, show, number, title, minutes, state, pull request
    (1, "tape-rhyme", 41, "Why captions drift", 38, State.IN_REVIEW, 214),
    (1, "small-hours", 118, "The lighthouse keeper's radio", 52, State.IN_REVIEW, 213),
    (2, "cold-start", 9, "What a GPU does while it waits", 64, State.IN_REVIEW, 211),
    (3, "tape-rhyme", 40, "Ünal records a whole village", 41, State.PUBLISHED, 209),
    (4, "small-hours", 117, "Letters to a night baker", 47, State.PUBLISHED, 208),
    (5, "cold-start", 8, "Exactly once, and other wishes", 58, State.PUBLISHED, 205),
    (7, "tape-rhyme", 39, "Who checks the transcript?", 36, State.PUBLISHED, 204),
    (8, "small-hours", 116, "A bridge that hums", 55, State.REJECTED, 202),
    (9, "cold-start", 7, "Leases, and who holds them", 61, State.PUBLISHED, 201),
    (11, "tape-rhyme", 38, "The comma that cost a million", 44, State.PUBLISHED, 198),
    (12, "small-hours", 115, "Snow on the long-wave", 49, State.PUBLISHED, 197),
    (14, "cold-start", 6, "A queue is a promise", 57, State.PUBLISHED, 195),
)


@contextmanager
def a_site(folder: Path) -> Generator[Site]:
    clock = FakeClock(NOW)
    with pytest.MonkeyPatch.context() as patch, (account := Account(clock)).served() as url:
        use_aws_at(url, patch)
        deployed = DeployedSite(account, deploy(url, Deployment("podcasts", REGION)), clock)
        config = folder / "proofcast.toml"
        config.write_text(CONFIG, encoding="utf-8")
        engine = build(load(config), config)
        engine.clock = clock
        yield Site(engine=engine, clock=clock, workers=EcsWorkers(deployed))


def a_fortnight(site: Site) -> None:
    """Of three shows."""
    for days, show, number, title, minutes, state, pull in reversed(OLD):
        site.clock.now = NOW - days * DAY_S
        open_ = ReviewState.OPEN if state is State.IN_REVIEW else ReviewState.MERGED
        review = a_review(
            state=open_, url=f"https://github.com/ann/{show}/pull/{pull}", opened_at=site.clock()
        )
        about = {"feed": show, "number": number, "title": title, "duration_s": 60.0 * minutes}
        id = f"{show}-{number}"
        site.has(id, **about, state=state, review=review, attempts=1)
        paid(site, f"i-{pull}", **{id.replace("-", "_"): 3.6 * minutes})
    site.clock.now = NOW - 5 * HOUR_S
    no_audio = a_failure(Step.DECODE, "the file is a web page, and no audio")
    _new(site, "cold-start", 10, "Spot, gone", 55, state=State.FAILED, failure=no_audio, attempts=3)
    _new(site, "small-hours", 1, "Trailer", 2, state=State.SKIPPED, reason="older than the first poll")
    for ago_s, number, title, done in ((660, 42, "Otis learns to listen", 0.74), (300, 43, "Ship it", 0.18)):
        site.clock.now = NOW - ago_s
        _at_work(site, f"tape-rhyme-{number}", number, title, done)
    site.clock.now = NOW - 120
    for number, title, minutes in ((119, "What the tide took", 50), (120, "Two clocks", 46)):
        change = states.queued(_new(site, "small-hours", number, title, minutes), site.clock())
        site.engine.ledger.record([change])
    relay(site.engine.ledger, site.engine.queue)
    site.clock.now = NOW


def _new(site: Site, show: str, number: int, title: str, minutes: float, **fields: Any) -> Any:
    about = {"feed": show, "number": number, "title": title, "duration_s": 60.0 * minutes}
    return site.has(f"{show}-{number}", **about, **fields)


def _at_work(site: Site, id: str, number: int, title: str, done: float) -> None:
    engine, now = site.engine, site.clock()
    change = states.queued(_new(site, "tape-rhyme", number, title, 44), now)
    engine.ledger.record([change])
    relay(engine.ledger, engine.queue)
    lease = engine.queue.lease(900)
    assert lease
    change = states.claimed(change.episode, WORKER, lease, now + 45)
    engine.ledger.record([change])
    for step, after_s in ((Step.DOWNLOAD, 46), (Step.DECODE, 58), (Step.TRANSCRIBE, 64)):
        change = states.at_step(change.episode, step, now + after_s)
        engine.ledger.record([change])
    assert change.episode.claim
    progress = Progress(done_s=done * 2640, total_s=2640.0, speed=11.4, at=NOW - 3)
    engine.ledger.heartbeat(id, change.episode.claim, progress)


async def drawn(site: Site, config: Path) -> None:
    app = Dashboard(lambda _: backend(site.engine, config), clock=site.clock)
    async with running(app, SIZE):
        await until(app, lambda text: "A queue is a promise" in text)
        app.action_do("down")
        for _ in range(2):
            app.action_do("down")
        whole = ("timeline", "74% at 11.4x", "budget 17%")
        await until(app, lambda text: all(part in text for part in whole) and "being read" not in text)
        export.write(app, app.pane.view(), TARGET)


def main() -> None:
    with TemporaryDirectory() as folder, a_site(Path(folder)) as site:
        a_fortnight(site)
        asyncio.run(drawn(site, Path(folder, "proofcast.toml")))


if __name__ == "__main__":
    main()
