"""Every key of the dashboard, once: footer, help, palette and bindings are made of this table."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipeline.errors import ConfigError

SCREENS = ("episodes", "fleet", "costs", "reviews", "log")
"""The dashboard's screens, in the order of their numbers."""

_ROWS = ("episodes", "fleet", "reviews")  #: whose rows something can be done to


@dataclass(frozen=True, kw_only=True)
class Key:
    """What a key does, and where."""

    id: str  #: by which `[tui.keys]` gives it another key
    keys: str  #: as Textual names them, several with commas
    title: str
    about: str = ""  #: for the help, where the title does not say it all
    screens: tuple[str, ...] = ()  #: empty: everywhere
    footer: bool = False
    writes: bool = False  #: changes something: not in read-only mode


KEYS = (
    *(
        Key(id=screen, keys=f"{number}", title=screen.title(), about=f"The screen {screen.title()}")
        for number, screen in enumerate(SCREENS, start=1)
    ),
    Key(id="down", keys="j,down", title="Down"),
    Key(id="up", keys="k,up", title="Up"),
    Key(id="top", keys="g,home", title="Top"),
    Key(id="bottom", keys="G,end", title="Bottom"),
    Key(id="half_down", keys="ctrl+d", title="Half a page down"),
    Key(id="half_up", keys="ctrl+u", title="Half a page up"),
    Key(id="page_down", keys="pagedown,ctrl+f", title="Page down"),
    Key(id="page_up", keys="pageup,ctrl+b", title="Page up"),
    Key(id="open", keys="enter", title="Open", about="Everything about the episode", footer=True),
    Key(id="back", keys="escape", title="Back", about="Back; clear the filter"),
    Key(
        id="filter",
        keys="slash",
        title="Filter",
        about='While you type: text, state:failed, cost>0.5, age<2d, !word, a|b, "two words"',
        footer=True,
    ),
    Key(id="sort", keys="s", title="Sort", about="By the next column"),
    Key(id="reverse", keys="S", title="Reverse", about="The other way round"),
    Key(id="mark", keys="space", title="Mark", about="Actions apply to marked rows", screens=_ROWS),
    Key(id="logs", keys="l", title="Logs", about="Of the row's worker", screens=_ROWS, footer=True),
    Key(id="follow", keys="f", title="Follow", about="Stay at the log's end", screens=("log",), footer=True),
    Key(id="poller_log", keys="p", title="Poller's log", screens=("log",)),
    Key(
        id="by",
        keys="b",
        title="By…",
        about="Costs by episode, show, instance, day or month",
        screens=("costs",),
        footer=True,
    ),
    Key(
        id="browse",
        keys="o",
        title="Open it",
        about="The pull request, or the page in AWS's console",
        footer=True,
    ),
    Key(id="copy", keys="y", title="Copy", about="The row's id"),
    Key(id="copy_command", keys="Y", title="Copy command", about="That shows the same on the command line"),
    Key(
        id="retry",
        keys="R",
        title="Retry",
        screens=("episodes", "fleet", "reviews"),
        footer=True,
        writes=True,
    ),
    Key(id="skip", keys="X", title="Skip", screens=("episodes", "reviews"), writes=True),
    Key(
        id="first",
        keys="p",
        title="First",
        about="Work on it before all that waits",
        screens=("episodes",),
        writes=True,
    ),
    Key(
        id="warm",
        keys="W",
        title="Keep warm",
        about="A worker stays though nothing waits: for 2h, 45m; 0: no longer",
        screens=("episodes", "fleet"),
        writes=True,
    ),
    Key(
        id="release",
        keys="A",
        title="Release",
        about="Queue what is held",
        screens=("episodes",),
        writes=True,
    ),
    Key(
        id="stop",
        keys="x",
        title="Stop",
        about="The row's worker",
        screens=("episodes", "fleet"),
        writes=True,
    ),
    Key(id="start", keys="n", title="New worker", screens=("episodes", "fleet"), writes=True),
    Key(id="redrive", keys="D", title="Redrive", about="Retry all that was given up", writes=True),
    Key(id="poll", keys="u", title="Poll now", about="Look for new episodes", writes=True),
    Key(id="sync", keys="m", title="Sync", about="Read reviews' state", screens=("reviews",), writes=True),
    Key(
        id="release_budget",
        keys="B",
        title="Release budget",
        about="This month's work goes on, whatever it costs",
        screens=("costs", "fleet"),
        writes=True,
    ),
    Key(id="zoom", keys="z", title="Zoom", about="One pane, or all that fit", screens=("episodes",)),
    Key(id="pause", keys="comma", title="Pause", about="Stop reading, and go on"),
    Key(id="refresh", keys="f5", title="Refresh", about="Read now"),
    Key(id="go", keys="colon", title="Go to…", about="A screen, or an episode: episodes/my-show#12"),
    Key(id="palette", keys="ctrl+p", title="Commands"),
    Key(id="profile", keys="P", title="Profile", about="The next of the configs that were named"),
    Key(id="theme", keys="T", title="Theme", about="The next one"),
    Key(id="export", keys="ctrl+s", title="Export", about="This view, to .txt, .json or .svg"),
    Key(id="help", keys="question_mark", title="Help", footer=True),
    Key(id="quit", keys="q", title="Quit"),
)
BY_ID: Mapping[str, Key] = {key.id: key for key in KEYS}


def here(screen: str) -> Iterator[Key]:
    """Those that do something on a screen."""
    return (key for key in KEYS if not key.screens or screen in key.screens)


def shown(keys: str) -> str:
    """A key as it stands on the keyboard."""
    first = keys.partition(",")[0]
    names = {
        "slash": "/",
        "question_mark": "?",
        "comma": ",",
        "colon": ":",
        "escape": "esc",
        "pagedown": "pgdn",
        "pageup": "pgup",
    }
    return names.get(first, first.replace("ctrl+", "^"))


def remapped(wanted: Mapping[str, str]) -> dict[str, str]:
    """The keys of each id, with those that a config gives. Raises ConfigError."""
    keys = {key.id: key.keys for key in KEYS}
    for id, given in wanted.items():
        if id not in keys:
            raise ConfigError(f"[tui.keys]: there is nothing named '{id}'", f"known: {', '.join(keys)}")
        keys[id] = ",".join(_named(id, one) for one in given.split(","))
    _check_unique(keys)
    return keys


def _named(id: str, key: str) -> str:
    """A key as Textual names it: signs by their Unicode names, some by shorter ones. Raises ConfigError."""
    *held, last = key.strip().split("+") if len(key.strip()) > 1 else [key.strip()]
    if not last or not set(held) <= _HELD or not (len(last) == 1 or last.isidentifier()):
        raise ConfigError(f"[tui.keys]: {id} = '{key}' is no key", "as: f9, ctrl+r, R, slash, comma, space")
    if len(last) == 1 and not last.isalnum():
        name = unicodedata.name(last, last).lower().replace("-", "_").replace(" ", "_")
        last = _SHORTER.get(name, name)
    return "+".join((*held, last))


_HELD = {"ctrl", "shift", "alt", "super", "meta"}
_SHORTER = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}


def _check_unique(keys: Mapping[str, str]) -> None:
    taken: dict[str, list[Key]] = {}
    for id, given in keys.items():
        for one in given.split(","):
            for other in taken.setdefault(one, []):
                if _meet(other.screens, BY_ID[id].screens):
                    raise ConfigError(
                        f"[tui.keys]: '{one}' is both {other.id} and {id}", "give one another key"
                    )
            taken[one].append(BY_ID[id])


def _meet(one: Iterable[str], other: Iterable[str]) -> bool:
    return bool(set(one or SCREENS) & set(other or SCREENS))
