"""`proofcast costs --bill`: what was measured, beside what AWS billed."""

from __future__ import annotations

import click

from pipeline.console import print_json, print_table, say
from pipeline.errors import ConfigError
from pipeline.reconciling import ASKING_USD, Reconciled, reconcile
from pipeline.settling import bills_of
from pipeline.tariff import month_of
from pipeline.wiring import AwsEngine, Engine


def month_bill(at: Engine, month: str | None, *, as_json: bool) -> None:
    """Of this month, if none is named. Raises ConfigError, StorageError."""
    if not isinstance(at, AwsEngine) or not at.books:
        raise ConfigError("--bill: nobody bills this machine", 'it is for engine = "aws"')
    wanted = month or month_of(at.clock())
    clients = at.clients
    from pipeline.adapters.aws.billed import BilledCosts

    billed = BilledCosts(clients.cost_explorer(), at.names, at.clock).of_month(wanted)
    say(f"Cost Explorer was asked, for which AWS bills US$ {ASKING_USD} a request")
    compared = reconcile(bills_of(at.books, wanted), billed, wanted)
    if as_json:
        print_json(
            {
                "month": compared.month,
                "measured": compared.measured,
                "billed": compared.billed,
                "difference": compared.difference,
                "rows": [
                    {
                        "kind": row.kind,
                        "measured": row.measured,
                        "billed": row.billed,
                        "difference": row.difference,
                        "why": row.why,
                    }
                    for row in compared.rows
                ],
                "notes": compared.notes,
            }
        )
    else:
        _print(compared)


def _print(compared: Reconciled) -> None:
    print_table(
        ["kind", "measured", "billed", "difference", "why"],
        [
            (row.kind, f"{row.measured:.2f}", f"{row.billed:.2f}", f"{row.difference:+.2f}", row.why)
            for row in compared.rows
        ]
        + [("all", f"{compared.measured:.2f}", f"{compared.billed:.2f}", f"{compared.difference:+.2f}", "")],
        long=("why",),
    )
    for note in compared.notes:
        click.echo(f"- {note}")
