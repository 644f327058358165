"""What `proofcast costs` prints: tables, CSV, JSON, charts."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from pipeline.accounts import Kept
from pipeline.advice import Advice
from pipeline.commands.charts import show
from pipeline.console import clock, counted, dollars, lasting, one_line, print_json, print_table
from pipeline.model import CostLine, Episode, Part
from pipeline.reporting import By, Row, explained
from pipeline.status import MonthCost

_LINE = ("episode", "bill", "what", "part", "quantity", "unit", "unit_usd", "usd", "source", "price_at")
_MOST_BARS = 40  #: the last ones of a time, the largest of all else


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that there is to print."""

    by: By
    rows: Sequence[Row]
    total: Row
    kept: Kept
    asked: str | None  #: month; None: all of them
    month: MonthCost | None  #: this one until now
    advice: Sequence[Advice]


def report(made: Report) -> None:
    """Tables for people."""
    _print_total(made)
    if made.rows:
        click.echo("")
        _print_rows(made)
        _print_waste(made.total)
    if made.month and made.month.usd and made.asked in (None, made.month.month):
        click.echo(f"\n{_until_now(made.month)}")
    if made.advice:
        click.echo("\nwhat would have saved some of what instances cost, each by itself")
        print_table(
            ["change", "US$", "share", "transcripts come"],
            [(each.change, dollars(each.usd), f"{each.share:.0%}", _later(each)) for each in made.advice],
            long=("change",),
        )
    if made.rows:
        click.echo("\nprices")
        print_table(["of", "from"], made.kept.sources, long=("from",))


def _until_now(month: MonthCost) -> str:
    running = f"; {dollars(month.running_usd)} of it is not billed yet" if month.running_usd else ""
    return f"{month.month} until now, with what stands there all the time: US$ {dollars(month.usd)}{running}"


def _print_total(made: Report) -> None:
    whole, kept = made.total, made.kept
    if kept.imagined_on is not None:
        click.echo("US$ 0.00: this machine is your own")
        if made.rows:
            click.echo(
                f"the same work on AWS ({kept.imagined_on}) would have cost about US$ {dollars(whole.usd)},"
                f" and US$ {kept.standing_usd:.2f} a month for what stands there all the time"
            )
        return
    if not made.rows:
        of = f" in {made.asked}" if made.asked else " yet"
        click.echo(f"nothing is billed{of}: an instance's bill is made some minutes after its end")
        return
    hour = whole.usd_per_audio_h
    an_hour = f", US$ {dollars(hour, 3)} an hour of it" if hour is not None else ""
    episodes = counted(whole.episodes, "episode")
    click.echo(f"US$ {dollars(whole.usd)} for {episodes}, {clock(whole.audio_s)} of audio{an_hour}")


def _print_rows(made: Report) -> None:
    """With titles where there are any, and the whole where it is more than one row."""
    rows = [*made.rows, *([made.total] if len(made.rows) > 1 else ())]
    columns = {
        made.by.value: [row.name for row in rows],
        "title": [row.title for row in rows],
        "episodes": [row.episodes for row in rows],
        "audio": [clock(row.audio_s) for row in rows],
        "US$": [dollars(row.usd, 3) for row in rows],
        **{part.value: [dollars(row.parts[part], 3) for row in rows] for part in Part},
        "US$/h of audio": ["" if (hour := row.usd_per_audio_h) is None else dollars(hour, 3) for row in rows],
    }
    if made.by is By.EPISODE:
        del columns["episodes"]
    if not any(columns["title"]):
        del columns["title"]
    print_table(list(columns), zip(*columns.values(), strict=True), long=("title", made.by.value))


def _print_waste(whole: Row) -> None:
    instances = sum(whole.parts[part] for part in (Part.WORK, Part.START_UP, Part.IDLE))
    if not instances:
        return
    click.echo("")
    for part, meaning in (
        (Part.START_UP, "waiting for workers to start"),
        (Part.IDLE, "instances that idled"),
    ):
        usd = whole.parts[part]
        click.echo(
            f"{part.value:9} US$ {dollars(usd)}, {usd / instances:.0%} of what instances cost: {meaning}"
        )


def print_report_json(made: Report) -> None:
    """For programs: docs/cli.md tells its shape."""
    kept = made.kept
    print_json(
        {
            "by": made.by,
            "paid": kept.imagined_on is None,
            "imagined_on": kept.imagined_on,
            "rows": [_row(row) for row in made.rows],
            "total": _row(made.total),
            "month": made.month,
            "advice": made.advice,
            "prices": [{"of": what, "source": source} for what, source in kept.sources],
        }
    )


def print_csv(made: Report) -> None:
    """A line for each row, with a header."""
    told = map(_row, (made.total, *made.rows))
    flat = [{**{k: row[k] for k in row if k != "parts"}, **row["parts"]} for row in told]
    _csv(list(flat[0]), flat[1:])


def one_episode(episode: Episode, kept: Kept, *, as_json: bool, as_csv: bool) -> None:
    """An episode, line by line."""
    lines = explained(episode.id, kept.bills)
    usd = sum((line.usd for line in lines), Decimal(0))
    rows = [_line(line) for line in lines]
    if as_json:
        print_json({"episode": episode.id, "paid": kept.imagined_on is None, "usd": usd, "lines": rows})
    elif as_csv:
        _csv(_LINE, rows)
    elif not lines:
        click.echo(one_line(f"nothing is billed of {episode.title}"))
    else:
        if kept.imagined_on is not None:
            click.echo(
                f"US$ 0.00: this machine is your own; on AWS ({kept.imagined_on}) it would have been about:"
            )
        click.echo(one_line(f"US$ {usd:.4f} for {episode.title} ({clock(episode.duration_s)})"))
        _print_lines(lines)


def _print_lines(lines: Sequence[CostLine]) -> None:
    print_table(
        ["bill", "what", "for", "quantity", "unit", "US$ a unit", "US$", "price of", "from"],
        [
            (
                *(line.bill, line.what, line.part, f"{line.quantity:.6f}", line.price.unit),
                *(f"{line.price.usd.normalize():f}", f"{line.usd:.6f}"),
                *(_day(line.price.at), line.price.source),
            )
            for line in lines
        ],
        long=("from", "bill"),
    )


def draw(made: Report, to: str) -> None:
    """A bar for each row, in a file or, where none is named, on the terminal. Raises ConfigError."""
    from pipeline.plots import Bars

    rows = made.rows[-_MOST_BARS:] if made.by in (By.DAY, By.MONTH) else made.rows[:_MOST_BARS]
    would = ", had it been on AWS" if made.kept.imagined_on is not None else ""
    bars = Bars(
        title=f"Costs by {made.by.value}{would}",
        unit="US$",
        labels=tuple(row.title or row.name for row in rows),
        series={part.value: tuple(float(row.parts[part]) for row in rows) for part in Part},
    )
    if not rows:
        click.echo("nothing to draw yet", err=True)
        return
    show([bars], to)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _later(each: Advice) -> str:
    if abs(each.later_s) < 1:
        return "as soon"
    return f"{lasting(abs(each.later_s))} {'later' if each.later_s > 0 else 'sooner'}"


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "title": row.title,
        "episodes": row.episodes,
        "audio_s": row.audio_s,
        "usd": row.usd,
        "parts": row.parts,
        "usd_per_audio_h": row.usd_per_audio_h,
    }


def _line(line: CostLine) -> dict[str, Any]:
    return {
        "episode": line.episode,
        "bill": line.bill,
        "what": line.what,
        "part": line.part,
        "quantity": line.quantity,
        "unit": line.price.unit,
        "unit_usd": line.price.usd,
        "usd": line.usd,
        "source": line.price.source,
        "price_at": line.price.at,
    }


def _csv(header: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value: object) -> object:
    """A feed's words as text on one line, which no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = one_line(value).strip()
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
