"""A worker process: one at a time on a machine, until there is nothing to do or it is told to end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import StorageFull
from pipeline.wiring import Engine
from worker.desk import IN_HAND, Desk, Outcome, Stopped, Tag, Watch
from worker.handling import Handler
from worker.lent import Lent
from worker.loop import give_up, work_one
from worker.signals import told_to_end

_IDLE_S = 2.0
_RETRY_S = 65.0  #: the longest that a job is put off before its last try
_ABANDONED_S = 24 * 3600.0  #: longer than any download takes


@dataclass(frozen=True)
class Worked:
    """What a worker came to."""

    well: bool  #: nothing failed
    jobs: int
    told_to_end: bool  #: by a signal, or since the month's budget is used up; or to be there without work


@dataclass
class _Tally:
    """What a worker came to until now."""

    well: bool
    busy_at: float
    jobs: int = 0
    warm: bool = False  #: it was there to be there


def work(engine: Engine, handler: Handler, *, task_id: str | None, drain: bool, watch: Watch) -> Worked:
    """Work on one job after another; with `drain`, until none is ready or being worked on.

    Told to end by a signal it gives the job in hand back; where the handler takes no notice of that, being
    in native code perhaps, this ends the process. Raises StorageFull and ModelError, after the job in hand
    was given back.
    """
    stopping = threading.Event()
    with engine.presence(task_id) as name:
        desk = _desk(engine, handler, name, stopping, watch)
        tally = _Tally(well=True, busy_at=engine.clock())
        with told_to_end(stopping, _Late(engine, desk, tally)):
            return _loop(engine, desk, drain, stopping, tally)


class _Late:
    """Takes the job from a handler that did not stop, and ends the process."""

    def __init__(self, engine: Engine, desk: Desk, tally: _Tally) -> None:
        self._engine = engine
        self._desk = desk
        self._tally = tally
        self._asked: Lent | None = None

    def __call__(self) -> None:
        job = self._desk.hand.job
        if job is None:
            return
        IN_HAND.set(Tag(job.episode.id, job.episode.step or ""))  # this thread has a context of its own
        given = give_up(self._desk, job)
        if given or job is self._asked:
            self._desk.watch.ended(job.episode, Outcome.GIVEN_BACK)
            # Dispatch asks whether workers come to anything, and this one was told to end.
            os._exit(0 if self._tally.well or self._engine.linger_s is not None else 1)
        self._asked = job  # done, or lost: it may be about to end by itself


def _desk(engine: Engine, handler: Handler, name: str, stopping: threading.Event, watch: Watch) -> Desk:
    return Desk(
        worker=name,
        ledger=engine.ledger,
        queue=engine.queue,
        artifacts=engine.artifacts,
        fetch_audio=engine.fetch_audio,
        handler=handler,
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


def _loop(engine: Engine, desk: Desk, drain: bool, stopping: threading.Event, tally: _Tally) -> Worked:
    _sweep(desk.scratch)
    tally.well = _tended(engine)
    held = False
    try:
        while not stopping.is_set() and not (held := engine.held()):
            outcome = work_one(desk)
            tally.well &= outcome not in (Outcome.FAILED, Outcome.RETRY)
            if outcome is None:
                if _may_go(engine, drain, tally):
                    break
                stopping.wait(0.2 if drain else _IDLE_S)
            else:
                tally.jobs += 1
                # For the next try of a job that failed it pays to stay: a new instance costs more.
                tally.busy_at = engine.clock() + (_RETRY_S if outcome is Outcome.RETRY else 0.0)
    except Stopped:
        pass
    return Worked(well=tally.well, jobs=tally.jobs, told_to_end=stopping.is_set() or held or tally.warm)


def _may_go(engine: Engine, drain: bool, tally: _Tally) -> bool:
    """Whether a worker that found nothing has nothing to stay for."""
    tally.well &= _tended(engine)
    most_s = engine.config.worker.idle_s
    if not drain and not most_s:
        return False
    if engine.warm():
        tally.warm = True
        return False
    idle_s = engine.clock() - tally.busy_at
    return _drained(engine, idle_s) if drain else idle_s >= most_s


def _tended(engine: Engine) -> bool:
    """Whether nothing had to be given up; where there is a poller, it tends, and not every worker."""
    return engine.linger_s is not None or not engine.tend().buried


def _drained(engine: Engine, idle_s: float) -> bool:
    """Whether nothing is left to wait for."""
    if engine.linger_s is not None:
        return idle_s >= engine.linger_s
    return not engine.queue.depth().leased and not engine.ledger.outbox()


def work_many(engine: Engine, jobs: int, drain: bool) -> bool:
    """Several workers, each a process of its own; they end with this one."""
    command = [sys.executable, "-P", "-m", "worker", "--config", str(engine.config_file)]
    command += ["--drain"] if drain else []
    stopping = threading.Event()
    # A child ends when its standard input does: even a kill of this process is noticed.
    children = [subprocess.Popen([*command, "--with-parent"], stdin=subprocess.PIPE) for _ in range(jobs)]
    with told_to_end(stopping):
        while any(child.poll() is None for child in children):
            if stopping.wait(0.2):
                for child in children:
                    child.terminate()
                break
        codes = [child.wait() for child in children]
    if StorageFull.exit_code in codes:
        raise StorageFull("a worker found no room left on a disk", "make room, then run again")
    return stopping.is_set() or not any(codes)
