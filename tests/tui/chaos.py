"""A source that does everything a source must not do."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from itertools import count, cycle

from pipeline.errors import StorageError
from tui.sources.episodes import COLUMNS
from tui.values import Column, Line, Snapshot, clean

HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]52;c;aGFja2Vk\x07copied",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b2J gone",
    "bell\x07 back\x08 return\rover\nnext\ttab\x00nul\x7fdel",
    "\u202eesrever\u202c \u2066isolate\u2069 \u200fmark",
    "zero" + "\u200b\u200d\ufeff" * 300 + "width",
    "z" + "\u0335\u0300" * 500 + "algo",
    "long " * 20_000,
    "日本語のポッドキャスト、全角文字です",
    "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag",
    "العربية עברית",
    "[bold]markup[/] [link=x]",
    "",
)


def lines(number: int, of: int = 10_000, seed: int = 0) -> tuple[Line, ...]:
    """Rows with hostile titles, some of which differ with the seed."""
    rng = random.Random(seed)
    titles = [clean(title) for title in HOSTILE]
    return tuple(
        _line(n, titles[n % len(titles)], titles[(n + seed) % len(titles)], rng.random())
        for n in range(number % of, number % of + of)
    )


def _line(number: int, title: str, why: str, share: float) -> Line:
    return Line(
        id=f"show-{number}",
        cells=("* run", title, "transcribe", "62% ===", "48m", "0.38", "12m", "show", "1", "#1"),
        values=("transcribing", title, "transcribe", share, *[0.0] * 6),
        why=why,
    )


class ChaosSource:
    """Slow, failing, empty, huge, out of order, by a clock that goes back: each in turn."""

    name = "episodes"
    columns: tuple[Column, ...] = COLUMNS
    interval_s = 0.0

    def __init__(self, slow_s: float = 0.05, huge: int = 10_000) -> None:
        self.reads = 0
        self._slow_s = slow_s
        self._huge = huge
        self._versions = count(1)
        self._kinds: Iterator[str] = cycle(["huge", "failing", "empty", "slow", "late", "past", "broken"])

    def read(self) -> Snapshot:
        """Whatever comes next."""
        self.reads += 1
        kind = next(self._kinds)
        if kind == "failing":
            raise StorageError("no answer\x1b[2J from\nAWS", "it will come back")
        if kind == "broken":
            raise RuntimeError("\x1b]52;c;aGFja2Vk\x07")
        if kind == "slow":
            time.sleep(self._slow_s)
        version = 0 if kind == "late" else next(self._versions)
        return Snapshot(
            source=self.name,
            version=version,
            at=-1e9 if kind == "past" else time.time(),
            took_s=0.0,
            lines=() if kind == "empty" else lines(self.reads, self._huge if kind == "huge" else 3, version),
        )
