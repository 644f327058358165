"""Workers of a fleet in a test's hands: begun, killed, and waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from pipeline.adapters.local_fleet import LocalFleet
from pipeline.model import Task
from pipeline.ports import Fleet

_WORKER = """
import sys
from pathlib import Path
from pipeline.adapters.local_fleet import LocalFleet

with LocalFleet(Path(sys.argv[1]), Path()).presence(sys.argv[2]):
    print("here", flush=True)
    sys.stdin.read()
"""


class Workers(Protocol):
    """What the contract suite does to a fleet's workers from outside."""

    fleet: Fleet

    def begin(self, task_id: str) -> None:
        """A worker that stays until it is ended."""
        ...

    def kill(self, task_id: str) -> None:
        """At once, so that it can't say goodbye."""
        ...

    def ended(self, task: Task) -> None:
        """Wait until a worker that the fleet started, or was told to stop, has ended."""
        ...

    def end_all(self) -> None: ...


class LocalWorkers:
    """Processes of this machine."""

    def __init__(self, folder: Path) -> None:
        config = folder / "proofcast.toml"
        config.write_text("", encoding="utf-8")
        self._folder = folder / "proofcast-data" / "workers"
        self._begun: dict[str, subprocess.Popen[str]] = {}
        self.fleet: Fleet = LocalFleet(self._folder, config)

    def begin(self, task_id: str) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, os.fspath(self._folder), task_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._begun[task_id] = process
        assert process.stdout
        assert process.stdout.readline() == "here\n"

    def kill(self, task_id: str) -> None:
        self._begun[task_id].kill()
        self._begun[task_id].wait()

    def ended(self, task: Task) -> None:
        if task.id in self._begun:
            self._begun[task.id].wait(timeout=30)
        else:  # the fleet's own child: left for it to reap
            os.waitid(os.P_PID, int(task.detail.removeprefix("process ")), os.WEXITED | os.WNOWAIT)

    def end_all(self) -> None:
        for process in self._begun.values():
            process.kill()
            process.communicate()
