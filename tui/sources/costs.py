"""What it cost, added up for whatever people choose; on a machine of one's own, what it would have cost."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.model import Episode, Part
from pipeline.reporting import By, Row, rows_by, total
from tui.ports import Engine
from tui.sources.reading import Reading, everything
from tui.sources.said import length
from tui.values import Column, Line, Tone, clean

if TYPE_CHECKING:
    from pipeline.accounts import Kept
    from pipeline.budget import Spending

_DAYS = 60  #: of the trend


def columns(by: By) -> tuple[Column, ...]:
    """The first names what it is added up for."""
    return (
        Column(key=by.value, title=by.value.upper(), width=20, grows=True),
        Column(key="episodes", title="EPS", width=6, right=True, drop=3),
        Column(key="audio", title="AUDIO", width=8, right=True, drop=2),
        Column(key="cost", title="$", width=9, right=True),
        *(Column(key=part.value, title=part.value.upper(), width=9, right=True, drop=5) for part in Part),
        Column(key="waste", title="WASTE", width=6, right=True, drop=4),
        Column(key="hour", title="$/AUDIO-H", width=9, right=True, drop=1),
    )


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What one reading of the ledger found; `key` is another where bills are others."""

    key: object
    kept: Kept
    episodes: Mapping[str, Episode]


class CostsSource(Reading):
    """Bills are read at each interval; between these it only adds up anew, for another `by`."""

    name = "costs"
    every_s: ClassVar[tuple[float, float]] = (30.0, 300.0)

    def __init__(self, at: Engine) -> None:
        super().__init__(at)
        self.by = By.MONTH
        self.columns = columns(self.by)
        self._found: _Found | None = None
        self._spending: Spending | None = None
        self._read_at = -math.inf
        self._added: dict[By, list[Row]] = {}

    def look(self, now: float) -> tuple[Sequence[Line], Mapping[str, Any]]:
        """Rows, and the whole: by parts, the month's budget, a trend by day, what is not billed yet."""
        by = self.by  # it may be changed meanwhile
        found, spending = self._up_to_date(), self._spending
        whole = total(self._rows(found, By.MONTH), found.kept.bills, found.episodes)
        return [_line(row, by) for row in self._rows(found, by)], {
            "by": by.value,
            "columns": columns(by),
            "usd": whole.usd,
            "parts": {part.value: usd for part, usd in whole.parts.items()},
            "episodes": whole.episodes,
            "usd_per_audio_h": whole.usd_per_audio_h,
            "days": tuple((row.name, row.usd) for row in self._rows(found, By.DAY)[-_DAYS:]),
            "imagined_on": found.kept.imagined_on,
            "standing_usd": found.kept.standing_usd,
            "month": spending.month if spending else None,
            "month_usd": spending.so_far_usd if spending else None,
            "unbilled_usd": spending.running_usd if spending else None,
            "budget_usd": spending.limit_usd or None if spending else None,
        }

    def _up_to_date(self) -> _Found:
        """What was found before, where it is young, or its bills are the same."""
        if self._found and time.monotonic() - self._read_at < self.interval_s:
            return self._found
        found = (self._paid if self.at.books else self._imagined)(self._found)
        if found is not self._found:
            self._found, self._added = found, {}
        self._spending = self.at.spending()
        self._read_at = time.monotonic()
        return found

    def _paid(self, before: _Found | None) -> _Found:
        from pipeline.accounts import Kept

        bills = self.at.ledger.bills()
        key = [bill.id for bill in bills]
        if before and before.key == key:
            return before
        ids = {episode for bill in bills for episode in bill.work_s}
        episodes = {each.id: each for each in self.at.ledger.several(sorted(ids))}
        return _Found(key=key, kept=Kept(bills=bills), episodes=episodes)

    def _imagined(self, before: _Found | None) -> _Found:
        from pipeline.accounts import would_be
        from pipeline.advice import worked

        episodes = worked(everything(self.at.ledger))
        key = len(episodes), max((each.updated_at for each in episodes), default=0.0)
        if before and before.key == key:
            return before
        kept = would_be(self.at.config, self.at.prices, episodes)
        return _Found(key=key, kept=kept, episodes={each.id: each for each in episodes})

    def _rows(self, found: _Found, by: By) -> list[Row]:
        if by not in self._added:
            self._added[by] = rows_by(by, found.kept.bills, found.episodes)
        return self._added[by]


def _line(row: Row, by: By) -> Line:
    name = clean(row.title if by is By.EPISODE and row.title else f"{row.name} {row.title}".rstrip())
    instances = sum((row.parts[part] for part in Part if part is not Part.STANDING), Decimal(0))
    waste = row.parts[Part.START_UP] + row.parts[Part.IDLE]
    share = float(waste / instances) if instances else None
    hour = row.usd_per_audio_h
    parts = [row.parts[part] for part in Part]
    return Line(
        id=row.name,
        cells=(
            *(name, f"{row.episodes:,}", length(row.audio_s or None), f"{row.usd:.3f}"),
            *(f"{usd:.3f}" for usd in parts),
            *("" if share is None else f"{share:.0%}", "" if hour is None else f"{hour:.3f}"),
        ),
        values=(
            *(row.name if by in (By.DAY, By.MONTH) else name, float(row.episodes), row.audio_s),
            *map(float, (row.usd, *parts)),
            *(share and 100 * share, None if hour is None else float(hour)),
        ),
        tone=Tone.WARN if share is not None and share > 0.5 else Tone.PLAIN,
        why=f"start-up US$ {row.parts[Part.START_UP]:.4f}, idle US$ {row.parts[Part.IDLE]:.4f}:"
        f" {share:.0%} of what its instances cost"
        if share is not None
        else "",
        episode=row.name if by is By.EPISODE and row.title else "",
    )
