"""What was paid, and who shares it: pure functions on what was seen of instances, workers and prices.

An instance is paid for from its launch to its end, by the second, a minute at least. Each second of it
is one of three: an episode was worked on; a worker was starting; or neither. Where several episodes were
worked on at once, they share the second. Start-up and idle time are shared like the work: an episode
that took twice as long bears twice as much of them. docs/costs.md has worked examples.

Amounts are decimal, in billionths of a US dollar, as AWS rounds hours in its own bills no finer. What is
shared out adds up to the amount to the last digit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from pipeline.model import Bill, BillItem, CostLine, Instance, Part, Price, Stint, Task

NANO = Decimal("1e-9")
LEAST_BILLED_S = 60.0  #: of an instance, however short its life: Amazon's pricing page of ECS
_MONTH_S = 30 * 86_400  #: by which AWS's examples divide what is priced by the month
_HOUR_S = 3600


@dataclass(frozen=True, kw_only=True)
class Use:
    """What an instance's paid seconds went into; they add up to what is billed."""

    work_s: Mapping[str, float]  #: by episodes' ids
    start_up_s: float
    idle_s: float

    @property
    def billed_s(self) -> float:
        return sum(self.work_s.values()) + self.start_up_s + self.idle_s


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A price of an instance's hour, and the share of its paid time that has it."""

    price: Price
    share: Decimal = Decimal(1)


def item(what: str, quantity: Decimal | float, price: Price) -> BillItem:
    """A priced quantity; amount and quantity are rounded to a billionth, each by itself."""
    exact = Decimal(quantity)
    return BillItem(what=what, quantity=rounded(exact), price=price, usd=rounded(exact * price.usd))


def hours(seconds: float) -> Decimal:
    """Seconds as hours."""
    return Decimal(seconds) / _HOUR_S


def months(seconds: float) -> Decimal:
    """Seconds as months of thirty days."""
    return Decimal(seconds) / _MONTH_S


def use_of(instance: Instance, tasks: Sequence[Task], stints: Sequence[Stint]) -> Use:
    """How an instance that ended was used, by the tasks on it and what these did.

    Whatever clocks say, nothing counts before its launch or after its end.
    """
    begin = instance.launched_at or 0.0
    end = max(begin, instance.ended_at or 0.0)
    spans: list[tuple[float, float, str | None]] = [
        *((stint.began_at, stint.ended_at, stint.episode) for stint in stints),
        *((task.asked_at, _started(task, stints, end), None) for task in tasks),
    ]
    work_s: dict[str, float] = defaultdict(float)
    start_up_s = idle_s = 0.0
    for lasts_s, at_once in _stretches(begin, end, spans):
        episodes = [who for who in at_once.elements() if who is not None]
        for episode in episodes:
            work_s[episode] += lasts_s / len(episodes)
        if not episodes and at_once[None]:
            start_up_s += lasts_s
        elif not episodes:
            idle_s += lasts_s
    return Use(
        work_s=dict(work_s),
        start_up_s=start_up_s,
        idle_s=idle_s + max(0.0, LEAST_BILLED_S - (end - begin)),
    )


def bill_of(instance: Instance, use: Use, items: Iterable[BillItem]) -> Bill:
    """An instance's bill."""
    return Bill(
        id=instance.id,
        began_at=instance.launched_at or 0.0,
        ended_at=instance.ended_at or 0.0,
        items=tuple(items),
        work_s=dict(use.work_s),
        start_up_s=use.start_up_s,
        idle_s=use.idle_s,
        type=instance.type,
        zone=instance.zone,
        market=instance.market,
    )


def lessened(price: Price, discount: Decimal, covered: Decimal) -> tuple[Rate, ...]:
    """What a savings plan or reservation, which covers a share of the time, leaves of an on-demand price."""
    if not discount or not covered:
        return (Rate(price=price),)
    source = f"{price.source}, less {discount:.0%} by a savings plan or reservation"
    less = Rate(price=replace(price, usd=price.usd * (1 - discount), source=source), share=covered)
    return (less, Rate(price=price, share=1 - covered)) if covered < 1 else (less,)


def lines_of(bill: Bill) -> list[CostLine]:
    """Every episode's lines of a bill; if nobody worked, they are nobody's."""
    cells = _cells(bill)
    weights = [weight for _, _, weight in cells]
    return [
        CostLine(
            bill=bill.id,
            episode=episode,
            what=each.what,
            part=part,
            quantity=quantity,
            price=each.price,
            usd=usd,
        )
        for each in bill.items
        for (episode, part, _), usd, quantity in zip(
            cells, split(each.usd, weights), split(each.quantity, weights), strict=True
        )
    ]


def charges(bill: Bill) -> dict[str, Decimal]:
    """What each episode has to bear of a bill."""
    found: dict[str, Decimal] = {}
    for (episode, _), usd in shares_of(bill).items():
        if episode is not None:
            found[episode] = found.get(episode, Decimal(0)) + usd
    return found


def shares_of(bill: Bill) -> dict[tuple[str | None, Part], Decimal]:
    """What each episode, or nobody, bears for each part: the sums of `lines_of`."""
    cells = _cells(bill)
    weights = [weight for _, _, weight in cells]
    columns = [split(each.usd, weights) for each in bill.items]
    return {
        (episode, part): sum((column[row] for column in columns), Decimal(0))
        for row, (episode, part, _) in enumerate(cells)
    }


def split(whole: Decimal, weights: Sequence[float]) -> list[Decimal]:
    """Shares of an amount of so many billionths, which add up to it exactly.

    What can't be divided goes to those whose shares were cut most, the first of equal ones. Where all
    weights are zero, the first has everything.
    """
    exact = [round(weight * 1_000_000) for weight in weights]
    total = sum(exact)
    if not total:
        exact, total = [1] + [0] * (len(weights) - 1), 1
    units = int(whole / NANO)
    shares = [units * weight // total for weight in exact]
    rests = sorted(range(len(exact)), key=lambda n: (-(units * exact[n] % total), n))
    for number in rests[: units - sum(shares)]:
        shares[number] += 1
    return [share * NANO for share in shares]


def so_far(instance: Instance, an_hour: Decimal, now: float) -> Decimal:
    """What an instance that runs has cost already, if an hour costs so much."""
    lived_s = (instance.ended_at or now) - (instance.launched_at or now)
    return rounded(hours(max(LEAST_BILLED_S, lived_s)) * an_hour)


def spot_hours(launched_at: float, ended_at: float) -> list[tuple[float, float]]:
    """When a spot instance's hours begin, and how many seconds are paid of each.

    Each is paid at the price that is in effect when it begins: EC2's user guide on spot instances.
    """
    end = max(ended_at, launched_at + LEAST_BILLED_S)
    count = max(1, -int(-(end - launched_at) // _HOUR_S))
    begins = [launched_at + number * _HOUR_S for number in range(count)]
    return [(begin, min(end, begin + _HOUR_S) - begin) for begin in begins]


def _cells(bill: Bill) -> list[tuple[str | None, Part, float]]:
    """Who bears what for what, by weights."""
    if not bill.type:
        each = [(episode, Part.STANDING, work_s) for episode, work_s in bill.work_s.items() if work_s > 0]
        return [*each] or [(None, Part.STANDING, 1.0)]
    worked_s = sum(bill.work_s.values())
    waste = ((Part.START_UP, bill.start_up_s), (Part.IDLE, bill.idle_s))
    if not worked_s:
        return [(None, part, seconds) for part, seconds in waste if seconds > 0] or [(None, Part.IDLE, 1.0)]
    return [
        (episode, part, seconds * work_s / worked_s)
        for episode, work_s in bill.work_s.items()
        for part, seconds in ((Part.WORK, worked_s), *waste)
        if work_s > 0 and seconds > 0
    ]


def _started(task: Task, stints: Iterable[Stint], end: float) -> float:
    """When a task's start-up was over: its program ran, or it ended before."""
    began = [stint.began_at for stint in stints if stint.worker == task.id]
    return task.started_at or min([*began, task.stopped_at or end])


def _stretches(
    begin: float, end: float, spans: Iterable[tuple[float, float, str | None]]
) -> Iterator[tuple[float, Counter[str | None]]]:
    """From begin to end, stretches in which the same goes on, and what that is."""
    edges = [
        (_within(time, begin, end), step, who)
        for since, until, who in spans
        for time, step in ((since, 1), (until, -1))
    ]
    going_on: Counter[str | None] = Counter()
    before = begin
    for time, step, who in sorted([*edges, (end, 0, None)], key=lambda edge: edge[0]):
        if time > before:
            yield time - before, going_on
            before = time
        going_on[who] += step
        if not going_on[who]:
            del going_on[who]


def rounded(exact: Decimal) -> Decimal:
    """To the billionth."""
    return exact.quantize(NANO, ROUND_HALF_EVEN)


def _within(time: float, begin: float, end: float) -> float:
    return min(max(time, begin), end)
