"""How fast `plan` plays loads through, and the figures of docs/plan.md.

    python -m tests.bench.bench_plan [--write]

Prints episodes a second for 10,000 and 100,000 of them, and how much longer the ten times as many take: ten
times, where nothing grows with what was done before. Then the tables of docs/plan.md; `--write` puts them
there, and nothing else is printed. They are the same in every run, until a price or an assumption changes.
"""

from __future__ import annotations

import argparse
import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from pipeline import loads
from pipeline.arrivals import Arrival, catalogue, network
from pipeline.assumptions import shipped
from pipeline.config import Aws
from pipeline.deployment import DEFAULT_REGION
from pipeline.imagined import Setting
from pipeline.listed import Listed
from pipeline.loads import Load
from pipeline.model import Part
from pipeline.offers import CPU_TYPE, GPU_TYPES, offers
from pipeline.options import terms_of
from pipeline.planning import Question, Row, compare, crews
from pipeline.simulation import simulate

DOCS = Path(__file__).parents[2] / "docs"
FEW, MANY = 10_000, 100_000
YEAR_DAYS = 365
SHOWN = ("g6.xlarge", CPU_TYPE)  #: instance types in the tables of options


def question(load: Load, types: Iterable[str] = (*GPU_TYPES, CPU_TYPE)) -> Question:
    """Of a deployment with the defaults, at shipped prices."""
    listed = Listed(DEFAULT_REGION)
    return Question(
        load=load,
        table=shipped(),
        offers=offers(listed, types),
        service=listed.service,
        terms=terms_of(Aws(region=DEFAULT_REGION), listed.service),
    )


def rows(asked: Question) -> list[Row]:
    found, _ = asked.options()
    return compare(asked, found)


def tables() -> dict[str, str]:
    """Of docs/plan.md, in Markdown."""
    back = question(loads.catalogue(500, 400))
    return {
        "weekly": _options(rows(question(loads.regular(4, 60), SHOWN))),
        "network": _options(rows(question(loads.drawn(1000, 45, 1), SHOWN))),
        "catalogue": _crews(back, rows(back)),
    }


def _options(found: Iterable[Row]) -> str:
    head = ["option", "US$/episode", "US$/month", "median, min", "95 %, min", "start-up", "idle", "standing"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in found:
        shares = [row.cost.share(part) for part in (Part.START_UP, Part.IDLE, Part.STANDING)]
        lines.append(
            [
                row.option.name,
                f"{row.per_episode:.3f}",
                f"{row.per_month or 0:.2f}",
                f"{row.cost.median_s / 60:.1f}",
                f"{row.cost.p95_s / 60:.1f}",
                *(f"{share:.0%}" for share in shares),
            ]
        )
    return _markdown(lines)


def _crews(asked: Question, found: Sequence[Row]) -> str:
    done = crews(asked, found)
    names = list(done[0].usd)
    lines = [["workers", "hours", *(f"US$, {name}" for name in names), "vCPUs of quota"]]
    lines.append(["---:"] * len(lines[0]))
    for each in done:
        usd = [f"{each.usd[name]:.2f}" for name in names]
        lines.append([f"{each.workers}", f"{each.done_s / 3600:.1f}", *usd, f"{each.vcpus}"])
    return _markdown(lines)


def _markdown(lines: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _timed(arrivals: Sequence[Arrival]) -> float:
    """Seconds, with twenty workers, of defaults otherwise."""
    dispatch = question(loads.regular(1, 60)).terms.dispatch
    many = replace(dispatch, policy=replace(dispatch.policy, max_workers=20))
    begin = time.perf_counter()
    outcome = simulate(arrivals, many, Random(0), Setting(poll_s=300, horizon_s=math.inf))
    took_s = time.perf_counter() - begin
    assert len(outcome.times_s) == len(arrivals)
    return took_s


def measure() -> None:
    kinds: dict[str, Callable[[int], tuple[Arrival, ...]]] = {
        "a network's year": lambda count: network(Random(0), count, YEAR_DAYS),
        "a catalogue": lambda count: catalogue(Random(0), count),
    }
    for name, made in kinds.items():
        few_s, many_s = _timed(made(FEW)), _timed(made(MANY))
        print(
            f"{name:18} {FEW:,}: {FEW / few_s:,.0f} episodes a second; "
            f"{MANY:,}: {MANY / many_s:,.0f}, {many_s:.1f} s, {many_s / few_s:.1f} times as long"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    if not parser.parse_args().write:
        measure()
        for name, text in tables().items():
            print(f"\n{name}\n\n{text}")
        return
    page = DOCS / "plan.md"
    text = page.read_text(encoding="utf-8")
    for name, made in tables().items():
        begin, end = f"<!-- {name} -->", "<!-- end -->"
        text = re.sub(f"{begin}.*?{end}", f"{begin}\n{made}\n{end}", text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
