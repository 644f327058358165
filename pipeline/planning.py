"""What the options come to beside one another: from how many episodes on one beats another, when the fee for
managed instances matters, and which assumption the answer hangs on most. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from pipeline.assumptions import Assumptions
from pipeline.costs import hours, rounded
from pipeline.loads import Load, at_rate
from pipeline.model import Bill
from pipeline.offers import Offer, Unknown, options, vcpus
from pipeline.options import Cost, Hired, Option, Terms
from pipeline.tariff import ServicePrice

GRID = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
"""Episodes a month at which options are set beside one another."""

CREWS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, kw_only=True)
class Question:
    """All that an answer follows from."""

    load: Load
    table: Assumptions
    offers: Sequence[Offer]
    service: ServicePrice
    terms: Terms

    def options(self) -> tuple[list[Option], list[Unknown]]:
        return options(self.table, self.offers, self.service, self.terms)


@dataclass(frozen=True, kw_only=True)
class Row:
    """An option, and what it comes to for a load."""

    option: Option
    cost: Cost
    load: Load

    @property
    def per_episode(self) -> Decimal:
        return rounded(self.cost.usd / len(self.load.arrivals))

    @property
    def per_audio_hour(self) -> Decimal:
        return rounded(self.cost.usd / hours(self.load.audio_s))

    @property
    def per_month(self) -> Decimal | None:
        """None of a catalogue."""
        return rounded(self.cost.usd / Decimal(self.load.months)) if self.load.months else None


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """Where `option` is cheaper than `other`, in episodes a month; None: from the first, or for good."""

    option: str
    other: str
    cheaper: tuple[tuple[float | None, float | None], ...]


@dataclass(frozen=True, kw_only=True)
class Crew:
    """A catalogue, done by so many workers at once."""

    workers: int
    done_s: float
    usd: Mapping[str, Decimal]  #: by the options' names
    vcpus: int | None  #: of quota: one instance more, as one that ends still counts


def speeds(bills: Iterable[Bill], lengths: Mapping[str, float]) -> dict[str, float]:
    """Seconds of audio a second, by instance type, as measured of episodes of these lengths.

    Where an episode was worked on twice, its length is shared by the time.
    """
    work = [(bill.type, *each) for bill in bills if bill.type for each in bill.work_s.items()]
    whole_s: dict[str, float] = defaultdict(float)
    for _, episode, work_s in work:
        whole_s[episode] += work_s
    audio_s: dict[str, float] = defaultdict(float)
    worked_s: dict[str, float] = defaultdict(float)
    for type, episode, work_s in work:
        if episode in lengths and work_s:
            audio_s[type] += lengths[episode] * work_s / whole_s[episode]
            worked_s[type] += work_s
    return {type: audio_s[type] / seconds for type, seconds in worked_s.items()}


def compare(question: Question, found: Iterable[Option]) -> list[Row]:
    """The cheapest first."""
    rows = [
        Row(option=option, cost=option.cost(question.load, question.terms), load=question.load)
        for option in found
    ]
    return sorted(rows, key=lambda row: row.cost.usd)


def reference(rows: Iterable[Row]) -> Row | None:
    """The cheapest that the product runs on; the others are set beside it."""
    return next((row for row in rows if isinstance(row.option, Hired) and row.option.managed), None)


def beside(rows: Iterable[Row]) -> list[Row]:
    """Those that the reference is compared with: all that is not instances of the product's own, and the
    cheapest of the instances that somebody else would start."""
    others = [row for row in rows if not (isinstance(row.option, Hired) and row.option.managed)]
    hired = [row for row in others if isinstance(row.option, Hired)]
    return [row for row in others if row not in hired[1:]]


def curve(option: Option, load: Load, terms: Terms) -> tuple[tuple[float, Decimal], ...]:
    """Episodes a month, and US$ a month, over `GRID`."""
    points: list[tuple[float, Decimal]] = []
    for a_month in GRID:
        paced = at_rate(load, a_month)
        points.append((a_month, rounded(option.cost(paced, terms).usd / Decimal(paced.months))))
    return tuple(points)


def break_even(option: str, other: str, curves: Mapping[str, Sequence[tuple[float, Decimal]]]) -> BreakEven:
    """Between two points, curves are taken to be straight: what is fixed, and what each episode adds."""
    gaps = [
        (at, float(theirs - ours))
        for (at, ours), (_, theirs) in zip(curves[option], curves[other], strict=True)
    ]
    cheaper: list[tuple[float | None, float | None]] = []
    begin: float | None = None
    inside = gaps[0][1] > 0
    for before, after in pairwise(gaps):
        if (after[1] > 0) == inside:
            continue
        at = _zero(before, after)
        if inside:
            cheaper.append((begin, at))
        begin, inside = at, not inside
    if inside:
        cheaper.append((begin, None))
    return BreakEven(option=option, other=other, cheaper=tuple(cheaper))


def crews(question: Question, rows: Sequence[Row]) -> list[Crew]:
    """Of the cheapest managed instance type, in both markets."""
    managed = [row.option for row in rows if isinstance(row.option, Hired) and row.option.managed]
    same = [option for option in managed if option.type == managed[0].type]
    found: list[Crew] = []
    for workers in CREWS:
        if not same or workers > len(question.load.arrivals):
            break
        costs = {option.name: option.cost(question.load, _with(question.terms, workers)) for option in same}
        size = vcpus(same[0].type)
        found.append(
            Crew(
                workers=workers,
                done_s=costs[same[0].name].finished_at,
                usd={name: cost.usd for name, cost in costs.items()},
                vcpus=size * (workers + 1) if size else None,
            )
        )
    return found


def _zero(before: tuple[float, float], after: tuple[float, float]) -> float:
    share = before[1] / (before[1] - after[1])
    return before[0] + share * (after[0] - before[0])


def _with(terms: Terms, workers: int) -> Terms:
    policy = replace(terms.dispatch.policy, max_workers=workers)
    return replace(terms, dispatch=replace(terms.dispatch, policy=policy))
