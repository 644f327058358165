"""Places in the dashboard, as `--at` and ':' name them: `episodes`, `episodes?state:failed`,
`episodes/my-show#12`, `log/TASK`, `costs/show`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from pipeline.errors import ConfigError
from tui.keys import SCREENS


@dataclass(frozen=True, kw_only=True)
class Place:
    """A screen, what on it, and the filter."""

    screen: str = SCREENS[0]
    item: str = ""
    filter: str = ""


def parse(text: str) -> Place:
    """Screens may be shortened, as long as one is meant. Raises ConfigError."""
    path, _, filter = text.strip().partition("?")
    name, _, item = path.partition("/")
    meant = [screen for screen in SCREENS if name and screen.startswith(name.lower())]
    if len(meant) != 1:
        near = difflib.get_close_matches(name.lower(), SCREENS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(SCREENS)}"
        raise ConfigError(f"there is no place '{text}'", hint)
    return Place(screen=meant[0], item=item, filter=filter)


def written(place: Place) -> str:
    """As `parse` reads it."""
    item = f"/{place.item}" if place.item else ""
    return f"{place.screen}{item}" + (f"?{place.filter}" if place.filter else "")
