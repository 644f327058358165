"""Every step can be killed at any instruction and run again: the same result, nothing twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline import config as configs
from pipeline import polling
from pipeline.model import Episode, Segment, State, Step, Transcript
from pipeline.queueing import relay
from pipeline.wiring import Engine, build
from tests.web import serving_folder
from worker.desk import Outcome
from worker.handling import Item
from worker.run import work
from worker.transcripts import TranscriptHandler, about

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

FEED = """<rss version="2.0"><channel><title>Show</title>
<item><title>1. One</title><guid>one</guid><enclosure url="{base}/one.mp3" type="audio/mpeg"/></item>
</channel></rss>"""

TRANSCRIPTS = [f"transcript.{kind}" for kind in ("json", "vtt", "srt", "txt", "md")]

CONFIG = """
[[feed]]
name = "show"
url = "{base}/feed.xml"
backfill = "all"
[worker]
lease_s = 1
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    folder = tmp_path_factory.mktemp("served")
    with serving_folder(folder) as address:
        Path(folder, "feed.xml").write_text(FEED.format(base=address))
        Path(folder, "one.mp3").write_bytes(b"ID3 one" * 1000)
        yield address


class Mortal:
    """Passes calls on to a port, and dies before or after the one that is fatal."""

    calls = 0
    fatal: int | None = None

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        return method if name == "presence" or not callable(method) else partial(_called, method)


def _called(method: Callable[..., Any], *args: Any, **named: Any) -> Any:
    _boundary()
    result = method(*args, **named)
    _boundary()
    return result


def _boundary() -> None:
    Mortal.calls += 1
    if Mortal.calls == Mortal.fatal:
        os.kill(os.getpid(), signal.SIGKILL)


class Unwatched:
    def step(self, episode: Episode, step: Step) -> None: ...

    def progress(self, done: float, total: float | None, speed: float) -> None: ...

    def ended(self, episode: Episode, outcome: Outcome) -> None: ...


def hear(item: Item) -> Transcript:
    """Stands in for Whisper, which takes seconds and touches nothing that this test is about."""
    audio = item.file()
    item.step(Step.TRANSCRIBE)
    item.progress(1.0, 2.0, 1.0)
    return Transcript(
        episode=about(item.episode),
        language="en",
        duration_s=2.0,
        model={"name": "none"},
        speakers={"spk_0": "Speaker 1"},
        segments=(Segment("spk_0", 0.0, 2.0, audio.read_text()[:7]),),
    )


def mortal(config: Path) -> Engine:
    engine = build(configs.load(config), config)
    for port in ("ledger", "queue", "artifacts", "code_host"):
        setattr(engine, port, Mortal(getattr(engine, port)))
    return engine


def whole_way(engine: Engine) -> None:
    """What `proofcast poll` and `proofcast work --drain` do."""
    with engine.polling():
        polling.poll(engine.config.feed, engine.fetch_feed, engine.ledger, engine.clock)
        relay(engine.ledger, engine.queue)
        engine.tend()
    with engine.working():
        handler = TranscriptHandler(publisher=engine.publisher, transcribe=hear)
        work(engine, handler, task_id=None, drain=True, watch=Unwatched())


def started(run: Callable[[], None]) -> int:
    """Run in a process of its own; its number."""
    child = os.fork()
    if child == 0:
        try:
            run()
        except BaseException:  # noqa: BLE001 - the child must never get back into pytest
            traceback.print_exc()
            os._exit(3)
        os._exit(0)
    return child


def ended(child: int) -> int:
    """What it died of, or its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_child(run: Callable[[], None]) -> int:
    return ended(started(run))


def fresh(tmp_path: Path, base: str, name: str) -> Path:
    config = tmp_path / name / "proofcast.toml"
    config.parent.mkdir()
    config.write_text(CONFIG.format(base=base))
    return config


def assert_all_is_well(config: Path) -> None:
    engine = build(configs.load(config), config)
    episodes = engine.ledger.episodes()
    assert [episode.state for episode in episodes] == [State.IN_REVIEW]
    for episode in episodes:
        history = [event.state for event in engine.ledger.events(episode.id)]
        entered = [state for before, state in zip([None, *history], history, strict=False) if state != before]
        assert entered.count(State.DISCOVERED) == 1
        assert entered.count(State.TRANSCRIBED) == 1
        assert entered.count(State.IN_REVIEW) == 1
    depth = engine.queue.depth()
    assert (depth.waiting, depth.leased, depth.dead) == (0, 0, 0)
    site = engine.config.data_dir / "site"
    commits = git(site, "log", "--all", "--format=%an %s").splitlines()
    assert sorted(commits) == [
        "Proofcast Add transcript of episode 1: 1. One",
        "Proofcast Start the site",
    ]
    assert len(git(site, "branch", "--list", "transcript/*").splitlines()) == 1
    made = [
        path.name for path in (engine.config.data_dir / "artifacts" / "show").rglob("*") if path.is_file()
    ]
    assert sorted(made) == sorted(["audio", "review.diff", *TRANSCRIPTS])


def git(site: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(site), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def undisturbed(config: Path) -> None:
    whole_way(build(configs.load(config), config))


def boundaries(config: Path) -> int:
    """How many there are on an undisturbed way."""
    told, tell = os.pipe()

    def run() -> None:
        whole_way(mortal(config))
        os.write(tell, str(Mortal.calls).encode())

    assert in_child(run) == 0
    return int(os.read(told, 100))


def test_killed_at_every_boundary_and_run_again(tmp_path: Path, base: str) -> None:
    first = fresh(tmp_path, base, "undisturbed")
    count = boundaries(first)
    assert_all_is_well(first)
    assert count > 50
    for fatal in range(1, count + 1):
        config = fresh(tmp_path, base, f"killed-at-{fatal}")

        def doomed(config: Path = config, fatal: int = fatal) -> None:
            Mortal.fatal = fatal
            whole_way(mortal(config))

        # The heartbeat's thread makes calls as well, so the last few numbers may never be reached.
        assert in_child(doomed) in (-signal.SIGKILL, 0)
        assert in_child(partial(undisturbed, config)) == 0
        assert_all_is_well(config)


@pytest.mark.parametrize(
    ("seed", "number"),
    [*((seed, signal.SIGKILL) for seed in range(8)), (8, signal.SIGTERM), (9, signal.SIGTERM)],
)
def test_killed_or_told_to_end_at_random_times_until_it_gets_through(
    tmp_path: Path, base: str, seed: int, number: signal.Signals
) -> None:
    config = fresh(tmp_path, base, "killed")
    chance = random.Random(seed)
    for patience in range(1, 16):
        child = started(partial(undisturbed, config))
        killer = threading.Timer(chance.uniform(0, 0.04 * patience), kill, (child, number))
        killer.start()
        code = ended(child)
        killer.cancel()
        killer.join()
        if code == 0 and number is signal.SIGKILL:  # one that is told to end ends well
            break
    assert in_child(partial(undisturbed, config)) == 0
    assert_all_is_well(config)


def kill(child: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it was faster
        os.kill(child, number)
