"""What instances cost: the Price List for on-demand and the fee of managed instances, EC2 for spot.

The fee is a share of the on-demand price that differs by family and changes, whatever the market: so
it is looked up by instance type, never computed (12 % for most families; 7.8 % for G since July 2026).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipeline.adapters.aws.errors import explained
from pipeline.model import Price
from pipeline.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_pricing.type_defs import FilterTypeDef

_ON_DEMAND = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}


class Prices:
    """See `ports.PriceList`; what AWS says of a region now. Raises StorageError where it fails."""

    def __init__(self, pricing: PricingClient, ec2: EC2Client, region: str, clock: Clock) -> None:
        self._pricing = pricing
        self._ec2 = ec2
        self._region = region
        self._clock = clock

    def on_demand(self, instance_type: str) -> Price | None:
        products = self._products("AmazonEC2", {"instanceType": instance_type, **_ON_DEMAND})
        return self._first(products, "AWS Price List, AmazonEC2")

    def fee(self, instance_type: str) -> Price | None:
        usage = f":{instance_type}-management-hours"  # after the region's short name
        products = self._products(
            "AmazonECS", {"operation": "ECSManagedInstancesUsage"}, {"usagetype": usage}
        )
        mine = (each for each in products if _usage(each).endswith(usage))
        return self._first(mine, "AWS Price List, AmazonECS")

    def spot(self, instance_type: str, zone: str = "", at: float | None = None) -> Price | None:
        """The last price until then, in that zone or in the cheapest."""
        at = self._clock() if at is None else at
        when = datetime.fromtimestamp(at, UTC)
        said: list[tuple[datetime, str, Decimal]] = []
        with explained("EC2's spot prices"):
            # By a filter: named as such, a type that EC2 does not know is an error.
            for page in self._ec2.get_paginator("describe_spot_price_history").paginate(
                Filters=[{"Name": "instance-type", "Values": [instance_type]}],
                ProductDescriptions=["Linux/UNIX"],
                StartTime=when,
                EndTime=when,  # between them nothing changes: each zone says what is in effect
            ):
                said += map(_said, page["SpotPriceHistory"])
        last = {where: usd for _, where, usd in sorted(said) if zone in ("", where)}
        if not last:
            return None
        where = min(last, key=last.__getitem__)
        return Price(usd=last[where], source=f"EC2 spot price in {where}", at=at)

    def _products(
        self, service: str, wanted: dict[str, str], within: dict[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """What has these attributes, and these texts within others."""
        here = {"regionCode": self._region, **wanted}
        filters: list[FilterTypeDef] = [
            *({"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in here.items()),
            *({"Type": "CONTAINS", "Field": name, "Value": value} for name, value in (within or {}).items()),
        ]
        with explained("the AWS Price List"):
            for page in self._pricing.get_paginator("get_products").paginate(
                ServiceCode=service, Filters=filters
            ):
                yield from (json.loads(str(product)) for product in page["PriceList"])

    def _first(self, products: Iterator[dict[str, Any]], source: str) -> Price | None:
        for product in products:
            for usd in _by_the_hour(product):
                return Price(usd=usd, source=source, at=self._clock())
        return None


def _said(spot: Mapping[str, Any]) -> tuple[datetime, str, Decimal]:
    return spot["Timestamp"], spot["AvailabilityZone"], Decimal(spot["SpotPrice"])


def _usage(product: dict[str, Any]) -> str:
    return product.get("product", {}).get("attributes", {}).get("usagetype", "")


def _by_the_hour(product: dict[str, Any]) -> Iterator[Decimal]:
    """Its prices that are not nothing: a list entry may be of a reservation's kind."""
    for offer in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in offer.get("priceDimensions", {}).values():
            usd = Decimal(dimension.get("pricePerUnit", {}).get("USD", "0"))
            if usd:
                yield usd
