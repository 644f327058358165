"""Several threads at one window, while whoever waits for it is told how far they are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

PULSE_S = 0.5  #: so often somebody is asked whether to go on, whatever happens

T = TypeVar("T")
R = TypeVar("R")


class Ended(Exception):
    """Nobody waits for the result any more."""


class Team:
    """Works on a window that starts at `start_s` of the episode and is `length_s` long.

    Both are called in the thread that waits, about every `PULSE_S`: `go_on` always, `told` only if a thread
    gave a sign of life since, so that whoever is told knows that the work goes on. What they raise ends the
    work: the other threads end at their next sign of life, a few seconds later, and nobody waits for them.
    """

    def __init__(
        self,
        start_s: float,
        length_s: float,
        threads: int,
        told: Callable[[float], None],
        go_on: Callable[[], None],
    ) -> None:
        self.length_s = length_s
        self._start_s = start_s
        self._told = told
        self._go_on = go_on
        self._threads = max(1, threads)
        self._done_s = 0.0
        self._signs = self._seen = 0  #: of life: given, and seen by the thread that waits
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def alive(self) -> None:
        """To be called often by whoever works. Raises Ended."""
        self.done(0.0)

    def done(self, seconds: float) -> None:
        """So much more of the window is done. Raises Ended."""
        if self._ended.is_set():
            raise Ended
        with self._lock:
            self._done_s = min(self._done_s + seconds, self.length_s)
            self._signs += 1

    def tell(self) -> None:
        self._seen = self._signs
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
                self._go_on()
                if self._signs > self._seen:
                    self.tell()
            return [future.result() for future in futures]
        except BaseException:
            self._ended.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
