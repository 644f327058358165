"""What was measured beside what AWS billed: nothing gets lost between them, and what can be is explained."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.costs import item
from pipeline.model import Bill, BillItem, Market, Price
from pipeline.reconciling import OTHER, Billed, Compared, Reconciled, kind_of, reconcile

OCTOBER = "2026-10"
EC2, OTHER_EC2 = "Amazon Elastic Compute Cloud - Compute", "EC2 - Other"
LIST = "list price of 2026-02-07"


def at(month: int, day: int) -> float:
    return datetime(2026, month, day, tzinfo=UTC).timestamp()


def costs(what: str, quantity: str, usd: str, source: str = LIST) -> BillItem:
    return item(what, Decimal(quantity), Price(usd=Decimal(usd), source=source, at=at(10, 1)))


def a_bill(*items: BillItem, **fields: Any) -> Bill:
    facts: dict[str, Any] = {
        "id": "i-1",
        "began_at": at(10, 5),
        "ended_at": at(10, 6),
        "work_s": {"show-1": 60.0},
        "type": "g6.xlarge",
        "market": Market.ON_DEMAND,
        **fields,
    }
    return Bill(items=items, **facts)


def line(usage_type: str, quantity: str, usd: str, service: str = EC2, estimated: bool = False) -> Billed:
    return Billed(
        service=service,
        usage_type=usage_type,
        usd=Decimal(usd),
        quantity=Decimal(quantity),
        estimated=estimated,
    )


def the_row(reconciled: Reconciled, kind: str) -> Compared:
    (row,) = (row for row in reconciled.rows if row.kind == kind)
    return row


@pytest.mark.parametrize(
    ("service", "usage_type", "kind"),
    [
        (EC2, "BoxUsage:g6.xlarge", "instance"),
        (EC2, "EUW1-SpotUsage:g6.xlarge", "instance"),
        ("Amazon Elastic Container Service", "USE1-ECS-Managed-Instances:g6.xlarge-management-hours", "fee"),
        ("Amazon Elastic Container Service", "ECS-Managed-Instances:g5.xlarge-management-hours", "fee"),
        (OTHER_EC2, "EU-EBS:VolumeUsage.gp3", "volume"),
        (OTHER_EC2, "EU-EBS:SnapshotUsage", OTHER),
        ("Amazon Virtual Private Cloud", "USE1-PublicIPv4:InUseAddress", "address"),
        (OTHER_EC2, "NatGateway-Hours", "nat"),
        (OTHER_EC2, "EUC1-NatGateway-Bytes", "transfer"),
        ("Amazon Virtual Private Cloud", "EU-VpcEndpoint-Hours", "endpoints"),
        ("Amazon Virtual Private Cloud", "EU-VpcEndpoint-Bytes", "transfer"),
        (OTHER_EC2, "DataTransfer-Regional-Bytes", "transfer"),
        ("Amazon Simple Storage Service", "USE1-EUC1-AWS-Out-Bytes", "transfer"),
        ("Amazon Simple Storage Service", "EUC1-TimedStorage-ByteHrs", "storage"),
        ("Amazon EC2 Container Registry (ECR)", "EUC1-TimedStorage-ByteHrs", "image"),
        ("AmazonCloudWatch", "EUC1-TimedStorage-ByteHrs", "logs"),
        ("AmazonCloudWatch", "EUC1-DataProcessing-Bytes", "logs"),
        ("AmazonCloudWatch", "EUC1-CW:AlarmMonitorUsage", "alarms"),
        ("Amazon Simple Storage Service", "Requests-Tier1", "requests"),
        ("Amazon Simple Queue Service", "EU-Requests-Tier1", "requests"),
        ("Amazon DynamoDB", "EU-WriteRequestUnits", "requests"),
        ("AWS Lambda", "EU-Lambda-GB-Second", "functions"),
        ("AWS Lambda", "EU-Request", "functions"),
        ("AWS Secrets Manager", "EU-AWSSecretsManager-Secrets", "secret"),
        ("AWS Key Management Service", "eu-west-1-KMS-Requests", OTHER),
    ],
)
def test_types_of_use_are_told_apart(service: str, usage_type: str, kind: str) -> None:
    assert kind_of(line(usage_type, "1", "1", service)) == kind


WHATS = ["instance", "fee", "volume", "address", "requests", "storage", "secret", "a new one"]
USAGE_TYPES = ["BoxUsage:g6.xlarge", "SpotUsage:g5.xlarge", "EBS:VolumeUsage.gp3", "NatGateway-Hours", "New"]
AMOUNTS = st.decimals(min_value=-1000, max_value=100_000, places=10)
QUANTITIES = st.decimals(min_value=0, max_value=100_000, places=9)


@given(
    items=st.lists(
        st.builds(
            item,
            st.sampled_from(WHATS),
            QUANTITIES,
            st.builds(
                Price,
                usd=st.decimals(min_value=0, max_value=50, places=10),
                source=st.just("a"),
                at=st.just(0.0),
            ),
        )
    ),
    lines=st.lists(
        st.builds(
            Billed,
            service=st.just(EC2),
            usage_type=st.sampled_from(USAGE_TYPES),
            usd=AMOUNTS,
            quantity=QUANTITIES,
            estimated=st.booleans(),
        )
    ),
)
def test_the_differences_of_all_kinds_are_the_whole_difference(
    items: list[BillItem], lines: list[Billed]
) -> None:
    half = len(items) // 2
    bills = [a_bill(*items[:half]), a_bill(*items[half:], id="i-2", market=Market.SPOT)]
    reconciled = reconcile(bills, lines, OCTOBER)
    measured, billed = sum(bill.usd for bill in bills), sum(line.usd for line in lines)
    assert sum(row.difference for row in reconciled.rows) == reconciled.difference == billed - measured
    assert (reconciled.measured, reconciled.billed) == (measured, billed)
    kinds = [row.kind for row in reconciled.rows]
    assert len(kinds) == len(set(kinds))


def test_what_agrees_needs_no_words() -> None:
    """Two hours of a g6.xlarge in us-east-1 and the fee, in one line of AWS's each."""
    bills = [a_bill(costs("instance", "1", "0.8048"), costs("fee", "1", "0.0627744"), id=id) for id in "ab"]
    reconciled = reconcile(
        bills,
        [
            line("BoxUsage:g6.xlarge", "2", "1.6096"),
            line("USE1-ECS-Managed-Instances:g6.xlarge-management-hours", "2", "0.1255488"),
        ],
        OCTOBER,
    )
    assert reconciled.difference == 0
    assert [(row.kind, row.measured) for row in reconciled.rows] == [
        ("instance", Decimal("1.6096")),
        ("fee", Decimal("0.1255488")),
    ]
    assert not any(row.why for row in reconciled.rows)
    assert not reconciled.notes


@pytest.mark.parametrize(
    ("hours", "usd", "estimated", "words"),
    [
        ("12", "9.60", False, ["12.00 h instead of 10.00 (+1.60)", "still runs"]),
        ("7.5", "6.00", False, ["7.50 h instead of 10.00 (-2.00)", "before the tag was activated"]),
        ("7.5", "6.00", True, ["7.50 h instead of 10.00 (-2.00)", "a day behind"]),
        ("10", "5.00", False, ["0.5000 a h instead of 0.8000 (-3.00)", "savings plan"]),
        ("10", "9.00", False, ["0.9000 a h instead of 0.8000 (+1.00)", f"went by {LIST}"]),
        ("10", "0", False, ["charges nothing"]),
        ("12", "6.00", False, ["(+1.60)", "0.5000 a h instead of 0.8000 (-3.60)", "savings plan"]),
    ],
)
def test_hours_and_their_price_are_told_apart(
    hours: str, usd: str, estimated: bool, words: list[str]
) -> None:
    billed = [line("BoxUsage:g6.xlarge", hours, usd, estimated=estimated)]
    row = the_row(reconcile([a_bill(costs("instance", "10", "0.80"))], billed, OCTOBER), "instance")
    assert row.difference == Decimal(usd) - 8
    for word in words:
        assert word in row.why
    assert ("instead of 10.00" in row.why) is (hours != "10")


def test_spot_prices_move() -> None:
    bills = [a_bill(costs("instance", "10", "0.30"), costs("fee", "10", "0.06"), market=Market.SPOT)]
    fee = "ECS-Managed-Instances:g6.xlarge-management-hours"
    reconciled = reconcile(
        bills, [line("SpotUsage:g6.xlarge", "10", "3.50"), line(fee, "10", "0.50")], OCTOBER
    )
    assert "spot prices moved" in the_row(reconciled, "instance").why
    assert "spot" not in the_row(reconciled, "fee").why


def test_volumes_are_counted_by_the_month() -> None:
    billed = [line("EBS:VolumeUsage.gp3", "4", "0.32", OTHER_EC2)]
    row = the_row(reconcile([a_bill(costs("volume", "3", "0.08"))], billed, OCTOBER), "volume")
    assert "4.00 GB-month instead of 3.00 (+0.08)" in row.why


def test_what_is_not_measured_is_named_the_dearest_first() -> None:
    billed = [
        line("EU-EBS:SnapshotUsage", "1", "0.05", OTHER_EC2),
        line("DataTransfer-In-Bytes", "9", "0", OTHER_EC2),
        line("EUW1-EU-AWS-Out-Bytes", "1", "0.006", OTHER_EC2),
        line("EUW1-USE1-AWS-Out-Bytes", "1", "0.006", OTHER_EC2),
        line("eu-west-1-KMS-Requests", "1", "1.25", "AWS Key Management Service"),
        line("EU-Event-64K-Chunks", "1", "0.0001", "CloudWatch Events"),
    ]
    reconciled = reconcile([], billed, OCTOBER)
    why = the_row(reconciled, OTHER).why
    assert why.endswith("does not measure it: eu-west-1-KMS-Requests 1.25, EU-EBS:SnapshotUsage 0.05")
    assert the_row(reconciled, "transfer").why.endswith("less than a cent of each")


def test_what_aws_does_not_name_is_said() -> None:
    bills = [a_bill(costs("instance", "1", "0.8"), costs("alarms", "5", "0.10"))]
    reconciled = reconcile(bills, [line("BoxUsage:g6.xlarge", "1", "0.8")], OCTOBER)
    row = the_row(reconciled, "alarms")
    assert row.difference == Decimal("-0.5")
    assert "billed without tags" in row.why


def test_what_is_reckoned_roughly_is_said_to_be() -> None:
    bills = [
        a_bill(costs("requests", "100", "0.001"), costs("storage", "1", "0.05"), costs("secret", "1", "0.4"))
    ]
    billed = [
        line("EU-Requests-Tier1", "90", "0.02", "Amazon Simple Queue Service"),
        line("EU-TimedStorage-ByteHrs", "1", "0.01", "Amazon Simple Storage Service"),
        line("EU-AWSSecretsManager-Secrets", "1", "0.4", "AWS Secrets Manager"),
    ]
    reconciled = reconcile(bills, billed, OCTOBER)
    assert "rules of thumb" in the_row(reconciled, "requests").why
    assert "as long as it will be kept" in the_row(reconciled, "storage").why
    assert not the_row(reconciled, "secret").why


def test_less_than_a_cent_is_not_explained() -> None:
    bills = [a_bill(costs("instance", "1", "0.8048"), costs("requests", "9", "0.001"))]
    billed = [
        line("BoxUsage:g6.xlarge", "1.001", "0.8056"),
        line("EU-Requests-Tier1", "9", "0.018", "Amazon Simple Queue Service"),
        line("eu-west-1-KMS-Requests", "1", "0.003", "AWS Key Management Service"),
    ]
    reconciled = reconcile(bills, billed, OCTOBER)
    assert all(row.difference > 0 for row in reconciled.rows)
    assert [row.why for row in reconciled.rows] == ["", "", ""]


def test_an_empty_answer_tells_how_to_activate_the_tag() -> None:
    reconciled = reconcile([a_bill(costs("instance", "1", "0.8"))], [], OCTOBER)
    assert reconciled.difference == Decimal("-0.8")
    (note,) = reconciled.notes
    assert (
        "aws ce update-cost-allocation-tags-status --cost-allocation-tags-status "
        "TagKey=proofcast:deployment,Status=Active"
    ) in note
    assert "--backfill-from 2026-10-01T00:00:00Z" in note
    assert not the_row(reconciled, "instance").why


def test_a_month_that_may_still_change_is_said_to() -> None:
    billed = [line("BoxUsage:g6.xlarge", "1", "0.8", estimated=True)]
    (note,) = reconcile([a_bill(costs("instance", "1", "0.8"))], billed, OCTOBER).notes
    assert "2026-10 estimated" in note


def test_instances_from_the_month_before_are_counted() -> None:
    bills = [
        a_bill(costs("instance", "1", "0.8"), began_at=at(9, 30), ended_at=at(10, 1) + 60),
        a_bill(costs("secret", "1", "0.40"), id="standing-2026-10", began_at=at(10, 1), ended_at=at(11, 1)),
    ]
    (note,) = reconcile(bills, [line("BoxUsage:g6.xlarge", "1", "0.8")], OCTOBER).notes
    assert note.startswith("1 of the instances began in the month before")
    assert "US$ 0.80" in note
