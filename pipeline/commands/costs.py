"""`proofcast costs`: what transcripts cost, who of them how much and for what, and what would cost less."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import click

from pipeline.accounts import Kept, aws_of, question, would_be
from pipeline.advice import Advice, advice, load_of, managed, worked
from pipeline.assumptions import measured, shipped
from pipeline.commands.charts import check, plot_option
from pipeline.commands.costs_report import (
    Report,
    draw,
    one_episode,
    print_csv,
    print_report_json,
    report,
)
from pipeline.commands.month_bill import month_bill
from pipeline.console import config_option, engine, json_option
from pipeline.errors import ConfigError
from pipeline.model import Bill, Episode, Market
from pipeline.planning import speeds
from pipeline.reporting import By, rows_by, total
from pipeline.status import find_episode, month_cost
from pipeline.tariff import month_span
from pipeline.wiring import Engine


@click.command()
@click.argument("episode", required=False)
@click.option("--by", type=click.Choice([by.value for by in By]), default="month", help="Added up for each.")
@click.option("--month", metavar="YYYY-MM", help="Only of this month (UTC).")
@click.option("--bill", is_flag=True, help="Beside what AWS billed in --month, by Cost Explorer.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@plot_option
@config_option
@json_option
@click.pass_context
def costs(
    ctx: click.Context,
    episode: str | None,
    by: str,
    month: str | None,
    bill: bool,
    as_csv: bool,
    plot: str | None,
    as_json: bool,
) -> None:
    """Say what transcripts cost, from recorded times and prices; of one EPISODE, line by line.

    On the local engine nothing is paid for: it says what the same work would have cost on AWS.
    """
    _together(episode, bill=bill, as_csv=as_csv, as_json=as_json, plot=plot)
    at = engine(ctx)
    if bill:
        month_bill(at, month, as_json=as_json)
        return
    since, until = _span(month)
    kept = (
        Kept(bills=at.ledger.bills(since, until))
        if at.books
        else would_be(at.config, at.prices, at.ledger.episodes(), since, until)
    )
    if episode:
        one_episode(find_episode(at.ledger, episode), kept, as_json=as_json, as_csv=as_csv)
        return
    made = _report(at, By(by), kept, month)
    (print_report_json if as_json else print_csv if as_csv else report)(made)
    if plot is not None:
        draw(made, plot)


def _together(episode: str | None, *, bill: bool, as_csv: bool, as_json: bool, plot: str | None) -> None:
    """Raises ConfigError for what can't be meant together."""
    if as_csv and as_json:
        raise ConfigError("--csv and --json can't both be printed", "choose one")
    if bill and (episode or as_csv or plot is not None):
        raise ConfigError("--bill is of a whole month, as a table or --json", "leave the rest out")
    if episode and plot is not None:
        raise ConfigError("--plot is of many episodes", "leave EPISODE out")
    check(plot, as_json=as_json, as_csv=as_csv)


def _report(at: Engine, by: By, kept: Kept, month: str | None) -> Report:
    ids = {episode for bill in kept.bills for episode in bill.work_s}
    episodes = {episode.id: episode for episode in at.ledger.several(list(ids))}
    rows = rows_by(by, kept.bills, episodes)
    paid, spent = kept.imagined_on is None, at.spending()
    return Report(
        by=by,
        rows=rows,
        total=total(rows, kept.bills, episodes),
        kept=kept,
        asked=month,
        month=month_cost(spent) if spent else None,
        advice=_advice(at, kept.bills, list(episodes.values())) if paid else [],
    )


def _advice(at: Engine, bills: Sequence[Bill], episodes: Sequence[Episode]) -> list[Advice]:
    """For the kind of instance that cost the most."""
    paid: dict[tuple[str, Market], Decimal] = {}
    for bill in bills:
        if bill.type:
            kind = bill.type, bill.market or Market.ON_DEMAND
            paid[kind] = paid.get(kind, Decimal(0)) + bill.usd
    done = worked(episodes)
    if not paid or not done:
        return []
    type, market = max(paid, key=lambda kind: paid[kind])
    seen = speeds(bills, {each.id: each.duration_s or 0.0 for each in done})
    asked = question(aws_of(at.config), at.prices, load_of(done), measured(shipped(), seen))
    now = managed(asked, type, market)
    return advice(asked, now, sum(paid.values(), Decimal(0))) if now else []


def _span(month: str | None) -> tuple[float, float | None]:
    """Raises ConfigError."""
    if month is None:
        return 0.0, None
    begin, end = month_span(month)
    return begin, end - 1
