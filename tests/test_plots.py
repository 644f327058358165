from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import rcParams
from PIL import Image
from rich.cells import cell_len

from pipeline.errors import ConfigError
from pipeline.plots import MOST_BARS, PALETTE, Bars, Lines, in_terminal, save

MONTHS = Bars(
    title="Cost by month",
    unit="US$",
    labels=("2026-08", "2026-09", "2026-10"),
    series={"work": (2.0, 8.0, 0.0), "idle": (2.0, 8.0, 0.0)},
)
LOADS = Lines(
    title="Cost by load",
    x="episodes",
    y="US$",
    series={"GPU": ((0.0, 10.0), (100.0, 20.0)), "hosted": ((0.0, 0.0), (100.0, 40.0))},
    marks=((33.0, "the GPU is cheaper"),),
)
HOSTILE = "\x1b]0;owned\x07 \u202e $x^2$ & $\\frac{1$ <b> _ \x00 日本語 🎙"
COLOUR = re.compile(r"\x1b\[[\d;]+m")

names = st.text(max_size=70)
amounts = st.floats(0, 1e6).map(lambda amount: round(amount, 6))
widths = st.integers(40, 160)


def test_bars() -> None:
    assert in_terminal(MONTHS, 40, 20, False).split("\n") == [
        "Cost by month, US$",
        "2026-08  ###===                     4.00",
        "2026-09  ############============  16.00",
        "2026-10                             0.00",
        "# work",
        "= idle",
    ]


def test_curves_cross_where_the_mark_is() -> None:
    assert in_terminal(LOADS, 40, 5, False).split("\n") == [
        "Cost by load",
        "US$",
        "40 |            :                  bbbbb",
        "   |            :         bbbbbbbbb",
        "20 |            : bbbbbbbbaaaaaaaaaaaaaa",
        "   |aaaaabbbbbbbbbaaaa",
        "0  |bbbbb       :",
        "   +------------------------------------",
        "    0            episodes            100",
        ": 33: the GPU is cheaper",
        "a GPU",
        "b hosted",
    ]


def test_what_is_small_or_one_of_a_kind_is_told_too() -> None:
    small = Bars(title="Cost", unit="US$", labels=("a", "b"), series={"work": (0.0004, 0.05)})
    assert [line.split()[-1] for line in in_terminal(small, 40, 9, False).split("\n")[1:3]] == [
        "0.0004",
        "0.05",
    ]
    point = Lines(title="Cost", x="episodes", y="US$", series={"GPU": ((7.0, 0.00003),)})
    drawn = in_terminal(point, 40, 3, False).split("\n")
    assert drawn[2].startswith("0.00003  |a")
    many = Lines(
        title="Cost", x="episodes", y="US$", series={"GPU": ((0, 1e6 / 3), (1e6, 1))}, marks=((1e6 / 3, "x"),)
    )
    assert ": 333,333.33: x" in in_terminal(many, 40, 3, False)
    assert drawn[6].split() == ["7", "episodes", "8"]


@given(rows=st.lists(st.tuples(names, amounts, amounts), min_size=1, max_size=8), title=names, width=widths)
def test_bars_fit_whatever_they_are_called(
    rows: list[tuple[str, float, float]], title: str, width: int
) -> None:
    labels = tuple(label for label, *_ in rows)
    series = {f"1 {title}": tuple(row[1] for row in rows), f"2 {title}": tuple(row[2] for row in rows)}
    bars = Bars(title=title, unit="US$", labels=labels, series=series)
    lines = in_terminal(bars, width, 20, False).split("\n")
    assert len(lines) == 1 + len(rows) + 2
    assert all(line.isprintable() and cell_len(line) <= width for line in lines)
    assert COLOUR.sub("", in_terminal(bars, width, 20, True)).split("\n") == lines


@given(
    points=st.lists(st.tuples(amounts, amounts), max_size=8),
    at=amounts,
    title=names,
    width=widths,
    height=st.integers(2, 30),
)
def test_curves_fit_whatever_they_are_called(
    points: list[tuple[float, float]], at: float, title: str, width: int, height: int
) -> None:
    curves = Lines(title=title, x=title, y=title, series={title: tuple(points)}, marks=((at, title),))
    lines = in_terminal(curves, width, height, False).split("\n")
    assert len(lines) == height + 6
    assert all(line.isprintable() and cell_len(line) <= width for line in lines)
    assert any("|" in line and "a" in line.partition("|")[2] for line in lines[2:-4]) == bool(points)
    assert COLOUR.sub("", in_terminal(curves, width, height, True)).split("\n") == lines


def test_only_names_are_other_than_ascii() -> None:
    assert (in_terminal(MONTHS, 80, 20, True) + in_terminal(LOADS, 80, 20, True)).isascii()
    assert "日本語" in in_terminal(Bars(title="日本語", unit="US$", labels=(), series={}), 80, 20, False)


def test_an_svg_has_its_words_as_text_below_one_another(tmp_path: Path) -> None:
    words = texts(saved([MONTHS, LOADS], tmp_path / "costs.svg"))
    for word in (
        "Cost by month",
        "2026-09",
        "16.00",
        "work",
        "US$",
        "Cost by load",
        "33: the GPU is cheaper",
    ):
        assert word in words
    heights = [
        words[title] for title in ("Cost by month", "2026-08", "2026-10", "idle", "Cost by load", "hosted")
    ]
    assert heights == sorted(heights)


def test_the_same_charts_are_the_same_svg_whatever_matplotlib_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = saved([MONTHS, LOADS], tmp_path / "costs.svg")
    monkeypatch.setitem(rcParams, "font.size", 30)
    monkeypatch.setitem(rcParams, "text.usetex", True)
    mine = dict(rcParams)
    assert saved([MONTHS, LOADS], tmp_path / "costs.svg") == once
    assert dict(rcParams) == mine


def test_names_from_feeds_do_no_harm_to_a_picture(tmp_path: Path) -> None:
    bars = Bars(title=HOSTILE, unit=HOSTILE, labels=(HOSTILE, "x" * 60), series={HOSTILE: (1.0, 2.0)})
    curves = Lines(title=HOSTILE, x=HOSTILE, y=HOSTILE, series={HOSTILE: ((1, 1),)}, marks=((1, HOSTILE),))
    words = texts(saved([bars, curves], tmp_path / "costs.svg"))
    plain = HOSTILE.translate(dict.fromkeys(map(ord, "\x1b\x07\u202e\x00"), " "))
    assert plain.strip() in {word.strip() for word in words}
    assert "x" * 39 + "…" in words
    save([bars, curves], tmp_path / "costs.png")


def test_a_png_shows_amounts_by_area_on_white(tmp_path: Path) -> None:
    save([MONTHS], tmp_path / "COSTS.PNG")
    with Image.open(tmp_path / "COSTS.PNG") as image:
        seen = {colour: count for count, colour in image.convert("RGB").getcolors(1 << 20) or ()}
        corners = {
            image.convert("RGB").getpixel((x, y)) for x in (0, image.width - 1) for y in (0, image.height - 1)
        }
    work, idle = (
        seen[red, green, blue] for red, green, blue in map(bytes.fromhex, (c[1:] for c in PALETTE[:2]))
    )
    assert work == pytest.approx(idle, rel=0.02)
    assert corners == {(255, 255, 255)}


MANY = tuple(f"e{number}" for number in range(MOST_BARS))


@pytest.mark.parametrize(
    "chart",
    [
        Bars(title="One", unit="US$", labels=("2026-10",), series={"work": (3.0,)}),
        Bars(title="None", unit="US$", labels=("2026-10",), series={"work": (0.0,), "idle": (0.0,)}),
        Bars(title="Many", unit="US$", labels=MANY, series={"work": (1.0,) * MOST_BARS}),
        Lines(title="Many", x="x", y="y", series={f"option {n}": ((0, n), (1, 2 * n)) for n in range(26)}),
    ],
)
def test_every_name_stands_inside_the_picture_below_the_one_before(
    chart: Bars | Lines, tmp_path: Path
) -> None:
    picture = saved([chart], tmp_path / "costs.svg")
    words = texts(picture)
    height = float(ElementTree.fromstring(picture).attrib["viewBox"].split()[3])
    assert all(0 < down < height for down in words.values())
    assert {chart.title, *chart.series} <= set(words)
    if isinstance(chart, Bars):
        assert all(words[after] - words[name] > 12 for name, after in pairwise(chart.labels))


def test_files_that_can_not_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"costs\.pdf' can't be a picture .*\.svg or \.png"):
        save([MONTHS], tmp_path / "costs.pdf")
    with pytest.raises(ConfigError, match=r"costs\.svg can't be written: No such file"):
        save([MONTHS], tmp_path / "none" / "costs.svg")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.svg can't be written: Is a directory"):
        save([MONTHS], tmp_path / "folder.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.svg"]
    many = Bars(title="Many", unit="US$", labels=("e",) * 1001, series={"work": (1.0,) * 1001})
    with pytest.raises(ConfigError, match="1,001 bars are too many"):
        save([many], tmp_path / "costs.svg")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ConfigError, match=r"need matplotlib, .*pip install -c constraints\.txt '\.\[plots\]'"
    ):
        save([MONTHS], tmp_path / "costs.svg")


def saved(charts: list[Bars | Lines], path: Path) -> bytes:
    save(charts, path)
    return path.read_bytes()


def texts(svg: bytes) -> dict[str, float]:
    """What an SVG says, and how far down."""
    found = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return {text.text or "": float(text.attrib["y"]) for text in found if "y" in text.attrib}
