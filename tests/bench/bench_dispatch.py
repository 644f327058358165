"""What dispatch comes to on a network's days and a back catalogue, beside services that follow alarms.

    python -m tests.bench.bench_dispatch [--write]

Prints the tables of docs/dispatch.md, within ten seconds or so; `--write` puts them there, and makes
docs/dispatch.svg anew. Every run has the same figures, until dispatch or an assumption changes.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median

from pipeline.arrivals import Arrival, catalogue, network_day
from pipeline.imagined import Drought, Machine, Outcome, Setting, percentile_95
from pipeline.model import Market
from pipeline.scaling import Policy
from pipeline.simulation import Alarm, Dispatch, simulate
from tests.bench.dispatch_plot import Curve, Day, Point, Side, plot

DOCS = Path(__file__).parents[2] / "docs"
SHOWS, DAYS, EPISODES = 1000, 10, 5000
PEER_SPEED = 6.0  #: 5 minutes for 30 of audio on a g5.xlarge: AWS Bites, episode 152

Prices = Mapping[Market | None, float]
VIRGINIA: Prices = {Market.ON_DEMAND: 0.8048 * 1.078}
TOKYO: Prices = {Market.ON_DEMAND: 1.1672 + 0.0910, Market.SPOT: 0.57 + 0.0910}
"""US$ an hour of a g6.xlarge with the fee for managed instances: list prices, and spot as it was in Tokyo."""

BOTH = (Market.SPOT, Market.ON_DEMAND)
ON_DEMAND = (Market.ON_DEMAND,)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One row: the same decider on one or several scenarios."""

    name: str
    outcomes: tuple[Outcome, ...]
    speed: float
    prices: Prices

    @property
    def times_s(self) -> list[float]:
        return [time for outcome in self.outcomes for time in outcome.times_s]

    @property
    def p95_s(self) -> float:
        return percentile_95(self.times_s)

    @property
    def gpu_h(self) -> float:
        return sum(outcome.billed_s for outcome in self.outcomes) / 3600

    @property
    def cost(self) -> float:
        return sum(outcome.cost(self.prices) for outcome in self.outcomes)

    @property
    def cents(self) -> float:
        """US cents an hour of audio that has a transcript."""
        audio_h = sum(outcome.busy_s for outcome in self.outcomes) * self.speed / 3600
        return 100 * self.cost / audio_h

    def row(self, unit_s: float) -> list[str]:
        """Its cells: times in a unit of so many seconds, the rest for one scenario."""
        many = len(self.outcomes)
        shares = [
            sum(getattr(outcome, name) for outcome in self.outcomes) / self.gpu_h / 36
            for name in ("busy_s", "start_up_s", "idle_s", "lost_s")
        ]
        undone = sum(outcome.undone for outcome in self.outcomes) / many
        return [
            self.name,
            f"{median(self.times_s) / unit_s:.1f}",
            f"{self.p95_s / unit_s:.1f}",
            f"{self.gpu_h / many:.1f}",
            *(f"{abs(share):.0f} %" for share in shares),
            f"{self.cost / many:.2f}",
            f"{self.cents:.1f}",
            f"{undone:.1f}" if 0 < undone < 10 else f"{undone:.0f}",
        ]


def dispatch(
    max_workers: int, drain_min: float, *, linger_s: float = 60.0, markets: tuple[Market, ...] = ON_DEMAND
) -> Dispatch:
    policy = Policy(markets=markets, max_workers=max_workers, drain_s=60 * drain_min, patience_s=180)
    return Dispatch(policy=policy, linger_s=linger_s)


def good_alarm(max_workers: int, each: int) -> Alarm:
    """As well as alarms can do it: so many messages for each worker, and none is ended at work."""
    return Alarm(
        max_workers=max_workers,
        period_s=60,
        counts_taken=True,
        protects=True,
        hidden_s=0,
        steps=tuple((1 + each * more, 1 + more) for more in range(max_workers)),
    )


def run(
    name: str,
    how: Dispatch | Alarm,
    scenarios: Sequence[tuple[Arrival, ...]],
    setting: Setting,
    prices: Prices = VIRGINIA,
) -> Run:
    outcomes = tuple(simulate(each, how, Random(seed), setting) for seed, each in enumerate(scenarios))
    return Run(name=name, outcomes=outcomes, speed=setting.machine.speed, prices=prices)


def a_day_at(speed: float) -> Setting:
    """Polls come at half past a quarter hour, so that who publishes on the hour waits as long as others."""
    return Setting(machine=Machine(speed=speed), first_poll_at=450)


def network(days: Sequence[tuple[Arrival, ...]], speed: float) -> list[Run]:
    deciders: dict[str, Dispatch | Alarm] = {
        "dispatch, max_workers 4, drain_min 15": dispatch(4, 15),
        "dispatch, 4, **60**": dispatch(4, 60),
        "dispatch, 4, 240": dispatch(4, 240),
        "dispatch, 20, 15": dispatch(20, 15),
        "alarm on waiting messages, 1 task": Alarm(),
        "the same up to 4 tasks": Alarm(max_workers=4),
        "the same, messages in flight count": Alarm(max_workers=4, counts_taken=True, hidden_s=0),
        "best alarm, up to 4 tasks": good_alarm(4, round(speed)),
    }
    return [run(name, how, days, a_day_at(speed)) for name, how in deciders.items()]


def knobs(days: Sequence[tuple[Arrival, ...]]) -> list[Run]:
    """What else might make it quicker or cheaper."""
    setting = a_day_at(20)
    polls = [
        run(f"poll_min {minutes}", dispatch(4, 60), days, replace(setting, poll_s=minutes * 60.0))
        for minutes in (5, 15, 60, 240)
    ]
    return polls + [
        run(f"poll_min 15, linger_s {linger}", dispatch(4, 60, linger_s=linger), days, setting)
        for linger in (20, 300, 900)
    ]


def back_catalogue(episodes: tuple[Arrival, ...]) -> list[Run]:
    deciders: dict[str, Dispatch | Alarm] = {
        "dispatch, max_workers 20, drain_min 15, 60 or 240": dispatch(20, 60),
        "dispatch, 50, 15, 60 or 240": dispatch(50, 60),
        "dispatch, 50, 1440": dispatch(50, 1440),
        "alarm on waiting messages, 1 task": Alarm(),
        "the same up to 20 tasks": Alarm(max_workers=20),
        "the same up to 50 tasks": Alarm(max_workers=50),
        "best alarm, up to 20 tasks": good_alarm(20, 20),
        "best alarm, up to 50 tasks": good_alarm(50, 20),
    }
    return [run(name, how, [episodes], Setting()) for name, how in deciders.items()]


def markets(episodes: tuple[Arrival, ...]) -> list[Run]:
    """Twenty workers in Tokyo."""
    dry = Setting(droughts=(Drought(market=Market.SPOT, begins_at=0, ends_at=7200),))
    spot = dispatch(20, 60, markets=(Market.SPOT,))
    return [
        run("on-demand", dispatch(20, 60), [episodes], Setting(), TOKYO),
        run("spot", spot, [episodes], Setting(), TOKYO),
        run("spot first, no spot for 2 hours", dispatch(20, 60, markets=BOTH), [episodes], dry, TOKYO),
        run("spot only, no spot for 2 hours", spot, [episodes], dry, TOKYO),
    ]


def table(what: str, runs: Iterable[Run], unit: str, per: str = "") -> str:
    """In Markdown."""
    head = [what, f"median, {unit}", f"95 %, {unit}", f"GPU h{per}"]
    head += ["working", "starting", "idle", "redone", f"US${per}", "US¢/h of audio", "undone"]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    rows += [each.row({"min": 60.0, "h": 3600.0}[unit]) for each in runs]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def point(run: Run, label: str, side: Side = "above") -> Point:
    return Point(minutes=run.p95_s / 60, cents=run.cents, label=label, side=side)


def picture(fast: Sequence[Run], slow: Sequence[Run], swept: Sequence[Run]) -> str:
    """The first day as two deciders have it, and what time costs."""
    of_a_day = [
        Day(
            title=f"{title}: {runs.outcomes[0].billed_s / 3600:.0f} GPU hours",
            history=runs.outcomes[0].history,
        )
        for title, runs in (("Dispatch", fast[1]), ("Alarm on waiting messages, up to 4 tasks", fast[5]))
    ]
    drained = [point(fast[0], "drain_min 15", "before"), point(fast[1], "60 and 240", "below")]
    polled = [point(swept[0], "poll_min 5", "under"), point(swept[1], "")]
    polled += [point(swept[2], "60"), point(swept[3], "240")]
    slowly = [point(slow[0], "drain_min 15"), point(slow[1], "60"), point(slow[2], "240")]
    alarms = [
        point(fast[4], "on waiting messages, 1 task"),
        point(fast[7], "best"),
        point(slow[4], "on waiting messages, 1 task", "before"),
        point(slow[7], "best", "below"),
    ]
    curves = [
        Curve(kind="fast", points=tuple(drained)),
        Curve(kind="fast polls", points=tuple(polled)),
        Curve(kind="slow", points=tuple(slowly)),
        *(Curve(kind="alarm", points=(alarm,)) for alarm in alarms),
    ]
    return plot(of_a_day, curves)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    days = [network_day(Random(seed), SHOWS) for seed in range(DAYS)]
    episodes = catalogue(Random(0), EPISODES)
    fast, slow, swept = network(days, 20), network(days, PEER_SPEED), knobs(days)
    tables = {
        "network at 20": table("who decides", fast, "min", "/day"),
        "network at 6": table("who decides", slow, "min", "/day"),
        "knobs": table("dispatch, 4, 60, and", swept, "min", "/day"),
        "catalogue": table("who decides", back_catalogue(episodes), "h"),
        "markets": table("dispatch, 20, 60", markets(episodes), "h"),
    }
    audio_h = [sum(arrival.audio_s for arrival in each) / 3600 for each in (*days, episodes)]
    print(f"a day: {sum(map(len, days)) / DAYS:.0f} episodes, {sum(audio_h[:DAYS]) / DAYS:.1f} h", end="")
    print(f"; the catalogue: {len(episodes)} episodes, {audio_h[-1]:.0f} h")
    for name, text in tables.items():
        print(f"\n{name}\n\n{text}")
    if given.write:
        write(tables, picture(fast, slow, swept))


def write(tables: Mapping[str, str], svg: str) -> None:
    page = DOCS / "dispatch.md"
    text = page.read_text(encoding="utf-8")
    for name, rows in tables.items():
        begin, end = f"<!-- {name} -->", "<!-- end -->"
        text = re.sub(f"{begin}.*?{end}", f"{begin}\n{rows}\n{end}", text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")
    (DOCS / "dispatch.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
