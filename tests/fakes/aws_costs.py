"""A fake of Cost Explorer, which has lines of a bill to filter and to group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tests.fakes.aws_service import AwsError, FakeFault, Json, Service, page


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a bill; `amortized` is what it costs with savings plans spread over what they cover."""

    day: date
    service: str = "Amazon Elastic Compute Cloud - Compute"
    usage_type: str = "BoxUsage:g6.xlarge"
    unblended: str
    amortized: str = ""
    quantity: str = "1"
    record_type: str = "Usage"
    tags: dict[str, str] = field(default_factory=dict[str, str])

    def metrics(self) -> dict[str, Decimal]:
        return {
            "UnblendedCost": Decimal(self.unblended),
            "AmortizedCost": Decimal(self.amortized or self.unblended),
            "UsageQuantity": Decimal(self.quantity),
        }

    def dimensions(self) -> dict[str, str]:
        return {
            "SERVICE": self.service,
            "USAGE_TYPE": self.usage_type,
            "RECORD_TYPE": self.record_type,
        }


class FakeCosts(Service):
    """Of `lines`, tags count only if they are `activated`; a page has `page_size` groups."""

    name = "ce"

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self.lines: list[Line] = []
        self.activated: set[str] = set()
        self.page_size = 100

    def get_cost_and_usage(self, params: Json) -> Json:
        begin, end = (date.fromisoformat(params["TimePeriod"][name]) for name in ("Start", "End"))
        today = datetime.fromtimestamp(self._clock(), UTC).date()
        if begin > today or end <= begin or end > today + timedelta(days=1):
            raise AwsError("ValidationException", f"{begin} to {end} is no period before {today}")
        if (begin.year, begin.month) != ((end - timedelta(days=1)).year, (end - timedelta(days=1)).month):
            raise FakeFault("the fake tells one month at a time")
        groups = self._groups([line for line in self.lines if begin <= line.day < end], params)
        some, after = page(groups, params, ("MaxResults", "NextPageToken"), self.page_size)
        result: Json = {
            "TimePeriod": params["TimePeriod"],
            "Total": {},
            "Groups": some,
            "Estimated": (begin.year, begin.month) == (today.year, today.month),
        }
        return {"GroupDefinitions": params["GroupBy"], "ResultsByTime": [result], **after}

    def _groups(self, lines: list[Line], params: Json) -> list[Json]:
        sums: dict[tuple[str, ...], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for line in lines:
            if self._is_wanted(line, params["Filter"]):
                keys = tuple(line.dimensions()[by["Key"]] for by in params["GroupBy"])
                for metric in params["Metrics"]:
                    sums[keys][metric] += line.metrics()[metric]
        return [
            {"Keys": [*keys], "Metrics": {name: _value(name, value) for name, value in metrics.items()}}
            for keys, metrics in sums.items()
        ]

    def _is_wanted(self, line: Line, wanted: Json) -> bool:
        """One of an expression's members decides, as AWS wants it to have only one."""
        ((operator, what),) = wanted.items()
        if operator == "And":
            return all(self._is_wanted(line, each) for each in what)
        if operator == "Not":
            return not self._is_wanted(line, what)
        facts = line.dimensions() if operator == "Dimensions" else self._counting_tags(line)
        return facts.get(what["Key"]) in what["Values"]

    def _counting_tags(self, line: Line) -> dict[str, str]:
        return {key: value for key, value in line.tags.items() if key in self.activated}


def _value(name: str, value: Decimal) -> Json:
    return {"Amount": str(value), "Unit": "N/A" if name == "UsageQuantity" else "USD"}
