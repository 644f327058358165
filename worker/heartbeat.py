"""Keeping a lease alive while the work goes on, from a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

from pipeline.errors import LeaseLost, ProofcastError
from pipeline.model import Claim, Lease, Progress
from pipeline.ports import JobQueue, Ledger

log = logging.getLogger("proofcast.worker")


class Heartbeat:
    """Renews queue lease and ledger claim; whoever works asks `check` whether they may go on."""

    def __init__(self, ledger: Ledger, queue: JobQueue, lease: Lease, claim: Claim, seconds: float) -> None:
        self._ledger = ledger
        self._queue = queue
        self._lease = lease
        self._claim = claim
        self._seconds = seconds
        self._ended = threading.Event()
        self._lost = threading.Event()
        self.progress: Progress | None = None

    def check(self) -> None:
        """Raises LeaseLost once the job is no longer ours."""
        if self._lost.is_set():
            raise LeaseLost(f"the lease on {self._lease.job.episode_id} was lost")

    @contextmanager
    def beating(self) -> Generator[None]:
        """Renew three times a lease, so that one renewal may fail."""
        thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds / 3):
            try:
                self._lease = self._queue.extend(self._lease, self._seconds)
                claim = replace(self._claim, until=self._lease.until)
                self._ledger.heartbeat(self._lease.job.episode_id, claim, self.progress)
            except LeaseLost:
                self._lost.set()
                return
            except ProofcastError as error:  # a busy database, a full disk: the next beat may do
                log.warning("%s: heartbeat failed: %s", self._lease.job.episode_id, error)
