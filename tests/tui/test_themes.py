from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from textual.app import App
from textual.color import Color
from textual.theme import Theme

from tests.tui.terminal import running
from tui.themes import NAMES, NO_COLOUR, THEMES, VARIABLES, Ascii, filters, register

TONES = ("busy", "good", "warn", "bad", "dim")
GROUNDS = ("background", "surface", "panel")

BLINDNESS = {
    # How those without the receptors for red, green or blue see linear RGB: Machado, Oliveira and Fernandes,
    # "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1.
    "red": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}

APP = """
from textual.app import App
from textual.widgets import Button, Input, OptionList, Sparkline, Static
from tui import themes
class Small(App):
    CSS = "* { max-height: 6; } Static { border: round $busy; color: $bad; text-style: bold; }"
    def __init__(self):
        super().__init__()
        themes.register(self)
        self.theme = THEME
    def get_theme_variable_defaults(self):
        return dict(themes.VARIABLES)
    def get_line_filters(self):
        return themes.filters(self.theme, super().get_line_filters(), ascii=ASCII)
    def compose(self):
        yield Static("! fail")
        yield OptionList(*map(str, range(50)))
        yield Sparkline([1, 2, 3, 4])
        yield Input("text")
        yield Button("Cancel")
Small().run()
"""


def variables(theme: Theme) -> dict[str, str]:
    return {**theme.to_color_system().generate(), **theme.variables}


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def linear(colour: str) -> list[float]:
    parts = (part / 255 for part in Color.parse(colour).rgb)
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it."""

    def light(colour: str) -> float:
        return dot((0.2126, 0.7152, 0.0722), linear(colour)) + 0.05

    return max(light(one), light(other)) / min(light(one), light(other))


def seen(colour: str, blindness: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """The colour in CIE L*a*b*, as somebody sees it."""
    red, green, blue = (min(1.0, max(0.0, dot(row, linear(colour)))) for row in blindness)
    xyz = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
    )
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("theme", THEMES, ids=NAMES)
def test_every_colour_can_be_read_on_every_ground(theme: Theme) -> None:
    colours = variables(theme)
    pairs = [(colours[text], colours[ground]) for text in ("foreground", *TONES) for ground in GROUNDS]
    pairs.append((colours["block-cursor-foreground"], colours["block-cursor-background"]))
    least = 7.0 if theme.name == "high-contrast" else 4.5
    assert min(contrast(*pair) for pair in pairs) >= least


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_the_colour_blind_tell_all_tones_apart(blindness: str) -> None:
    colours = variables(next(theme for theme in THEMES if theme.name == "colour-blind"))
    tones = [seen(colours[tone], BLINDNESS[blindness]) for tone in ("foreground", *TONES)]
    # 2.3 is just to be noticed. Without the receptor for green, the dark theme's good and bad are 1.3 apart.
    assert min(math.dist(*pair) for pair in combinations(tones, 2)) >= 15


def test_there_are_our_themes_and_no_others() -> None:
    app = App[None]()
    register(app)
    assert set(app.available_themes) == set(NAMES)
    assert app.theme == NAMES[0]
    assert all(set(VARIABLES) == set(theme.variables) for theme in THEMES)


def test_drawings_become_ascii_of_the_same_width_and_names_stay() -> None:
    drawn = "╭─┬━╮│┃╰┴╯ ▁▂▃▄▅▆▇█ ▔▎▐ ←→ … · ● ✓ “a”"
    (plain,) = Ascii().apply([Segment(drawn)], Color(0, 0, 0))
    assert plain.text == '+-+-+||+++ _.:-=+*# -|| <> ~ . * v "a"'
    assert cell_len(plain.text) == cell_len(drawn)
    (name,) = Ascii().apply([Segment("Größe 日本")], Color(0, 0, 0))
    assert name.text == "Größe 日本"


def test_no_filter_but_what_is_asked_for() -> None:
    assert filters("proofcast-dark", [], ascii=False) == []
    assert len(filters(NO_COLOUR, [], ascii=True)) == 2


def written(
    tmp_path: Path, theme: str, *, ascii: bool = False, env: Mapping[str, str] | None = None
) -> bytes:
    """What a small app paints in a terminal."""
    program = tmp_path / "app.py"
    program.write_text(f"THEME, ASCII = {theme!r}, {ascii}\n{APP}")
    with running([sys.executable, str(program)], env=env) as terminal:
        terminal.until(b"Cancel")
        terminal.press(b"\x1b[B\t\t\x11")
        return terminal.rest()


COLOUR = re.compile(rb"\x1b\[[0-9;]*?\b(?:[34][0-8]|9[0-7]|10[0-7])\b[0-9;]*m")


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}])
def test_no_colour_is_none_at_all(tmp_path: Path, env: dict[str, str]) -> None:
    painted = written(tmp_path, NO_COLOUR, env=env)
    assert not COLOUR.search(painted)
    assert re.search(rb"\x1b\[1;[0-9;]*m! fail", painted)
    assert re.search(rb"\x1b\[[0-9;]*\b7\b[0-9;]*m", painted)  # the cursor


def test_ascii_is_nothing_else(tmp_path: Path) -> None:
    assert written(tmp_path, "proofcast-dark", ascii=True).isascii()
    assert not written(tmp_path, "proofcast-dark").isascii()
