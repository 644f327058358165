"""The dashboard over a source that does everything wrong, and in a terminal while one never answers."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import StorageError
from tests.tui.chaos import ChaosSource
from tests.tui.desks import NARROW, WIDE, Desk, a_desk, an_episode_line, running, screen, until
from tests.tui.terminal import running as in_a_terminal
from tui.app import Dashboard
from tui.backend import Backend
from tui.widgets.pane import Pane


def in_trouble(desk: Desk, source: ChaosSource) -> Callable[[int], Backend]:
    """Its episodes come from a source of chaos, its status and pages not at all."""
    desk.sources["status"].trouble = StorageError("no answer\x1b[2J", "")
    desk.sources["detail"].trouble = RuntimeError("\x1b]52;c;aGFja2Vk\x07")
    chaotic = {**desk.sources, "episodes": source}
    return lambda number: replace(desk.backend(number), sources=chaotic)


@pytest.mark.parametrize("size", [NARROW, WIDE])
def test_nothing_freezes_jumps_or_obeys_whatever_a_source_does(size: tuple[int, int]) -> None:
    async def scene() -> None:
        source = ChaosSource(huge=3_000)
        async with running(Dashboard(in_trouble(a_desk(), source)), size) as (app, _):
            await until(app, lambda text: "transcribe" in text)
            while source.reads < 14:  # all that it does, twice
                for key in ("j", "j", "s", "S", "G", "g", "enter", "escape", "2", "1", "space", "z"):
                    app.simulate_key(key)
                    await asyncio.sleep(0.01)
                    text = screen(app)
                    assert text.replace("\n", "").isprintable(), repr(text)
            app.action_do("fleet")
            assert app.here == "fleet"

    asyncio.run(scene())


def test_the_cursor_stays_with_its_row_through_all_of_it() -> None:
    async def scene() -> None:
        lines = tuple(an_episode_line(number) for number in range(200))
        desk = a_desk(*lines)
        source = desk.sources["episodes"]
        async with running(Dashboard(desk.backend)) as (app, _):
            await until(app, lambda text: "Episode 3" in text)
            table = app.query_one("#episodes", Pane).table
            table.action_move(120)
            for found in (lines[::-1], lines[100:], (*lines[60:], *lines[:60]), lines[120:121], lines):
                source.lines = found
                await until(app, lambda _, found=found: table.lines == found)
                assert table.cursor_line == lines[120]
            for trouble in (StorageError("no answer"), RuntimeError("\x1b[2J")):
                source.trouble = trouble
                text = await until(app, lambda text: "~" in text.splitlines()[1])
                assert "why 120" in f"{table.cursor_line}"
                assert "Episode 120" in text
            source.trouble = None

    asyncio.run(scene())


PROGRAM = """
import sys, threading
from dataclasses import replace
from tests.tui.desks import a_desk, an_episode_line
from tui.app import Dashboard
from tui.backend import Action

class Mute:
    columns, interval_s = (), 1.0
    def __init__(self, name): self.name = name
    def read(self): threading.Event().wait()

desk, mute = a_desk(an_episode_line(1)), sys.argv[1]
never = Action(id="poll", title="Poll now", run=lambda ids: threading.Event().wait())
app = Dashboard(lambda number: replace(
    desk.backend(number),
    sources={**desk.sources, mute: Mute(mute)},
    detail=lambda id: Mute("detail"),
    actions={"poll": never},
))
app.run()
"""


@pytest.mark.parametrize("mute", ["status", "fleet"])
def test_what_never_answers_keeps_nobody_from_leaving(mute: str) -> None:
    root = Path(__file__).parents[2]
    with in_a_terminal([sys.executable, "-c", PROGRAM, mute], env={"PYTHONPATH": f"{root}"}) as terminal:
        terminal.until(b"Episode 1")
        terminal.press(b"u\r")
        terminal.until(b"reading show-1")
        terminal.press(b"q")  # of the page
        time.sleep(0.3)
        terminal.press(b"q")
        terminal.rest()
