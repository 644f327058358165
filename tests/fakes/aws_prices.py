"""Fakes of AWS's quotas and of its price list, with the rows that Proofcast reads and some that mislead."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.fakes.aws_service import AwsError, Json, Service, invalid, page

ON_DEMAND_G, SPOT_G = "L-DB2E81BA", "L-3819A6DF"
ON_DEMAND_USD = {
    "g4dn.xlarge": Decimal("0.526"),
    "g5.xlarge": Decimal("1.006"),
    "g6.xlarge": Decimal("0.8048"),
}
FEE = Decimal("0.078")  #: of the on-demand price, for instances of the G families


class FakeQuotas(Service):
    """`values` are the account's own, `defaults` everybody's."""

    name = "service-quotas"

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, float] = {ON_DEMAND_G: 64.0, SPOT_G: 64.0}
        self.defaults: dict[str, float] = {ON_DEMAND_G: 0.0, SPOT_G: 0.0}
        self._names = {
            ON_DEMAND_G: "Running On-Demand G and VT instances",
            SPOT_G: "All G and VT Spot Instance Requests",
        }

    def get_service_quota(self, params: Json) -> Json:
        return self._quota(params, self.values)

    def get_aws_default_service_quota(self, params: Json) -> Json:
        return self._quota(params, self.defaults)

    def _quota(self, params: Json, values: dict[str, float]) -> Json:
        service, code = params["ServiceCode"], params["QuotaCode"]
        if service != "ec2" or code not in values:
            raise AwsError(
                "NoSuchResourceException", "The request failed because the specified quota is unknown."
            )
        return {
            "Quota": {
                "ServiceCode": service,
                "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
                "QuotaArn": f"arn:aws:servicequotas:us-east-1:123456789012:ec2/{code}",
                "QuotaCode": code,
                "QuotaName": self._names.get(code, code),
                "Value": values[code],
                "Unit": "None",
                "Adjustable": True,
                "GlobalQuota": False,
            }
        }


def product(service: str, family: str, sku: str, usd: Decimal, unit: str = "Hrs", **attributes: str) -> Json:
    """One entry of the price list, with its price on demand."""
    term, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    dimension: Json = {
        "unit": unit,
        "rateCode": rate,
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"${usd:g} per {unit}",
        "appliesTo": [],
        "pricePerUnit": {"USD": f"{usd:.10f}"},
    }
    offer: Json = {
        "sku": sku,
        "offerTermCode": "JRTCKXETXF",
        "effectiveDate": "2026-07-01T00:00:00Z",
        "priceDimensions": {rate: dimension},
        "termAttributes": {},
    }
    return {
        "product": {
            "productFamily": family,
            "sku": sku,
            "attributes": {
                "servicecode": service,
                "regionCode": "us-east-1",
                "location": "US East (N. Virginia)",
                **attributes,
            },
        },
        "serviceCode": service,
        "terms": {"OnDemand": {term: offer}},
        "version": "20260701000000",
        "publicationDate": "2026-07-01T00:00:00Z",
    }


def _instances() -> list[Json]:
    """As the list has them: each type in many variants, of which one is what an instance costs."""
    usual = {
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    variants: list[tuple[dict[str, str], str]] = [
        ({}, "1"),
        ({"operatingSystem": "Windows"}, "1.35"),
        ({"tenancy": "Dedicated"}, "1.07"),
        ({"preInstalledSw": "SQL Std"}, "1.9"),
        ({"capacitystatus": "AllocatedCapacityReservation"}, "0"),
    ]
    return [
        product(
            "AmazonEC2",
            "Compute Instance",
            f"EC2{kind.replace('.', '').upper()}{number}",
            usd * Decimal(share),
            instanceType=kind,
            operation="RunInstances",
            usagetype=f"BoxUsage:{kind}",
            **{**usual, **variant},
        )
        for kind, usd in ON_DEMAND_USD.items()
        for number, (variant, share) in enumerate(variants)
    ]


def _fees() -> list[Json]:
    return [
        product(
            "AmazonECS",
            "Compute",
            f"ECS{kind.replace('.', '').upper()}",
            usd * FEE,
            unit="hours",
            operation="ECSManagedInstancesUsage",
            usagetype=f"USE1-ECS-Managed-Instances:{kind}-management-hours",
        )
        for kind, usd in ON_DEMAND_USD.items()
    ]


_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "TERM_MATCH": lambda value, wanted: value == wanted,
    "EQUALS": lambda value, wanted: value == wanted,
    "CONTAINS": lambda value, wanted: wanted in value,
    "ANY_OF": lambda value, wanted: value in wanted.split(","),
    "NONE_OF": lambda value, wanted: value not in wanted.split(","),
}


class FakePrices(Service):
    """`products` may be changed."""

    name = "pricing"

    def __init__(self) -> None:
        super().__init__()
        self.products = _instances() + _fees()

    def get_products(self, params: Json) -> Json:
        here = [one for one in self.products if one["serviceCode"] == params["ServiceCode"]]
        if not here:
            raise invalid(f"Service code '{params['ServiceCode']}' not found")
        found = [json.dumps(one) for one in here if _is_wanted(one, params.get("Filters", []))]
        some, after = page(found, params, ("MaxResults", "NextToken"))
        return {"FormatVersion": "aws_v1", "PriceList": some, **after}


def _is_wanted(entry: Json, filters: list[dict[str, str]]) -> bool:
    facts: dict[str, Any] = {name: entry["product"][name] for name in ("productFamily", "sku")}
    facts |= {"ServiceCode": entry["serviceCode"], **entry["product"]["attributes"]}
    return all(_MATCHES[one["Type"]](facts.get(one["Field"], ""), one["Value"]) for one in filters)
