"""Bills as people ask for them: by episode, show, instance, day or month, and what of them was waste."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from pipeline.costs import hours, lines_of, rounded, shares_of
from pipeline.model import Bill, CostLine, Episode, Part
from pipeline.tariff import month_of

NOBODY = "nobody"  #: whose name costs have that no episode bears


class By(StrEnum):
    """What costs are added up for."""

    EPISODE = "episode"
    SHOW = "show"
    INSTANCE = "instance"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a report. `parts` add up to `usd`."""

    name: str
    title: str = ""
    episodes: int
    audio_s: float  #: of those episodes whose length is known
    usd: Decimal
    parts: dict[Part, Decimal] = field(default_factory=dict[Part, Decimal])

    @property
    def usd_per_audio_h(self) -> Decimal | None:
        """None where no audio is known of."""
        return rounded(self.usd / hours(self.audio_s)) if self.audio_s else None


@dataclass(kw_only=True)
class _Sum:
    """A row that grows."""

    title: str
    heard: set[str] = field(default_factory=set[str])
    parts: dict[Part, Decimal] = field(default_factory=lambda: dict.fromkeys(Part, Decimal(0)))


def rows_by(by: By, bills: Iterable[Bill], episodes: Mapping[str, Episode]) -> list[Row]:
    """A report's rows: days and months in their order, all else by what it cost, the most first."""
    sums: dict[str, _Sum] = {}
    for bill in bills:
        for (episode, part), usd in shares_of(bill).items():
            name, title = _name(by, bill, episode, episodes)
            row = sums.get(name) or sums.setdefault(name, _Sum(title=title))
            row.parts[part] += usd
            if episode is not None and episode in episodes:
                row.heard.add(episode)
    rows = [_row(name, row, episodes) for name, row in sums.items()]
    if by in (By.DAY, By.MONTH):
        return sorted(rows, key=lambda row: row.name)
    return sorted(rows, key=lambda row: (-row.usd, row.name))


def total(rows: Sequence[Row], bills: Iterable[Bill], episodes: Mapping[str, Episode]) -> Row:
    """All of it; an episode that is in several rows is counted once."""
    heard = {episode for bill in bills for episode in bill.work_s if episode in episodes}
    parts = {part: sum((row.parts[part] for row in rows), Decimal(0)) for part in Part}
    return _row("all", _Sum(title="", heard=heard, parts=parts), episodes)


def explained(episode_id: str, bills: Iterable[Bill]) -> list[CostLine]:
    """An episode's lines, in the order of its bills."""
    worked_on = (bill for bill in bills if episode_id in bill.work_s)
    return [line for bill in worked_on for line in lines_of(bill) if line.episode == episode_id]


def _row(name: str, row: _Sum, episodes: Mapping[str, Episode]) -> Row:
    return Row(
        name=name,
        title=row.title,
        episodes=len(row.heard),
        audio_s=math.fsum(episodes[id].duration_s or 0.0 for id in row.heard),
        usd=sum(row.parts.values(), Decimal(0)),
        parts=row.parts,
    )


def _name(by: By, bill: Bill, bearer: str | None, episodes: Mapping[str, Episode]) -> tuple[str, str]:
    """What a share of a bill is added to, and what people call that."""
    match by:
        case By.INSTANCE:
            return bill.id, " ".join(filter(None, (bill.type, bill.market, bill.zone)))
        case By.DAY:
            return datetime.fromtimestamp(bill.ended_at, UTC).strftime("%Y-%m-%d"), ""
        case By.MONTH:
            return month_of(bill.ended_at), ""
        case By.EPISODE | By.SHOW:
            episode = episodes.get(bearer or "")
            if episode is None:
                return bearer or NOBODY, "" if bearer else "instances that did no work"
            return (episode.id, episode.title) if by is By.EPISODE else (episode.feed, "")
