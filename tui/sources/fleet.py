"""Workers, those that ended lately, and the machines they run on."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from pipeline.costs import hours, so_far
from pipeline.model import Episode, Instance, Task
from pipeline.queueing import by_worker
from pipeline.scaling import bad_end_in_words, refusal_in_words, was_refused, was_taken_away
from tui.ports import Engine
from tui.sources.episodes import lost
from tui.sources.reading import Reading
from tui.sources.said import bar, length, named, span
from tui.values import Column, Line, Tone, clean
from tui.words import many

COLUMNS = (
    Column(key="state", title="ST", width=9),
    Column(key="kind", title="KIND", width=8, drop=6),
    Column(key="id", title="ID", width=19),
    Column(key="episode", title="EPISODE", width=20, grows=True),
    Column(key="step", title="STEP", width=10, drop=4),
    Column(key="done", title="%", width=10, drop=5),
    Column(key="type", title="TYPE", width=11, drop=3),
    Column(key="zone", title="ZONE", width=11, drop=8),
    Column(key="market", title="MARKET", width=9, drop=7),
    Column(key="up", title="UP", width=6, right=True),
    Column(key="idle", title="IDLE", width=6, right=True, drop=2),
    Column(key="hour", title="$/H", width=6, right=True, drop=1),
    Column(key="cost", title="$", width=6, right=True),
)

_LATELY_S = 6 * 3600.0
_MOST_ENDED = 20


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A line before it is written."""

    of: Task | Instance
    sign: str
    tone: Tone
    why: str
    up_s: float | None
    episode: Episode | None = None
    idle_s: float | None = None
    hour_usd: Decimal | None = None
    usd: Decimal | None = None


class FleetSource(Reading):
    """GPU and memory of workers are not known to any port, so there is no column for them."""

    name = "fleet"
    every_s: ClassVar[tuple[float, float]] = (2.0, 15.0)

    def __init__(self, at: Engine) -> None:
        super().__init__(at)
        self.columns = COLUMNS

    def look(self, now: float) -> tuple[Sequence[Line], Mapping[str, Any]]:
        """Live workers, then ended ones, then instances, the newest first; how many wait, and $ an hour."""
        recent = self.at.fleet.recent()
        instances = sorted(self.at.fleet.instances(), key=lambda each: (-(each.launched_at or 0.0), each.id))
        live = [task for task in recent if task.live]
        working = by_worker(self.at.ledger)
        idle_s = {
            task.id: self._idle(task, now) for task in live if task.started_at and task.id not in working
        }
        on = _by_instance(live)
        hour = {each.id: self._hour(each) for each in instances}
        share = {id: usd / max(1, len(on.get(id, ()))) for id, usd in hour.items() if usd is not None}
        ended = [task for task in recent if not task.live and now - (task.stopped_at or now) < _LATELY_S]
        rows = [
            *(_live(task, working.get(task.id), idle_s, share.get(task.instance), now) for task in live),
            *(_ended(task, now) for task in ended[:_MOST_ENDED]),
            *(_machine(each, on.get(each.id, ()), working, idle_s, hour[each.id], now) for each in instances),
        ]
        return [replace(_line(row, now), url=self._page(row.of)) for row in rows], {
            "live": len(live),
            "waiting": sum(not task.instance for task in live),
            "usd_h": sum((usd for usd in hour.values() if usd), Decimal(0)) if self.at.books else None,
        }

    def _page(self, of: Task | Instance) -> str:
        """In AWS's console."""
        aws = self.at.config.aws
        if self.at.config.engine != "aws" or aws is None:
            return ""
        console = f"https://{aws.region}.console.aws.amazon.com"
        if isinstance(of, Task):
            return f"{console}/ecs/v2/clusters/{aws.name}/tasks/{of.id}"
        return f"{console}/ec2/home?region={aws.region}#InstanceDetails:instanceId={of.id}"

    def _idle(self, task: Task, now: float) -> float:
        """Since its last work, or since it started."""
        ends = [stint.ended_at for stint in self.at.ledger.stints(task.id)]
        return max(0.0, now - max([task.started_at or now, *ends]))

    def _hour(self, instance: Instance) -> Decimal | None:
        from pipeline.settling import hour_of

        books = self.at.books
        return hour_of(instance.type, instance.market, self.at.prices, books.aws) if books else None


def _by_instance(live: Iterable[Task]) -> dict[str, list[Task]]:
    on: dict[str, list[Task]] = {}
    for task in live:
        on.setdefault(task.instance, []).append(task)
    return on


def _live(
    task: Task, episode: Episode | None, idle_s: Mapping[str, float], hour: Decimal | None, now: float
) -> _Row:
    up_s = now - (task.started_at or task.asked_at)
    sign, tone, why = _doing(task, episode, up_s)
    return _Row(
        of=task,
        sign=sign,
        tone=tone,
        why=why,
        up_s=up_s,
        episode=episode,
        idle_s=idle_s.get(task.id),
        hour_usd=hour,
    )


def _doing(task: Task, episode: Episode | None, up_s: float) -> tuple[str, Tone, str]:
    if task.stopping_at is not None:
        return "- ending", Tone.DIM, f"it was told to end: {task.reason or task.stop_code or 'by hand'}"
    if not task.instance:
        return ". waits", Tone.WARN, f"no instance yet: asked for {span(up_s).text} ago"
    if task.started_at is None:
        return ". starts", Tone.PLAIN, f"{task.detail or 'starting'}, asked for {span(up_s).text} ago"
    if episode is None:
        return "- idle", Tone.PLAIN, "it looks for work, and ends by itself when there is none"
    return "* works", Tone.BUSY, f"{episode.step or 'at work on'} {named(episode)}"


def _ended(task: Task, now: float) -> _Row:
    sign, tone, why = _end(task)
    return _Row(
        of=task,
        sign=sign,
        tone=tone,
        why=f"{span(now - (task.stopped_at or now)).text} ago: {why}",
        up_s=(task.stopped_at or now) - task.started_at if task.started_at else None,
    )


def _end(task: Task) -> tuple[str, Tone, str]:
    if was_refused(task):
        return "! refused", Tone.WARN, refusal_in_words(task)
    if was_taken_away(task):
        return "- stopped", Tone.WARN, task.reason or task.stop_code
    if task.exit_code == 0:
        return "+ ended", Tone.DIM, "it found nothing more to do"
    return "! died", Tone.BAD, bad_end_in_words(task)


def _machine(
    instance: Instance,
    tasks: Sequence[Task],
    working: Mapping[str, Episode],
    idle_s: Mapping[str, float],
    hour: Decimal | None,
    now: float,
) -> _Row:
    busy = any(task.id in working for task in tasks)
    up_s = now - instance.launched_at if instance.launched_at else None
    least = min((idle_s[task.id] for task in tasks if task.id in idle_s), default=up_s)
    starting = any(task.started_at is None for task in tasks)
    sign = "* works" if busy else ". starts" if starting else "- idle"
    return _Row(
        of=instance,
        sign=sign,
        tone=Tone.BUSY if busy else Tone.PLAIN,
        up_s=up_s,
        idle_s=None if busy or starting else least,
        why=", ".join(filter(None, (instance.detail, many(len(tasks), "worker"), _load(instance)))),
        hour_usd=hour,
        usd=so_far(instance, hour, now) if hour is not None else None,
    )


def _load(instance: Instance) -> str:
    """Of this machine; nobody asks others."""
    if instance.id != platform.node():
        return ""
    said = f"load {os.getloadavg()[0]:.2f}"
    with suppress(OSError, KeyError, ValueError):
        lines = (line.split() for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        kib = {line[0]: int(line[1]) for line in lines}
        used, total = kib["MemTotal:"] - kib["MemAvailable:"], kib["MemTotal:"]
        said += f", {used / 2**20:.1f} of {total / 2**20:.1f} GiB of memory in use"
    return said


def _line(row: _Row, now: float) -> Line:
    of, episode, hour, usd = row.of, row.episode, row.hour_usd, row.usd
    kind = "worker" if isinstance(of, Task) else "instance"
    progress = episode.progress if episode else None
    share = progress.done_s / progress.total_s if progress and progress.total_s else None
    name = named(episode) if episode else ""
    step = (episode.step or "") if episode else ""
    place = (clean(of.type), clean(of.zone), of.market or "")
    return Line(
        id=of.id,
        cells=(
            *(row.sign, kind, clean(of.id), name, step, bar(share) if share is not None else "", *place),
            *(length(row.up_s), length(row.idle_s)),
            *(f"{hour:.2f}" if hour is not None else "", f"{usd:.2f}" if usd is not None else ""),
        ),
        values=(
            *(row.sign[2:], kind, of.id, name, step, share and 100 * share, *place, row.up_s, row.idle_s),
            *(None if amount is None else float(amount) for amount in (hour, usd)),
        ),
        tone=row.tone,
        why=clean(row.why),
        episode=episode.id if episode else "",
        task=of.id if isinstance(of, Task) else "",
        lost=_lost(episode, hour, now) if episode else "",
    )


def _lost(episode: Episode, hour: Decimal | None, now: float) -> str:
    spent = f", about ${hours(now - episode.claim.since) * hour:.2f}" if hour and episode.claim else ""
    return lost(episode, now) + spent
