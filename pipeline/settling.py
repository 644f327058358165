"""From what was seen of instances to bills: one for each that ended, and one for each month that is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pipeline.budget import Spending
from pipeline.config import Aws
from pipeline.costs import Rate, bill_of, hours, so_far, spot_hours, use_of
from pipeline.model import Bill, Instance, Market, Price, Task
from pipeline.ports import Clock, Ledger, Meter, PriceList
from pipeline.tariff import (
    ServicePrice,
    heard,
    instance_items,
    month_of,
    month_span,
    on_demand_rates,
    standing_id,
    standing_items,
)

_STRAGGLERS_S = 3600.0  #: after a month's end, until its last instances are billed
_SETTLED_S = 300.0  #: after an instance's end: by then a worker that was killed on it is known to be gone
_LATEST_S = 3600.0  #: after that end, whatever ECS says: then it knows of the worker no longer


@dataclass(frozen=True, kw_only=True)
class Books:
    """Where bills are kept, and what they are made of."""

    ledger: Ledger
    meter: Meter
    prices: PriceList
    service_price: ServicePrice
    aws: Aws
    lease_s: float
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What `settle` came to; the keys of its line in the poller's log."""

    bills: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()  #: types of instances whose bill waits for a price


def settle(books: Books) -> Settled:
    """Bill what ended since. Safe to run at any time, by several at once: the first bill stays."""
    now = books.clock()
    bills: list[Bill] = []
    unpriced: set[str] = set()
    for instance in books.meter.unbilled():
        tasks = books.meter.tasks_on(instance) if _ended(instance, now, _SETTLED_S) else []
        if not _is_over(instance, tasks, now):
            continue
        bill = _bill(books, instance, tasks)
        if bill is None:
            unpriced.add(instance.type)
            continue
        bills.append(books.ledger.enter(bill))
        books.meter.billed(instance)
    bills += _last_month(books, now)
    return Settled(bills=tuple(bill.id for bill in bills), unpriced=tuple(sorted(unpriced)))


def rates_of(instance: Instance, prices: PriceList, aws: Aws) -> tuple[Rate, ...]:
    """What an ended instance's hours cost; empty where nobody says."""
    if instance.market is Market.SPOT:
        return _spot_rates(instance, prices)
    price = prices.on_demand(instance.type)
    return on_demand_rates(price, aws.savings) if price else ()


def hour_of(instance_type: str, market: Market | None, prices: PriceList, aws: Aws) -> Decimal | None:
    """About what an hour costs now, fee included; None where nobody says."""
    market_price = prices.spot(instance_type) if market is Market.SPOT else prices.on_demand(instance_type)
    fee = prices.fee(instance_type)
    if market_price is None:
        return None
    rates = (
        (Rate(price=market_price),) if market is Market.SPOT else on_demand_rates(market_price, aws.savings)
    )
    return sum((rate.price.usd * rate.share for rate in rates), Decimal(0)) + (fee.usd if fee else 0)


def spending(books: Books) -> Spending:
    """This month until now."""
    now = books.clock()
    month = month_of(now)
    unbilled = books.meter.unbilled()  # first: one that is billed meanwhile is in one of the two at least
    bills = bills_of(books, month)
    billed = {bill.id for bill in bills}
    running = Decimal(0)
    for instance in unbilled:
        if instance.id not in billed:
            hour = hour_of(instance.type, instance.market, books.prices, books.aws)
            running += so_far(instance, hour or Decimal(0), now)
    return Spending(
        month=month,
        limit_usd=Decimal(str(books.aws.budget_usd)),
        spent_usd=sum((bill.usd for bill in bills), Decimal(0)),
        running_usd=running,
        hour_usd=_dearest_hour(books) if books.aws.budget_usd else Decimal(0),
    )


def _dearest_hour(books: Books) -> Decimal:
    """Of the types in the market that is asked first."""
    market = books.aws.markets[0]
    each = (hour_of(type, market, books.prices, books.aws) for type in books.aws.instance_types)
    return max(usd or Decimal(0) for usd in each)


def bills_of(books: Books, month: str) -> list[Bill]:
    """A month's; of one that is not closed yet, with what stood there until now, which nobody bears yet.

    Raises ConfigError where the month is none.
    """
    begin, end = month_span(month)
    now = books.clock()
    bills = books.ledger.bills(begin, end - 1)
    if now < begin or now >= end + _STRAGGLERS_S:
        return bills
    until = min(now, end - 1)
    since = _since(books, bills, begin, until)
    items = standing_items(books.aws, since, until, books.service_price)
    return [
        *bills,
        Bill(id=standing_id(month), began_at=since, ended_at=until, items=tuple(items), work_s={}),
    ]


def _since(books: Books, bills: Sequence[Bill], begin: float, until: float) -> float:
    """Since when in a month the deployment is known to have been there."""
    if books.ledger.bills(begin - 1, begin - 1):  # what stood there in the month before
        return begin
    launched = [each.launched_at for each in books.meter.unbilled() if each.launched_at]
    return max(begin, min([until, *(bill.began_at for bill in bills), *launched]))


def _ended(instance: Instance, now: float, before_s: float) -> bool:
    return instance.ended_at is not None and now - instance.ended_at >= before_s


def _is_over(instance: Instance, tasks: Sequence[Task], now: float) -> bool:
    """Whether all that its workers did is on record: what one had in hand is, once it is known to be gone."""
    settled = _ended(instance, now, _SETTLED_S) and not any(task.live for task in tasks)
    return settled or _ended(instance, now, _LATEST_S)


def _bill(books: Books, instance: Instance, tasks: Sequence[Task]) -> Bill | None:
    rates, fee = rates_of(instance, books.prices, books.aws), books.prices.fee(instance.type)
    if not rates or fee is None:
        return None
    stints = [stint for task in tasks for stint in books.ledger.stints(task.id)]
    use = use_of(instance, tasks, stints)
    audio = heard(books.ledger.several(list(use.work_s)))
    items = instance_items(use, rates, fee, books.aws, books.service_price, audio, books.lease_s)
    return bill_of(instance, use, items)


def _spot_rates(instance: Instance, prices: PriceList) -> tuple[Rate, ...]:
    """One for each price that its hours began with."""
    paid = spot_hours(instance.launched_at or 0.0, instance.ended_at or 0.0)
    total_s = sum(seconds for _, seconds in paid)
    shares: dict[Decimal, tuple[Price, Decimal]] = {}
    for begins_at, seconds in paid:
        price = prices.spot(instance.type, instance.zone, begins_at)
        if price is None:
            return ()
        _, before = shares.get(price.usd, (price, Decimal(0)))
        shares[price.usd] = price, before + hours(seconds) / hours(total_s)
    return tuple(Rate(price=price, share=share) for price, share in shares.values())


def _last_month(books: Books, now: float) -> list[Bill]:
    """The bill of what stood there in the month before this one, once, if anything ran before its end."""
    this, _ = month_span(month_of(now))
    month = month_of(this - 1)
    begin, end = month_span(month)
    if now < end + _STRAGGLERS_S:
        return []
    for bill in books.ledger.bills(end - 1, end - 1):
        if bill.id == standing_id(month):
            return [] if _is_charged(books.ledger, bill) else [books.ledger.enter(bill)]
    earlier = books.ledger.bills(0.0, end - 1)
    if not earlier:
        return []  # nothing says that the deployment was there
    work_s: dict[str, float] = {}
    for bill in earlier:
        if bill.ended_at >= begin and bill.type:
            for episode, seconds in bill.work_s.items():
                work_s[episode] = work_s.get(episode, 0.0) + seconds
    since = max(begin, min(bill.began_at for bill in earlier))
    items = standing_items(books.aws, since, end, books.service_price)
    bill = Bill(id=standing_id(month), began_at=since, ended_at=end - 1, items=tuple(items), work_s=work_s)
    return [books.ledger.enter(bill)]


def _is_charged(ledger: Ledger, bill: Bill) -> bool:
    """Whether the last of its episodes is: who charges them, many at a month's end, may be interrupted."""
    last = [episode for episode, work_s in bill.work_s.items() if work_s > 0][-1:]
    return all(bill.id in episode.charges for episode in ledger.several(last))
