"""Charts of costs: as text for a terminal, as SVG or PNG for pages."""

# pyright: reportUnknownMemberType=false
# (matplotlib's own types leave keywords open)

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate, pairwise
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.style import Style

from pipeline.errors import ConfigError, one_line
from pipeline.handing import hand_over

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

HOW_TO_INSTALL = "in Proofcast's checkout: pip install -c constraints.txt '.[plots]'"

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#7f7f7f")
"""Okabe's and Ito's colours, which the colour-blind tell apart (https://jfly.uni-koeln.de/color/, 2008): less
yellow, which is lost on white, and with grey for their black, which is lost in a dark terminal."""

MOST_BARS = 400  #: that a picture has room for: it would be 2.7 m long

_FILLS = "#=-+.*o"
_DASHES = ("solid", "dashed", "dotted", "dashdot")
_LONGEST = 40  #: columns of a name in a picture
_WIDTH_IN = 9.2
_ROW_IN = 0.27
_GREY = "#57606a"
_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 150,
    "font.size": 10,
    "grid.color": "#d0d7de",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "proofcast",  # else the ids in a file differ from run to run
    "text.parse_math": False,  # else what stands between two dollars is a formula
}


@dataclass(frozen=True, kw_only=True)
class Bars:
    """A bar for each label, made of what each of up to 7 series has there; nothing is negative."""

    title: str
    unit: str
    labels: tuple[str, ...]
    series: dict[str, tuple[float, ...]]

    @property
    def totals(self) -> list[float]:
        return [math.fsum(values) for values in zip(*self.series.values(), strict=True)]


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Up to 26 curves through points; `marks` are places on the x axis, and what is so there.

    No y is negative.
    """

    title: str
    x: str
    y: str
    series: dict[str, tuple[tuple[float, float], ...]]
    marks: tuple[tuple[float, str], ...] = ()


Chart = Bars | Lines


def in_terminal(chart: Chart, width: int, height: int, colour: bool) -> str:
    """A chart as text of at most `width` columns; curves take `height` lines, bars one each.

    Whatever is not a name is ASCII, and series differ in their characters too.
    """
    drawn = _bars(chart, width, colour) if isinstance(chart, Bars) else _curves(chart, width, height, colour)
    return "\n".join(drawn)


def kind_of(path: Path) -> str:
    """Which kind of picture a name means. Raises ConfigError."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise ConfigError(f"'{path}' can't be a picture", "give it a name that ends in .svg or .png")
    return kind


def save(charts: Sequence[Chart], path: Path) -> None:
    """Charts below one another in a file, SVG or PNG by its name's ending. Raises ConfigError.

    It's on a light ground of its own, since pages may be dark. An SVG's text is text; its bytes depend on the
    charts alone.
    """
    kind = kind_of(path)
    most = max((len(chart.labels) for chart in charts if isinstance(chart, Bars)), default=0)
    if most > MOST_BARS:
        raise ConfigError(f"{most:,} bars are too many for a picture", f"it has room for {MOST_BARS}")
    hand_over(_picture(charts, kind), path)


def _bars(chart: Bars, width: int, colour: bool) -> list[str]:
    names = _column(chart.labels, width // 3)
    figures = [_figure(total) for total in chart.totals]
    left, right = (max(map(cell_len, column), default=0) for column in (names, figures))
    room = max(1, width - left - right - 4)
    top = max(chart.totals, default=0) or 1
    drawn = [_cut(f"{chart.title}, {chart.unit}", width)]
    for name, figure, *values in zip(names, figures, *chart.series.values(), strict=True):
        ends = [0, *(round(room * (end / top)) for end in accumulate(values))]
        bar = "".join(
            _painted(_FILLS[number % len(_FILLS)] * (end - start), number, colour, solid=True)
            for number, (start, end) in enumerate(pairwise(ends))
        )
        drawn.append(f"{name}  {bar}{' ' * (room - ends[-1])}  {figure:>{right}}")
    return drawn + _legend(chart, _FILLS, width, colour)


def _curves(chart: Lines, width: int, height: int, colour: bool) -> list[str]:
    least, most, top = _extent(chart)
    ticks = _column([_plain(tick) for tick in (top, top / 2, 0)], width)
    blank = " " * len(ticks[0])
    room = max(1, width - len(blank) - 2)

    def place(x: float, y: float) -> tuple[int, int]:
        return round((x - least) / (most - least) * (room - 1)), round((1 - y / top) * (height - 1))

    canvas = [[" "] * room for _ in range(height)]
    for x, _ in chart.marks:
        for row in canvas:
            row[place(x, 0)[0]] = ":"
    for number, points in enumerate(chart.series.values()):
        dot = _painted(ascii_lowercase[number % 26], number, colour)
        for column, line in _joined([place(*point) for point in points]):
            canvas[line][column] = dot
    beside = dict(zip((place(least, tick)[1] for tick in (top, top / 2, 0)), ticks, strict=True))
    begin, end = _plain(least), _plain(most)
    between = max(2, room - len(begin + end))
    across = _cut(chart.x, between - 2)
    across = set_cell_size(" " * ((between - cell_len(across)) // 2) + across, between)
    return [
        _cut(chart.title, width),
        _cut(chart.y, width),
        *(f"{beside.get(number, blank)} |{''.join(row)}".rstrip() for number, row in enumerate(canvas)),
        f"{blank} +{'-' * room}",
        f"{blank}  {begin}{across}{end}",
        *(_cut(f": {_plain(x)}: {what}", width) for x, what in chart.marks),
        *_legend(chart, ascii_lowercase, width, colour),
    ]


def _legend(chart: Chart, characters: str, width: int, colour: bool) -> list[str]:
    legend: list[str] = []
    for number, name in enumerate(chart.series):
        sign = characters[number % len(characters)]
        painted = _painted(sign, number, colour, solid=isinstance(chart, Bars))
        legend.append(f"{painted} {_cut(name, width - 2)}")
    return legend


def _extent(chart: Lines) -> tuple[float, float, float]:
    """The least and greatest x, and a greatest y that is short to write, as its half is."""
    points = [point for points in chart.series.values() for point in points]
    across = [x for x, _ in [*points, *chart.marks]] or [0.0]
    most = max(across) if max(across) > min(across) else min(across) + 1
    highest = max((y for _, y in points), default=0) or 1
    power = 10.0 ** math.floor(math.log10(highest))
    return (
        min(across),
        most,
        next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if step * power >= highest),
    )


def _joined(places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The places on straight ways from each to the next."""
    for (column, line), (to_column, to_line) in pairwise([*places[:1], *places]):
        steps = max(abs(to_column - column), abs(to_line - line), 1)
        for step in range(steps + 1):
            yield (
                round(column + (to_column - column) * step / steps),
                round(line + (to_line - line) * step / steps),
            )


def _painted(text: str, number: int, colour: bool, *, solid: bool = False) -> str:
    """Text in a series' colour; `solid`, on the same colour, so that it's an area that copies as text."""
    style = Style(color=_shade(number), bgcolor=_shade(number) if solid else None)
    return style.render(text, color_system=ColorSystem.EIGHT_BIT) if colour else text


def _shade(number: int) -> str:
    return PALETTE[number % len(PALETTE)]


def _column(texts: Sequence[str], most: int) -> list[str]:
    """Texts cut to `most` columns at most, and all filled up to the longest."""
    cut = [_cut(text, most) for text in texts]
    width = max(map(cell_len, cut), default=0)
    return [set_cell_size(text, width) for text in cut]


def _cut(text: str, columns: int) -> str:
    """Text on one line that obeys no terminal, shortened where it's longer than so many columns."""
    line = one_line(text)
    return line if cell_len(line) <= columns else set_cell_size(line, columns - 1) + "…"


def _figure(value: float) -> str:
    """An amount with two decimals; a small one with as many as tell something."""
    return f"{value:,.2f}" if value >= 0.1 or not value else _plain(float(f"{value:.2g}"))


def _plain(value: float, _: object = None) -> str:
    """A place on an axis: two decimals at most, or four digits of what is below 1."""
    digits = f"{value:,.2f}" if value >= 1 else f"{float(f'{value:.4g}'):.9f}"
    return digits.rstrip("0").rstrip(".")


def _picture(charts: Sequence[Chart], kind: str) -> bytes:
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError("pictures need matplotlib, which is not installed", HOW_TO_INSTALL) from None
    heights = [_height_in(chart) for chart in charts]
    file = BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # whatever the user's own matplotlibrc says
        matplotlib.rcParams.update(_STYLE)
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a box is drawn instead
        figure = Figure(figsize=(_WIDTH_IN, sum(heights)), layout="constrained")
        grid = figure.add_gridspec(len(charts), 1, height_ratios=heights)
        for number, chart in enumerate(charts):
            _draw(chart, figure.add_subfigure(grid[number, 0]))
        figure.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()


def _height_in(chart: Chart) -> float:
    rows = len(chart.labels) if isinstance(chart, Bars) else 14
    return (rows + 4 + math.ceil(len(chart.series) / 2)) * _ROW_IN


def _draw(chart: Chart, part: SubFigure) -> None:
    axes = part.subplots()
    if isinstance(chart, Bars):
        _draw_bars(chart, axes)
    else:
        _draw_curves(chart, axes)
    axes.xaxis.set_major_formatter(_plain)
    part.suptitle(_cut(chart.title, 2 * _LONGEST), x=0.01, ha="left", weight="bold")
    part.legend(loc="outside lower left", ncols=2)


def _draw_bars(chart: Bars, axes: Axes) -> None:
    rows = range(len(chart.labels))
    so_far = [0.0 for _ in rows]
    for number, (name, values) in enumerate(chart.series.items()):
        axes.barh(rows, values, 0.7, so_far, color=_shade(number), label=_cut(name, _LONGEST))
        so_far = [start + value for start, value in zip(so_far, values, strict=True)]
    for row, total in enumerate(chart.totals):
        axes.annotate(_figure(total), (total, row), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(rows, [_cut(label, _LONGEST) for label in chart.labels])
    axes.set_xlim(0, 1.12 * (max(chart.totals, default=0) or 1))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(_cut(chart.unit, 2 * _LONGEST))
    axes.grid(visible=False, axis="y")


def _draw_curves(chart: Lines, axes: Axes) -> None:
    least, most, top = _extent(chart)
    for number, (name, points) in enumerate(chart.series.items()):
        dash = _DASHES[number // len(PALETTE) % len(_DASHES)]
        x, y = [x for x, _ in points], [y for _, y in points]
        axes.plot(x, y, linestyle=dash, color=_shade(number), label=_cut(name, _LONGEST), clip_on=False)
    for number, (x, what) in enumerate(chart.marks):
        axes.axvline(x, color=_GREY, linestyle="dotted")
        before = x > (least + most) / 2
        axes.annotate(
            _cut(f"{_plain(x)}: {what}", 60),  # which half of the width has room for
            (x, top),
            (-4 if before else 4, -4 - 16 * number),
            textcoords="offset points",
            ha="right" if before else "left",
            va="top",
            size=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8},
        )
    axes.set_xlim(least, most)
    axes.set_ylim(0, top)
    axes.set_xlabel(_cut(chart.x, 2 * _LONGEST))
    axes.set_ylabel(_cut(chart.y, _LONGEST))
    axes.yaxis.set_major_formatter(_plain)
