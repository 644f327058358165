"""A dashboard on a backend of a test's making, or on an engine; driven without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from textual.pilot import Pilot

from tui.app import Dashboard
from tui.backend import Action, Backend
from tui.export import as_text
from tui.sources.episodes import COLUMNS
from tui.values import Column, Line, Snapshot, Tone

NARROW, WIDE = (80, 24), (200, 50)
_PATIENCE_S = 10.0


@dataclass
class Told:
    """A source that says what it is told to; raises what it is told to raise."""

    name: str
    columns: tuple[Column, ...] = COLUMNS
    lines: tuple[Line, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    trouble: Exception | None = None
    interval_s: float = 0.05
    at: float = 0.0
    version: int = 0

    def read(self) -> Snapshot:
        if self.trouble:
            raise self.trouble
        self.version += 1
        return Snapshot(
            source=self.name,
            version=self.version,
            at=self.at,
            took_s=0.0,
            lines=self.lines,
            facts=self.facts,
        )


def an_episode_line(number: int, state: str = "queued", tone: Tone = Tone.PLAIN, **other: Any) -> Line:
    signs = {"queued": ". queue", "failed": "! fail", "transcribing": "* run", "in_review": "= review"}
    title = f"show#{number} Episode {number}"
    line = Line(
        id=f"show-{number}",
        cells=(signs[state], title, "", "", "48m", "0.38", f"{number}m", "show", "1", ""),
        values=(state, title, None, None, 2880.0, 0.38, 60.0 * number, "show", 1.0, None),
        tone=tone,
        why=f"why {number}",
        episode=f"show-{number}",
    )
    return replace(line, **other)


@dataclass
class Desk:
    """What the dashboard is given, and what it did."""

    sources: dict[str, Told]
    did: list[tuple[str, tuple[str, ...]]] = field(default_factory=list[tuple[str, tuple[str, ...]]])
    by: list[str] = field(default_factory=list[str])
    trouble: Exception | None = None
    production: bool = False

    def warm(self, seconds: float) -> str:
        self.did.append(("warm", (f"{seconds:g}",)))
        return f"a worker stays for {seconds:g} s"

    def backend(self, number: int = 0) -> Backend:
        def run(id: str) -> Callable[[Sequence[str]], str]:
            def do(ids: Sequence[str]) -> str:
                self.did.append((id, tuple(ids)))
                if self.trouble:
                    raise self.trouble
                return f"{id} is done"

            return do

        ids = (
            "poll",
            "first",
            "retry",
            "skip",
            "stop",
            "start",
            "redrive",
            "release",
            "sync",
            "release_budget",
        )
        return Backend(
            name=f"test {number}",
            production=self.production,
            sources=dict(self.sources),
            detail=lambda episode: self.sources["detail"],
            log=lambda of: replace(self.sources["log"], facts={"of": of or "the poller"}),
            actions={
                id: Action(
                    id=id,
                    title=id.title(),
                    run=run(id),
                    asks=id not in ("poll", "sync", "first"),
                    consequence=lambda lines: f"{len(lines)} are done again, about $0.12",
                )
                for id in ids
            },
            command=lambda screen, line: f"proofcast show {line.id}" if line else "proofcast status",
            by=self.by.append,
            keep_warm=self.warm,
        )


def a_desk(*lines: Line) -> Desk:
    names = ("status", "episodes", "fleet", "costs", "reviews", "log", "detail")
    desk = Desk(sources={name: Told(name) for name in names})
    desk.sources["episodes"].lines = lines
    desk.sources["status"].facts = {"waiting": 3, "leased": 1, "dead": 0, "episodes": {"failed": 2}}
    return desk


@asynccontextmanager
async def running(
    app: Dashboard, size: tuple[int, int] = NARROW
) -> AsyncGenerator[tuple[Dashboard, Pilot[None]]]:
    async with app.run_test(size=size, notifications=True) as pilot:
        yield app, pilot


async def until(app: Dashboard, seen: Callable[[str], bool]) -> str:
    """What is on the screen, once it is as wanted."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + _PATIENCE_S
    while True:
        await asyncio.sleep(0.02)
        text = screen(app)
        if seen(text):
            return text
        assert loop.time() < ends, text


def screen(app: Dashboard) -> str:
    """Everything that is seen, whatever lies on top."""
    strips = app.screen._compositor.render_strips()  # pyright: ignore[reportPrivateUsage]
    return "\n".join(strip.text.rstrip() for strip in strips)


def text_of(app: Dashboard) -> str:
    return as_text(app)
