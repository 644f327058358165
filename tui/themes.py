"""How the dashboard looks: its colours, none at all, or nothing but ASCII."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.segment import Segment
from textual.filter import LineFilter, NoColor
from textual.theme import Theme

if TYPE_CHECKING:
    from textual.app import App
    from textual.color import Color

NO_COLOUR = "no-colour"


def _theme(name: str, *, grounds: str, tones: str, cursor: str, dark: bool = True, style: str = "") -> Theme:
    """Grounds: text, background, surface, panel. Tones: busy, good, warn, bad, dim. Cursor: text, ground.

    What Textual derives of its colours is set too, since its own shades have less contrast.
    """
    foreground, background, surface, panel = grounds.split()
    busy, good, warn, bad, dim = tones.split()
    cursor_text, cursor_ground = cursor.split()
    return Theme(
        name=name,
        primary=busy,
        secondary=dim,
        success=good,
        warning=warn,
        error=bad,
        foreground=foreground,
        background=background,
        surface=surface,
        panel=panel,
        dark=dark,
        variables={
            "busy": busy,
            "good": good,
            "warn": warn,
            "bad": bad,
            "dim": dim,
            "text-primary": busy,
            "text-success": good,
            "text-warning": warn,
            "text-error": bad,
            "text-muted": dim,
            "block-cursor-foreground": cursor_text,
            "block-cursor-background": cursor_ground,
            "block-cursor-text-style": f"bold {style}",
            "input-cursor-text-style": style or "none",
            "scrollbar": dim,
            "scrollbar-background": panel,
        },
    )


THEMES = (
    _theme(
        "proofcast-dark",
        grounds="#d7dee7 #10151c #161c25 #1f2732",
        tones="#6cb6ff #5fd37a #e3b341 #ff8a80 #94a1b1",
        cursor="#ffffff #1f4f8b",
    ),
    _theme(
        "proofcast-light",
        grounds="#1f2328 #ffffff #f6f8fa #e8ecf0",
        tones="#0550ae #116329 #7d4e00 #a40e26 #57606a",
        cursor="#ffffff #0550ae",
        dark=False,
    ),
    _theme(
        "high-contrast",
        grounds="#ffffff #000000 #000000 #1a1a1a",
        tones="#66d9ff #6cff6c #ffd700 #ff9d9d #d0d0d0",
        cursor="#000000 #ffffff",
    ),
    # Okabe's and Ito's colours, which the colour-blind tell apart (https://jfly.uni-koeln.de/color/, 2008);
    # their vermilion is a little lighter here, for the dark ground.
    _theme(
        "colour-blind",
        grounds="#d7dee7 #0c1016 #10151c #161c25",
        tones="#f0e442 #56b4e9 #e69f00 #de6412 #9aa7b5",
        cursor="#ffffff #0a4a7a",
    ),
    _theme(
        NO_COLOUR,
        grounds="#ffffff #000000 #000000 #000000",
        tones=" ".join(["#ffffff"] * 5),
        cursor="#ffffff #000000",
        style="reverse",
    ),
)

NAMES = tuple(theme.name for theme in THEMES)

VARIABLES: Mapping[str, str] = THEMES[0].variables
"""For `App.get_theme_variable_defaults`: Textual's own themes know no tones."""


def register(app: App[Any]) -> None:
    """Let the app have our themes, and no others: they lack contrast, or tones."""
    for theme in THEMES:
        app.register_theme(theme)
    app.theme = NAMES[0]
    for name in app.available_themes.keys() - set(NAMES):
        app.unregister_theme(name)


def filters(theme: str, given: Sequence[LineFilter], *, ascii: bool) -> Sequence[LineFilter]:
    """For `App.get_line_filters`: what lines go through last. NO_COLOR alone would leave greys of 24 bits."""
    coloured = (_NO_COLOUR,) if theme == NO_COLOUR else given
    return (*coloured, _ASCII) if ascii else coloured


class Ascii(LineFilter):
    """Draws frames, bars and signs in ASCII; letters of names stay what they are."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text.translate(_DRAWN), style, control) for text, style, control in segments]


_NO_COLOUR = NoColor()
_ASCII = Ascii()
_DRAWN = {
    **dict.fromkeys(range(0x2500, 0x2580), "+"),  # box drawing: corners and crossings
    **dict.fromkeys(map(ord, "─━┄┅┈┉═╌╍╴╶╸╺╼╾▔▀"), "-"),
    **dict.fromkeys(map(ord, "│┃┆┇┊┋║╎╏╵╷╹╻╽╿▉▊▋▌▍▎▏▐▕"), "|"),
    **dict.fromkeys(range(0x2596, 0x25A0), "#"),  # quarters
    **dict(zip(map(ord, "▁▂▃▄▅▆▇█░▒▓"), "_.:-=+*#.:#", strict=True)),
    **dict(zip(map(ord, "←↑→↓▲▼▶◀▸◂▾▴"), "<^>v^v><><v^", strict=True)),
    **dict(zip(map(ord, "…·•●○◉✓✔✗✘×–—‘’“”✖⭘⬤"), "~..*o*vvxxx--''\"\"xo*", strict=True)),  # noqa: RUF001
    0xA0: " ",
}
