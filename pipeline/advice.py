"""What would have cost less, and what work on one's own machine would have cost on AWS: the episodes that
were worked on, played through once more under other terms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from pipeline.arrivals import Arrival
from pipeline.costs import Use, hours, item, rounded
from pipeline.loads import Load
from pipeline.model import Bill, Episode, Market, Part
from pipeline.offers import CPU_TYPE
from pipeline.options import Cost, Hired, Terms
from pipeline.planning import Question

_LATE_S = 86_400.0  #: whoever was queued later than so after its publication was not waited for
_LATELY = 1000  #: episodes that are played through once more: what was long before says no more about shares
_WORTH = Decimal("0.01")  #: a share that is worth telling
_HOURLY_S, _SHORT_LINGER_S = 3600.0, 20.0


@dataclass(frozen=True, kw_only=True)
class Advice:
    """A change, and what it would have saved of what instances cost."""

    change: str
    usd: Decimal
    share: Decimal
    later_s: float  #: by how much the median transcript had come later; less than 0: sooner


def worked(episodes: Iterable[Episode]) -> list[Episode]:
    """Those whose audio was heard to its end."""
    return [episode for episode in episodes if episode.duration_s and episode.worked_s]


def load_of(episodes: Iterable[Episode]) -> Load:
    """The last ones, as they appeared: when they were published, or else when somebody asked for them."""
    appeared = sorted(
        (Arrival(at=_appeared_at(episode), audio_s=episode.duration_s or 0.0) for episode in episodes),
        key=lambda each: each.at,
    )[-_LATELY:]
    first = appeared[0].at if appeared else 0.0
    moved = tuple(replace(each, at=each.at - first) for each in appeared)
    return Load(name="what was worked on", arrivals=moved, months=0.0)


def managed(question: Question, type: str, market: Market) -> Hired | None:
    """The option that a deployment is; None where it can't be priced."""
    return next((each for each in _managed(question) if (each.type, each.market) == (type, market)), None)


def advice(question: Question, now: Hired, paid: Decimal) -> list[Advice]:
    """What would have cost less than what was `paid` for instances, the most first."""
    load, terms = question.load, question.terms
    cost = now.cost(load, terms)
    changes: list[tuple[str, Cost]] = []
    for change, other in _other_terms(terms):
        same = managed(replace(question, terms=other), now.type, now.market) or now
        changes.append((change, same.cost(load, other)))
    changes += _best_others(question, now)
    found = [
        Advice(
            change=change,
            usd=rounded(paid * (1 - other.usd / cost.usd)),
            share=rounded(1 - other.usd / cost.usd),
            later_s=other.median_s - cost.median_s,
        )
        for change, other in changes
        if cost.usd
    ]
    return sorted((each for each in found if each.share >= _WORTH), key=lambda each: -each.share)


def imagined(option: Hired, cost: Cost, episodes: Sequence[Episode]) -> list[Bill]:
    """What episodes would have cost, a bill for each: start-up and idle time shared like the work."""
    waste = {
        part: float(cost.parts[part] / cost.parts[Part.WORK]) if cost.parts[Part.WORK] else 0.0
        for part in (Part.START_UP, Part.IDLE)
    }
    return [_imagined(option, episode, waste[Part.START_UP], waste[Part.IDLE]) for episode in episodes]


def _imagined(option: Hired, episode: Episode, start_up: float, idle: float) -> Bill:
    work_s = (episode.duration_s or 0.0) / option.machine.speed
    use = Use(work_s={episode.id: work_s}, start_up_s=work_s * start_up, idle_s=work_s * idle)
    paid_h = hours(use.billed_s)
    return Bill(
        id=f"imagined-{episode.id}",
        began_at=episode.queued_at,
        ended_at=episode.queued_at,
        items=tuple(item(what, units * paid_h, price) for what, (units, price) in option.hourly.items()),
        work_s=dict(use.work_s),
        start_up_s=use.start_up_s,
        idle_s=use.idle_s,
        type=option.type,
        market=option.market,
    )


def _appeared_at(episode: Episode) -> float:
    published = episode.published
    waited_for = published is not None and 0 <= episode.queued_at - published < _LATE_S
    return published if published is not None and waited_for else episode.queued_at


def _managed(question: Question) -> Iterator[Hired]:
    found, _ = question.options()
    return (each for each in found if isinstance(each, Hired) and each.managed)


def _best_others(question: Question, now: Hired) -> Iterator[tuple[str, Cost]]:
    """In each market the cheapest with a GPU: workers are deployed with one."""
    load, terms = question.load, question.terms
    others = [
        (each, each.cost(load, terms)) for each in _managed(question) if each != now and each.type != CPU_TYPE
    ]
    for market in Market:
        on_it = [other for other in others if other[0].market is market]
        if on_it:
            option, cost = min(on_it, key=lambda other: other[1].usd)
            yield _other(option, now), cost


def _other(option: Hired, now: Hired) -> str:
    return f"{option.type} {option.market} instead of {now.type} {now.market}"


def _other_terms(terms: Terms) -> Iterator[tuple[str, Terms]]:
    """What the config could say instead."""
    if terms.poll_s < _HOURLY_S:
        was = f"{terms.poll_s / 60:g}"
        yield f"poll_min = 60 instead of {was}: several episodes a start", replace(terms, poll_s=_HOURLY_S)
    if terms.dispatch.linger_s > _SHORT_LINGER_S:
        short = replace(terms.dispatch, linger_s=_SHORT_LINGER_S)
        change = f"linger_s = {_SHORT_LINGER_S:g} instead of {terms.dispatch.linger_s:g}"
        yield change, replace(terms, dispatch=short)
    if terms.idle_more_s:
        yield f"scale_in_after_s = 0 instead of {terms.idle_more_s:g}", replace(terms, idle_more_s=0.0)
