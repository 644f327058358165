"""The table as it is on a screen of 80x24 and of 200x50."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual import on
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.message import Message
from textual.pilot import Pilot

from tui.tabular import GUTTER, UNICODE, Slot, fitted, ordered, slots
from tui.values import Column, Line, Tone, clean
from tui.widgets.table import Table

COLUMNS = (
    Column(key="status", title="ST", width=6),
    Column(key="episode", title="EPISODE", width=20, grows=True),
    Column(key="cost", title="$", width=6, right=True),
    Column(key="age", title="AGE", width=4, right=True, drop=1),
    Column(key="show", title="SHOW", width=60, drop=2),
)
SMALL, LARGE = (80, 24), (200, 50)


def a_line(number: int, *, cost: float | None = 0.0, show: str = "aws", tone: Tone = Tone.PLAIN) -> Line:
    title = f"Episode {number} about clouds"
    shown = "" if cost is None else f"{cost:.2f}"
    cells = ("* run" if tone is Tone.BUSY else "+ done", title, shown, f"{number}m", show)
    return Line(id=f"{number}", cells=cells, values=("run", title, cost, 60.0 * number, show), tone=tone)


def some(*numbers: int) -> list[Line]:
    return [a_line(number) for number in numbers]


class Watched(Table):
    """Remembers which regions were to be painted again; None: all of it."""

    DEFAULT_CSS = ""

    def __init__(self, columns: Sequence[Column], *, unicode: bool = False) -> None:
        super().__init__(columns, empty="nothing here", unicode=unicode)
        self.asked: list[Region | None] = []

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Watched:
        self.asked += regions or [None]
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


class Bare(App[None]):
    """Nothing but the table."""

    def __init__(self, columns: Sequence[Column] = COLUMNS, *, unicode: bool = False) -> None:
        super().__init__()
        self.table = Watched(columns, unicode=unicode)
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.table

    @on(Table.Highlighted)
    @on(Table.Opened)
    @on(Table.Sorted)
    def _hear(self, message: Message) -> None:
        assert message.control is self.table
        self.heard.append(message)


Story = Callable[[Watched, Pilot[None]], Awaitable[None]]


def play(story: Story, size: tuple[int, int] = SMALL, app: Bare | None = None) -> list[Message]:
    """The story on a table with the focus; what was heard of it."""

    async def run() -> list[Message]:
        bare = app or Bare()
        async with bare.run_test(size=size) as pilot:
            bare.table.focus()
            await pilot.pause()
            await story(bare.table, pilot)
            await pilot.pause()
        return bare.heard

    return asyncio.run(run())


def seen(table: Table) -> list[str]:
    """The table's lines as they are on the screen."""
    width, height = table.scrollable_content_region.size
    return [strip.text for strip in table.render_lines(Region(0, 0, width, height))]


def shown_ids(table: Table) -> list[str]:
    """Of the rows on the screen, read from what is drawn there."""
    return [row.split("Episode ")[1].split()[0] for row in seen(table)[1:] if "Episode " in row]


async def asked(table: Watched, pilot: Pilot[None], change: Callable[[], None]) -> list[Region | None]:
    """What is painted again for a change."""
    await pilot.pause()
    table.asked.clear()
    change()
    return list(table.asked)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_header_rows_and_cursor_fill_the_screen(size: tuple[int, int]) -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines([a_line(n, cost=n / 4) for n in range(1000)])
        await pilot.pause()
        lines = seen(table)
        width = size[0] - 1  # the last is the scrollbar's
        assert len(lines) == size[1]
        assert {cell_len(line) for line in lines} == {width}
        assert lines[0].split() == ["ST", "EPISODE", "$", "AGE", *(["SHOW"] if size is LARGE else [])]
        assert lines[1].startswith("> + done Episode 0 about clouds ")
        assert lines[2].startswith("  + done Episode 1 about clouds ")
        assert lines[2].rstrip().endswith("0.25   1m" + (" aws" if size is LARGE else ""))
        assert shown_ids(table) == [f"{n}" for n in range(size[1] - 1)]

    play(story, size)


def test_it_says_when_it_is_empty_and_when_no_longer() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        assert seen(table)[1].strip() == "nothing here"
        table.empty = "still \x1b[31mreading"
        await pilot.pause()
        assert seen(table)[1].strip() == "still [31mreading"
        table.set_lines(some(1))
        await pilot.pause()
        assert shown_ids(table) == ["1"]
        table.set_lines([])
        await pilot.pause()
        assert seen(table)[1].strip() == "still [31mreading"
        assert table.cursor_line is None
        for action in (table.action_mark, table.action_open, table.action_bottom, table.action_sort_next):
            action()
        table.action_page(1)
        assert table.cursor_line is None

    play(story)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_unchanged_lines_ask_for_nothing_and_changed_ones_for_their_row(
    size: tuple[int, int],
) -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        lines = [a_line(n) for n in range(1000)]
        table.set_lines(lines)
        assert await asked(table, pilot, lambda: table.set_lines([replace(line) for line in lines])) == []

        lines[3] = a_line(3, cost=7.25)
        lines[900] = a_line(900, cost=7.25)
        cost = next(slot for slot in slots(COLUMNS, size[0] - 1) if slot.at == 2)
        regions = await asked(table, pilot, lambda: table.set_lines(lines))
        assert regions == [Region(0, 4, cost.x + cost.width, 1)]
        await pilot.pause()
        assert "7.25" in seen(table)[4]

        lines[5] = replace(lines[5], tone=Tone.BAD)
        assert await asked(table, pilot, lambda: table.set_lines(lines)) == [Region(0, 6, size[0] - 1, 1)]
        lines[6] = replace(lines[6], why="a reason that the table does not show")
        assert await asked(table, pilot, lambda: table.set_lines(lines)) == []
        lines = [*lines, a_line(1000)]
        assert await asked(table, pilot, lambda: table.set_lines(lines)) == []
        moved = await asked(table, pilot, lambda: table.action_move(1))
        assert moved == [Region(0, y, size[0] - 1, 1) for y in (1, 2)]

    play(story, size)


def test_cursor_and_view_stay_with_their_line() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines(some(*range(100)))
        table.action_move(50)
        table.action_move(-10)
        await pilot.pause()
        before = shown_ids(table)
        table.set_lines(some(*range(200, 207), *range(100)))
        await pilot.pause()
        assert table.cursor_line == a_line(40)
        assert shown_ids(table) == before
        table.set_lines(some(*(n for n in range(100) if n not in (40, 41, 2))))
        await pilot.pause()
        assert table.cursor_line == a_line(39)
        assert shown_ids(table).index("39") == before.index("40")

    play(story)


def test_at_the_top_what_is_new_is_seen_and_elsewhere_nothing_moves() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines(some(*range(100)))
        await pilot.pause()
        table.set_lines(some(200, *range(100)))
        await pilot.pause()
        assert shown_ids(table)[:2] == ["200", "0"]
        assert table.cursor_line == a_line(0)
        table.scroll_to(y=30, animate=False)  # as the wheel does: the cursor is out of sight
        await pilot.pause()
        before = shown_ids(table)
        table.set_lines(some(201, 200, *range(100)))
        await pilot.pause()
        assert shown_ids(table) == before
        assert table.cursor_line == a_line(0)

    play(story)


def test_lines_that_come_and_go_out_of_sight_are_where_scrolling_ends() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        for count in (100, 200, 50):
            table.set_lines(some(*range(count)))
            await pilot.pause()
            assert table.vertical_scrollbar.window_virtual_size == count + 1
            table.scroll_to(y=1000, animate=False)
            await pilot.pause()
            assert shown_ids(table)[-1] == f"{count - 1}"
            table.action_top()

    play(story)


def test_pages_halves_and_ends() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines(some(*range(100)))
        places: list[tuple[str, str]] = []
        for action in (
            lambda: table.action_page(1),
            lambda: table.action_half(1),
            lambda: table.action_page(-1),
            table.action_bottom,
            lambda: table.action_page(1),
            table.action_top,
            lambda: table.action_half(-1),
        ):
            action()
            await pilot.pause()
            assert table.cursor_line
            places.append((table.cursor_line.id, shown_ids(table)[0]))
        ends = [("99", "77"), ("99", "77"), ("0", "0"), ("0", "0")]
        assert places == [("23", "23"), ("34", "34"), ("11", "11"), *ends]

    play(story)


def test_a_smaller_screen_keeps_the_cursor_in_sight() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines(some(*range(100)))
        table.action_move(20)
        await pilot.resize_terminal(60, 10)
        await pilot.pause()
        assert "20" in shown_ids(table)
        assert seen(table)[0].split() == ["ST", "EPISODE", "$", "AGE"]
        await pilot.resize_terminal(38, 10)
        await pilot.pause()
        assert seen(table)[0].split() == ["ST", "EPISODE", "$"]

    play(story)


def test_sorting_by_column_and_back() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        costs = (0.5, None, 2.0, 0.25, 2.0)
        table.set_lines([a_line(n, cost=cost, show="zyxwv"[n]) for n, cost in enumerate(costs)])
        table.action_move(3)
        table.sort_by("cost")
        await pilot.pause()
        assert shown_ids(table) == ["3", "0", "2", "4", "1"]
        assert table.cursor_line
        assert table.cursor_line.id == "3"
        assert "$^" in seen(table)[0]
        for expected in (["2", "4", "0", "3", "1"], ["3", "0", "2", "4", "1"]):
            table.action_sort_reverse()
            await pilot.pause()
            assert shown_ids(table) == expected
        for key in ("age", "", "status"):
            table.action_sort_next()
            assert table.sort_key == key

    assert [
        (message.key, message.reverse) for message in play(story) if isinstance(message, Table.Sorted)
    ] == [
        ("cost", True),
        ("cost", False),
        ("age", True),
        ("", False),
        ("status", False),
    ]


def test_who_stands_at_the_top_sees_the_top_of_the_new_order() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines([a_line(n, cost=float(n)) for n in range(100)])
        await pilot.click(table, offset=(69, 0))
        assert (table.sort_key, table.sort_reverse) == ("cost", True)
        assert table.cursor_line
        assert table.cursor_line.id == "99"
        assert shown_ids(table)[0] == "99"

    play(story)


def test_a_filter_hides_lines_and_gives_them_back_with_the_cursor() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines([a_line(n, show="radio" if n % 10 == 0 else "aws") for n in range(100)])
        table.action_move(42)
        for text in ("e", "ep", "!radio", "show:r", "show:radio"):
            table.filter_by(text)
        await pilot.pause()
        assert shown_ids(table) == [f"{n}" for n in range(0, 100, 10)]
        assert table.cursor_line == a_line(40, show="radio")
        table.filter_by("")
        assert table.cursor_line == a_line(42)
        await pilot.pause()
        assert "42" in shown_ids(table)
        gone = [line for line in table.lines if line.id != "42"]
        for lines in (gone, list(table.lines)):
            table.set_lines(lines)
        table.filter_by("clouds")
        assert table.cursor_line == a_line(41)  # where a person looks by now
        table.filter_by("shw:radio")
        assert table.wanted.trouble == "no column 'shw': did you mean 'show'?"
        assert len(table.shown_lines) == 100

    play(story)


def test_new_columns_understand_the_filter_anew() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines(some(1, 2))
        table.filter_by("show:aws")
        table.columns = COLUMNS[:2]
        table.set_lines([Line(id="a", cells=("x", "Episode one"), values=("x", "one"))])
        await pilot.pause()
        assert table.wanted.trouble.startswith("no column 'show'")
        assert seen(table)[0].split() == ["ST", "EPISODE"]
        assert shown_ids(table) == ["one"]
        table.columns = COLUMNS
        table.set_lines(some(1, 2))
        await pilot.pause()
        assert shown_ids(table) == ["1", "2"]

    play(story)


def test_marks_are_shown_kept_and_dropped_with_their_lines() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines(some(*range(10)))
        for _ in range(3):
            table.action_mark()
        await pilot.pause()
        assert [line[:2] for line in seen(table)[1:5]] == [" x", " x", " x", "> "]
        assert table.marked == ["0", "1", "2"]
        table.action_move(-1)
        table.action_mark()
        table.set_lines(some(*range(1, 10)))
        assert table.marked == ["1"]
        table.filter_by("!clouds")
        assert table.marked == []
        table.filter_by("")
        assert table.marked == ["1"]
        table.set_lines(some(*range(10)))
        assert table.marked == ["1"]

    play(story)


def test_the_mouse_selects_opens_and_sorts() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines([a_line(n, cost=n % 7) for n in range(100)])
        table.action_half(1)
        await pilot.pause()
        assert shown_ids(table)[0] == "11"
        await pilot.click(table, offset=(10, 3))
        assert table.cursor_line
        assert table.cursor_line.id == "13"
        await pilot.click(table, offset=(10, 5), times=2)
        await pilot.click(table, offset=(3, 0))
        assert (table.sort_key, table.sort_reverse) == ("status", False)
        await pilot.click(table, offset=(3, 0))
        assert (table.sort_key, table.sort_reverse) == ("status", True)
        await pilot.click(table, offset=(79, 9))  # the scrollbar
        assert table.cursor_line.id == "15"

    opened = [message.line.id for message in play(story) if isinstance(message, Table.Opened)]
    assert opened == ["15"]


def test_a_click_below_the_last_line_chooses_nothing() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines(some(1, 2, 3))
        await pilot.click(table, offset=(10, 9))
        assert table.cursor_line == a_line(1)

    play(story)


def test_who_listens_hears_once_of_every_change_under_the_cursor() -> None:
    failed = replace(a_line(2), why="out of memory")

    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines(some(1, 2, 3))
        table.action_move(1)
        table.set_lines([a_line(1, cost=9), a_line(2), a_line(3)])
        table.set_lines([a_line(1), failed, a_line(3)])
        table.action_open()
        table.set_lines([])

    heard = play(story)
    lines = [message.line for message in heard if isinstance(message, Table.Highlighted)]
    assert lines == [a_line(1), a_line(2), failed, None]
    assert [message.line for message in heard if isinstance(message, Table.Opened)] == [failed]


HOSTILE = (
    "\x1b[31mred\x1b]52;c;AAAA\x07",
    "\u202ereversed\u2066",
    "e" + "\u0301" * 1000,
    "漢字" * 40,
    "👩‍👩‍👧 family ❤️ 👍🏽",
    "שלום עולם",
    "two\r\nlines\ttab\x9b2J",
    "\ud800 alone",
    "a" * 100_000,
)


@pytest.mark.parametrize("unicode", [True, False])
def test_hostile_cells_neither_break_the_layout_nor_reach_the_terminal(unicode: bool) -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines(
            [replace(a_line(n), cells=("!", text, "1.00", "1m", "")) for n, text in enumerate(HOSTILE)]
        )
        await pilot.pause()
        for line in seen(table):
            assert line.isprintable()
            assert cell_len(line) == 79
        assert [line.rstrip()[-7:] for line in seen(table)[1 : len(HOSTILE) + 1]] == ["1.00   1m"[-7:]] * len(
            HOSTILE
        )

    play(story, app=Bare(unicode=unicode))


def test_without_unicode_all_that_the_table_draws_is_ascii() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines([a_line(n, show="long" * 30) for n in range(100)])
        table.sort_by("cost")
        table.action_mark()
        table.scroll_to(y=33, animate=False)
        await pilot.pause()
        bar = table.vertical_scrollbar
        width, height = bar.size
        drawn = [strip.text for strip in bar.render_lines(Region(0, 0, width, height))]
        assert all(line.isascii() for line in (*seen(table), *drawn))

    play(story, LARGE)


def test_with_unicode_it_draws_its_own_signs() -> None:
    async def story(table: Watched, pilot: Pilot[None]) -> None:
        table.set_lines([a_line(n, show="long" * 30) for n in range(3)])
        table.sort_by("cost", reverse=True)
        table.action_mark()
        await pilot.pause()
        lines = seen(table)
        assert f"${UNICODE.down}" in lines[0]
        assert lines[1].startswith(f" {UNICODE.mark}")
        assert lines[2].startswith(UNICODE.cursor)
        assert lines[1].rstrip().endswith(UNICODE.cut)

    play(story, LARGE, app=Bare(unicode=True))


IDS = st.lists(st.integers(0, 60), unique=True, max_size=50)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("lines"), IDS, st.integers(0, 3)),
        st.tuples(st.just("move"), st.integers(-30, 30)),
        st.tuples(st.just("page"), st.sampled_from([-1, 1])),
        st.tuples(st.just("wheel"), st.integers(0, 60)),
        st.tuples(st.just("mark")),
        st.tuples(st.just("sort"), st.sampled_from(["", "cost", "episode"]), st.booleans()),
        st.tuples(st.just("filter"), st.sampled_from(["", "1", "cost>1", "!2"])),
    ),
    max_size=12,
)


def test_through_any_changes_the_cursor_stays_on_its_line_and_the_screen_says_the_truth() -> None:
    """After every step, what is drawn is compared with the lines, so that nothing stale stays."""

    async def story(table: Watched, pilot: Pilot[None]) -> None:
        @given(STEPS)
        @settings(max_examples=100, deadline=None)
        def check(steps: list[tuple[Any, ...]]) -> None:
            table.filter_by("")
            table.sort_by("")
            table.set_lines([])
            for step in steps:
                was, top = table.cursor_line, round(table.scroll_y)
                in_sight = bool(was) and table.shown_lines.index(was) in range(top, top + 23)
                change(table, step)
                now = table.cursor_line
                if step[0] in ("lines", "sort") and was and was.id in [line.id for line in table.shown_lines]:
                    assert now
                    assert now.id == was.id
                    assert not in_sight or ">" in [row[0] for row in seen(table)[1:]]
                assert (now is None) == (not table.shown_lines)
                assert set(table.marked) <= {line.id for line in table.shown_lines}
                assert_true(table)

        check()

    play(story)


def change(table: Table, step: tuple[Any, ...]) -> None:
    match step:
        case ("lines", numbers, version):
            table.set_lines([a_line(n, cost=(n + version) % 4) for n in numbers])
        case ("move", delta):
            table.action_move(delta)
        case ("page", pages):
            table.action_page(pages)
        case ("wheel", y):
            table.scroll_to(y=y, animate=False)
        case ("mark",):
            table.action_mark()
        case ("sort", key, reverse):
            table.sort_by(key, reverse)
        case ("filter", text):
            table.filter_by(text)
        case _:
            raise AssertionError(step)


def assert_true(table: Table) -> None:
    """Every row on the screen is what belongs there now."""
    top, rows = round(table.scroll_y), seen(table)[1:]
    for y, row in enumerate(rows):
        line = table.shown_lines[top + y] if top + y < len(table.shown_lines) else None
        if line:
            assert row[0] == (">" if line is table.cursor_line else " ")
            assert row[1] == ("x" if line.id in table.marked else " ")
            assert row[GUTTER:].split() == " ".join(line.cells[:4]).split()
        else:
            assert row.strip() in ("", "nothing here")


@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False), st.text(max_size=3)), max_size=30),
    st.booleans(),
)
def test_order_is_total_stable_and_leaves_none_at_the_end(
    values: list[float | str | None], reverse: bool
) -> None:
    lines = [Line(id=f"{n}", cells=(f"{value}",), values=(value,)) for n, value in enumerate(values)]
    found = ordered(lines, 0, reverse)
    assert sorted(line.id for line in found) == sorted(line.id for line in lines)
    assert ordered(found, 0, reverse) == found
    kinds = ["none" if line.values[0] is None else type(line.values[0]).__name__ for line in found]
    expected = ["str", "float", "none"] if reverse else ["float", "str", "none"]
    assert kinds == sorted(kinds, key=expected.index)
    for one, other in pairwise(found):
        if one.values == other.values:
            assert int(one.id) < int(other.id)


def test_order_is_that_of_people() -> None:
    lines = [Line(id=word, cells=(word,), values=(word,)) for word in ("b", "C", "A", "ä", "Ä")]
    assert [line.id for line in ordered(lines, 0)] == ["A", "b", "C", "ä", "Ä"]


def test_those_that_grow_share_the_room() -> None:
    columns = tuple(Column(key=key, title=key, width=5, grows=key != "b") for key in "abc")
    assert [slot.width for slot in slots(columns, 30)] == [10, 5, 11]


@given(st.integers(0, 250))
def test_slots_never_overlap_and_fill_what_there_is(width: int) -> None:
    found = slots(COLUMNS, width)
    x = GUTTER
    for slot in found:
        assert slot.x == x
        assert slot.width >= COLUMNS[slot.at].width
        x += slot.width + 1
    assert {0, 1, 2} <= {slot.at for slot in found}
    least = GUTTER + 6 + 1 + 20 + 1 + 6
    assert x - 1 == max(width, least)


@given(st.text(max_size=60), st.integers(2, 40), st.booleans())
def test_whatever_the_text_it_takes_exactly_its_cells(text: str, width: int, right: bool) -> None:
    for shown in (text, clean(text)):
        cell = fitted(shown, Slot(at=0, x=0, width=width, right=right), UNICODE)
        assert cell.isprintable()
        assert cell_len(cell) == width


@given(st.text(max_size=200))
def test_clean_text_is_clean_already(text: str) -> None:
    once = clean(text)
    assert once.isprintable()
    assert clean(once) == once


def test_what_is_cleaned_away_and_what_stays() -> None:
    assert [clean(text) for text in HOSTILE] == [
        "[31mred]52;c;AAAA",
        "reversed",
        "é" + "\u0301" * 3,
        "漢字" * 40,
        "👩👩👧 family ❤ 👍",
        "שלום עולם",
        "two  lines tab2J",
        " alone",
        "a" * 500,
    ]
    assert clean("Tiếng Việt, naïve, ñandú") == "Tiếng Việt, naïve, ñandú"
