"""Which options there are, from prices and assumptions; what can't be priced is named, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from pipeline.assumptions import Assumption, Assumptions
from pipeline.deployment import DEFAULT_REGION
from pipeline.imagined import Machine
from pipeline.model import Market, Price
from pipeline.options import Batch, Hired, Hosted, Option, Own, Terms
from pipeline.ports import PriceList
from pipeline.tariff import ServicePrice, on_demand_rates

GPU_TYPES = ("g4dn.xlarge", "g5.xlarge", "g6.xlarge", "g6e.xlarge")
CPU_TYPE = "c7i.4xlarge"
_FARGATE_VCPU, _FARGATE_GB = 16, 32
_BATCH_TYPE = "ml.g5.xlarge"
_CPU_NOTE = "a CPU: Whisper small, which hears worse than turbo"
_ELSEWHERE = f"its price is only known in {DEFAULT_REGION}"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What an instance type costs an hour; None where nobody says."""

    type: str
    on_demand: Price | None
    fee: Price | None
    spot: Price | None


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """An option that can't be priced, and why."""

    name: str
    reason: str


def offers(prices: PriceList, types: Iterable[str]) -> tuple[Offer, ...]:
    """What each type costs now."""
    return tuple(
        Offer(
            type=type,
            on_demand=prices.on_demand(type),
            fee=prices.fee(type),
            spot=prices.spot(type),
        )
        for type in types
    )


def options(
    table: Assumptions, found: Sequence[Offer], service: ServicePrice, terms: Terms
) -> tuple[list[Option], list[Unknown]]:
    """All that can be priced, and what can't."""
    given = _Given(table, service, terms)
    tried: list[Option | Unknown] = []
    for offer in found:
        tried += given.on(offer)
    tried += [given.fargate(), given.batch(), *given.hosted(), given.own()]
    return (
        [each for each in tried if not isinstance(each, Unknown)],
        [each for each in tried if isinstance(each, Unknown)],
    )


def vcpus(type: str) -> int | None:
    """Of an instance type, by its size: four for each `x`, as quotas count."""
    size = type.partition(".")[2].removesuffix("xlarge")
    return 4 * int(size or 1) if type.endswith("xlarge") and (size or "1").isdecimal() else None


class _Given:
    """What options are made of."""

    def __init__(self, table: Assumptions, service: ServicePrice, terms: Terms) -> None:
        self._table, self._service, self._terms = table, service, terms

    def on(self, offer: Offer) -> list[Option | Unknown]:
        """The ways to use an instance type."""
        names = [f"{how} {offer.type} {market}" for how in ("managed", "plain ECS") for market in Market]
        if f"speed.{offer.type}" not in self._table:
            return [Unknown(name=offer.type, reason="nobody has measured or assumed its speed")]
        if offer.on_demand is None:
            return [Unknown(name=offer.type, reason="no price is known in this region")]
        ways: list[Option | Unknown] = []
        for name in names:
            managed, market = name.startswith("managed"), Market(name.rpartition(" ")[2])
            if managed and offer.fee is None:
                ways.append(Unknown(name=name, reason="the fee for managing it is not known"))
            elif managed or offer.type != CPU_TYPE:
                ways.append(self._instances(name, offer, offer.on_demand, market, managed=managed))
        return ways

    def fargate(self) -> Option | Unknown:
        name = f"Fargate {_FARGATE_VCPU} vCPU"
        if self._terms.region != DEFAULT_REGION:
            return Unknown(name=name, reason=_ELSEWHERE)
        hourly: dict[str, tuple[Decimal, Price]] = {
            "vCPUs": (Decimal(_FARGATE_VCPU), self._service("fargate-vcpu")),
            "memory": (Decimal(_FARGATE_GB), self._service("fargate-gb")),
            **{
                each.what: (each.quantity, each.price) for each in self._terms.hourly if each.what != "volume"
            },
        }
        machine, keys = self._machine("fargate.", "speed.fargate", idle_end_s=0.0)
        return Hired(
            name=name,
            type="",
            market=Market.ON_DEMAND,
            machine=machine,
            hourly=hourly,
            includes=f"{', '.join(list(hourly)[1:])}; {_CPU_NOTE}",
            assumed=keys,
        )

    def batch(self) -> Option | Unknown:
        name = f"SageMaker batch {_BATCH_TYPE}"
        if self._terms.region != DEFAULT_REGION:
            return Unknown(name=name, reason=_ELSEWHERE)
        return Batch(
            name=name,
            price=self._service(_BATCH_TYPE),
            overhead_s=self._float("sagemaker.overhead_s"),
            speed=self._float("sagemaker.speed"),
            assumed=("sagemaker.overhead_s", "sagemaker.speed"),
        )

    def hosted(self) -> list[Option]:
        rows = [row for key, row in self._table.items() if key.endswith(".usd_h")]
        return [
            Hosted(
                name=row.key.removesuffix(".usd_h").replace(".", " ", 1),
                price=_price(row),
                speed=self._float("hosted.speed"),
                assumed=(row.key, "hosted.speed"),
            )
            for row in rows
        ]

    def own(self) -> Option:
        keys = tuple(key for key in self._table if key.startswith("own."))
        values = {key.removeprefix("own."): self._table[key].value for key in keys}
        return Own(
            name="a machine of one's own",
            usd=values["price_usd"],
            years=values["years"],
            watts=values["watts"],
            idle_watts=values["idle_watts"],
            kwh_usd=values["kwh_usd"],
            speed=float(values["speed"]),
            assumed=keys,
        )

    def _instances(
        self, name: str, offer: Offer, on_demand: Price, market: Market, *, managed: bool
    ) -> Hired:
        guessed = market is Market.SPOT and offer.spot is None
        hourly = self._instance(offer.spot or self._spot_guess(on_demand), on_demand, market)
        if managed and offer.fee:
            hourly["fee"] = (Decimal(1), offer.fee)
        hourly |= {each.what: (each.quantity, each.price) for each in self._terms.hourly}
        prefix = "" if managed else "plain_ecs."
        more_s = self._terms.idle_more_s if managed else 0.0
        machine, keys = self._machine(
            prefix, f"speed.{offer.type}", idle_end_s=self._float(f"{prefix}idle_end_s") + more_s
        )
        keys += (f"{prefix}idle_end_s", "warm_s")
        return Hired(
            name=name,
            type=offer.type,
            market=market,
            machine=machine,
            hourly=hourly,
            includes=", ".join(list(hourly)[1:]) + (f"; {_CPU_NOTE}" if offer.type == CPU_TYPE else ""),
            assumed=(*keys, "spot.share") if guessed else keys,
        )

    def _instance(self, spot: Price, on_demand: Price, market: Market) -> dict[str, tuple[Decimal, Price]]:
        """An hour of it: savings plans lessen only what is bought on demand."""
        if market is Market.SPOT:
            return {"instance": (Decimal(1), spot)}
        rates = on_demand_rates(on_demand, self._terms.savings)
        names = ("instance", "instance, not covered")
        return {name: (rate.share, rate.price) for name, rate in zip(names, rates, strict=False)}

    def _machine(self, prefix: str, speed: str, *, idle_end_s: float) -> tuple[Machine, tuple[str, ...]]:
        """And the assumptions that went into it."""
        keys = [
            f"{prefix}{name}_s" for name in ("launch_low", "launch_high", "start_up_low", "start_up_high")
        ]
        early, late, low, high = map(self._float, keys)
        machine = Machine(
            speed=self._float(speed),
            launch_s=(early, late),
            start_up_s=(max(low, late), max(high, late)),  # no worker is there before its instance
            warm_s=self._float("warm_s"),
            idle_end_s=idle_end_s,
        )
        return machine, (speed, *keys)

    def _spot_guess(self, on_demand: Price) -> Price:
        row = self._table["spot.share"]
        source = f"assumed: {row.value} of the on-demand price, as no spot price is known"
        return Price(usd=on_demand.usd * row.value, source=source, at=on_demand.at)

    def _float(self, key: str) -> float:
        return float(self._table[key].value)


def _price(row: Assumption) -> Price:
    """Of an hour of audio."""
    at = datetime.fromisoformat(row.date).replace(tzinfo=UTC).timestamp() if row.date else 0.0
    return Price(usd=row.value, source=row.source, at=at)
