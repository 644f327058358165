"""A worker process: one at a time on a machine, until there is nothing to do or it is told to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import StorageFull
from pipeline.model import Transcript
from pipeline.wiring import Engine
from worker.loop import Desk, Outcome, Stopped, Transcribe, Watch, work_one
from worker.models import choose
from worker.whisper import Whisper

_IDLE_S = 2.0
_RETRY_S = 65.0  #: the longest that a job is put off before its last try
_ABANDONED_S = 24 * 3600.0  #: longer than any download takes


class Speech:
    """Whisper as the config wants it, loaded when the first episode needs it."""

    def __init__(self, engine: Engine, say: Callable[[str], None], watch: Watch) -> None:
        self._config = engine.config.transcribe
        self._say = say
        self._watch = watch
        self._loaded: dict[bool, Whisper] = {}

    def __call__(
        self,
        audio: Path,
        episode: dict[str, Any],
        language: str | None,
        progress: Callable[[float, float, float], None],
    ) -> Transcript:
        english = language is None or language.lower().startswith("en")
        if english not in self._loaded:
            choice = choose(self._config, language, self._say, self._downloading)
            self._loaded[english] = Whisper(choice, self._config)
        return self._loaded[english].transcribe(audio, episode, language, progress)

    def _downloading(self, done: int, total: int) -> None:
        self._watch.progress(done, total, 0.0)


@dataclass(frozen=True)
class Worked:
    """What a worker came to."""

    well: bool  #: nothing failed
    jobs: int
    told_to_end: bool  #: by a signal, or since the month's budget is used up; or to be there without work


def work(engine: Engine, transcribe: Transcribe, *, task_id: str | None, drain: bool, watch: Watch) -> Worked:
    """Work on one job after another; with `drain`, until none is ready or being worked on.

    Raises StorageFull and ModelError, after the job in hand was given back.
    """
    stopping = threading.Event()
    with engine.presence(task_id) as name, _signals(stopping):
        desk = _desk(engine, transcribe, name, stopping, watch)
        return _loop(engine, desk, drain, stopping)


def _desk(engine: Engine, transcribe: Transcribe, name: str, stopping: threading.Event, watch: Watch) -> Desk:
    return Desk(
        worker=name,
        ledger=engine.ledger,
        queue=engine.queue,
        artifacts=engine.artifacts,
        publisher=engine.publisher,
        fetch_audio=engine.fetch_audio,
        transcribe=transcribe,
        language=engine.language_of,
        clock=engine.clock,
        scratch=engine.scratch,
        lease_s=engine.config.worker.lease_s,
        max_attempts=engine.config.worker.max_attempts,
        stopping=stopping.is_set,
        at_work=engine.at_work,
        watch=watch,
    )


def _sweep(scratch: Path) -> None:
    """Clear away the downloads of workers that were killed."""
    for left in scratch.glob("*"):
        with suppress(FileNotFoundError):  # somebody else was just done with it
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink()


def _loop(engine: Engine, desk: Desk, drain: bool, stopping: threading.Event) -> Worked:
    _sweep(desk.scratch)
    well, jobs = _tended(engine), 0
    held = warm = False
    busy_at = engine.clock()
    try:
        while not stopping.is_set() and not (held := engine.held()):
            outcome = work_one(desk)
            well &= outcome not in (Outcome.FAILED, Outcome.RETRY)
            if outcome is None:
                well &= _tended(engine)
                stays = drain and engine.warm()
                warm |= stays
                if drain and not stays and _drained(engine, engine.clock() - busy_at):
                    break
                stopping.wait(0.2 if drain else _IDLE_S)
            else:
                jobs += 1
                # For the next try of a job that failed it pays to stay: a new instance costs more.
                busy_at = engine.clock() + (_RETRY_S if outcome is Outcome.RETRY else 0.0)
    except Stopped:
        pass
    return Worked(well=well, jobs=jobs, told_to_end=stopping.is_set() or held or warm)


def _tended(engine: Engine) -> bool:
    """Whether nothing had to be given up; where there is a poller, it tends, and not every worker."""
    return engine.linger_s is not None or not engine.tend().buried


def _drained(engine: Engine, idle_s: float) -> bool:
    """Whether nothing is left to wait for."""
    if engine.linger_s is not None:
        return idle_s >= engine.linger_s
    return not engine.queue.depth().leased and not engine.ledger.outbox()


@contextmanager
def _signals(stopping: threading.Event) -> Generator[None]:
    """SIGTERM and the first Ctrl-C end the work in order; a second Ctrl-C ends it at once."""

    def stop(number: int, _: object) -> None:
        if number == signal.SIGINT and stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def work_many(engine: Engine, jobs: int, drain: bool) -> bool:
    """Several workers, each a process of its own; they end with this one."""
    command = [sys.executable, "-P", "-m", "worker", "--config", str(engine.config_file)]
    command += ["--drain"] if drain else []
    stopping = threading.Event()
    # A child ends when its standard input does: even a kill of this process is noticed.
    children = [subprocess.Popen([*command, "--with-parent"], stdin=subprocess.PIPE) for _ in range(jobs)]
    with _signals(stopping):
        while any(child.poll() is None for child in children):
            if stopping.wait(0.2):
                for child in children:
                    child.terminate()
                break
        codes = [child.wait() for child in children]
    if StorageFull.exit_code in codes:
        raise StorageFull("a worker found no room left on a disk", "make room, then run again")
    return stopping.is_set() or not any(codes)
