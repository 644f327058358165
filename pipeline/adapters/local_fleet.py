"""Workers as processes of this machine.

A worker is alive as long as it holds the lock on its file; the system lets go of the lock with the
process, however that ends, so no number of a process is ever taken for another's.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
import uuid
from collections import deque
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from pipeline.errors import Busy, storage_error
from pipeline.model import Instance, Market, Task

_LOG_LINES = 1000  #: told of a log


class _Presence(msgspec.Struct, frozen=True):
    """What a worker says of itself beside its lock."""

    pid: int
    started_at: float


class LocalFleet:
    """See `ports.Fleet`. Workers read `config`; `folder` holds their locks and logs."""

    def __init__(self, folder: Path, config: Path) -> None:
        self._folder = folder
        self._config = config
        self._started: dict[str, tuple[Task, subprocess.Popen[bytes]]] = {}

    def tasks(self) -> list[Task]:
        found = {
            path.stem: _task(path.stem, presence.pid, presence.started_at) for path, presence in self._alive()
        }
        for task, process in self._started.values():  # those that have not said so themselves yet
            if process.poll() is None:
                found.setdefault(task.id, task)
        return list(found.values())

    def recent(self) -> list[Task]:
        return sorted(self.tasks(), key=lambda task: task.asked_at, reverse=True)

    def survey(self) -> list[Task]:
        return self.recent()

    def instances(self) -> list[Instance]:
        return [Instance(id=platform.node(), type=platform.machine(), detail=f"{os.cpu_count()} cores")]

    def start(self, count: int, market: Market | None = None) -> list[Task]:
        return [self._start() for _ in range(count)]

    def ended(self, workers: Collection[str]) -> set[str]:
        return set(workers) - {task.id for task in self.tasks()} if workers else set()

    def stop(self, task_id: str, reason: str = "") -> None:
        for path, presence in self._alive():
            if path.stem == task_id:
                with suppress(ProcessLookupError):  # it has just ended by itself
                    os.kill(presence.pid, signal.SIGTERM)
                return
        if task_id in self._started:  # it has not said so itself yet
            self._started[task_id][1].terminate()

    def log(self, task_id: str) -> list[str]:
        try:
            with self.log_file(task_id).open(encoding="utf-8", errors="replace") as file:
                return [line.rstrip("\n") for line in deque(file, _LOG_LINES)]
        except FileNotFoundError:
            return []

    def log_file(self, task_id: str) -> Path:
        """Where a started worker writes what it has to say."""
        return self._folder / f"{task_id}.log"

    @contextmanager
    def presence(self, task_id: str) -> Generator[None]:
        """Hold the lock that makes this process a running task."""
        with _explained(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._lock(task_id))
            lock.acquire()
            file = self._folder / f"{task_id}.json"
            file.write_bytes(msgspec.json.encode(_Presence(pid=os.getpid(), started_at=time.time())))
        try:
            yield
        finally:
            file.unlink(missing_ok=True)
            lock.release()
            self._lock(task_id).unlink(missing_ok=True)

    def _start(self) -> Task:
        task_id = new_task_id()
        # -P: a folder named `worker` where the user happens to stand is not our program.
        command = [sys.executable, "-P", "-m", "worker", "--drain", "--id", task_id]
        command += ["--config", os.fspath(self._config)]
        with _explained(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            with self.log_file(task_id).open("wb") as log:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        task = _task(task_id, process.pid, time.time())
        self._started[task_id] = (task, process)
        return task

    def _alive(self) -> list[tuple[Path, _Presence]]:
        found: list[tuple[Path, _Presence]] = []
        for path in sorted(self._folder.glob("*.json")):
            lock = FileLock(self._lock(path.stem))
            try:
                with lock.acquire(blocking=False):
                    path.unlink(missing_ok=True)  # nobody holds it: left behind by a killed worker
                    self._lock(path.stem).unlink(missing_ok=True)
            except Timeout:
                try:
                    found.append((path, msgspec.json.decode(path.read_bytes(), type=_Presence)))
                except (FileNotFoundError, msgspec.DecodeError):
                    continue  # it ended, or is just about to say who it is
            except OSError:
                continue  # a folder that can't be written shows no tasks; doctor says why
        return found

    def _lock(self, task_id: str) -> Path:
        return self._folder / f"{task_id}.lock"


def _task(task_id: str, pid: int, started_at: float) -> Task:
    return Task(
        id=task_id,
        asked_at=started_at,
        started_at=started_at,
        instance=platform.node(),
        type=platform.machine(),
        detail=f"process {pid}",
    )


def new_task_id() -> str:
    """A name that no other worker has."""
    return f"worker-{uuid.uuid4().hex[:8]}"


@contextmanager
def only_one(path: Path, what: str) -> Generator[None]:
    """Hold a lock for the whole machine while something is done. Raises Busy."""
    with _explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise Busy(
                f"{what} is running already with this data folder", "nothing to do: it goes on"
            ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, folder) from None
