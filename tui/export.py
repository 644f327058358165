"""The current view in a file: as text, as a picture, or as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError
from pipeline.handing import hand_over
from tui.frame import Frame
from tui.values import Column, Line

if TYPE_CHECKING:
    from textual.app import App
    from textual.strip import Strip

_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"


@dataclass(frozen=True, kw_only=True)
class View:
    """What a table shows: `lines` are those that its filter lets through, in the order of its sorting."""

    source: str
    at: float | None  #: of the reading; None: nothing was read yet
    filter: str
    sort: str
    columns: Sequence[Column]
    lines: Sequence[Line]


def write(app: App[Any], view: View, path: Path) -> None:
    """Put what is seen now into a file, of the kind that its name's ending says. Raises ConfigError."""
    kinds: Mapping[str, Callable[[], str]] = {
        ".txt": lambda: as_text(app),
        ".json": lambda: as_json(view),
        ".svg": lambda: as_svg(app),
    }
    make = kinds.get(path.suffix.lower())
    if make is None:
        raise ConfigError(f"'{path}' is no kind of file that this can be", f"name it {', '.join(kinds)}")
    hand_over(make().encode(), path)


def as_text(app: App[Any]) -> str:
    """What is on the screen, without colours, and without blanks at the ends of lines."""
    return "".join(f"{strip.text.rstrip()}\n" for strip in _strips(app))


def as_json(view: View) -> str:
    """The rows with their values, rather than with what fits a cell."""
    import msgspec

    keys = [column.key for column in view.columns]
    document = {
        "source": view.source,
        "at": view.at,
        "filter": view.filter,
        "sort": view.sort,
        "lines": [
            {
                "id": line.id,
                "values": dict(zip(keys, line.values, strict=True)),
                "why": line.why,
                "url": line.url,
            }
            for line in view.lines
        ],
    }
    encoded = msgspec.json.Encoder(decimal_format="number").encode(document)
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def as_svg(app: App[Any]) -> str:
    """A picture for pages: it fetches no font, and the same screen is the same bytes."""
    svg = app.export_screenshot(simplify=True)
    head, names, body = svg.partition("</style>")
    head = re.sub(r"@font-face \{.*?\}\s*", "", head, flags=re.DOTALL)
    head = head.replace("Fira Code, monospace", _FONTS)
    found = re.search(r"\.(terminal-\d+)-matrix", head)
    assert found
    return f"{head}{names}{body}".replace(found[1], "proofcast")


def capture(app: App[Any], at: float) -> Frame:
    """What is on the screen, for the next start; without what lies over it."""
    return Frame(at=at, lines=tuple(strip.render(app.console) for strip in _strips(app)))


def _strips(app: App[Any]) -> list[Strip]:
    """The screen's lines; Textual has no other way to them, but by a picture."""
    below = next(screen for screen in reversed(app.screen_stack) if not screen.is_modal)
    return below._compositor.render_strips()  # pyright: ignore[reportPrivateUsage]
