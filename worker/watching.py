"""Showing what a worker does: bars for people, lines for logs."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING

from pipeline.console import clock, one_line
from pipeline.model import Episode, Step
from worker.desk import IN_HAND, Outcome, Tag

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

log = logging.getLogger("proofcast.worker")

_LOG_EVERY_S = 15.0
_ENDS = {Outcome.DONE: "done", Outcome.FAILED: "failed", Outcome.RETRY: "not done, will be tried again"}


PLAIN = "{tag}{message}"  #: `show-1: transcribe: begun`
DATED = "{at} {levelname} {fields}{message}"
#: `2026-11-24T15:00:00Z INFO episode=show-1 step=transcribe begun`: to read, and to search by its fields


class Lines(logging.Formatter):
    """Writes what is logged so that each line, of a traceback too, says which episode it is about."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        tag = IN_HAND.get() or Tag("")
        known = {"episode": tag.episode, "step": tag.step}
        known = {name: value for name, value in known.items() if value}
        facts = {
            "at": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "levelname": record.levelname,
            "tag": "".join(f"{value}: " for value in known.values()),
            "fields": "".join(f"{name}={value} " for name, value in known.items()),
        }
        lines = super().format(record).splitlines() or [""]
        return "\n".join(self._form.format(**facts, message=line) for line in lines)


def log_to_stderr(form: str) -> None:
    """Our own lines from INFO up, the libraries' only where something is wrong."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(form))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.captureWarnings(True)
    logging.getLogger("proofcast").setLevel(logging.INFO)


def say(what: str) -> None:
    """A line for whoever reads the log."""
    log.info("%s", what)


class LogWatch:
    """One line a step, and now and then how far it has come. Which episode it is, the log's lines say."""

    def __init__(self) -> None:
        self._told = 0.0

    def begin(self, what: str) -> None:
        """Nothing worth a line."""

    def step(self, episode: Episode, step: Step) -> None:
        self._told = time.monotonic()
        log.info("begun")

    def progress(self, done: float, total: float | None, speed: float) -> None:
        if speed and time.monotonic() - self._told >= _LOG_EVERY_S:
            self._told = time.monotonic()
            log.info("%s of %s, %.1fx", clock(done), clock(total), speed)

    def ended(self, episode: Episode, outcome: Outcome) -> None:
        log.info("%s%s", _ENDS.get(outcome, outcome), _why(episode, outcome))


def _why(episode: Episode, outcome: Outcome) -> str:
    """A failure of before is no reason for a worker that was told to end."""
    told = episode.failure and outcome is not Outcome.GIVEN_BACK
    return f": {one_line(episode.failure.reason)}" if episode.failure and told else ""


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
            url = f" -> {episode.review.url}" if episode.review else ""
            line = one_line(f"{episode.title}: {_ENDS.get(outcome, outcome)}{url}{_why(episode, outcome)}")
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
            if outcome is Outcome.GIVEN_BACK:
                self._bars.stop()  # the worker ends, and may not come to say so
