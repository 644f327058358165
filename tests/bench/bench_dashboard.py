"""The goals of the dashboard, on `proofcast tui` in a real terminal over 10,000 episodes in SQLite (Linux).

    python -m tests.bench.bench_dashboard [--size 80x24] [--soak 60] [--runs 9]

Takes some three minutes for each size. Prints best and median where something was repeated, and the ratio
to what was measured beside it: Python itself, the least Textual app, Textual's own DataTable.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from textual import work
from textual.app import App, ComposeResult
from textual.widgets import Static

import tui.app
from pipeline import states
from pipeline.adapters.sqlite import Database, SqliteLedger
from pipeline.model import Claim, Episode, Job, Lease, Progress, State, Step
from tests.bench import bench_first_paint, bench_table
from tests.builders import a_change, a_claim, a_failure, a_review, an_episode
from tests.tui.terminal import Terminal, running
from tui import start
from tui.app import Dashboard, Delivered
from tui.places import Place
from tui.values import Line, Snapshot
from tui.widgets.pane import Pane

EPISODES = bench_first_paint.EPISODES
WORKERS = 3
CHANGES = 9  #: of each kind, of which the median counts
KEYS = 60
IDLE_S, LOG_S = 12, 10
LOG_LINES_S = 2_000
HEARTBEAT_S = 0.005
TEN_YEARS_S = 10 * 365 * 86_400.0

Found = dict[str, float]


# What is looked at


def ready(folder: Path) -> Path:
    """The config of a show that has been worked on for ten years, with workers on its newest episodes."""
    config = folder / "proofcast.toml"
    config.write_text('[[feed]]\nname = "show"\n')
    now = time.time()
    ledger(config).record([a_change(each) for each in (past(number, now) for number in range(EPISODES))])
    return config


def ledger(config: Path) -> SqliteLedger:
    return SqliteLedger(Database(config.parent / "proofcast-data" / "proofcast.db"))


def past(number: int, now: float) -> Episode:
    """The highest numbers are the newest."""
    age = EPISODES - 1 - number
    at = now - 600 - age * TEN_YEARS_S / EPISODES
    made: dict[str, Any] = {
        "review": a_review(opened_at=at),
        "worked_s": 300.0,
        "artifacts": {"transcript": f"show/{number}/transcript.json"},
    }
    fields: dict[str, Any] = {"state": State.PUBLISHED, **made}
    if age < WORKERS:
        claim = a_claim(token=f"t{age}", worker=f"worker-{age}", since=now, until=now + 3600)
        fields = {"state": State.TRANSCRIBING, "claim": claim, "step": Step.TRANSCRIBE, "attempts": 1}
    elif age < 300:
        fields = {"state": State.QUEUED, "queued_at": at}
    elif age < 330:
        fields = {"state": State.IN_REVIEW, **made}
    elif age % 100 == 0:
        fields = {"state": State.FAILED, "failure": a_failure(), "attempts": 3}
    return an_episode(
        f"show-{number:05}",
        title=f"About clouds {number}",
        number=number,
        published=at,
        discovered_at=at,
        updated_at=at,
        duration_s=1800.0 + number % 70 * 60,
        **fields,
    )


def work_on(config: Path, seconds: float) -> None:
    """As workers do: tell each second how far they are, and now and then end an episode and take another."""
    there = ledger(config)
    ends, turn = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        turn += 1
        for episode in there.episodes(state=State.TRANSCRIBING):
            assert episode.claim
            done = Progress(done_s=turn * 20.0 % 1800, total_s=1800.0, speed=20.0, at=time.time())
            there.heartbeat(episode.id, replace(episode.claim, until=time.time() + 3600), done)
        if turn % 5 == 0:
            take_another(there, turn)
        time.sleep(1)


def take_another(there: SqliteLedger, turn: int) -> None:
    """One worker's episode is transcribed and in review, and it takes the next of the queue."""
    now = time.time()
    before = there.episodes(state=State.TRANSCRIBING)[turn % WORKERS]
    assert before.claim
    claim: Claim = before.claim
    stored = states.transcribed(before, {"transcript": f"{before.id}.json"}, 1800.0, now, worked_s=90.0)
    opened = states.in_review(stored.episode, a_review(opened_at=now), stored.episode.artifacts, now)
    there.record([stored])
    there.record([opened])
    following = there.episodes(state=State.QUEUED, limit=1)[0]
    lease = Lease(job=Job(episode_id=following.id), token=f"n{turn}", until=now + 3600, receives=1)
    there.record([states.claimed(following, claim.worker, lease, now)])


def write_log(config: Path, seconds: float) -> None:
    """As a worker that has much to say."""
    file = config.parent / "proofcast-data" / "workers" / "chatty.log"
    file.parent.mkdir(exist_ok=True)
    ends, number = time.monotonic() + seconds, 0
    with file.open("a", encoding="utf-8") as log:
        while time.monotonic() < ends:
            for _ in range(LOG_LINES_S // 20):
                number += 1
                log.write(
                    f"2026-11-24 12:00:00,000 segment {number} of the audio is heard and written down\n"
                )
            log.flush()
            time.sleep(1 / 20)


# In the terminal


def inside(what: str, config: Path, seconds: float, into: Path | None = None) -> list[str]:
    """The command of what runs in a process of its own."""
    command = [sys.executable, "-m", __spec__.name, "--inside", what, "--config", f"{config}"]
    return [*command, "--seconds", f"{seconds}", *(("--into", f"{into}") if into else ())]


class Measured(Dashboard):
    """The dashboard that a person gets, with a stop-watch."""

    CSS_PATH = Path(tui.app.__file__).with_name("app.tcss")
    config: Path
    seconds: float
    into: Path

    def on_ready(self) -> None:
        super().on_ready()
        self.found: Found = {}
        self.written, self.painted_at = 0, 0.0
        assert self._driver
        write = self._driver.write

        def counted(data: str) -> None:
            self.written += len(data.encode())
            write(data)
            self.painted_at = time.perf_counter()

        self._driver.write = counted
        self.measure()

    @work
    async def measure(self) -> None:
        while len(self.pane.table.lines) < EPISODES:
            await asyncio.sleep(0.1)
        await asyncio.sleep(5)
        await self.idle()
        await self.refreshes()
        await self.soak()
        await self.follow_log()
        await self.memory()
        self.into.write_text(json.dumps(self.found))
        self.exit()

    async def idle(self) -> None:
        """Nothing changes; no heartbeat is under way that would cost time itself."""
        spent = Spent(self)
        await asyncio.sleep(IDLE_S)
        self.found |= {"idle CPU, %": spent.cpu, "bytes a second, idle": spent.bytes}

    async def refreshes(self) -> None:
        """From a delivery until the last of it is written."""
        self._do_pause()
        await asyncio.sleep(1)
        for name, every in (("2 % changed", 50), ("all changed", 1), ("nothing changed", 0)):
            times: list[float] = []
            for turn in range(CHANGES):
                snapshot = self.changed(every, turn)
                await asyncio.sleep(0.4)
                began = time.perf_counter()
                self.on_delivered(Delivered(snapshot, self._pollers["episodes"]))
                busy = time.perf_counter()
                await asyncio.sleep(0.1)
                times.append(1e3 * (max(busy, self.painted_at) - began))
            self.found |= {f"refresh, {name}, ms": median(times), f"refresh, {name}, best": min(times)}
        self._do_pause()

    def changed(self, every: int, turn: int) -> Snapshot:
        """As the source would find it, had that many episodes another cost."""
        before = self.pane.snapshot
        assert before

        def line(at: int, was: Line) -> Line:
            if not every or at % every:
                return was
            return replace(was, cells=(*was.cells[:5], f"{turn}.{at % 90 + 10}", *was.cells[6:]))

        lines = tuple(line(at, was) for at, was in enumerate(before.lines))
        return replace(before, version=before.version + 1, lines=lines)

    async def soak(self) -> None:
        """While others work."""
        workers = subprocess.Popen(inside("workers", self.config, self.seconds))
        spent = Spent(self)
        lags = await self.lags(self.seconds)
        self.found |= {"bytes a second, soak": spent.bytes, "soak CPU, %": spent.cpu} | told("soak", lags)
        workers.wait()

    async def follow_log(self) -> None:
        """A log that grows by 2,000 lines a second is followed."""
        writer = subprocess.Popen(inside("log", self.config, LOG_S))
        self._show_log(replace(self.pane.table.lines[0], task="chatty"))
        lags = await self.lags(LOG_S)
        self.found |= told("log", lags)
        self.found["log lines seen a second"] = int(self.query_one("#log", Pane).table.lines[-1].id) / LOG_S
        writer.wait()

    async def lags(self, seconds: float) -> list[float]:
        """By how much a sleep was longer than asked for, each time."""
        ends = time.perf_counter() + seconds
        found: list[float] = []
        while (began := time.perf_counter()) < ends:
            await asyncio.sleep(HEARTBEAT_S)
            found.append(time.perf_counter() - began - HEARTBEAT_S)
        return found

    async def memory(self) -> None:
        """Until now; then with what AWS takes, and with what costs are read from."""
        self.found["peak memory, MiB"] = peak_mib()
        from pipeline.adapters.aws.clients import Clients

        aws = Clients("bench", "us-east-1")
        clients = [aws.dynamodb(), aws.sqs(), aws.s3(), aws.ecs(), aws.ec2(), aws.logs()]
        self.found["the same with boto3, MiB"] = peak_mib()
        self.show(Place(screen="costs"))
        while not self.pane.table.lines:
            await asyncio.sleep(0.1)
        self.found["the same with costs, MiB"] = peak_mib()
        del clients


class Spent:
    """From its making until it is asked."""

    def __init__(self, app: Measured) -> None:
        self._app, self._written = app, app.written
        self._cpu, self._at = time.process_time(), time.perf_counter()

    @property
    def cpu(self) -> float:
        """In per cent of one processor."""
        return 100 * (time.process_time() - self._cpu) / (time.perf_counter() - self._at)

    @property
    def bytes(self) -> float:
        """Written to the terminal in a second."""
        return (self._app.written - self._written) / (time.perf_counter() - self._at)


class Bare(App[None]):
    """The least that Textual can do."""

    into: Path

    def compose(self) -> ComposeResult:
        yield Static("painted")

    @work
    async def on_ready(self) -> None:
        began, at = time.process_time(), time.perf_counter()
        await asyncio.sleep(IDLE_S)
        cpu = 100 * (time.process_time() - began) / (time.perf_counter() - at)
        found = {"idle CPU, %": cpu, "peak memory, MiB": peak_mib()}
        self.into.write_text(json.dumps(found))
        self.exit()


def told(of: str, lags: Sequence[float]) -> Found:
    ms = [1e3 * lag for lag in lags]
    return {
        f"{of} lag p50, ms": median(ms),
        f"{of} lag p99, ms": quantiles(ms, n=100)[98],
        f"{of} lag max, ms": max(ms),
    }


def peak_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    kib = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    return int(kib) / 1024


# From outside


def in_a_terminal(what: str, size: tuple[int, int], config: Path, seconds: float) -> Found:
    """What a program found that measures itself."""
    into = config.parent / "found.json"
    with running(inside(what, config, seconds, into), *size) as terminal:
        said = terminal.rest()
    if not into.exists():
        raise SystemExit(said[-4000:].decode(errors="replace"))
    found = json.loads(into.read_bytes())
    into.unlink()
    return found


def keys(size: tuple[int, int], config: Path) -> Found:
    """From a key's arrival at the terminal until the last byte of what it changed has come back."""
    with running([*bench_first_paint.PROGRAM, "-c", f"{config}", "tui"], *size) as terminal:
        terminal.until(f"{EPISODES:,}".encode())
        time.sleep(5)
        terminal.press(b",")  # nothing but ages shall be painted meanwhile
        time.sleep(1)
        terminal.until_quiet(0.2)
        found: Found = {}
        for name, some in (("cursor", (b"j", b"k")), ("page", (b"\x1b[6~", b"\x1b[5~"))):
            times = [pressed(terminal, some[turn % 2]) for turn in range(KEYS)]
            found |= {f"key to paint, {name}, ms": median(times), f"key to paint, {name}, best": min(times)}
        return found


def pressed(terminal: Terminal, key: bytes) -> float:
    began = time.perf_counter() - terminal.began
    terminal.press(key)
    return 1e3 * (terminal.until_quiet(0.1) - began)


def commands(config: Path, runs: int) -> Found:
    """Whole processes, in turn, so that a slow moment of the machine meets all of them."""
    program = bench_first_paint.PROGRAM
    asked = {
        "python alone": [sys.executable, "-c", "pass"],
        "--help": [*program, "--help"],
        "status --json": [*program, "-c", f"{config}", "status", "--json"],
    }
    times: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(runs + 1):
        for name, command in asked.items():
            began = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            times[name].append(1e3 * (time.perf_counter() - began))
    return flat({name: each[1:] for name, each in times.items()})  # the first run compiles


def paints(size: tuple[int, int], config: Path, runs: int) -> Found:
    times: dict[str, list[float]] = {}
    ours = bench_first_paint.ours(config)
    ours(size)  # compiles
    for _ in range(runs):
        for paint in (bench_first_paint.python, bench_first_paint.textual, ours):
            for name, seconds in paint(size).items():
                times.setdefault(name, []).append(1e3 * seconds)
    return flat(times)


def flat(times: Mapping[str, Sequence[float]]) -> Found:
    medians = {f"{name}, ms": median(each) for name, each in times.items()}
    return medians | {f"{name}, best": min(each) for name, each in times.items()}


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One line of the table."""

    what: str
    key: str  #: of what was found
    at_most: float | None = None
    prototype: str = ""
    beside: str = ""  #: what was measured in the same run to compare with
    ratio: bool = False  #: the goal is for the ratio


GOALS = (
    Goal(what="--help", key="--help, ms", at_most=100, prototype="56-65", beside="python alone, ms"),
    Goal(what="status --json", key="status --json, ms", at_most=100, beside="python alone, ms"),
    Goal(what="first pixels", key="last frame, ms", at_most=50, prototype="20-24", beside="python alone, ms"),
    Goal(
        what="live rows / bare Textual",
        key="live rows, ms",
        at_most=2,
        prototype="1.4-1.75",
        beside="bare Textual app, ms",
        ratio=True,
    ),
    Goal(
        what="all 10,000 / bare Textual",
        key="all 10,000 episodes, ms",
        at_most=2,
        beside="bare Textual app, ms",
        ratio=True,
    ),
    Goal(
        what="refresh, 2 % changed",
        key="refresh, 2 % changed, ms",
        at_most=16,
        prototype="3.4",
        beside="DataTable, 2 % changed",
    ),
    Goal(what="refresh, all changed", key="refresh, all changed, ms", at_most=50, prototype="16"),
    Goal(what="refresh, nothing changed", key="refresh, nothing changed, ms", at_most=16),
    Goal(
        what="key to paint, cursor",
        key="key to paint, cursor, ms",
        at_most=16,
        prototype="1.6-2",
        beside="DataTable, cursor down",
    ),
    Goal(
        what="key to paint, page",
        key="key to paint, page, ms",
        at_most=16,
        prototype="10-20",
        beside="DataTable, page down",
    ),
    Goal(what="loop lag, p50", key="soak lag p50, ms", at_most=16),
    Goal(what="loop lag, p99", key="soak lag p99, ms", at_most=16),
    Goal(what="loop lag, max", key="soak lag max, ms", at_most=50, prototype="29"),
    Goal(
        what="bytes a second, idle",
        key="bytes a second, idle",
        at_most=1000,
        prototype="310-559",
        beside="DataTable, bytes a refresh",
    ),
    Goal(
        what="bytes a second, soak",
        key="bytes a second, soak",
        beside="DataTable, bytes a refresh",
    ),
    Goal(
        what="idle CPU, %", key="idle CPU, %", at_most=1, prototype="0.4", beside="DataTable, CPU at 1 Hz, %"
    ),
    Goal(what="soak CPU, %", key="soak CPU, %"),
    Goal(
        what="peak memory, MiB",
        key="peak memory, MiB",
        at_most=100,
        prototype="43",
        beside="bare, peak memory, MiB",
    ),
    Goal(what="and boto3, MiB", key="the same with boto3, MiB", at_most=100, prototype="69"),
    Goal(what="and costs seen, MiB", key="the same with costs, MiB", at_most=100),
    Goal(what="2,000 log lines/s: lag p99", key="log lag p99, ms", at_most=16),
    Goal(what="2,000 log lines/s: lag max", key="log lag max, ms", at_most=50, prototype="3"),
)


def rows(found: Found) -> Iterator[str]:
    yield f"{'':28}{'best':>9}{'median':>9}{'beside':>9}{'ratio':>7}{'goal':>7}  prototype"
    for goal in GOALS:
        value, best = found[goal.key], found.get(goal.key.removesuffix(", ms") + ", best")
        beside = found.get(goal.beside)
        ratio = value / beside if beside else None
        judged = ratio if goal.ratio else value
        yield (
            f"{goal.what:28}{shown(best)}{shown(value)}{shown(beside)}"
            f"{f'{ratio:7.2f}' if ratio else ' ' * 7}{goal.at_most or '':7}  {goal.prototype:9}"
            f"{' MISSED' if goal.at_most and (judged or 0) > goal.at_most else ''}"
        ).rstrip()


def shown(value: float | None) -> str:
    return " " * 9 if value is None else f"{value:9.1f}" if value < 1000 else f"{value:9,.0f}"


def measured(size: tuple[int, int], config: Path, soak_s: float, runs: int) -> Found:
    """All of it at one size, on a machine that does nothing else if possible."""
    theirs = bench_table.in_a_terminal("theirs", f"{size[0]}x{size[1]}", EPISODES)
    bare = in_a_terminal("bare", size, config, IDLE_S)
    return {
        **{f"DataTable, {name}": value for name, value in theirs.items()},
        **{f"bare, {name}": value for name, value in bare.items()},
        **commands(config, runs),
        **paints(size, config, runs),
        **keys(size, config),
        **in_a_terminal("dashboard", size, config, soak_s),
    }


def run_inside(what: str, config: Path, seconds: float, into: Path) -> None:
    if what == "dashboard":
        Measured.config, Measured.seconds, Measured.into = config, seconds, into
        tui.app.Dashboard = Measured
        sys.argv = ["proofcast", "-c", f"{config}", "tui"]
        start.main()
    elif what == "bare":
        Bare.into = into
        Bare().run()
    else:
        {"workers": work_on, "log": write_log}[what](config, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", action="append", help="of the terminal (default: 80x24 and 200x50)")
    parser.add_argument("--soak", type=float, default=60, help="seconds")
    parser.add_argument("--runs", type=int, default=9)
    for name, kind in (("--inside", str), ("--config", Path), ("--seconds", float), ("--into", Path)):
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        run_inside(given.inside, given.config, given.seconds, given.into)
        return
    for size in given.size or ["80x24", "200x50"]:
        wide, high = map(int, size.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            config = ready(Path(folder))
            bench_first_paint.compiled(Path(folder, "compiled"))
            before = os.getloadavg()[0]
            found = measured((wide, high), config, given.soak, given.runs)
        print(f"\n{size}, load {before:.2f} before, {os.getloadavg()[0]:.2f} after")
        print("\n".join(rows(found)))
        print(f"log lines seen a second: {found['log lines seen a second']:.0f} of {LOG_LINES_S:,}")


if __name__ == "__main__":
    main()
