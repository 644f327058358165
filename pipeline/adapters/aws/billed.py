"""What AWS billed for a deployment, from Cost Explorer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from pipeline.adapters.aws.errors import explained
from pipeline.deployment import TAG, Deployment
from pipeline.errors import ConfigError
from pipeline.ports import Clock
from pipeline.reconciling import Billed
from pipeline.tariff import month_span

if TYPE_CHECKING:
    from mypy_boto3_ce import CostExplorerClient
    from mypy_boto3_ce.type_defs import GetCostAndUsageRequestTypeDef, GroupTypeDef, ResultByTimeTypeDef

# What a savings plan or reservation leaves of a price; unblended, covered hours are at full price or none.
_COST, _QUANTITY = "AmortizedCost", "UsageQuantity"
_NOT_USE = ("Credit", "Refund", "Tax")
_IF_DENIED = (
    "the profile needs ce:GetCostAndUsage; if it has that, open Cost Explorer once in the billing console "
    "(of the payer, in an organization): a day later there is data"
)


class BilledCosts:
    """Asks anew each time, with one request unless there are very many lines; each costs `ASKING_USD`.

    Raises StorageError where Cost Explorer fails or refuses.
    """

    def __init__(self, explorer: CostExplorerClient, names: Deployment, clock: Clock) -> None:
        self._explorer = explorer
        self._names = names
        self._clock = clock

    def of_month(self, month: str) -> list[Billed]:
        """By type of use, without credits, refunds and tax; nothing if the tag is not activated.

        The month is as 2026-11. Raises ConfigError for one that has not begun, and for none.
        """
        begin, after = (datetime.fromtimestamp(at, UTC).date() for at in month_span(month))
        today = datetime.fromtimestamp(self._clock(), UTC).date()
        if begin > today:
            raise ConfigError(f"{month} has not begun", "name a month of which there is a bill")
        end = min(after, today + timedelta(days=1))
        return [
            _billed(group, bool(result.get("Estimated")))
            for result in self._results(begin, end)
            for group in result.get("Groups", [])
        ]

    def _results(self, begin: date, end: date) -> Iterator[ResultByTimeTypeDef]:
        request: GetCostAndUsageRequestTypeDef = {
            "TimePeriod": {"Start": begin.isoformat(), "End": end.isoformat()},
            "Granularity": "MONTHLY",
            "Metrics": [_COST, _QUANTITY],
            "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "DIMENSION", "Key": "USAGE_TYPE"}],
            "Filter": {
                "And": [
                    {"Tags": {"Key": TAG, "Values": [self._names.name]}},
                    {"Not": {"Dimensions": {"Key": "RECORD_TYPE", "Values": [*_NOT_USE]}}},
                ]
            },
        }
        with explained("Cost Explorer", _IF_DENIED):
            while True:
                answer = self._explorer.get_cost_and_usage(**request)
                yield from answer["ResultsByTime"]
                if not (token := answer.get("NextPageToken")):
                    return
                request["NextPageToken"] = token


def _billed(group: GroupTypeDef, estimated: bool) -> Billed:
    service, usage_type = group.get("Keys", [])
    metrics = group.get("Metrics", {})
    return Billed(
        service=service,
        usage_type=usage_type,
        usd=Decimal(metrics[_COST].get("Amount", "0")),
        quantity=Decimal(metrics[_QUANTITY].get("Amount", "0")),
        estimated=estimated,
    )
