"""Showing what a worker does: bars for people, lines for logs."""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import TYPE_CHECKING

from pipeline.console import clock, one_line
from pipeline.model import Episode, Step
from worker.loop import Outcome

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

log = logging.getLogger("proofcast.worker")

_LOG_EVERY_S = 15.0
_ENDS = {Outcome.DONE: "done", Outcome.FAILED: "failed", Outcome.RETRY: "not done, will be tried again"}


def log_to_stderr(form: str) -> None:
    """Our own lines from INFO up, the libraries' only where something is wrong."""
    logging.basicConfig(level=logging.WARNING, format=form)
    logging.getLogger("proofcast").setLevel(logging.INFO)


class LogWatch:
    """One line a step, and now and then how far it has come."""

    def __init__(self) -> None:
        self._episode = ""
        self._told = 0.0

    def begin(self, what: str) -> None:
        """Nothing worth a line."""

    def step(self, episode: Episode, step: Step) -> None:
        self._episode = episode.id
        self._told = time.monotonic()
        log.info("%s: %s", episode.id, step)

    def progress(self, done: float, total: float | None, speed: float) -> None:
        if speed and time.monotonic() - self._told >= _LOG_EVERY_S:
            self._told = time.monotonic()
            log.info("%s: %s of %s, %.1fx", self._episode, clock(done), clock(total), speed)

    def ended(self, episode: Episode, outcome: Outcome) -> None:
        why = f": {one_line(episode.failure.reason)}" if episode.failure else ""
        log.info("%s: %s%s", episode.id, _ENDS.get(outcome, outcome), why)


class BarWatch:
    """A progress bar on a terminal: how far, how fast, how long it will take."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> BarWatch:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[done]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def begin(self, what: str) -> None:
        """A new bar in place of the last."""
        if self._bars:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(one_line(what).replace("[", r"\["), total=None, done="")

    def step(self, episode: Episode, step: Step) -> None:
        self.begin(f"{step} {episode.title[:40]}")

    def progress(self, done: float, total: float | None, speed: float) -> None:
        if self._bars and self._task is not None:
            told = f"{done / 1e6:.1f} MB"
            if speed and total:
                told = f"{clock(done)} of {clock(total)}, {speed:.1f}x, {clock((total - done) / speed)} left"
            self._bars.update(self._task, completed=done, total=total, done=told)

    def ended(self, episode: Episode, outcome: Outcome) -> None:
        if self._bars:
            why = f": {episode.failure.reason}" if episode.failure else ""
            url = f" -> {episode.review.url}" if episode.review else ""
            line = one_line(f"{episode.title}: {_ENDS.get(outcome, outcome)}{url}{why}")
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
