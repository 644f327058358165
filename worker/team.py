"""Several threads at one window, while whoever waits for it is told how far they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

PULSE_S = 0.5  #: so often somebody is told, whatever happens

T = TypeVar("T")
R = TypeVar("R")


class Ended(Exception):
    """Nobody waits for the result any more."""


class Team:
    """Works on a window that starts at `start_s` of the episode and is `length_s` long.

    `told` is called in the thread that waits, about every `PULSE_S`; what it raises ends the work: the
    other threads then end at their next sign of life, a few seconds later, and nobody waits for them.
    """

    def __init__(self, start_s: float, length_s: float, told: Callable[[float], None], threads: int) -> None:
        self.length_s = length_s
        self._start_s = start_s
        self._told = told
        self._threads = max(1, threads)
        self._done_s = 0.0
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def alive(self) -> None:
        """To be called often by whoever works. Raises Ended."""
        if self._ended.is_set():
            raise Ended

    def done(self, seconds: float) -> None:
        """So much more of the window is done."""
        self.alive()
        with self._lock:
            self._done_s = min(self._done_s + seconds, self.length_s)

    def tell(self) -> None:
        self._told(self._start_s + self._done_s)

    def each(self, work: Callable[[T], R], tasks: Sequence[T]) -> list[R]:
        """What becomes of each task, in their order. Raises what the first that failed raised."""
        pool = ThreadPoolExecutor(min(self._threads, len(tasks) or 1))
        try:
            futures = [pool.submit(work, task) for task in tasks]
            waiting = set(futures)
            while waiting:
                finished, waiting = wait(waiting, timeout=PULSE_S, return_when="FIRST_COMPLETED")
                for future in finished:
                    future.result()
                self.tell()
            return [future.result() for future in futures]
        except BaseException:
            self._ended.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
