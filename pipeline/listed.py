"""The list prices that are shipped, for where nobody can be asked: `listed.toml`, with its sources."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from pipeline.model import Price

_FEE_DIGIT = Decimal("0.0001")  #: to which AWS lists fees: 0.0910 for a g6.xlarge in Tokyo


@dataclass(frozen=True, kw_only=True)
class _Figure:
    usd: Decimal
    date: date
    source: str
    unit: str = "h"


@dataclass(frozen=True, kw_only=True)
class _Share:
    share: Decimal
    date: date
    source: str


@dataclass(frozen=True, kw_only=True)
class _OnDemand:
    date: date
    source: str
    usd: dict[str, dict[str, Decimal]]  #: by region, then by type


@dataclass(frozen=True, kw_only=True)
class _Table:
    on_demand: _OnDemand
    fee: dict[str, _Share]
    spot: dict[str, dict[str, _Figure]]
    service: dict[str, _Figure]


class Listed:
    """See `ports.PriceList`: a region's shipped prices, which say that they are and of what date."""

    def __init__(self, region: str) -> None:
        self._region = region

    def on_demand(self, instance_type: str) -> Price | None:
        table = _table().on_demand
        usd = table.usd.get(self._region, {}).get(instance_type)
        if usd is None:
            return None
        return Price(usd=usd, source=f"list price of {_shipped(table)}", at=_midnight(table.date))

    def fee(self, instance_type: str) -> Price | None:
        whole = self.on_demand(instance_type)
        if whole is None:
            return None
        share = _share(instance_type)
        return Price(
            usd=(whole.usd * share.share).quantize(_FEE_DIGIT, ROUND_HALF_UP),
            source=f"{share.share:.1%} ({share.source}, {share.date}) of the {whole.source}",
            at=whole.at,
        )

    def spot(self, instance_type: str, zone: str = "", at: float | None = None) -> Price | None:
        """Whatever the zone and the time."""
        figure = _table().spot.get(self._region, {}).get(instance_type)
        if figure is None:
            return None
        return Price(usd=figure.usd, source=f"spot price of {_shipped(figure)}", at=_midnight(figure.date))

    def service(self, name: str) -> Price:
        """A unit of a service of AWS, in us-east-1 whatever the region. Raises KeyError."""
        figure = _table().service[name]
        source = f"us-east-1's list price of {_shipped(figure)}"
        return Price(usd=figure.usd, source=source, at=_midnight(figure.date), unit=figure.unit)


def regions() -> tuple[str, ...]:
    """Those whose prices are shipped."""
    return tuple(_table().on_demand.usd)


def types(region: str) -> tuple[str, ...]:
    """The instance types whose prices in a region are shipped."""
    return tuple(_table().on_demand.usd.get(region, {}))


def _share(instance_type: str) -> _Share:
    fees = _table().fee
    return next((fees[start] for start in fees if instance_type.startswith(start)), fees["others"])


def _shipped(figure: _Figure | _OnDemand) -> str:
    return f"{figure.date}, shipped with Proofcast ({figure.source})"


def _midnight(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()


@cache
def _table() -> _Table:
    text = files("pipeline").joinpath("listed.toml").read_text("utf-8")
    document: dict[str, Any] = tomllib.loads(text, parse_float=Decimal)
    return msgspec.convert(document, _Table)
