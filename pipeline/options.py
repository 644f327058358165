"""The ways to have episodes transcribed, and what each costs for a load: instances that are hired by the
second, a batch job for each episode, services by the hour of audio, a machine of one's own.

Those that are hired are played through with the product's own dispatch (`simulation`).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from random import Random
from statistics import median
from typing import Protocol

from pipeline.arrivals import Arrival
from pipeline.config import Aws, Savings
from pipeline.costs import hours, rounded
from pipeline.imagined import Machine, Setting, percentile_95
from pipeline.loads import MONTH_S, Load
from pipeline.model import BillItem, Market, Part, Price
from pipeline.scaling import Policy
from pipeline.simulation import Dispatch, simulate
from pipeline.tariff import ServicePrice, hourly_items, standing_items

_OLDEST_S = 14 * 86_400.0  #: ECS drains a managed instance from its 14th day on, so none idles for longer


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How the deployment runs: what is the same for every option that it has a say in."""

    region: str
    dispatch: Dispatch
    poll_s: float
    idle_more_s: float  #: that an idle instance is kept, beside what it takes to shut down
    hourly: tuple[BillItem, ...]  #: what an instance has beside itself
    standing_usd: Decimal  #: a month, whether there is work or not
    savings: Savings


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What an option comes to for a load, in US$, and how long people wait from publication."""

    parts: Mapping[Part, Decimal]
    median_s: float
    p95_s: float
    billed_s: float = 0.0  #: of instances
    finished_at: float = 0.0  #: of those that are hired: when the last episode was done

    @property
    def usd(self) -> Decimal:
        return sum(self.parts.values(), Decimal(0))

    def share(self, part: Part) -> float:
        """Of the whole; 0 where it costs nothing."""
        return float(self.parts.get(part, Decimal(0)) / self.usd) if self.usd else 0.0


class Option(Protocol):
    """One way to have it done."""

    @property
    def name(self) -> str: ...
    @property
    def assumed(self) -> tuple[str, ...]:
        """The assumptions that it rests on, by their keys."""
        ...

    @property
    def prices(self) -> Mapping[str, Price]: ...
    @property
    def includes(self) -> str: ...

    def cost(self, load: Load, terms: Terms) -> Cost: ...


@dataclass(frozen=True, kw_only=True)
class Hired:
    """Instances, or Fargate tasks, that dispatch starts and that end by themselves."""

    name: str
    type: str
    market: Market
    machine: Machine
    hourly: Mapping[str, tuple[Decimal, Price]]  #: how many units of each price an hour takes
    includes: str
    assumed: tuple[str, ...]

    @property
    def prices(self) -> Mapping[str, Price]:
        return {what: price for what, (_, price) in self.hourly.items()}

    @property
    def managed(self) -> bool:
        """Whether the product can run on it today."""
        return "fee" in self.hourly

    @property
    def usd_h(self) -> Decimal:
        return sum((units * price.usd for units, price in self.hourly.values()), Decimal(0))

    def cost(self, load: Load, terms: Terms) -> Cost:
        played = _played(load.arrivals, self.machine, terms.dispatch, terms.poll_s)
        parts = {
            Part.WORK: played.work_s,
            Part.START_UP: played.start_up_s,
            Part.IDLE: played.idle_s,
        }
        usd = {part: rounded(hours(seconds) * self.usd_h) for part, seconds in parts.items()}
        standing = rounded(terms.standing_usd * Decimal(load.months))
        return Cost(
            parts={**usd, Part.STANDING: standing},
            median_s=played.median_s,
            p95_s=played.p95_s,
            billed_s=played.work_s + played.start_up_s + played.idle_s,
            finished_at=played.finished_at,
        )


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A job for each episode, as many at once as there are."""

    name: str
    price: Price  #: of an hour
    overhead_s: float
    speed: float
    assumed: tuple[str, ...]
    includes: str = "all of the job's time; no storage"

    @property
    def prices(self) -> Mapping[str, Price]:
        return {"instance": self.price}

    def cost(self, load: Load, terms: Terms) -> Cost:
        work_s, start_s = load.audio_s / self.speed, self.overhead_s * len(load.arrivals)
        waits = _waits(load, terms, lambda each: self.overhead_s + each.audio_s / self.speed)
        parts = {
            Part.WORK: rounded(hours(work_s) * self.price.usd),
            Part.START_UP: rounded(hours(start_s) * self.price.usd),
        }
        return Cost(
            parts=parts, median_s=median(waits), p95_s=percentile_95(waits), billed_s=work_s + start_s
        )


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """A service that is paid by the hour of audio."""

    name: str
    price: Price
    speed: float
    assumed: tuple[str, ...]
    includes: str = "the service alone, and nobody who polls and opens reviews"

    @property
    def prices(self) -> Mapping[str, Price]:
        return {"audio": self.price}

    def cost(self, load: Load, terms: Terms) -> Cost:
        waits = _waits(load, terms, lambda each: each.audio_s / self.speed)
        parts = {Part.WORK: rounded(hours(load.audio_s) * self.price.usd)}
        return Cost(parts=parts, median_s=median(waits), p95_s=percentile_95(waits))


@dataclass(frozen=True, kw_only=True)
class Own:
    """A machine that is bought and always on; several where one can't keep up. One episode at a time."""

    name: str
    usd: Decimal
    years: Decimal
    watts: Decimal
    idle_watts: Decimal
    kwh_usd: Decimal
    speed: float
    assumed: tuple[str, ...]
    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])

    @property
    def includes(self) -> str:
        return "price over its years (for a catalogue all of it), electricity; nobody's time"

    def cost(self, load: Load, terms: Terms) -> Cost:
        work_s = load.audio_s / self.speed
        machines = max(1, math.ceil(work_s / (load.months * MONTH_S))) if load.months else 1
        waits = _in_turn(load, _setting(terms.poll_s), machines, self.speed)
        on_s = max(work_s, machines * load.months * MONTH_S)
        share = Decimal(load.months) / (12 * self.years) if load.months else Decimal(1)
        parts = {
            Part.WORK: rounded(self._power(self.watts, work_s)),
            Part.IDLE: rounded(self._power(self.idle_watts, on_s - work_s)),
            Part.STANDING: rounded(machines * share * self.usd),
        }
        return Cost(parts=parts, median_s=median(waits), p95_s=percentile_95(waits))

    def _power(self, watts: Decimal, seconds: float) -> Decimal:
        return watts / 1000 * hours(seconds) * self.kwh_usd


def terms_of(aws: Aws, service: ServicePrice) -> Terms:
    """As the config has it."""
    policy = Policy(
        markets=(Market.ON_DEMAND,),  # there is always an instance, so that both markets play the same
        max_workers=aws.max_workers,
        drain_s=aws.drain_min * 60.0,
        patience_s=aws.patience_s,
    )
    standing = standing_items(aws, 0.0, MONTH_S, service)
    return Terms(
        region=aws.region,
        dispatch=Dispatch(policy=policy, linger_s=aws.linger_s),
        poll_s=aws.poll_min * 60.0,
        idle_more_s=aws.scale_in_after_s if aws.scale_in_after_s >= 0 else _OLDEST_S,
        hourly=tuple(hourly_items(3600.0, aws, service)),
        standing_usd=sum((each.usd for each in standing), Decimal(0)),
        savings=aws.savings,
    )


@dataclass(frozen=True, kw_only=True)
class _Played:
    """What there is to know of a simulation, in seconds."""

    work_s: float
    start_up_s: float
    idle_s: float
    median_s: float
    p95_s: float
    finished_at: float


@lru_cache(maxsize=512)
def _played(arrivals: tuple[Arrival, ...], machine: Machine, dispatch: Dispatch, poll_s: float) -> _Played:
    """Kept, since neither a market nor a price changes it."""
    setting = replace(_setting(poll_s), machine=machine)
    outcome = simulate(arrivals, dispatch, Random(0), setting)
    return _Played(
        work_s=outcome.busy_s,
        start_up_s=outcome.start_up_s,
        idle_s=outcome.idle_s,
        median_s=outcome.median_s,
        p95_s=outcome.p95_s,
        finished_at=outcome.finished_at,
    )


def _setting(poll_s: float) -> Setting:
    """Polls come half a turn late, so that who publishes on the hour waits as long as others."""
    return Setting(poll_s=poll_s, first_poll_at=poll_s / 2, horizon_s=math.inf)


def _waits(load: Load, terms: Terms, takes_s: Callable[[Arrival], float]) -> list[float]:
    """From publication to transcript, where nobody waits for another."""
    found_at = _setting(terms.poll_s).found_at
    return [found_at(each.at) - each.at + takes_s(each) for each in load.arrivals]


def _in_turn(load: Load, setting: Setting, machines: int, speed: float) -> list[float]:
    """From publication to transcript, where each machine takes one episode after the other."""
    free = [0.0] * machines
    waits: list[float] = []
    for each in load.arrivals:
        done = max(setting.found_at(each.at), free[0]) + each.audio_s / speed
        heapq.heapreplace(free, done)
        waits.append(done - each.at)
    return waits
