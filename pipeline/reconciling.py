"""What Proofcast measured in a month beside what AWS billed, and why the two differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pipeline.deployment import TAG
from pipeline.model import Bill, BillItem, Market
from pipeline.tariff import month_span

ASKING_USD = Decimal("0.01")
"""For each request to Cost Explorer: AWS's price page of Cost Explorer, read in November 2026."""

OTHER = "other"
_CENT = Decimal("0.01")

# Of a service and a usage type, whose region may stand before it: the first that fits names the kind.
_KINDS = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"ECS-Managed-Instances:", "fee"),
        (r"(Box|Spot|Dedicated)Usage\b", "instance"),
        (r"EBS:VolumeUsage\b", "volume"),
        (r"PublicIPv4:", "address"),
        (r"NatGateway-Hours", "nat"),
        (r"VpcEndpoint-Hours", "endpoints"),
        (r"Container Registry", "image"),
        (r"^AWS Lambda", "functions"),
        (r"^AWS Secrets Manager", "secret"),
        (r"Schedule", "schedules"),
        (r"AlarmMonitorUsage", "alarms"),
        (r"^AmazonCloudWatch", "logs"),
        (r"Requests-|RequestUnits", "requests"),
        (r"TimedStorage-", "storage"),
        (r"DataTransfer-|-Bytes$", "transfer"),
    )
)
# Where all that is billed of a kind is counted in the unit that Proofcast counts in too.
_UNITS = {**dict.fromkeys(("instance", "fee", "address", "nat", "endpoints"), "h"), "volume": "GB-month"}

_MORE = "an instance that still runs, or ran on into the next month, or whose life was not seen whole"
_FEWER = "something ran before the tag was activated, or without the tag"
_BEHIND = "Cost Explorer is up to a day behind"
_FREE = "AWS counts it and charges nothing, as in a free tier"
_ROUGHLY = {
    **dict.fromkeys(
        ("requests", "functions", "schedules", "image", "transfer"),
        "Proofcast reckons it by rules of thumb and without free tiers",
    ),
    "storage": "Proofcast counts an episode's storage once, for as long as it will be kept",
}
_UNNAMED = "AWS names none with the tag: it was free, or is of those things that are billed without tags"


@dataclass(frozen=True, kw_only=True)
class Billed:
    """What AWS charged for one type of use in a month."""

    service: str
    usage_type: str
    usd: Decimal
    quantity: Decimal  #: in AWS's units: hours, GB-months, requests…
    estimated: bool = False  #: may still change


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One kind of cost, as measured and as billed, in US$."""

    kind: str  #: as in `BillItem.what`, or `OTHER`
    measured: Decimal
    billed: Decimal
    why: str = ""  #: they differ; empty where it is less than a cent, or nobody knows

    @property
    def difference(self) -> Decimal:
        return self.billed - self.measured


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """A month's costs by kind; the differences add up to the whole difference exactly."""

    month: str  #: as 2026-11
    rows: tuple[Compared, ...]
    notes: tuple[str, ...]  #: what is to be known of all of it

    @property
    def measured(self) -> Decimal:
        return sum((row.measured for row in self.rows), Decimal(0))

    @property
    def billed(self) -> Decimal:
        return sum((row.billed for row in self.rows), Decimal(0))

    @property
    def difference(self) -> Decimal:
        return self.billed - self.measured


def reconcile(bills: Sequence[Bill], billed: Sequence[Billed], month: str) -> Reconciled:
    """Compare the bills that ended in a month with AWS's own, kind by kind.

    Raises ConfigError where the month is none.
    """
    ours: dict[str, list[BillItem]] = {}
    theirs: dict[str, list[Billed]] = {}
    for item in (item for bill in bills for item in bill.items):
        ours.setdefault(item.what, []).append(item)
    for line in billed:
        theirs.setdefault(kind_of(line), []).append(line)
    on_spot = any(bill.market is Market.SPOT for bill in bills)
    return Reconciled(
        month=month,
        rows=tuple(
            Compared(
                kind=kind,
                measured=sum((item.usd for item in ours.get(kind, [])), Decimal(0)),
                billed=sum((line.usd for line in theirs.get(kind, [])), Decimal(0)),
                why=_why(kind, ours.get(kind, []), theirs.get(kind, []), on_spot) if billed else "",
            )
            for kind in ours | theirs
        ),
        notes=tuple(_notes(bills, billed, month)),
    )


def kind_of(line: Billed) -> str:
    """Which of Proofcast's own kinds of cost a line of AWS's is of."""
    text = f"{line.service} {line.usage_type}"
    return next((kind for pattern, kind in _KINDS if pattern.search(text)), OTHER)


def _why(kind: str, ours: list[BillItem], theirs: list[Billed], on_spot: bool) -> str:
    if abs(sum(line.usd for line in theirs) - sum(item.usd for item in ours)) < _CENT:
        return ""
    if not ours:
        return _unmeasured(theirs)
    if not theirs:
        return _UNNAMED
    if not any(line.usd for line in theirs):
        return _FREE
    return "; ".join(_effects(kind, ours, theirs, on_spot)) if kind in _UNITS else _ROUGHLY.get(kind, "")


def _unmeasured(theirs: list[Billed]) -> str:
    """Names what costs something, the dearest first."""
    dear = sorted((line for line in theirs if abs(line.usd) >= _CENT), key=lambda line: -line.usd)
    named = ", ".join(f"{line.usage_type} {line.usd:.2f}" for line in dear)
    return f"Proofcast does not measure it: {named or 'less than a cent of each'}"


def _effects(kind: str, ours: list[BillItem], theirs: list[Billed], on_spot: bool) -> list[str]:
    """How much of a difference is quantity, and how much price, where that is a cent or more."""
    measured, counted = sum(item.quantity for item in ours), sum(line.quantity for line in theirs)
    usd, charged = sum(item.usd for item in ours), sum(line.usd for line in theirs)
    if not measured or not counted:
        return []
    ours_each, theirs_each, unit = usd / measured, charged / counted, _UNITS[kind]
    by_quantity = (counted - measured) * ours_each
    by_price = charged - usd - by_quantity
    found: list[str] = []
    if abs(by_quantity) >= _CENT:
        fewer = _BEHIND if any(line.estimated for line in theirs) else _FEWER
        why = _MORE if by_quantity > 0 else fewer
        found.append(f"{counted:.2f} {unit} instead of {measured:.2f} ({by_quantity:+.2f}): {why}")
    if abs(by_price) >= _CENT:
        why = _why_other_price(ours, by_price, on_spot and kind == "instance")
        found.append(f"{theirs_each:.4f} a {unit} instead of {ours_each:.4f} ({by_price:+.2f}): {why}")
    return found


def _why_other_price(ours: list[BillItem], by_price: Decimal, on_spot: bool) -> str:
    if on_spot:
        return "spot prices moved while instances ran"
    if by_price < 0:
        return "a savings plan, a reservation or a discount lowered it"
    return "Proofcast went by " + ", ".join(sorted({item.price.source for item in ours}))


def _notes(bills: Sequence[Bill], billed: Sequence[Billed], month: str) -> list[str]:
    notes: list[str] = []
    if not billed:
        notes.append(
            f"Cost Explorer knows of nothing in {month} with the tag {TAG}. It counts from the tag's "
            "activation on: 'aws ce update-cost-allocation-tags-status --cost-allocation-tags-status "
            f"TagKey={TAG},Status=Active'; for what was before: 'aws ce start-cost-allocation-tag-backfill "
            f"--backfill-from {month}-01T00:00:00Z'"
        )
    if any(line.estimated for line in billed):
        notes.append(f"AWS calls its figures for {month} estimated: {_BEHIND}")
    begin, _ = month_span(month)
    across = [bill for bill in bills if bill.began_at < begin]
    if across:
        usd = sum(bill.usd for bill in across)
        notes.append(
            f"{len(across)} of the instances began in the month before, where AWS bills a part of their "
            f"US$ {usd:.2f}"
        )
    return notes
