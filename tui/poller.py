"""One thread for each source: it reads, delivers, waits, and never gives up. No Textual here."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

from pipeline.errors import ProofcastError
from tui.backend import Source
from tui.values import Freshness, Snapshot, clean

_HIDDEN = 5  #: times the interval, of what nobody looks at
_LONGEST_S = 60.0  #: between two tries
_SLOW_S = 2.0  #: a reading that takes longer is shown to be under way


class Poller:
    """Delivers snapshots, each newer than the last, and after each reading how fresh they are.

    What is delivered comes from this thread, or from whoever pauses it; after `stop` nothing does.
    """

    def __init__(
        self,
        source: Source,
        deliver: Callable[[Snapshot | Freshness], None],
        clock: Callable[[], float] = time.time,
        rng: Random | None = None,
    ) -> None:
        self._source = source
        self._deliver = deliver
        self._clock = clock  # for labels only: waiting goes by a clock that nobody sets
        self._rng = rng or Random()
        self._changed = threading.Condition()
        self._stopped = self._paused = self._hidden = self._nudged = self._reading = False
        self._failures = 0
        self._back_off_s = 0.0
        self._ended_at = -math.inf
        self._version = -1
        self._fresh = Freshness(source=source.name)

    def start(self) -> None:
        """Read at once."""
        threading.Thread(target=self._run, name=f"poll {self._source.name}", daemon=True).start()

    def stop(self) -> None:
        """Returns at once; a reading under way may go on for a while, and comes to nothing."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def nudge(self) -> None:
        """Read now, also while paused; during a reading: once more after it."""
        with self._changed:
            self._nudged = True
            self._changed.notify()

    def pause(self) -> None:
        """Read no more until `resume`."""
        self._set(paused=True)

    def resume(self) -> None:
        """Go on; what is overdue is read at once."""
        self._set(paused=False)

    def hidden(self, hidden: bool) -> None:
        """What nobody looks at is read more seldom."""
        with self._changed:
            self._hidden = hidden
            self._changed.notify()

    def _set(self, *, paused: bool) -> None:
        with self._changed:
            self._paused = paused
            self._tell()
            self._changed.notify()

    def _run(self) -> None:
        while self._wait():
            slow = threading.Timer(_SLOW_S, self._slow)
            slow.daemon = True
            slow.start()
            try:
                found = self._source.read()
            except Exception as error:  # noqa: BLE001 - whatever a source raises, the next reading may succeed
                self._failed(error)
            else:
                self._succeeded(found)
            finally:
                slow.cancel()

    def _wait(self) -> bool:
        """Until it is time; False when it was told to stop."""
        with self._changed:
            while not self._stopped:
                left_s = math.inf if self._paused else self._left_s
                if self._nudged or left_s <= 0:
                    self._nudged, self._reading = False, True
                    return True
                self._changed.wait(None if left_s == math.inf else left_s)
            return False

    @property
    def _interval_s(self) -> float:
        return self._source.interval_s * (_HIDDEN if self._hidden else 1)

    @property
    def _left_s(self) -> float:
        """Until the next reading."""
        pause_s = self._back_off_s if self._failures else self._interval_s
        return self._ended_at + pause_s - time.monotonic()

    def _succeeded(self, found: Snapshot) -> None:
        with self._changed:
            self._failures, self._ended_at, self._reading = 0, time.monotonic(), False
            if self._stopped:
                return
            if found.version > self._version:  # else it is older than what is shown
                self._version = found.version
                self._fresh = Freshness(source=found.source, at=found.at)
                self._deliver(found)
            self._tell()

    def _failed(self, error: Exception) -> None:
        """What was read before stays."""
        with self._changed:
            self._failures, self._ended_at, self._reading = self._failures + 1, time.monotonic(), False
            longest_s = min(_LONGEST_S, 2.0 ** min(self._failures - 1, 10))
            self._back_off_s = longest_s * self._rng.uniform(0.5, 1.0)
            said = f"{error}" if isinstance(error, ProofcastError) else f"unexpected {error!r}"
            self._fresh = replace(self._fresh, trouble=clean(said))
            self._tell()

    def _slow(self) -> None:
        with self._changed:
            if self._reading:
                self._tell()

    def _tell(self) -> None:
        if self._stopped:
            return
        self._deliver(
            replace(
                self._fresh,
                next_at=None if self._paused else self._clock() + max(0.0, self._left_s),
                reading=self._reading,
                interval_s=self._interval_s,
            )
        )
