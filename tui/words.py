"""What bars and lines say, as plain text: pure functions, so that every number on the screen has its age."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tui.keys import SCREENS, here, shown
from tui.values import Freshness


def age(seconds: float) -> str:
    """In the largest unit: 12s, 3m, 2h, 4d."""
    seconds = max(0.0, seconds)
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit:
            return f"{seconds / unit:.0f}{name}"
    return f"{seconds:.0f}s"


def many(number: int, of: str) -> str:
    """1 worker, 2 workers."""
    return f"{number:,} {of}{'' if number == 1 else 's'}"


def freshness(of: Freshness, now: float, *, paused: bool) -> str:
    """How old what is shown is, why it is no younger, and when that is tried again."""
    if of.at is None and not of.trouble:
        return "reading…"
    when = f"{age(now - of.at)} ago" if of.at is not None else "never read"
    if paused:
        return f"{when}, paused"
    again = f", next try in {age(of.next_at - now)}" if of.next_at is not None and of.trouble else ""
    if of.trouble:
        return f"~ {when}: {of.trouble}{again}"
    if of.stale(now):
        return f"~ {when}" + (", being read" if of.reading else "")
    return when


def summary(facts: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """The numbers that matter on any screen, and whether each needs somebody."""
    if not facts:
        return []
    counts: Mapping[str, int] = facts.get("episodes", {})
    parts = [
        (f"queue {facts.get('waiting', 0)}", False),
        (f"run {facts.get('leased', 0)}", False),
        (f"review {counts.get('in_review', 0)}", False),
    ]
    parts += [(f"{word} {counts[state]}", True) for state, word in _NEEDS.items() if counts.get(state)]
    if facts.get("dead"):
        parts.append((f"given up {facts['dead']}", True))
    if facts.get("warm_s"):
        parts.append((f"warm for {age(facts['warm_s'])}", False))
    cost = _cost(facts)
    return [*parts, *([cost] if cost else []), *((hold, True) for hold in facts.get("holds", ()))]


_NEEDS = {"failed": "fail", "held": "held"}


def _cost(facts: Mapping[str, Any]) -> tuple[str, bool] | None:
    usd, budget = facts.get("usd"), facts.get("budget_usd")
    if usd is None or (not usd and not budget):
        return None
    if not budget:
        return f"${usd:.2f} this month", False
    share = float(usd) / float(budget)
    return f"budget {share:.0%}: ${usd:.2f} of {budget:.0f} this month", share >= 0.8


def tabs(screen: str) -> Iterable[tuple[str, bool]]:
    """The screens by their keys, and which one this is."""
    return ((f"{number} {name.title()}", name == screen) for number, name in enumerate(SCREENS, start=1))


def hints(screen: str, keys: Mapping[str, str], *, read_only: bool) -> list[tuple[str, str]]:
    """Keys and what they do, for the last line."""
    return [
        (shown(keys[key.id]), key.title.lower())
        for key in here(screen)
        if key.footer and not (read_only and key.writes)
    ]


def counted(shown_lines: int, lines: int, marked: int) -> str:
    """How much of a table is shown."""
    many = f"{shown_lines:,} of {lines:,}" if shown_lines != lines else f"{lines:,}"
    return f"{many}, {marked} marked" if marked else many


def about(screen: str, facts: Mapping[str, Any]) -> str:
    """What is to be known of a whole table; empty where its lines say it all."""
    said = {"costs": _of_costs, "fleet": _of_fleet, "log": _of_log, "episodes": _of_episodes}.get(screen)
    return said(facts) if said and facts else ""


def sparkline(values: Sequence[float]) -> str:
    """A picture of a course, for those who would rather look; the numbers stand in the table."""
    highest = max(values, default=0.0)
    if highest <= 0:
        return ""
    return "".join(_BARS[min(len(_BARS) - 1, int(len(_BARS) * value / highest))] for value in values)


_BARS = "▁▂▃▄▅▆▇█"


def _of_costs(facts: Mapping[str, Any]) -> str:
    parts, usd = facts["parts"], facts["usd"]
    days = sparkline([float(each) for _, each in facts["days"]])
    instances = sum(parts[part] for part in ("work", "start-up", "idle"))
    waste = (
        f", start-up {parts['start-up'] / instances:.0%}, idle {parts['idle'] / instances:.0%}"
        if instances
        else ""
    )
    if facts["imagined_on"] is not None:
        paid = f"nothing is paid here; on AWS ({facts['imagined_on']}) it would have cost ${usd:.2f}"
    else:
        paid = f"${usd:.2f} for {many(facts['episodes'], 'episode')}"
    month = ""
    if facts["month_usd"] is not None:
        of = f" of ${facts['budget_usd']:.0f}" if facts["budget_usd"] else ""
        month = (
            f"; {facts['month']}: ${facts['month_usd']:.2f}{of}, ${facts['unbilled_usd']:.2f} not billed yet"
        )
    return f"by {facts['by']}: {paid}{waste}{month}  {days}".rstrip()


def _of_fleet(facts: Mapping[str, Any]) -> str:
    waiting = f", {facts['waiting']} wait for an instance" if facts["waiting"] else ""
    hour = f", ${facts['usd_h']:.2f} an hour" if facts["usd_h"] else ""
    return f"{many(facts['live'], 'worker')}{waiting}{hour}"


def _of_log(facts: Mapping[str, Any]) -> str:
    return facts.get("empty") or f"of {facts['of']}"


def _of_episodes(facts: Mapping[str, Any]) -> str:
    return "" if facts.get("whole", True) else "the newest; the others are being read"
