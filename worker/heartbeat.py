"""Keeping a lease alive while the work goes on, from a thread of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace

from pipeline.errors import LeaseLost, ProofcastError
from pipeline.model import Claim, Lease, Progress
from pipeline.ports import JobQueue, Ledger

log = logging.getLogger("proofcast.worker")

_STUCK_S = 3600.0  #: without a sign of life: longer than any step takes that gives none
_LOST_S = 900.0  #: likewise, once the lease is lost: a slow machine may hear a passage to its end
_LAST_BEAT_S = 0.5  #: how long one that is under way is waited for where a job is given back


def _end_process() -> None:
    os._exit(70)


class Heartbeat:
    """Renews queue lease and ledger claim; whoever works asks `check` whether they may go on."""

    def __init__(
        self,
        ledger: Ledger,
        queue: JobQueue,
        lease: Lease,
        claim: Claim,
        seconds: float,
        end: Callable[[], object] = _end_process,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._lease = lease
        self._claim = claim
        self._seconds = seconds
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._alive_at = time.monotonic()
        self._end = end
        self._thread: threading.Thread | None = None
        self.progress: Progress | None = None

    def check(self) -> None:
        """A sign of life. Raises LeaseLost once the job is no longer ours."""
        self._alive_at = time.monotonic()
        self.go_on()

    def go_on(self) -> None:
        """Likewise, but no sign of life: for whoever waits for work that may be stuck."""
        if self._lost.is_set():
            raise LeaseLost(f"the lease on {self._lease.job.episode_id} was lost")

    @contextmanager
    def beating(self) -> Generator[None]:
        """Renew three times a lease, so that one renewal may fail."""
        # In our context, so that its lines in the log name the episode too.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._beat,), name="heartbeat", daemon=True
        )
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()

    def end(self) -> None:
        """No beat comes after this, but for one that takes its time."""
        self._ended.set()
        if self._thread:
            self._thread.join(_LAST_BEAT_S)

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds / 3):
            if time.monotonic() - self._alive_at > (_LOST_S if self._lost.is_set() else _STUCK_S):
                # A renewed lease would keep the episode from everybody else, and a machine running.
                log.error("nothing goes on: this worker ends")
                self._end()
            if self._lost.is_set():
                continue
            try:
                self._lease = self._queue.extend(self._lease, self._seconds)
                claim = replace(self._claim, until=self._lease.until)
                self._ledger.heartbeat(self._lease.job.episode_id, claim, self.progress)
            except LeaseLost:
                self._lost.set()
            except ProofcastError as error:  # a busy database, a full disk: the next beat may do
                log.warning("heartbeat failed: %s", error)
