"""The dashboard as a person meets it: keys, what is seen, what is asked, what is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError, StorageError
from tests.builders import FakeClock
from tests.tui.desks import NARROW, WIDE, Desk, a_desk, an_episode_line, running, screen, until
from tui.app import Dashboard, Delivered
from tui.keys import KEYS, SCREENS, remapped
from tui.places import Place, parse, written
from tui.values import Snapshot, Tone

LINES = (
    an_episode_line(1, "transcribing", Tone.BUSY, task="w-1"),
    an_episode_line(2, "failed", Tone.BAD, why="exit code 137, attempt 2 of 3"),
    *(an_episode_line(number) for number in range(3, 40)),
)

Played = Callable[[Coroutine[Any, Any, None]], None]


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


def opened(desk: Desk, **options: Any) -> Dashboard:
    return Dashboard(desk.backend, clock=lambda: 100.0, **options)


@pytest.mark.parametrize("size", [NARROW, WIDE])
def test_everything_has_its_place(size: tuple[int, int]) -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        desk.sources["episodes"].at = desk.sources["status"].at = 98.0
        async with running(opened(desk), size) as (app, _):
            text = await until(app, lambda text: "Episode 3" in text and "queue 3" in text)
            lines = text.splitlines()
            assert lines[0].startswith(" test 0  queue 3  run 1  review 0  fail 2")
            assert lines[0].endswith("2s ago")
            assert "1 Episodes" in lines[1]
            assert "39" in lines[1]
            assert len(lines) == size[1]
            assert "why 1" in lines[-2]
            assert "enter open" in lines[-1]
            assert "? help" in lines[-1]

    play(scene())


def test_every_screen_has_its_key() -> None:
    async def scene() -> None:
        async with running(opened(a_desk(*LINES))) as (app, pilot):
            for number, name in enumerate(SCREENS, start=1):
                await pilot.press(f"{number}")
                assert app.here == name

    play(scene())


def test_the_cursor_stays_with_its_episode_and_what_is_new_does_not_move_it() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        async with running(opened(desk)) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("j", "down")
            assert "why 3" in screen(app)
            desk.sources["episodes"].lines = (an_episode_line(99), *LINES)
            await until(app, lambda text: "Episode 99" in text)
            assert "why 3" in screen(app)
            desk.sources["episodes"].lines = LINES[3:]
            await until(app, lambda text: "Episode 3 " not in text)
            assert "why 4" in screen(app)

    play(scene())


def test_a_source_that_was_replaced_is_not_heard_any_more() -> None:
    async def scene() -> None:
        async with running(opened(a_desk(*LINES))) as (app, _):
            app.show(Place(screen="log", item="w-1"))
            before = app._pollers["log"]  # pyright: ignore[reportPrivateUsage]
            app.show(Place(screen="log", item="w-2"))
            late = Snapshot(source="log", version=10**6, at=98.0, took_s=0.0, lines=LINES)
            app.post_message(Delivered(late, before))
            assert "Episode " not in await until(app, lambda text: "of w-2" in text)

    play(scene())


def test_costs_are_read_when_somebody_looks() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        async with running(opened(desk)) as (app, pilot):
            await until(app, lambda _: desk.sources["fleet"].version > 0)
            assert not desk.sources["costs"].version
            await pilot.press("3")
            await until(app, lambda _: desk.sources["costs"].version > 0)

    play(scene())


def test_a_filter_is_live_and_can_be_taken_back() -> None:
    async def scene() -> None:
        async with running(opened(a_desk(*LINES))) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("slash", *"st:fail")
            text = await until(app, lambda text: "Episode 3 " not in text)
            assert "Episode 2" in text
            await pilot.press("enter")
            assert "/st:fail  1 of 39" in screen(app)
            await pilot.press("escape")
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("slash", *"xyzzy", "escape")
            await until(app, lambda text: "Episode 3" in text)

    play(scene())


def test_a_filter_that_can_not_be_understood_says_so_and_hides_nothing() -> None:
    async def scene() -> None:
        async with running(opened(a_desk(*LINES)), WIDE) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("slash", *"cots>1", "enter")
            text = screen(app)
            assert "cost" in text.splitlines()[1]
            assert "Episode 3" in text

    play(scene())


def test_what_is_dangerous_asks_and_enter_is_harmless() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        async with running(opened(desk)) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("R")
            assert "1 are done again, about $0.12" in screen(app)
            await pilot.press("enter")
            assert desk.did == []
            await pilot.press("R", "tab", "enter")
            await until(app, lambda _: bool(desk.did))
            assert desk.did == [("retry", ("show-1",))]
            await until(app, lambda text: "retry is done" in text)

    play(scene())


def test_of_many_marked_rows_the_number_is_typed() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        async with running(opened(desk)) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press(*["space"] * 6)
            assert "6 marked" in screen(app)
            await pilot.press("X")
            assert "Type 6 to go on" in screen(app)
            await pilot.press("tab", "tab", "enter")
            await pilot.press("escape")
            assert desk.did == []
            await pilot.press("X", "shift+tab", "6", "tab", "tab", "enter")
            await until(app, lambda _: bool(desk.did))
            assert desk.did == [("skip", tuple(f"show-{number}" for number in range(1, 7)))]

    play(scene())


@pytest.mark.parametrize(
    ("production", "wanted", "may"),
    [(False, None, True), (True, None, False), (True, False, True), (False, True, False)],
)
def test_read_only_is_decided_in_one_place(production: bool, wanted: bool | None, may: bool) -> None:
    async def scene() -> None:
        desk = replace(a_desk(*LINES), production=production)
        async with running(opened(desk, read_only=wanted)) as (app, pilot):
            text = await until(app, lambda text: "Episode 3" in text)
            assert ("READ ONLY" in text) == (not may)
            assert ("R retry" in text) == may
            for key in KEYS:
                if key.writes:
                    allowed = app.check_action("do", (key.id,))
                    assert allowed is not True or may
            await pilot.press("R", "tab", "enter")
            await asyncio.sleep(0.1)
            assert bool(desk.did) == may

    play(scene())


def test_what_fails_is_told_and_nothing_else_changes() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        desk.trouble = StorageError("the table is gone", "deploy again")
        async with running(opened(desk), WIDE) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("u")
            await until(app, lambda text: "the table is gone" in text)
            desk.trouble = RuntimeError("boom")
            await pilot.press("u")
            await until(app, lambda text: "unexpected RuntimeError" in text)
            assert "Episode 3" in screen(app)

    play(scene())


def test_a_source_that_fails_keeps_what_it_had_and_says_why_and_when_again() -> None:
    async def scene() -> None:
        clock = FakeClock(100.0)
        desk = a_desk(*LINES)
        desk.sources["episodes"].at = 100.0
        app = Dashboard(desk.backend, clock=clock)
        async with running(app, WIDE):
            await until(app, lambda text: "Episode 3" in text)
            desk.sources["episodes"].trouble = StorageError("DynamoDB can't be reached")
            clock.go_on(45)
            text = await until(app, lambda text: "next try in" in text.splitlines()[1])
            assert "~ 45s ago: DynamoDB can't be reached, next try in" in text.splitlines()[1]
            assert "Episode 3" in text
            desk.sources["episodes"].trouble = None
            desk.sources["episodes"].at = clock()
            await pilot_refresh(app)
            await until(app, lambda text: "can't be reached" not in text)

    play(scene())


async def pilot_refresh(app: Dashboard) -> None:
    app.action_do("refresh")
    await asyncio.sleep(0)


def test_pause_says_so_and_goes_on() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        async with running(opened(desk)) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("comma")
            await until(app, lambda text: "paused" in text.splitlines()[1])
            desk.sources["episodes"].lines = (an_episode_line(99),)
            await asyncio.sleep(0.3)
            assert "Episode 99" not in screen(app)
            await pilot.press("comma")
            await until(app, lambda text: "Episode 99" in text)

    play(scene())


def test_an_episodes_page_and_back_to_where_one_was() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        desk.sources["detail"].facts = {
            "id": "show-2",
            "title": "show#2 Episode 2",
            "sign": "! fail",
            "state": "failed",
            "error": {"step": "decode", "reason": "not audio", "to_do": "have it replaced"},
            "task": "w-9",
        }
        async with running(opened(desk)) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("j", "enter")
            text = await until(app, lambda text: "what to do: have it replaced" in text)
            assert "! decode: not audio" in text
            await pilot.press("escape")
            await until(app, lambda text: "attempt 2 of 3" in text)
            await pilot.press("enter")
            await until(app, lambda text: "what to do" in text)
            await pilot.press("l")
            await until(app, lambda text: "of w-9" in text)
            assert app.here == "log"

    play(scene())


def test_costs_are_added_up_by_what_is_asked_for() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        async with running(opened(desk, place=parse("costs/show"))) as (app, pilot):
            assert app.here == "costs"
            await pilot.press("b", "b", "b")
            assert desk.by == ["show", "instance", "month", "day"]

    play(scene())


def test_going_to_a_place_by_its_name(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(opened(a_desk(*LINES))) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("colon", *"fl", "enter")
            assert app.here == "fleet"
            await pilot.press("colon", *"ep?st:fail", "enter")
            await until(app, lambda text: "1 of 39" in text)
            await pilot.press("colon", *"nowhere", "enter")
            await until(app, lambda text: "there is no place" in text)

    play(scene())


def test_help_shows_the_keys_of_this_screen_only() -> None:
    async def scene() -> None:
        async with running(opened(a_desk(*LINES)), WIDE) as (app, pilot):
            await pilot.press("question_mark")
            assert "Skip" in screen(app)
            assert "Follow" not in screen(app)
            await pilot.press("escape", "5", "question_mark")
            assert "Follow" in screen(app)
            assert "Skip" not in screen(app)

    play(scene())


def test_keys_can_be_others() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        async with running(opened(desk, keys={"poll": "f9"})) as (app, pilot):
            await pilot.press("u")
            await asyncio.sleep(0.1)
            assert desk.did == []
            await pilot.press("f9")
            await until(app, lambda _: bool(desk.did))

    play(scene())


def test_the_view_is_exported_as_it_is_seen(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(opened(a_desk(*LINES))) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            for name in ("view.txt", "view.json", "view.svg"):
                await pilot.press("ctrl+s")
                await pilot.press("ctrl+u", *["backspace"] * 40, *f"{tmp_path}/{name}", "enter")
                await until(app, lambda _, name=name: (tmp_path / name).exists())
            assert "show#3 Episode 3" in (tmp_path / "view.txt").read_text()
            assert '"id": "show-39"' in (tmp_path / "view.json").read_text()
            assert "<svg" in (tmp_path / "view.svg").read_text()

    play(scene())


def test_another_profile_takes_the_place_of_the_first() -> None:
    async def scene() -> None:
        async with running(opened(a_desk(*LINES), profiles=2)) as (app, pilot):
            await until(app, lambda text: "test 0" in text)
            await pilot.press("P")
            await until(app, lambda text: "test 1" in text and "Episode 3" in text)

    play(scene())


def test_the_mouse_selects_and_opens() -> None:
    async def scene() -> None:
        async with running(opened(a_desk(*LINES))) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.click("#episodes Table", offset=(10, 3))
            await until(app, lambda text: "why 3" in text)

    play(scene())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("episodes", Place(screen="episodes")),
        ("ep/my-show#12", Place(screen="episodes", item="my-show#12")),
        ("reviews?age>2d", Place(screen="reviews", filter="age>2d")),
        ("Costs/show", Place(screen="costs", item="show")),
    ],
)
def test_places_have_names(text: str, place: Place) -> None:
    assert parse(text) == place
    assert parse(written(place)) == place


@pytest.mark.parametrize("text", ["", "nowhere", "/x", "?x"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ConfigError, match="there is no place"):
        parse(text)


def test_every_key_is_in_the_documentation() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text()
    assert [key.id for key in KEYS if f"`{key.id}`" not in manual] == []


def test_no_key_means_two_things_on_one_screen() -> None:
    assert remapped({})["poll"] == "u"
    with pytest.raises(ConfigError, match="'R' is both retry and poll"):
        remapped({"poll": "R"})
    with pytest.raises(ConfigError, match="nothing named 'pol'"):
        remapped({"pol": "R"})
    assert remapped({"by": "f"})["by"] == "f"  # where the log's key means nothing
    with pytest.raises(ConfigError, match="both filter and poll"):
        remapped({"poll": "/"})


@pytest.mark.parametrize(
    ("given", "named"), [("#", "number_sign"), ("ctrl+r", "ctrl+r"), ("f9,+", "f9,plus"), ("ä", "ä")]
)
def test_keys_have_the_names_that_textual_gives_them(given: str, named: str) -> None:
    assert remapped({"poll": given})["poll"] == named


@pytest.mark.parametrize("given", ["", "ctrl+", "hyper+r", "two words", "f9,"])
def test_what_is_no_key(given: str) -> None:
    with pytest.raises(ConfigError, match="is no key"):
        remapped({"poll": given})


def test_a_worker_is_kept_for_as_long_as_is_said() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        async with running(opened(desk)) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("W", *"soon", "enter")
            await until(app, lambda text: "7d at most" in text)
            assert desk.did == []
            await pilot.press("W", *"1h30m", "enter")
            await until(app, lambda text: "stays for 5400 s" in text)
            assert desk.did == [("warm", ("5400",))]

    play(scene())


def test_marked_episodes_come_first() -> None:
    async def scene() -> None:
        desk = a_desk(*LINES)
        async with running(opened(desk)) as (app, pilot):
            await until(app, lambda text: "Episode 3" in text)
            await pilot.press("j", "j", "space", "space", "p")
            await until(app, lambda _: bool(desk.did))
            assert desk.did == [("first", ("show-3", "show-4"))]

    play(scene())
