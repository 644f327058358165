"""What there is to transcribe, told of shows or made up, as `plan` takes it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import median
from typing import Protocol

from pipeline import arrivals
from pipeline.arrivals import Arrival
from pipeline.errors import ConfigError

MONTH_S = 365.25 / 12 * 86_400
_PODCASTS_BEGAN = 946_684_800.0  #: 2000; an item that claims an earlier date has none
_TYPICAL_S = 3600.0  #: of audio, where a show tells no length at all, as in `scaling`
_MOST = 3000  #: episodes of a load that is made up: its months are alike
_ENOUGH, _PLENTY = 100, 300  #: episodes from which a figure is steady, and of which more change nothing


class Told(Protocol):
    """An item of a feed, or an episode."""

    @property
    def published(self) -> float | None: ...
    @property
    def duration_s(self) -> float | None: ...


@dataclass(frozen=True, kw_only=True)
class Load:
    """Episodes, in the order in which they appear, and in how many months; 0: all of them at once."""

    name: str
    arrivals: tuple[Arrival, ...]
    months: float
    notes: tuple[str, ...] = ()

    @property
    def audio_s(self) -> float:
        return math.fsum(each.audio_s for each in self.arrivals)

    @property
    def a_month(self) -> float:
        """Episodes; of a catalogue none."""
        return len(self.arrivals) / self.months if self.months else 0.0


def of_shows(shows: Mapping[str, Sequence[Told]]) -> Load:
    """What shows published until now, together. Raises ConfigError where no episode has a date."""
    notes: list[str] = []
    dated: list[Arrival] = []
    for name, items in shows.items():
        usable = [item for item in items if (item.published or 0.0) >= _PODCASTS_BEGAN]
        if len(usable) < len(items):
            notes.append(f"{name}: {len(items) - len(usable)} of {len(items)} items have no date: left out")
        dated += _lengths_filled(name, usable, notes)
    if not dated:
        raise ConfigError(
            f"{', '.join(shows)}: no episode with audio and a date", "make one up: --episodes 4 --minutes 60"
        )
    dated.sort(key=lambda each: each.at)
    first = dated[0].at
    return Load(
        name=", ".join(shows),
        arrivals=tuple(replace(each, at=each.at - first) for each in dated),
        months=_months([each.at for each in dated]),
        notes=tuple(notes),
    )


def regular(a_month: int, minutes: float) -> Load:
    """A year of episodes, one like the other and evenly spaced; fewer months of very many."""
    count = min(12 * a_month, _MOST)
    gap_s = MONTH_S / a_month
    return Load(
        name=f"{a_month} episodes a month, {minutes:g} minutes each, evenly spaced",
        arrivals=tuple(Arrival(at=number * gap_s, audio_s=minutes * 60) for number in range(count)),
        months=count / a_month,
    )


def drawn(a_month: int, minutes: float, seed: int) -> Load:
    """The same, as chance has it: days, hours and lengths as of a network of shows."""
    count = min(12 * a_month, _MOST)
    days = max(1, round(count / a_month * MONTH_S / 86_400))
    found = arrivals.network(Random(seed), count, days)
    return Load(
        name=f"{a_month} episodes a month, {minutes:g} minutes on average, drawn with seed {seed}",
        arrivals=_with_audio(found, count * minutes * 60),
        months=days * 86_400 / MONTH_S,
    )


def catalogue(episodes: int, hours: float) -> Load:
    """A back catalogue: all there at the beginning, of lengths that differ as those of shows do."""
    return Load(
        name=f"a catalogue of {episodes} episodes, {hours:g} hours",
        arrivals=_with_audio(arrivals.catalogue(Random(0), episodes), hours * 3600),
        months=0.0,
    )


def at_rate(load: Load, a_month: float) -> Load:
    """The same show at another pace: its episodes over and over, closer together or further apart.

    Of very many, each second, third… stands for all.
    """
    picked = load.arrivals[:: math.ceil(len(load.arrivals) / _PLENTY)]
    rounds = math.ceil(_ENOUGH / len(picked))
    many, span_s = rounds * len(picked), load.months * MONTH_S
    pace = many / a_month * MONTH_S / (rounds * span_s)
    return replace(
        load,
        arrivals=tuple(
            replace(each, at=pace * (turn * span_s + each.at)) for turn in range(rounds) for each in picked
        ),
        months=many / a_month,
    )


def thinned(load: Load) -> Load:
    """No more episodes than are needed, at the same pace."""
    if load.months:
        return at_rate(load, load.a_month) if len(load.arrivals) > _PLENTY else load
    return replace(load, arrivals=load.arrivals[:: math.ceil(len(load.arrivals) / _MOST)])


def longer(load: Load, factor: float) -> Load:
    """The same with episodes that are so many times as long."""
    stretched = (replace(each, audio_s=each.audio_s * factor) for each in load.arrivals)
    return replace(load, arrivals=tuple(stretched))


def _lengths_filled(name: str, items: Sequence[Told], notes: list[str]) -> Iterable[Arrival]:
    known = [item.duration_s for item in items if item.duration_s]
    typical = median(known) if known else _TYPICAL_S
    if len(known) < len(items):
        whose = "the show's median" if known else "as nothing is known of the show"
        notes.append(
            f"{name}: {len(items) - len(known)} of {len(items)} episodes tell no length: "
            f"{typical / 60:.0f} minutes, {whose}"
        )
    return [Arrival(at=item.published or 0.0, audio_s=item.duration_s or typical) for item in items]


def _months(times: Sequence[float]) -> float:
    """From the first to the last, and one gap more, so that 52 weekly episodes are 52 weeks; a single one,
    or several at one moment, are a month's."""
    gaps = len(times) - 1
    lasted_s = times[-1] - times[0]
    return lasted_s / gaps * len(times) / MONTH_S if gaps and lasted_s else 1.0


def _with_audio(found: Sequence[Arrival], audio_s: float) -> tuple[Arrival, ...]:
    """With lengths scaled, so that they come to so much."""
    factor = audio_s / math.fsum(each.audio_s for each in found)
    return tuple(replace(each, audio_s=each.audio_s * factor) for each in found)
