"""Every screen over both engines, as it was when somebody last looked at the files in `snapshots/`.

With REWRITE_SNAPSHOTS=1 in the environment they are written anew: look at what git says changed.
"""

from __future__ import annotations

import asyncio
import difflib
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.errors import StorageError
from tests.tui.conftest import Site
from tests.tui.desks import NARROW, WIDE, a_desk, an_episode_line, running, until
from tests.tui.scene import Log, an_afternoon
from tui.app import Dashboard
from tui.backend import Backend, Source
from tui.engine import backend
from tui.export import as_text
from tui.places import Place
from tui.values import Column, Line, Snapshot

FOLDER = Path(__file__).parent / "snapshots"
REWRITE = bool(os.environ.get("REWRITE_SNAPSHOTS"))
PLACES = {
    "episodes": Place(screen="episodes"),
    "fleet": Place(screen="fleet"),
    "costs": Place(screen="costs", item="episode"),
    "reviews": Place(screen="reviews"),
    "log": Place(screen="log", item="show-3"),
    "detail": Place(screen="episodes", item="show-2"),
}
_SETTLED_S = 1.5  #: in which nothing changes
_PATIENCE_S = 10.0


Names = Mapping[str, str]
"""What is otherwise in every run, as a pattern, and what stands for it."""


@dataclass(frozen=True)
class Alike:
    """A source, but for what is otherwise in every run."""

    source: Source
    names: Names

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.source.columns

    @property
    def interval_s(self) -> float:
        return self.source.interval_s

    def read(self) -> Snapshot:
        found = self.source.read()
        return replace(found, lines=alike(found.lines, self.names), facts=alike(found.facts, self.names))


def alike(value: Any, names: Names) -> Any:
    """The same with those names in all its texts."""
    if isinstance(value, str):
        for pattern, name in names.items():
            value = re.sub(pattern, name, value)
        return value
    if isinstance(value, tuple):
        return tuple(alike(each, names) for each in cast("tuple[Any, ...]", value))
    if isinstance(value, dict):
        return {name: alike(each, names) for name, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, Line):
        cells, why = alike(value.cells, names), alike(value.why, names)
        return replace(value, id=alike(value.id, names), cells=cells, why=why)
    return value


def alike_in_every_run(backend: Backend, names: Names) -> Backend:
    def detail(episode: str) -> Source:
        return Alike(backend.detail(episode), names)

    def log(of: str) -> Source:
        return Alike(backend.log(of), names)

    sources = {name: Alike(source, names) for name, source in backend.sources.items()}
    return replace(backend, name=alike(backend.name, names), sources=sources, detail=detail, log=log)


async def seen(app: Dashboard, wanted: str | None) -> str:
    """What is on the screen, once it is what is wanted, or changes no more."""
    loop = asyncio.get_running_loop()
    text, since, ends = "", loop.time(), loop.time() + _PATIENCE_S
    while text != wanted and loop.time() < ends and (not text or loop.time() - since < _SETTLED_S):
        await asyncio.sleep(0.02)
        before, text = text, as_text(app)
        since = loop.time() if text != before else since
    return text


def file_of(place: str, kind: str, size: tuple[int, int]) -> Path:
    return FOLDER / f"{place}-{kind}-{size[0]}x{size[1]}.txt"


async def differing(app: Dashboard, kind: str, size: tuple[int, int]) -> list[str]:
    """Goes everywhere; what is not as it was."""
    told: list[str] = []
    async with running(app, size) as (app, _):
        for name, place in PLACES.items():
            app.show(place)
            file = file_of(name, kind, size)
            wanted = file.read_text(encoding="utf-8") if file.exists() and not REWRITE else None
            text = await seen(app, wanted)
            if REWRITE:
                file.write_text(text, encoding="utf-8")
            elif text != wanted:
                told += difflib.unified_diff(
                    (wanted or "").splitlines(), text.splitlines(), file.name, "now", lineterm=""
                )
    return told


def test_every_screen_is_as_it_was(
    site: Site, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It drops what was logged long ago.
    monkeypatch.setattr(
        "moto.logs.models.utcnow", lambda: datetime.fromtimestamp(site.clock(), UTC).replace(tzinfo=None)
    )
    worker = an_afternoon(site, Log(site, request))
    kind = "aws" if site.remote else "local"
    names = names_of(site, worker, tmp_path)
    for size in (NARROW, WIDE):
        app = Dashboard(
            lambda _: alike_in_every_run(backend(site.engine, tmp_path / "proofcast.toml"), names),
            clock=site.clock,
        )
        told = asyncio.run(differing(app, kind, size))
        assert not told, "\n".join(told)


def names_of(site: Site, worker: str, folder: Path) -> dict[str, str]:
    """What is otherwise in every run, and what stands for it."""
    names = {
        re.escape(f"{folder.resolve()}"): "/srv/show",
        re.escape(folder.name): "show",
        re.escape(worker): "worker-1a2b3c4d",
        re.escape(platform.node()): "this-machine",
        r"\d+ cores, (\d+ workers?).*": r"4 cores, \1, load 0.50, 3.1 of 15.6 GiB of memory in use",
        platform.machine(): "x86_64",
        r"process \d+": "process 4711",
    }
    if site.remote:
        fleet = site.engine.fleet
        tasks = [task.id for task in fleet.recent() if task.id != worker]
        machines = sorted(fleet.instances(), key=lambda each: each.launched_at or 0.0)
        names = {
            re.escape(site.engine.config.aws.name if site.engine.config.aws else ""): "podcasts",
            **{re.escape(id): f"{n}f{'0' * 30}" for n, id in enumerate(tasks)},
            **{re.escape(each.id): f"i-{n}0123456789abcdef"[:19] for n, each in enumerate(machines)},
            **names,
        }
    return names


def test_the_palette_has_what_keys_do_here_and_does_it() -> None:
    async def scene() -> None:
        async with running(Dashboard(a_desk(an_episode_line(1)).backend)) as (app, pilot):
            await pilot.press("ctrl+p")
            await until(app, lambda text: "Copy command" in text)
            await pilot.press(*"costs")
            await until(app, lambda text: "The screen Costs" in text)
            await pilot.press("enter")
            await until(app, lambda _: app.here == "costs")

    asyncio.run(scene())


def test_where_there_is_no_room_for_a_reason_the_line_below_has_it() -> None:
    async def scene() -> None:
        desk = a_desk(an_episode_line(1))
        async with running(Dashboard(desk.backend)) as (app, pilot):
            await until(app, lambda text: "why 1" in text)
            await pilot.press("slash", *"cots>1")
            await until(app, lambda text: "did you mean 'cost'" in text.splitlines()[-2])
            await pilot.press("escape")
            desk.sources["episodes"].trouble = StorageError("the table is gone, and so is all that was in it")
            text = await until(app, lambda text: "and so is all" in text.splitlines()[-2])
            assert "5 Log" in text.splitlines()[1]

    asyncio.run(scene())
