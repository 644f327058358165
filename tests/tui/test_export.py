from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.text import Text
from textual.app import App, ComposeResult
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from pipeline.errors import ConfigError
from tui.export import View, as_json, capture, write
from tui.frame import load, save
from tui.values import Column, Line

COLUMNS = (Column(key="show", title="SHOW", width=8), Column(key="cost", title="$", width=6, right=True))
VIEW = View(
    source="episodes",
    at=1000.5,
    filter="show:sci",
    sort="-cost",
    columns=COLUMNS,
    lines=(
        Line(id="sci-2", cells=("sci", "0.40"), values=("sci", Decimal("0.4012")), why="on its way"),
        Line(id="sci-1", cells=("sci", ""), values=("sci", None), url="https://example.com/1"),
    ),
)


class Over(ModalScreen[None]):
    def compose(self) -> ComposeResult:
        yield Label("are you sure?")


class Shown(App[None]):
    CSS = "Static { border: round $primary; }"

    def compose(self) -> ComposeResult:
        yield Static(Text("é <b>&amp; Fira Code, monospace terminal-1", style="bold"), markup=False)


def on(app: App[Any], do: Callable[[App[Any]], None], *, over: bool = False) -> None:
    """Do it while the app runs, with a question over it where there is to be one."""

    async def play() -> None:
        async with app.run_test(size=(50, 5)) as pilot:
            if over:
                await app.push_screen(Over())
            await pilot.pause()
            do(app)

    asyncio.run(play())


def test_text_is_what_is_seen(tmp_path: Path) -> None:
    on(Shown(), lambda app: write(app, VIEW, tmp_path / "a.txt"))
    lines = (tmp_path / "a.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"╭{'─' * 48}╮"
    assert lines[1] == f"│{'é <b>&amp; Fira Code, monospace terminal-1':48}│"
    assert len(lines) == 5
    assert not lines[4]


def test_a_picture_fetches_nothing_and_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.svg", "b.SVG"):
        on(Shown(), lambda app, name=name: write(app, VIEW, tmp_path / name))
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert svg == (tmp_path / "b.SVG").read_text(encoding="utf-8")
    assert "url(http" not in svg
    assert "@font-face" not in svg
    assert svg.count("https://") == 1  # where the comment says by what it was made
    texts = "".join(ElementTree.fromstring(svg).itertext()).replace("\xa0", " ")
    assert "é <b>&amp; Fira Code, monospace terminal-1" in texts


def test_json_has_values_rather_than_cells(tmp_path: Path) -> None:
    on(Shown(), lambda app: write(app, VIEW, tmp_path / "a.json"))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {
        "source": "episodes",
        "at": 1000.5,
        "filter": "show:sci",
        "sort": "-cost",
        "lines": [
            {"id": "sci-2", "values": {"show": "sci", "cost": 0.4012}, "why": "on its way", "url": ""},
            {
                "id": "sci-1",
                "values": {"show": "sci", "cost": None},
                "why": "",
                "url": "https://example.com/1",
            },
        ],
    }
    assert '"cost": 0.4012' in as_json(VIEW)


@pytest.mark.parametrize("name", ["a.png", "a", "missing/a.txt", "taken.svg"])
def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken.svg").mkdir()

    def refused(app: App[Any]) -> None:
        with pytest.raises(ConfigError, match=name) as caught:
            write(app, VIEW, tmp_path / name)
        assert caught.value.hint

    on(Shown(), refused)
    assert [path.name for path in tmp_path.iterdir()] == ["taken.svg"]


def test_the_frame_for_the_next_start_is_without_what_lies_over_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "a.frame"
    on(Shown(), lambda app: save(path, capture(app, 7.0)), over=True)
    frame = load(path)
    assert frame is not None
    assert frame.at == 7.0
    assert len(frame.lines) == 5
    assert "monospace" in frame.lines[1]
    assert "\x1b[1;" in frame.lines[1]
    assert "sure" not in "".join(frame.lines)
