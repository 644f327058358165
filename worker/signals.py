"""Being told to end: by SIGTERM, which is also what ECS makes of a Spot notice, or by Ctrl-C."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

GRACE_S = 1.0  #: how long work may take to end by itself

_ENDING = (signal.SIGTERM, signal.SIGINT)


def _nothing() -> None:
    """Nobody is late."""


@contextmanager
def told_to_end(stopping: threading.Event, late: Callable[[], object] = _nothing) -> Generator[None]:
    """SIGTERM and the first Ctrl-C set `stopping`; a second Ctrl-C ends the work at once.

    `late` is called, from another thread, when the work goes on GRACE_S later, and again after as long.
    Python runs a signal's handler in the main thread between two instructions, so not while that is in
    native code for a minute; what comes through the wake-up descriptor is heard at once.
    """
    hearing, waking = socket.socketpair()
    waking.setblocking(False)
    over = threading.Event()
    thread = threading.Thread(target=_hear, args=(hearing, stopping, over, late), name="signals", daemon=True)
    thread.start()
    told: list[int] = []

    def stop(number: int, _: object) -> None:
        if number == signal.SIGINT and told:
            raise KeyboardInterrupt
        told.append(number)
        stopping.set()

    before = {number: signal.signal(number, stop) for number in _ENDING}
    awake = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(awake)
        for number, handler in before.items():
            signal.signal(number, handler)
        over.set()
        waking.close()  # which ends the hearing
        thread.join()
        hearing.close()


def _hear(
    hearing: socket.socket, stopping: threading.Event, over: threading.Event, late: Callable[[], object]
) -> None:
    while numbers := hearing.recv(64):
        if not set(numbers).isdisjoint(_ENDING):
            stopping.set()
            while not over.wait(GRACE_S):
                late()
            return
