"""What `proofcast plan` prints: tables, JSON, charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from shutil import get_terminal_size
from textwrap import fill
from typing import Any

import click

from pipeline.assumptions import Assumption
from pipeline.commands.charts import show
from pipeline.console import counted, dollars, lasting, one_line, print_table
from pipeline.model import Part, Price
from pipeline.offers import Unknown
from pipeline.options import Hired
from pipeline.planning import GRID, BreakEven, Crew, Question, Row, reference
from pipeline.whatif import Effect, Savings

_CURVES = 5  #: of a chart
_WIDTH = 100  #: of a paragraph, where the terminal has more


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Everything that there is to print."""

    question: Question
    rows: Sequence[Row]
    unknown: Sequence[Unknown]
    curves: Mapping[str, Sequence[tuple[float, Decimal]]]  #: US$ a month over episodes a month
    breaks: Sequence[BreakEven]
    savings: Savings | None
    effects: Sequence[Effect]
    crews: Sequence[Crew]

    @property
    def assumed(self) -> list[Assumption]:
        """Those that it rests on, in the table's order."""
        used = {key for row in self.rows for key in row.option.assumed}
        used |= {"savings.discount"} if self.savings else set()
        return [each for key, each in self.question.table.items() if key in used]

    @property
    def prices(self) -> dict[str, Price]:
        """All that went into it, but for those that are assumptions, by what they are of."""
        found: dict[str, Price] = {}
        for option in (row.option for row in self.rows):
            for what, price in option.prices.items():
                if isinstance(option, Hired) and (what.startswith("instance") or what == "fee"):
                    of = f"{option.type} {option.market}" if what.startswith("instance") else option.type
                    found[f"{what} {of}"] = price
                elif what == "instance":
                    found[option.name] = price
                elif what != "audio":
                    found[what] = price
        return found


def report(answer: Answer, *, verbose: bool) -> None:
    """Tables for people; `verbose`, with what each figure is made of and where it is from."""
    load = answer.question.load
    paced = f" in {_about(load.months)} months, {_about(load.a_month)} a month" if load.months else ""
    click.echo(f"{one_line(load.name)}: {counted(len(load.arrivals), 'episode')}{paced}")
    click.echo(f"{load.audio_s / 3600:,.1f} hours of audio; {answer.question.terms.region}, US$, without tax")
    click.echo(f"what stands, whether it works or not: US$ {answer.question.terms.standing_usd:.2f} a month")
    for note in load.notes:
        click.echo(f"- {one_line(note)}")
    _print_options(answer, verbose=verbose)
    _print_crews(answer.crews)
    _print_breaks(answer.breaks)
    _print_savings(answer.savings)
    _print_effects(answer)
    (_print_sources if verbose else _print_assumptions)(answer)


def document(answer: Answer) -> dict[str, Any]:
    """For programs: docs/cli.md tells its shape."""
    load = answer.question.load
    return {
        "load": {
            "name": load.name,
            "episodes": len(load.arrivals),
            "audio_s": load.audio_s,
            "months": load.months,
            "notes": load.notes,
        },
        "region": answer.question.terms.region,
        "standing_usd_a_month": answer.question.terms.standing_usd,
        "options": [_option(row) for row in answer.rows],
        "unknown": answer.unknown,
        "curves": answer.curves,
        "break_even": answer.breaks,
        "savings": answer.savings,
        "sensitivity": answer.effects,
        "crews": answer.crews,
        "assumptions": answer.assumed,
    }


def draw(answer: Answer, to: str) -> None:
    """Charts, in a picture file or, where none is named, on the terminal. Raises ConfigError."""
    from pipeline.plots import Bars, Lines

    bars = Bars(
        title="What an episode costs",
        unit="US$",
        labels=tuple(row.option.name for row in answer.rows),
        series={
            part.value: tuple(
                float(row.cost.parts.get(part, 0)) / len(row.load.arrivals) for row in answer.rows
            )
            for part in Part
        },
    )
    charts: list[Bars | Lines] = [bars]
    if answer.curves:
        shown = dict(list(answer.curves.items())[:_CURVES])
        series = {
            name: tuple((at, float(usd)) for at, usd in points if at <= _far(answer))
            for name, points in shown.items()
        }
        marks = [
            (_two_digits(at), f"{each.option} = {each.other}")
            for each in answer.breaks
            if each.other in shown
            for span in each.cheaper
            for at in span
            if at and at <= _far(answer)
        ]
        charts.append(
            Lines(
                title="What a month costs",
                x="episodes a month",
                y="US$",
                series=series,
                marks=tuple(marks),
            )
        )
    show(charts, to)


def _print_options(answer: Answer, *, verbose: bool) -> None:
    whole = not answer.question.load.months
    includes = list(dict.fromkeys(row.option.includes for row in answer.rows))
    first = reference(answer.rows)
    if first:
        _heading(f"the cheapest that Proofcast runs on by itself: {_summary(first)}")
    _heading("options, the cheapest first; times are from publication to transcript")
    print_table(
        [
            *("option", "US$/episode", "US$" if whole else "US$/month", "median", "95 %", "note"),
            *(("US$/h of audio", "start-up", "idle", "standing") if verbose else ()),
        ],
        [
            (*_cells(row, includes.index(row.option.includes) + 1), *(_shares(row) if verbose else ()))
            for row in answer.rows
        ],
    )
    for number, text in enumerate(includes, 1):
        click.echo(f"note {number}: counts {text}")
    for each in answer.unknown:
        click.echo(f"unknown: {each.name}: {each.reason}")


def _summary(row: Row) -> str:
    after = lasting(row.cost.median_s)
    return f"{row.option.name}, US$ {dollars(row.per_episode, 3)} an episode, {after} after publication"


def _cells(row: Row, note: int) -> Sequence[str]:
    cost = row.cost
    whole = cost.usd if row.per_month is None else row.per_month
    return (
        *(row.option.name, dollars(row.per_episode, 3), dollars(whole)),
        *(lasting(cost.median_s), lasting(cost.p95_s), str(note)),
    )


def _shares(row: Row) -> Sequence[str]:
    parts = (Part.START_UP, Part.IDLE, Part.STANDING)
    return dollars(row.per_audio_hour, 3), *(f"{row.cost.share(part):.0%}" for part in parts)


def _print_crews(found: Sequence[Crew]) -> None:
    if not found:
        return
    _heading("how many workers at once; the quota is in vCPUs, for one instance more than work")
    names = list(found[0].usd)
    print_table(
        ["workers", "done after", *(f"US$ {name}" for name in names), "quota"],
        [
            (each.workers, lasting(each.done_s), *(dollars(each.usd[name]) for name in names), each.vcpus)
            for each in found
        ],
    )


def _print_breaks(found: Sequence[BreakEven]) -> None:
    if not found:
        return
    _heading(
        f"break-even: where {found[0].option} is cheaper, of {GRID[0]:,} to {GRID[-1]:,} episodes a month"
    )
    print_table(["than", "episodes a month"], [(each.other, _where(each)) for each in found])


def _where(each: BreakEven) -> str:
    return " and ".join(_span(*span) for span in each.cheaper) or "never"


def _span(begin: float | None, end: float | None) -> str:
    if begin is None and end is None:
        return "always"
    if begin is None or end is None:
        return f"from about {_about(begin)} on" if begin else f"up to about {_about(end or 0)}"
    return f"from about {_about(begin)} to {_about(end)}"


def _about(value: float) -> str:
    """To two digits: more would be pretended."""
    return f"{_two_digits(value):,g}"


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _print_savings(found: Savings | None) -> None:
    if found is None:
        return
    _heading(f"managed {found.type} with a savings plan or reservation: the fee is never less")
    print_table(
        ["discount", *(f"{row.discount:.0%}" for row in found.rows)],
        [
            ("US$/h with fee", *(f"{row.usd_h:.3f}" for row in found.rows)),
            ("of it the fee", *(f"{row.fee_share:.1%}" for row in found.rows)),
        ],
    )
    click.echo(f"the fee is more than start-up and idling cost: {_from(found.beyond_waste)}")
    covered = f", so with {found.coverage:.0%} of hours covered" if found.coverage else ""
    click.echo(f"plain ECS is cheaper in spite of what it idles: {_from(found.plain_cheaper)}{covered}")


def _from(discount: Decimal | None) -> str:
    if discount is None:
        return "at no discount"
    return f"from {discount:.0%} discount on" if discount else "at any discount"


def _print_effects(answer: Answer) -> None:
    first = reference(answer.rows)
    if not first or not answer.effects:
        return
    _heading(f"sensitivity: US$ an episode of {first.option.name} with half of each, and half as much again")
    print_table(
        ["of", "half", "1.5 times", "swing", "cheapest of all then"],
        [
            (
                each.what,
                f"{each.less:.3f}",
                f"{each.more:.3f}",
                f"{each.swing:.0%}",
                " / ".join(dict.fromkeys((each.cheapest_if_less, each.cheapest_if_more))),
            )
            for each in answer.effects
        ],
    )


def _print_assumptions(answer: Answer) -> None:
    """As `--set` takes them, those of people and of measurements first; and whose the prices are."""
    _heading("assumptions (--set KEY=VALUE puts another in its place, --verbose says where each is from)")
    for origin in ("set", "measured", "assumed"):
        figures = [f"{each.key}={_plain(each.value)}" for each in answer.assumed if each.origin == origin]
        if figures:
            text = f"{origin}: {', '.join(figures)}"
            width = min(_WIDTH, get_terminal_size().columns)
            click.echo(fill(text, width, subsequent_indent="  ", break_on_hyphens=False))
    _heading("prices")
    sources = {(what.partition(" ")[0], each.source) for what, each in answer.prices.items()}
    print_table(["of", "from"], sorted(sources), long=("from",))


def _print_sources(answer: Answer) -> None:
    _heading("assumptions (--set KEY=VALUE puts another in its place)")
    print_table(
        ["key", "value", "unit", "", "date", "source"],
        [
            (each.key, _plain(each.value), each.unit, _mark(each), each.date, each.source)
            for each in answer.assumed
        ],
        long=("source",),
    )
    _heading("prices")
    print_table(
        ["of", "US$", "a", "source"],
        [(what, _plain(each.usd), each.unit, each.source) for what, each in answer.prices.items()],
        long=("source",),
    )


def _option(row: Row) -> dict[str, Any]:
    cost = row.cost
    return {
        "name": row.option.name,
        "usd": cost.usd,
        "usd_an_episode": row.per_episode,
        "usd_an_audio_hour": row.per_audio_hour,
        "usd_a_month": row.per_month,
        "parts": cost.parts,
        "median_s": cost.median_s,
        "p95_s": cost.p95_s,
        "billed_s": cost.billed_s,
        "includes": row.option.includes,
        "prices": row.option.prices,
        "assumptions": row.option.assumed,
    }


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _mark(each: Assumption) -> str:
    return "" if each.origin == "assumed" else each.origin


def _far(answer: Answer) -> float:
    """How many episodes a month a chart reaches to: ten times as many as there are, or a hundred."""
    return max(100.0, 10 * answer.question.load.a_month)


def _heading(text: str) -> None:
    click.echo(f"\n{text}")
