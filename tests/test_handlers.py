"""Workers that do something else than transcribing: whose function it is, and what becomes of its jobs."""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

import msgspec
import pytest

from pipeline import config as configs
from pipeline import lambdas
from pipeline.adding import AudioFile, add
from pipeline.errors import ConfigError, ModelError
from pipeline.model import FeedItem, QueueDepth, State, Step
from pipeline.queueing import relay, skip
from pipeline.wiring import AwsEngine, Engine, build
from tests.builders import FakeClock
from tests.deployed_site import DeployedSite
from tests.scenes import now, queued
from tests.studio import Watcher
from worker import doctor
from worker.desk import Desk, Outcome
from worker.handlers import handler_named
from worker.handling import Handler, Item
from worker.loop import work_one
from worker.run import Worked, work
from worker.signals import told_to_end
from worker.transcripts import TranscriptHandler
from worker.watching import DATED, Lines, LogWatch

ROOT = Path(__file__).parent.parent
CONFIG = """
[worker]
handler = "{handler}"
lease_s = 600
[[feed]]
name = "show"
"""


@pytest.fixture
def at(tmp_path: Path) -> Engine:
    return engine(tmp_path, "whisper")


def engine(folder: Path, handler: str) -> Engine:
    """With one job on its queue."""
    path = folder / "proofcast.toml"
    path.write_text(CONFIG.format(handler=handler))
    opened = build(configs.load(path), path)
    queued(opened.ledger)
    relay(opened.ledger, opened.queue)
    return opened


def named(at: Engine, name: str) -> Handler:
    return handler_named(name, at, print, LogWatch())


def worked(at: Engine, handler: Handler, *, drain: bool = True) -> Worked:
    return work(at, handler, task_id="worker-1", drain=drain, watch=LogWatch())


def documented(language: str) -> list[str]:
    text = (ROOT / "docs" / "handlers.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def a_module(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """That Python finds, and forgets after the test."""
    (folder / f"{name}.py").write_text(text)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, name, raising=False)


# Whose function it is


def test_a_handler_is_ours_or_anybody_s_function(
    at: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_module(tmp_path, monkeypatch, "deeds", "class Deeds:\n    def do(item): ...\n")
    assert isinstance(named(at, "whisper"), TranscriptHandler)
    assert named(at, "deeds:Deeds.do") is sys.modules["deeds"].Deeds.do


def test_or_what_an_installed_package_offers(
    at: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_module(tmp_path, monkeypatch, "offering", "def shout(item): ...\n")
    package = tmp_path / "offering-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[proofcast.handlers]\nshouting = offering:shout\n")
    assert named(at, "shouting") is sys.modules["offering"].shout
    with pytest.raises(ConfigError, match=r"no handler 'shuoting' .*there: shouting"):
        named(at, "shuoting")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere:label", "No module named 'nowhere'"),
        ("clumsy:other", "has no attribute 'other'"),
        ("clumsy:word", "is no function but 'a word'"),
        ("broken:label", "KeyError.'TOKEN'"),
        ("no such:thing at all", "ValueError"),
    ],
)
def test_one_that_can_not_be_had_is_explained(
    at: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    a_module(tmp_path, monkeypatch, "clumsy", "word = 'a word'\n")
    a_module(tmp_path, monkeypatch, "broken", "def label(item): ...\ntoken = {}['TOKEN']\n")
    with pytest.raises(ConfigError, match=said):
        named(at, name)


def test_what_it_finds_wrong_at_its_start_ends_the_worker_before_it_takes_a_job(tmp_path: Path) -> None:
    at = engine(tmp_path, "unready:label")
    (tmp_path / "unready.py").write_text(
        "from pipeline.errors import ModelError\nraise ModelError('libcublas.so.12 is missing')\n"
    )
    done = started(tmp_path)
    _, err = done.communicate(timeout=60)
    assert done.returncode == ModelError.exit_code
    assert "libcublas.so.12 is missing" in err
    assert "Traceback" not in err
    assert (now(at.ledger).state, now(at.ledger).attempts) == (State.QUEUED, 0)


def test_doctor_looks_at_the_handler_in_place_of_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_module(tmp_path, monkeypatch, "deeds", "def do(item): ...\n")
    at = engine(tmp_path, "deeds:do")
    (found,) = doctor.model(at)
    assert (found.check, found.state, found.found) == ("handler", "ok", "deeds:do")
    monkeypatch.delattr("deeds.do")
    with pytest.raises(ConfigError):
        list(doctor.model(at))


# What becomes of its jobs


def test_a_job_is_done_when_its_handler_returns(desk: Desk, watcher: Watcher, clock: FakeClock) -> None:
    def copy(item: Item) -> None:
        assert item.stored("copy") is None
        item.store("copy", item.file().read_bytes())
        item.store("draft", b"a draft")
        clock.go_on(5)
        item.discard("draft")

    assert work_one(replace(desk, handler=copy)) is Outcome.DONE
    episode = now(desk.ledger)
    assert (episode.state, episode.claim, episode.failure, episode.review) == (
        State.PUBLISHED,
        None,
        None,
        None,
    )
    assert episode.artifacts == {"audio": "show/show-1/audio", "copy": "show/show-1/copy"}
    assert episode.worked_s == 5
    assert desk.artifacts.get("show/show-1/copy") == b"audio"
    assert desk.artifacts.get("show/show-1/draft") is None
    assert desk.queue.depth() == QueueDepth(waiting=0, leased=0, dead=0)
    assert watcher.seen == [Step.DOWNLOAD, (State.PUBLISHED, Outcome.DONE)]
    (stint,) = desk.ledger.stints("worker-1")
    assert stint.ended_at - stint.began_at == 5
    assert work_one(desk) is None


def test_a_successor_finds_what_was_stored(desk: Desk, clock: FakeClock) -> None:
    def half(item: Item) -> None:
        if item.stored("first") is None:
            item.store("first", b"1")
            raise OSError("no answer")
        assert item.create("first", b"2") == b"1"

    half_done = replace(desk, handler=half)
    assert work_one(half_done) is Outcome.RETRY
    clock.go_on(30)
    assert work_one(half_done) is Outcome.DONE
    episode = now(desk.ledger)
    assert (episode.artifacts["first"], episode.worked_s) == ("show/show-1/first", None)


class Panic(BaseException):
    """As what Rust's panics are raised as, in libraries for tokens and the like."""


@pytest.mark.parametrize("error", [SystemExit("bye"), MemoryError(), RecursionError(), Panic("oh")])
def test_a_poison_job_ends_no_worker(
    desk: Desk, clock: FakeClock, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def poison(item: Item) -> None:
        raise error

    poisoned = replace(desk, handler=poison)
    for _ in range(desk.max_attempts - 1):
        assert work_one(poisoned) is Outcome.RETRY
        clock.go_on(120)
    assert work_one(poisoned) is Outcome.FAILED
    (letter,) = desk.queue.dead_letters()
    assert letter.reason == f"unexpected {error!r}"
    assert type(error).__name__ in caplog.text


def test_every_line_says_which_episode_it_is_about(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    def chatty(item: Item) -> None:
        item.step(Step.TRANSCRIBE)
        logging.getLogger("some.library").warning("odd\nvery odd")
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    caplog.handler.setFormatter(Lines(DATED))
    logging.captureWarnings(True)
    try:
        with caplog.at_level(logging.INFO), warnings.catch_warnings():
            warnings.simplefilter("always")
            work_one(replace(desk, handler=chatty, watch=LogWatch()))
            logging.getLogger("proofcast.worker").info("afterwards")
    finally:
        logging.captureWarnings(False)
    *lines, after = caplog.text.splitlines()
    tagged = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING) episode=show-1 step=transcribe .+"
    assert lines[0].endswith("INFO episode=show-1 step=transcribe begun")
    assert lines[1].endswith("odd")
    assert lines[2].endswith("very odd")
    assert "DeprecationWarning: old" in lines[3]
    assert lines[-1].endswith(" done")
    assert [line for line in lines if not re.fullmatch(tagged, line)] == []
    assert after.endswith("Z INFO afterwards")


# Ends


def started(folder: Path) -> subprocess.Popen[str]:
    """A worker, as the fleet starts it, that finds the modules of a folder."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "worker", "--config", str(folder / "proofcast.toml"), "--drain"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(folder)))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


DEAF = """
import hashlib

def label(item):
    item.store("window-1", b"heard")
    print("in native code", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 2_000_000_000)  # some ten minutes, without the interpreter
"""


@contextmanager
def in_native_code(folder: Path) -> Generator[subprocess.Popen[str]]:
    """A worker whose handler hears nothing."""
    (folder / "deaf.py").write_text(DEAF)
    process = started(folder)
    try:
        assert process.stdout
        assert process.stdout.readline() == "in native code\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_a_job_is_given_back_even_out_of_native_code(tmp_path: Path) -> None:
    at = engine(tmp_path, "deaf:label")
    with in_native_code(tmp_path) as process:
        assert now(at.ledger).state is State.TRANSCRIBING
        assert at.queue.lease(60) is None
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.search(r"episode=show-1 given back$", err, re.M), err
    episode = now(at.ledger)
    assert (episode.state, episode.claim, episode.failure) == (State.QUEUED, None, None)
    assert at.ledger.events("show-1")[-1].detail == "the worker was stopped"
    assert at.artifacts.get("show/show-1/window-1") == b"heard"
    assert at.queue.lease(60)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_nor_does_it_stay_there_with_a_job_that_is_its_own_no_more(tmp_path: Path) -> None:
    at = engine(tmp_path, "deaf:label")
    with in_native_code(tmp_path) as process:
        skip(at.ledger, at.queue, at.clock, now(at.ledger))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert now(at.ledger).state is State.SKIPPED


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM")
def test_one_that_ends_in_time_ends_by_itself(at: Engine) -> None:
    def heeding(item: Item) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        patience = Event()
        for _ in range(6000):
            item.progress(1.0, 2.0, 1.0)
            patience.wait(0.01)

    assert worked(at, heeding) == Worked(well=True, jobs=0, told_to_end=True)
    assert now(at.ledger).state is State.QUEUED
    assert at.queue.lease(60)


def test_a_second_ctrl_c_waits_for_nothing() -> None:
    stopping, late = Event(), Event()

    def interrupted_twice() -> None:
        with told_to_end(stopping, late.set):
            signal.raise_signal(signal.SIGINT)
            assert stopping.is_set()
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupted_twice()
    assert not late.is_set()


def ticking(at: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """A clock that goes on by a second at every look, and a worker that soon looks again."""
    looks: Iterator[int] = iter(range(1_000_000))
    begun = time.time()
    monkeypatch.setattr(at, "clock", lambda: begun + next(looks))
    monkeypatch.setattr("worker.run._IDLE_S", 0.001)
    return at.clock


def idle_after(at: Engine, idle_s: int) -> None:
    worker = msgspec.structs.replace(at.config.worker, idle_s=idle_s)
    at.config = msgspec.structs.replace(at.config, worker=worker)


def test_a_worker_that_stays_ends_when_it_was_idle_for_long(
    at: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticking(at, monkeypatch)
    idle_after(at, 300)
    assert worked(at, lambda item: None, drain=False) == Worked(well=True, jobs=1, told_to_end=False)
    assert now(at.ledger).state is State.PUBLISHED


def test_but_not_while_one_shall_be_there(at: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ticking(at, monkeypatch)
    idle_after(at, 1)
    until = clock() + 500
    at.ledger.keep_warm(until)
    assert worked(at, lambda item: None, drain=False) == Worked(well=True, jobs=1, told_to_end=True)
    assert clock() > until


# The example


def test_the_documented_example_labels_the_images_of_a_bucket(
    deployed: DeployedSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,), (_, config) = documented("python"), documented("toml")
    a_module(tmp_path, monkeypatch, "labels", code)
    path = tmp_path / "proofcast.toml"
    path.write_text(config.replace('name = "labels"', f'name = "{deployed.names.name}"\nlinger_s = 1'))
    at = build(configs.load(path), path)
    assert isinstance(at, AwsEngine)
    image = b"\x89PNG..."
    at.clients.s3().put_object(Bucket=at.bucket, Key="inbox/images/beach.jpg", Body=image)
    episode_id = lambdas.take_in(at, "inbox/images/beach.jpg")
    assert episode_id
    assert worked(at, named(at, at.config.worker.handler)) == Worked(well=True, jobs=1, told_to_end=False)
    episode = now(at.ledger, episode_id)
    assert (episode.state, episode.title) == (State.PUBLISHED, "beach")
    assert at.artifacts.get(episode.artifacts["audio"]) == image
    labels = json.loads(at.artifacts.get(episode.artifacts["labels.json"]) or b"")
    assert labels
    assert all(75 <= confidence <= 100 for confidence in labels.values())


def test_a_file_that_is_no_audio_can_be_added_here_too(at: Engine, tmp_path: Path) -> None:
    image = tmp_path / "beach.jpg"
    image.write_bytes(b"\xff\xd8\xff")
    feed = at.config.feed_named("show")
    episode, _ = add(AudioFile(image, at.artifacts), feed, FeedItem(title="beach"), at.ledger, at.clock)
    relay(at.ledger, at.queue)
    seen: dict[str, bytes] = {}

    def look(item: Item) -> None:
        seen[item.episode.id] = item.file().read_bytes() if item.episode.id == episode.id else b""

    assert worked(at, look).jobs == 2
    assert seen[episode.id] == b"\xff\xd8\xff"
