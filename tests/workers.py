"""Workers of a fleet in a test's hands: begun, killed, and waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import Protocol

from pipeline.adapters.local_fleet import LocalFleet, new_task_id
from pipeline.adapters.sqlite import Database, SqliteQueue
from pipeline.model import Job, Task
from pipeline.ports import Fleet
from tests.deployed_site import DeployedSite

_WORKER = """
import sys
import time
from pathlib import Path
from pipeline.adapters.local_fleet import LocalFleet, new_task_id

with LocalFleet(Path(sys.argv[1]), Path()).presence(sys.argv[2]):
    print("here", flush=True)
    sys.stdin.read()
"""


class Workers(Protocol):
    """What the contract suite does to a fleet's workers from outside."""

    fleet: Fleet

    def begin(self) -> str:
        """The id of a new worker that stays until it is ended."""
        ...

    def kill(self, task_id: str) -> None:
        """At once, so that it can't say goodbye."""
        ...

    def ended(self, task: Task) -> None:
        """Wait until a worker that the fleet started, or was told to stop, has ended."""
        ...

    def keep_busy(self) -> None:
        """See that workers the fleet starts don't end by themselves."""
        ...

    def end_all(self) -> None: ...


class EcsWorkers:
    """Tasks of an ECS that lives by a clock of its own."""

    def __init__(self, site: DeployedSite) -> None:
        self._clock = site.clock
        self._account = site.account
        self.fleet: Fleet = site.fleet()

    def begin(self) -> str:
        (task,) = self.fleet.start(1)
        self._clock.go_on(300)
        return task.id

    def kill(self, task_id: str) -> None:
        self._account.ecs.end(task_id, exit_code=137)
        self._clock.go_on(10)

    def ended(self, task: Task) -> None:
        self._clock.go_on(300)
        if self._account.ecs.task(task.id)["lastStatus"] == "RUNNING":
            self._account.ecs.end(task.id)
            self._clock.go_on(10)

    def keep_busy(self) -> None:
        """They do nothing by themselves."""

    def end_all(self) -> None:
        """They end with their account."""


class LocalWorkers:
    """Processes of this machine."""

    def __init__(self, folder: Path) -> None:
        config = folder / "proofcast.toml"
        config.write_text("", encoding="utf-8")
        self._folder = folder / "proofcast-data" / "workers"
        self._begun: dict[str, subprocess.Popen[str]] = {}
        self.fleet: Fleet = LocalFleet(self._folder, config)

    def begin(self) -> str:
        task_id = new_task_id()
        process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, os.fspath(self._folder), task_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._begun[task_id] = process
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        return task_id

    def kill(self, task_id: str) -> None:
        self._begun[task_id].kill()
        self._begun[task_id].wait()

    def ended(self, task: Task) -> None:
        if task.id in self._begun:
            self._begun[task.id].wait(timeout=30)
            return
        process, patience = int(task.detail.removeprefix("process ")), Event()
        for _ in range(3000):  # the fleet's own child: left for it to reap
            if os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                return
            patience.wait(0.01)
        raise AssertionError(f"{task.id} goes on")

    def keep_busy(self) -> None:
        queue = SqliteQueue(Database(self._folder.parent / "proofcast.db"), 3, time.time)
        queue.send(Job(episode_id="show-1"))
        assert queue.lease(3600)  # somebody has a job: a draining worker waits for how it ends

    def end_all(self) -> None:
        for process in self._begun.values():
            process.kill()
            process.communicate()
