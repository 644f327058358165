"""How cells say things: short, and in ASCII."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.model import Episode, Review
from tui.values import clean

_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))
_BAR = 5


class Span(NamedTuple):
    """A time in its largest unit, rounded down."""

    text: str
    seconds: float  #: as the text has it: what reads alike sorts alike
    unit: float  #: after so many seconds it reads otherwise


def span(seconds: float) -> Span:
    """12s, 3m, 2h, 4d."""
    seconds = max(0.0, seconds)
    unit, name = next(((unit, name) for unit, name in _UNITS if seconds >= unit), _UNITS[-1])
    return Span(f"{seconds // unit:.0f}{name}", seconds // unit * unit, unit)


def length(seconds: float | None) -> str:
    """Of audio or work: 31s, 48m, 1h05m."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes = round(seconds / 60)
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def bar(share: float) -> str:
    """62% ===."""
    share = min(max(share, 0.0), 1.0)
    return f"{int(share * 100):3}% {'=' * round(share * _BAR)}"


def named(episode: Episode) -> str:
    """Show, number and title."""
    number = f"#{episode.number}" if episode.number is not None else ""
    return clean(f"{episode.feed}{number} {episode.title}")


def short(episode: Episode) -> str:
    """As commands take it."""
    return f"{episode.feed}#{episode.number}" if episode.number is not None else episode.id


def review_name(review: Review | None) -> str:
    """A pull request's number, else the branch's own name."""
    if review is None:
        return ""
    _, pull, number = review.url.rpartition("/pull/")
    return f"#{number}" if pull and number.isdecimal() else clean(review.branch.rpartition("/")[2])


def web(url: str | None) -> str:
    """What a browser may be given: a feed may name anything as its page."""
    return clean(url) if url and url.startswith(("https://", "http://")) else ""
