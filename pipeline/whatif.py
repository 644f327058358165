"""What would change the answer: discounts on instances, and other assumptions than were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from pipeline.assumptions import scaled
from pipeline.costs import rounded
from pipeline.loads import longer, thinned
from pipeline.model import Market, Part, Price
from pipeline.offers import Offer
from pipeline.options import Cost, Hired
from pipeline.planning import Question, Row, compare

DISCOUNTS = tuple(map(Decimal, ("0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7")))
_HALF, _MORE = Decimal("0.5"), Decimal("1.5")


@dataclass(frozen=True, kw_only=True)
class Saving:
    """What a discount on the instance leaves of an hour's price, and the fee's share of what is then paid."""

    discount: Decimal
    usd_h: Decimal
    fee_share: Decimal


@dataclass(frozen=True, kw_only=True)
class Savings:
    """When the fee for managed instances matters, which is on the on-demand price whatever the discount.

    Discounts are shares of 1 over all that is paid; None: at none.
    """

    type: str
    rows: tuple[Saving, ...]
    beyond_waste: Decimal | None  #: from this discount on, the fee is more than what start-up and idling cost
    plain_cheaper: Decimal | None  #: from this one on, plain ECS is cheaper, whatever it idles
    coverage: Decimal | None  #: the share of hours that a savings plan must cover to come to that


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What half as much, and half as much again, of an assumption makes of the reference's cost."""

    what: str
    less: Decimal  #: US$ an episode
    more: Decimal
    cheapest_if_less: str
    cheapest_if_more: str
    swing: Decimal  #: between the two, as a share of the cost


def savings(question: Question, rows: Sequence[Row]) -> Savings | None:
    """Of the cheapest managed instance that is bought on demand; None where there is none."""
    hired = {row.option.name: (row.option, row.cost) for row in rows if isinstance(row.option, Hired)}
    bought = (pair for pair in hired.values() if pair[0].managed and pair[0].market is Market.ON_DEMAND)
    option, cost = next(bought, (None, None))
    offer = next((each for each in question.offers if option and each.type == option.type), None)
    if cost is None or offer is None or offer.on_demand is None or offer.fee is None:
        return None
    hour = _Hour(
        instance=offer.on_demand.usd,
        fee=offer.fee.usd,
        rest=sum((each.usd for each in question.terms.hourly), Decimal(0)),
    )
    plain = hired.get(f"plain ECS {offer.type} {Market.ON_DEMAND}")
    dearer = _plain_cheaper(hour, cost.billed_s, plain[1].billed_s) if plain else None
    discount = question.table["savings.discount"].value
    return Savings(
        type=offer.type,
        rows=tuple(hour.less(each) for each in DISCOUNTS),
        beyond_waste=_beyond_waste(hour, cost),
        plain_cheaper=dearer,
        coverage=_within_one(dearer / discount) if dearer is not None and discount else None,
    )


def sensitivity(question: Question, option: str) -> list[Effect]:
    """The largest first. Of a long history, a part that is as good."""
    question = replace(question, load=thinned(question.load))
    plain = _asked(question)
    effects = [
        _effect(what, option, plain, _asked(change(_HALF)), _asked(change(_MORE)))
        for what, change in _changes(question).items()
    ]
    cheapest = _cheapest(plain)
    felt = [
        each for each in effects if each.swing or {each.cheapest_if_less, each.cheapest_if_more} != {cheapest}
    ]
    return sorted(felt, key=lambda effect: effect.swing, reverse=True)


def _asked(question: Question) -> dict[str, Decimal]:
    """US$ an episode, of all that can be priced."""
    found, _ = question.options()
    return {row.option.name: row.per_episode for row in compare(question, found)}


def _effect(
    what: str,
    option: str,
    plain: Mapping[str, Decimal],
    less: Mapping[str, Decimal],
    more: Mapping[str, Decimal],
) -> Effect:
    swing = abs(more[option] - less[option]) / plain[option] if plain[option] else Decimal(0)
    return Effect(
        what=what,
        less=less[option],
        more=more[option],
        cheapest_if_less=_cheapest(less),
        cheapest_if_more=_cheapest(more),
        swing=rounded(swing),
    )


def _cheapest(usd: Mapping[str, Decimal]) -> str:
    return min(usd, key=usd.__getitem__)


def _changes(question: Question) -> dict[str, Callable[[Decimal], Question]]:
    """What is varied, and the question with so many times as much of it."""

    def figures(*prefixes: str) -> Callable[[Decimal], Question]:
        return lambda factor: replace(question, table=scaled(question.table, prefixes, factor))

    return {
        "speed of instances": figures("speed."),
        "start-up time": figures("start_up_", "plain_ecs.start_up_", "fargate.start_up_"),
        "time until an idle instance ends": figures("idle_end_s", "plain_ecs.idle_end_s"),
        "spot price where it is assumed": figures("spot.share"),
        "prices of hosted services": figures("hosted."),
        "standing costs": lambda factor: replace(
            question, terms=replace(question.terms, standing_usd=question.terms.standing_usd * factor)
        ),
        "prices of instances": lambda factor: replace(
            question, offers=[_at(offer, factor) for offer in question.offers]
        ),
        "length of episodes": lambda factor: replace(question, load=longer(question.load, float(factor))),
    }


def _at(offer: Offer, factor: Decimal) -> Offer:
    """So many times as dear."""

    def times(price: Price | None) -> Price | None:
        return replace(price, usd=price.usd * factor) if price else None

    return Offer(
        type=offer.type, on_demand=times(offer.on_demand), fee=times(offer.fee), spot=times(offer.spot)
    )


@dataclass(frozen=True, kw_only=True)
class _Hour:
    """What an hour of a managed instance is made of, in US$ before any discount."""

    instance: Decimal
    fee: Decimal
    rest: Decimal

    def less(self, discount: Decimal) -> Saving:
        usd = (1 - discount) * self.instance + self.fee
        return Saving(discount=discount, usd_h=usd, fee_share=rounded(self.fee / usd))


def _beyond_waste(hour: _Hour, cost: Cost) -> Decimal | None:
    """fee = (1 - discount) * price * waste, which is the share of start-up and idling in what is paid."""
    wasted = cost.parts[Part.START_UP] + cost.parts[Part.IDLE]
    waste = wasted / (wasted + cost.parts[Part.WORK])
    return _within_one(1 - hour.fee / (waste * hour.instance)) if waste else Decimal(0)


def _plain_cheaper(hour: _Hour, managed_s: float, plain_s: float) -> Decimal | None:
    """(lessened price + rest) * plain hours = (lessened price + rest + fee) * managed hours."""
    if plain_s <= managed_s:
        return Decimal(0)
    fee_h = hour.fee * Decimal(managed_s / (plain_s - managed_s))
    return _within_one(1 - (fee_h - hour.rest) / hour.instance)


def _within_one(share: Decimal) -> Decimal | None:
    """0 where it is less; None where it is more than all."""
    return max(Decimal(0), rounded(share)) if share <= 1 else None
