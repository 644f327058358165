"""How soon something is to be seen after `proofcast tui`, in a real terminal (Unix).

    python -m tests.bench.bench_first_paint [--runs N]

Runs alternate, so that a busy machine slows all alike; ratios are between medians.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from pipeline.adapters.sqlite import Database, SqliteLedger
from pipeline.model import Change, Episode
from tests.tui.terminal import running
from tui import frame

EPISODES = 10_000
SIZES = ((80, 24), (200, 50))
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("painted")
Bare().run()
"""
PROGRAM = [sys.executable, "-c", "from tui.start import main; main()"]

Paints = Callable[[tuple[int, int]], Mapping[str, float]]


def compiled(folder: Path) -> None:
    """Have programs find their modules compiled, as installed ones do, whatever is set here."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}"


def ready(folder: Path) -> Path:
    """The config of a show with many episodes, whose dashboard was seen before."""
    config = folder / "proofcast.toml"
    config.write_text('[[feed]]\nname = "show"\n')
    database = Database(folder / "proofcast-data" / "proofcast.db")
    episodes = (
        Episode(id=f"show-{number:05}", feed="show", title=f"About clouds {number}", published=float(number))
        for number in range(EPISODES)
    )
    SqliteLedger(database).record([Change(episode=episode) for episode in episodes])
    return config


def last_seen(config: Path, size: tuple[int, int]) -> None:
    columns, rows = size
    line = "".join(f"\x1b[38;2;{n};200;99m{n:>8}\x1b[0m" for n in range(columns // 8))
    frame.save(frame.place(config), frame.Frame(at=time.time() - 720, lines=(line,) * rows))


def python(size: tuple[int, int]) -> Mapping[str, float]:
    """Until it has come and gone."""
    with running([sys.executable, "-c", "print('here')"], *size) as terminal:
        return {"python alone": terminal.until(b"here")}


def textual(size: tuple[int, int]) -> Mapping[str, float]:
    with running([sys.executable, "-c", BARE], *size) as terminal:
        return {"bare Textual app": terminal.until(b"painted")}


def ours(config: Path) -> Paints:
    def paint(size: tuple[int, int]) -> Mapping[str, float]:
        last_seen(config, size)
        with running([*PROGRAM, "-c", str(config), "tui"], *size) as terminal:
            return {
                "last frame": terminal.until(b"last seen"),
                "live rows": terminal.until(f"About clouds {EPISODES - 1}".encode()),
                "all 10,000 episodes": terminal.until(f"{EPISODES:,}".encode()),
            }

    return paint


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=9)
    runs: int = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        config = ready(Path(name))
        compiled(Path(name, "compiled"))
        for size in SIZES:
            took: dict[str, list[float]] = {}
            ours(config)(size)  # compiles
            for _ in range(runs):
                for paint in (python, textual, ours(config)):
                    for what, seconds in paint(size).items():
                        took.setdefault(what, []).append(seconds)
            tell(size, took)


def tell(size: tuple[int, int], took: Mapping[str, list[float]]) -> None:
    print(f"{size[0]}x{size[1]}: best, median")
    for what, times in took.items():
        print(f"  {what:22} {min(times) * 1000:6.0f} {median(times) * 1000:6.0f} ms")
    alone, bare, first, live, whole = (median(times) for times in took.values())
    print(f"  last frame: {(first - alone) * 1000:.0f} ms after Python's own start (goal 50)")
    print(
        f"  live rows, all of them: {live / bare:.2f}, {whole / bare:.2f} times a bare Textual app (goal 2)"
    )


if __name__ == "__main__":
    main()
