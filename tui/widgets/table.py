"""A table of any length that paints only what differs from what is on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBarRender
from textual.strip import Strip

from tui.query import Query, parse
from tui.tabular import ASCII, GUTTER, UNICODE, Slot, fitted, nearest, ordered, slots
from tui.values import Column, Line, Tone, clean


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is to be seen at one height."""

    line: Line
    under_cursor: bool
    marked: bool

    @property
    def looks(self) -> tuple[bool, bool, Tone]:
        """All but the text."""
        return self.under_cursor, self.marked, self.line.tone


class _PlainBar(ScrollBarRender):
    """A scrollbar of nothing but spaces."""

    VERTICAL_BARS = [" "]


class Table(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines in columns, sorted and filtered here.

    The cursor is on a line, not on a place: it goes where the line goes. So does the view, unless it is at
    the top, where what is new shall be seen.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"table--{tone}" for tone in Tone),
        "table--header",
        "table--cursor",
        "table--mark",
    }
    DEFAULT_CSS = """
    Table {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        & > .table--header { text-style: bold; }
        & > .table--busy { color: $text-primary; }
        & > .table--good { color: $text-success; }
        & > .table--warn { color: $text-warning; }
        & > .table--bad { color: $text-error; }
        & > .table--dim { color: $text-muted; }
        & > .table--mark { text-style: bold; }
        & > .table--cursor { text-style: underline; }
        &:focus > .table--cursor { text-style: reverse; }
    }
    """
    ALLOW_SELECT = False

    columns: reactive[tuple[Column, ...]] = reactive[tuple[Column, ...]]((), init=False)
    empty: reactive[str] = reactive("")  #: said where there are no lines

    @dataclass
    class Highlighted(Message):
        """Another line is under the cursor, or the same with news; None: there is none."""

        table: Table
        line: Line | None

        @property
        def control(self) -> Table:
            return self.table

    @dataclass
    class Opened(Message):
        """A person wants to know more about a line."""

        table: Table
        line: Line

        @property
        def control(self) -> Table:
            return self.table

    @dataclass
    class Sorted(Message):
        """A person wants another order; an empty key: as the source has it."""

        table: Table
        key: str
        reverse: bool

        @property
        def control(self) -> Table:
            return self.table

    def __init__(
        self, columns: Sequence[Column] = (), *, empty: str = "", unicode: bool = False, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.signs = UNICODE if unicode else ASCII
        self.lines: tuple[Line, ...] = ()
        self._ordered: list[Line] = []
        self.shown_lines: list[Line] = []  #: those that match, in the order in which they stand
        self.sort_key, self.sort_reverse = "", False
        self.wanted = Query()
        self._cursor = 0
        self._chosen = ""  #: the id that a person last went to: a filter may hide it for a while
        self._marks: set[str] = set()
        self._painted: dict[int, Row | None] = {}  #: by height on the screen
        self._told: Line | None = None
        self.set_reactive(Table.columns, tuple(columns))
        self.set_reactive(Table.empty, empty)

    def on_mount(self) -> None:
        if self.signs is ASCII:
            # A class's setting by its type, but read from the object.
            self.vertical_scrollbar.renderer = _PlainBar  # pyright: ignore[reportAttributeAccessIssue]

    # What there is

    @property
    def cursor_line(self) -> Line | None:
        return self.shown_lines[self._cursor] if self.shown_lines else None

    @property
    def sorted_by(self) -> str:
        """A column's key, with a `-` before it where the largest come first; empty: as the source has it."""
        return f"-{self.sort_key}" if self.sort_reverse else self.sort_key

    @property
    def marked(self) -> list[str]:
        """The ids of marked lines, as far as they are shown: nobody acts on what he does not see."""
        return [line.id for line in self.shown_lines if line.id in self._marks] if self._marks else []

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show these instead; marks of lines that are gone go with them."""
        fresh = tuple(lines)
        if fresh == self.lines:
            return
        self.lines = fresh
        if self._marks:
            self._marks &= {line.id for line in fresh}
        self._arrange(self._cursor_id, self._in_order())
        self._chosen = self._cursor_id

    def filter_by(self, text: str) -> None:
        """Show only lines that match. The line that a person was on is found again once it matches."""
        self.wanted = parse(text, self.columns)
        self._arrange(self._chosen, self._ordered)

    def sort_by(self, key: str, reverse: bool = False) -> None:
        """By a column's values, lines without one last; an empty key: as the source has it."""
        self.sort_key, self.sort_reverse = key, reverse
        self._arrange(self._cursor_id, self._in_order())
        self.refresh(Region(0, 0, self._room.width, 1))

    @property
    def _cursor_id(self) -> str:
        return self.cursor_line.id if self.cursor_line else ""

    @property
    def _room(self) -> Size:
        return self.scrollable_content_region.size

    @property
    def _height(self) -> int:
        """Rows that fit under the header."""
        return max(1, self._room.height - 1)

    def _in_order(self) -> list[Line]:
        numbers = {column.key: number for number, column in enumerate(self.columns)}
        if self.sort_key not in numbers:
            return list(self.lines)
        return ordered(self.lines, numbers[self.sort_key], self.sort_reverse)

    def _arrange(self, chosen: str, order: list[Line]) -> None:
        """Filter what is in order; `chosen` gets the cursor, or what is nearest to it."""
        neighbours, before, at, top = self._ordered, self.shown_lines, self._cursor, round(self.scroll_y)
        self._ordered, self.shown_lines = order, [line for line in order if self.wanted.matches(line)]
        places = {line.id: place for place, line in enumerate(self.shown_lines)}
        self._cursor = nearest(neighbours, chosen, places)
        if len(self.shown_lines) != len(before):
            self._resize(Size(0, len(self.shown_lines) + 1))
        if top and not top <= at < top + self._height:
            self._scroll(nearest(neighbours, before[top].id, places))
        elif top:
            self._scroll(top + self._cursor - at)
        elif at < self._height:
            self._reveal()
        self._show()

    def _resize(self, virtual: Size) -> None:
        """For another size Textual paints the whole screen: here, only where the scrollbar comes or goes."""
        height = self._room.height
        if not height or (self.virtual_size.height > height) != (virtual.height > height):
            self.virtual_size = virtual
            return
        self.set_reactive(Table.virtual_size, virtual)  # pyright: ignore[reportArgumentType]
        self.vertical_scrollbar.window_virtual_size = virtual.height

    # What a person does

    def action_move(self, delta: int) -> None:
        self._go(self._cursor + delta)

    def action_page(self, pages: int) -> None:
        self._leap(pages * self._height)

    def action_half(self, halves: int) -> None:
        self._leap(halves * max(1, self._height // 2))

    def action_top(self) -> None:
        self._go(0)

    def action_bottom(self) -> None:
        self._go(len(self.shown_lines) - 1)

    def action_mark(self) -> None:
        """Mark the line, or no longer, and go on to the next."""
        if self.shown_lines:
            self._marks ^= {self._cursor_id}
            self.action_move(1)

    def action_sort_next(self) -> None:
        """By the next column that is seen; after the last, as the source has it."""
        keys = ["", *(self.columns[slot.at].key for slot in self._slots)]
        at = keys.index(self.sort_key) if self.sort_key in keys else 0
        self._sort(keys[(at + 1) % len(keys)])

    def action_sort_reverse(self) -> None:
        self._sort(self.sort_key)

    def action_open(self) -> None:
        if line := self.cursor_line:
            self.post_message(self.Opened(self, line))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            here = [slot for slot in self._slots if slot.x <= offset.x <= slot.x + slot.width]
            if here:
                self._sort(self.columns[here[0].at].key)
        elif (at := self.scroll_offset.y + offset.y - 1) < len(self.shown_lines):
            self._go(at)
            if event.chain == 2:
                self.action_open()

    def _sort(self, key: str) -> None:
        """By that column; if it is already, the other way round. Of numbers, the largest come first."""
        if key == self.sort_key:
            reverse = not self.sort_reverse
        else:
            reverse = any(column.right for column in self.columns if column.key == key)
        at_top = self._cursor == 0
        self.sort_by(key, reverse and bool(key))
        if at_top:
            self.action_top()
        self.post_message(self.Sorted(self, self.sort_key, self.sort_reverse))

    def _leap(self, delta: int) -> None:
        """The view goes as far as the cursor."""
        self._scroll(round(self.scroll_y) + delta)
        self._go(self._cursor + delta)

    def _go(self, place: int) -> None:
        self._cursor = max(0, min(place, len(self.shown_lines) - 1))
        self._chosen = self._cursor_id
        self._reveal()
        self._show()

    def _reveal(self) -> None:
        """Scroll as little as brings the cursor into view."""
        top = round(self.scroll_y)
        self._scroll(max(self._cursor - self._height + 1, min(top, self._cursor)))

    def _scroll(self, top: int) -> None:
        self.scroll_to(y=top, animate=False, force=True)

    def _show(self) -> None:
        """Paint anew what differs from what is on the screen, and tell of news under the cursor."""
        room = self._room
        regions: list[Region] = []
        for y in range(1, room.height):
            now, was = self._row(y), self._painted.get(y)
            if now != was and (width := self._differing(was, now, room.width)):
                regions.append(Region(0, y, width, 1))
        if regions:
            self.refresh(*regions)
        line = self.cursor_line
        if line is not self._told and line != self._told:
            self._told = line
            self.post_message(self.Highlighted(self, line))

    def _differing(self, was: Row | None, now: Row | None, width: int) -> int:
        """Cells, from the left, within which two rows differ: Textual sends all before a change too."""
        if was is None or now is None or was.looks != now.looks:
            return width
        columns = slots(self.columns, width)
        changed = [slot for slot in columns if was.line.cells[slot.at] != now.line.cells[slot.at]]
        return changed[-1].x + changed[-1].width if changed else 0

    def on_resize(self) -> None:
        self._reveal()

    def watch_columns(self) -> None:
        """Lines of the new columns follow at once; what is filtered by is understood anew."""
        self._painted.clear()
        self.wanted = parse(self.wanted.text, self.columns)

    # How it looks

    @property
    def _slots(self) -> tuple[Slot, ...]:
        return slots(self.columns, self._room.width)

    def _row(self, y: int) -> Row | None:
        at = self.scroll_offset.y + y - 1
        if at >= len(self.shown_lines):
            return None
        line = self.shown_lines[at]
        return Row(line=line, under_cursor=at == self._cursor, marked=line.id in self._marks)

    def render_line(self, y: int) -> Strip:
        width = self._room.width
        if y == 0:
            return _strip(self._header(width), width, self.get_component_rich_style("table--header"))
        row = self._painted[y] = self._row(y)
        if row:
            return _strip(self._text(row, width), width, self._style(row))
        said = self.empty if y == 1 and not self.shown_lines else ""
        return _strip(" " * GUTTER + clean(said), width, self.get_component_rich_style("table--dim"))

    def _header(self, width: int) -> str:
        titles = (fitted(self._title(slot), slot, self.signs) for slot in slots(self.columns, width))
        return " " * GUTTER + " ".join(titles)

    def _title(self, slot: Slot) -> str:
        column = self.columns[slot.at]
        if column.key != self.sort_key:
            return column.title
        return column.title[: slot.width - 1] + (self.signs.down if self.sort_reverse else self.signs.up)

    def _text(self, row: Row, width: int) -> str:
        signs = self.signs
        gutter = (signs.cursor if row.under_cursor else " ") + (signs.mark if row.marked else " ")
        cells = (fitted(row.line.cells[slot.at], slot, signs) for slot in slots(self.columns, width))
        return gutter + " ".join(cells)

    def _style(self, row: Row) -> Style:
        style = self.get_component_rich_style(f"table--{row.line.tone}")
        if row.marked:
            style += self.get_component_rich_style("table--mark", partial=True)
        if row.under_cursor:
            style += self.get_component_rich_style("table--cursor", partial=True)
        return style


def _strip(text: str, width: int, style: Style) -> Strip:
    return Strip([Segment(text, style)]).adjust_cell_length(width, style)
