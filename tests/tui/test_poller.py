from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from itertools import pairwise
from queue import Empty, Queue
from random import Random

import pytest

from pipeline.errors import StorageError
from tests.tui.chaos import ChaosSource
from tui import poller
from tui.backend import Source
from tui.poller import Poller
from tui.values import Column, Freshness, Snapshot

Delivered = Snapshot | Freshness


class Scripted:
    """Does what a test says, reading by reading; the last of it again and again."""

    name = "episodes"
    columns: tuple[Column, ...] = ()

    def __init__(self, *steps: Callable[[], None] | int, interval_s: float = 0.001) -> None:
        self.interval_s = interval_s
        self.reads: list[float] = []
        self._steps = list(steps)

    def read(self) -> Snapshot:
        self.reads.append(time.monotonic())
        step = self._steps.pop(0) if self._steps else len(self.reads)
        if not isinstance(step, int):
            step()
            step = len(self.reads)
        return Snapshot(source=self.name, version=step, at=100.0 + step, took_s=0.0, lines=())


class Heard:
    """What was delivered, and by which poller."""

    def __init__(self) -> None:
        self.queue: Queue[Delivered] = Queue()
        self.pollers: list[Poller] = []

    def start(self, source: Source, clock: Callable[[], float] = time.time) -> Poller:
        made = Poller(source, self.queue.put, clock, Random(1))
        self.pollers.append(made)
        made.start()
        return made

    def snapshot(self) -> Snapshot:
        return next(what for what in self if isinstance(what, Snapshot))

    def fresh(self) -> Freshness:
        return next(what for what in self if isinstance(what, Freshness))

    def silent(self, seconds: float) -> bool:
        try:
            self.queue.get(timeout=seconds)
        except Empty:
            return True
        return False

    def __iter__(self) -> Generator[Delivered]:
        while True:
            yield self.queue.get(timeout=5)


@pytest.fixture
def heard() -> Generator[Heard]:
    made = Heard()
    yield made
    for each in made.pollers:
        each.stop()


def fails() -> None:
    raise StorageError("no answer\x1b[2J\nfrom AWS", "it comes back")


def breaks() -> None:
    raise ZeroDivisionError("\x1b]52;c;aGFja2Vk\x07")


def test_each_reading_is_followed_by_how_fresh_it_is(heard: Heard) -> None:
    heard.start(Scripted(interval_s=60), clock=lambda: 500.0)
    snapshot, fresh = heard.queue.get(timeout=5), heard.queue.get(timeout=5)
    assert isinstance(snapshot, Snapshot)
    assert isinstance(fresh, Freshness)
    assert (fresh.at, fresh.trouble, fresh.reading, fresh.interval_s) == (101.0, "", False, 60)
    assert fresh.next_at == pytest.approx(560, abs=1)
    assert heard.silent(0.1)


def test_the_pause_begins_when_a_reading_ends(heard: Heard) -> None:
    source = Scripted(*[lambda: time.sleep(0.03)] * 5, interval_s=0.05)
    heard.start(source)
    for _ in range(4):
        heard.snapshot()
    assert all(later - earlier >= 0.08 for earlier, later in pairwise(source.reads))


def test_a_failure_keeps_what_was_read_and_is_told_on_one_line(heard: Heard) -> None:
    heard.start(Scripted(1, fails, breaks, 4))
    assert heard.snapshot().version == 1
    heard.fresh()
    first = heard.fresh()
    assert first.trouble == "no answer[2J from AWS (it comes back)"
    assert first.at == 101.0
    heard.pollers[0].nudge()
    second = heard.fresh()
    assert "unexpected ZeroDivisionError" in second.trouble
    assert second.trouble.isprintable()
    heard.pollers[0].nudge()
    assert heard.snapshot().version == 4
    assert heard.fresh().trouble == ""


def test_tries_come_ever_more_slowly_and_never_end(heard: Heard) -> None:
    now = 0.0
    heard.start(Scripted(*[fails] * 12, interval_s=300), clock=lambda: now)
    pauses: list[float] = []
    for _ in range(12):
        pauses.append(heard.fresh().next_at or 0.0)
        heard.pollers[0].nudge()
    assert all(2.0**n / 2 - 0.5 <= pause <= 2.0**n for n, pause in enumerate(pauses[:6]))
    assert all(29 <= pause <= 60 for pause in pauses[6:])
    assert len(set(pauses)) == 12  # no two dashboards ask at the same moments
    assert heard.snapshot().version == 13


def test_older_versions_are_dropped(heard: Heard) -> None:
    heard.start(Scripted(5, 3, 5, 6))
    assert [heard.snapshot().version for _ in range(2)] == [5, 6]


def test_nudges_during_a_reading_are_one_more_reading(heard: Heard) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def waits() -> None:
        inside.set()
        assert go_on.wait(5)

    source = Scripted(waits, interval_s=60)
    made = heard.start(source)
    assert inside.wait(5)
    for _ in range(5):
        made.nudge()
    go_on.set()
    heard.snapshot()
    heard.snapshot()
    heard.fresh()
    assert heard.silent(0.1)
    assert len(source.reads) == 2


def test_paused_it_reads_only_when_told_to(heard: Heard) -> None:
    source = Scripted(interval_s=0.01)
    made = heard.start(source)
    heard.snapshot()
    made.pause()
    time.sleep(0.05)
    before = len(source.reads)
    delivered = [heard.queue.get() for _ in range(heard.queue.qsize())]
    assert isinstance(delivered[-1], Freshness)
    assert delivered[-1].next_at is None
    time.sleep(0.05)
    assert len(source.reads) == before
    made.nudge()
    assert heard.snapshot().version == before + 1
    made.resume()
    assert heard.snapshot().version == before + 2


def test_what_is_hidden_is_read_more_seldom_and_at_once_when_it_is_seen(heard: Heard) -> None:
    source = Scripted(interval_s=0.3)
    made = heard.start(source)
    made.hidden(True)
    heard.snapshot()
    time.sleep(0.4)
    assert len(source.reads) == 1
    made.hidden(False)
    assert heard.snapshot().version == 2
    assert source.reads[1] - source.reads[0] < 1.5


def test_stopping_waits_for_nothing_and_nothing_comes_after_it(heard: Heard) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def waits() -> None:
        inside.set()
        assert go_on.wait(5)

    made = heard.start(Scripted(waits))
    assert inside.wait(5)
    began = time.monotonic()
    made.stop()
    assert time.monotonic() - began < 0.1
    go_on.set()
    assert heard.silent(0.1)


def test_a_slow_reading_is_seen_to_be_under_way(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "_SLOW_S", 0.02)
    go_on = threading.Event()

    def waits() -> None:
        assert go_on.wait(5)

    heard.start(Scripted(waits, interval_s=60))
    fresh = heard.fresh()
    assert (fresh.reading, fresh.at, fresh.trouble) == (True, None, "")
    go_on.set()
    heard.snapshot()
    assert not heard.fresh().reading


def test_a_clock_that_goes_back_stops_nothing(heard: Heard) -> None:
    times = iter(range(10_000, 0, -1))
    heard.start(Scripted(), clock=lambda: float(next(times)))
    assert [heard.snapshot().version for _ in range(5)] == [1, 2, 3, 4, 5]


def test_chaos_comes_out_in_order_and_printable(heard: Heard) -> None:
    source = ChaosSource(slow_s=0.01, huge=2000)
    made = heard.start(source)
    versions: list[int] = []
    while source.reads < 30:
        made.nudge()  # for the failing ones
        what = heard.queue.get(timeout=5)
        if isinstance(what, Snapshot):
            versions.append(what.version)
            assert all(cell.isprintable() for line in what.lines for cell in (*line.cells, line.why))
        else:
            assert what.trouble.isprintable()
    assert versions == sorted(set(versions))
    assert len(versions) > 10
