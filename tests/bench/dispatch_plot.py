"""The picture of docs/dispatch.md: an SVG that is readable on a light page and on a dark one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.imagined import Sample

WIDTH, HEIGHT, LEFT, RIGHT = 920, 800, 56, 896
STYLE = """
  .card { fill: #ffffff } text { fill: #24292f; font: 13px system-ui, sans-serif }
  .title { font-weight: 600; font-size: 15px } .small { font-size: 12px; fill: #57606a }
  .grid { stroke: #d0d7de } .queue { stroke: #57606a; stroke-width: 1.2; fill: none }
  .fast { fill: #0969da; stroke: #0969da } .slow { fill: #bc4c00; stroke: #bc4c00 }
  .alarm { fill: none; stroke: #8250df; stroke-width: 2 } .area { stroke: none; opacity: .65 }
  .curve { fill: none; stroke-width: 2 } path.polls { stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117 } text { fill: #e6edf3 } .small { fill: #9da7b3 } .grid { stroke: #30363d }
    .queue { stroke: #c9d1d9 } .fast { fill: #58a6ff; stroke: #58a6ff }
    .slow { fill: #f0883e; stroke: #f0883e } .alarm { stroke: #bc8cff } .curve { fill: none }
  }"""

Scale = Callable[[float], float]
Side = Literal["above", "below", "before", "under"]
Kind = Literal["fast", "fast polls", "slow", "alarm"]


@dataclass(frozen=True, kw_only=True)
class Day:
    """How one day went."""

    title: str
    history: Sequence[Sample]


@dataclass(frozen=True, kw_only=True)
class Point:
    """So long for 95 of 100, so many US cents an hour of audio."""

    minutes: float
    cents: float
    label: str
    side: Side = "above"  #: where the label is


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Points of one kind, joined."""

    kind: Kind
    points: tuple[Point, ...]


def plot(days: Sequence[Day], curves: Sequence[Curve]) -> str:
    """Two panels: days one below the other; below them, what time costs."""
    body = [_text(LEFT, 28, "A day of 1,000 weekly shows, at 20 times real time", "title")]
    body += [_legend(660, 24)]
    top = max(each.waiting for day in days for each in day.history)
    for number, day in enumerate(days):
        body += _day(day, 62 + 172 * number, max(4, top), number == len(days) - 1)
    body += [_text(LEFT, 440, "What it saves to wait, with 4 workers at most", "title")]
    body += [_dots(516, 436), *_trade(curves, 464, 744)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            "<title>Instances and queue over a day, and cost against time to transcript</title>",
            f"<style>{STYLE}\n</style>",
            f'<rect class="card" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
            *body,
            "</svg>\n",
        ]
    )


def _day(day: Day, top: float, most: int, last: bool) -> list[str]:
    y = _linear(0, most, top + 130, top + 14)
    x = _linear(0, 24 * 3600, LEFT, RIGHT)
    shapes = [_text(LEFT, top + 2, day.title)]
    for count in range(0, most + 1, 2):
        shapes += [_grid(LEFT, RIGHT, y(count)), _text(LEFT - 8, y(count) + 4, f"{count}", "small", "end")]
    shapes.append(f'<path class="fast area" d="{_steps(day, x, y, "instances")}V{y(0):.1f}H{LEFT}Z"/>')
    shapes.append(f'<path class="queue" d="{_steps(day, x, y, "waiting")}"/>')
    if last:
        hours = range(0, 25, 3)
        shapes += [_text(x(hour * 3600), top + 150, f"{hour} h", "small", "middle") for hour in hours]
    return shapes


def _steps(day: Day, x: Scale, y: Scale, what: Literal["waiting", "instances"]) -> str:
    path = f"M{LEFT},{y(0):.1f}"
    for each in day.history:
        if each.at <= 24 * 3600:
            path += f"H{x(each.at):.1f}V{y(getattr(each, what)):.1f}"
    return path + f"H{RIGHT}"


def _legend(x: float, y: float) -> str:
    return (
        f'<rect class="fast area" x="{x}" y="{y - 6}" width="18" height="10"/>'
        + _text(x + 24, y + 4, "instances", "small")
        + f'<path class="queue" d="M{x + 100},{y}h18"/>'
        + _text(x + 124, y + 4, "episodes that wait", "small")
    )


def _trade(curves: Sequence[Curve], top: float, bottom: float) -> list[str]:
    x = _log(10, 480, LEFT, RIGHT)
    y = _linear(0, 24, bottom, top)
    shapes: list[str] = []
    for cents in range(0, 25, 4):
        shapes += [_grid(LEFT, RIGHT, y(cents)), _text(LEFT - 8, y(cents) + 4, f"{cents}", "small", "end")]
    for minutes in (10, 15, 30, 60, 120, 240, 480):
        shapes.append(_text(x(minutes), bottom + 18, f"{minutes}", "small", "middle"))
    shapes.append(_text(LEFT, bottom + 40, "minutes from publication to transcript, for 95 of 100", "small"))
    shapes.append(_text(LEFT + 6, top + 14, "US¢ an hour of audio", "small"))
    shapes += [_curve(each, x, y) for each in curves]
    return shapes


def _curve(curve: Curve, x: Scale, y: Scale) -> str:
    places = [(x(point.minutes), y(point.cents)) for point in curve.points]
    path = "L".join(f"{across:.1f},{down:.1f}" for across, down in places)
    drawn = f'<path class="{curve.kind} curve" d="M{path}"/>'
    for (across, down), point in zip(places, curve.points, strict=True):
        drawn += _dot(across, down, curve.kind)
        right, lower, anchor = {
            "above": (-4, -10, "start"),
            "below": (-4, 20, "start"),
            "before": (4, -10, "end"),
            "under": (4, 20, "end"),
        }[point.side]
        drawn += _text(across + right, down + lower, point.label, anchor=anchor)
    return drawn


def _dots(x: float, y: float) -> str:
    kinds: dict[Kind, str] = {"fast": "20 times real time", "slow": "6 times", "alarm": "alarms instead"}
    legend = ""
    for (kind, words), start in zip(kinds.items(), (x, x + 152, x + 238), strict=True):
        legend += _dot(start, y, kind) + _text(start + 12, y + 4, words, "small")
    return legend


def _dot(x: float, y: float, kind: Kind) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'


def _linear(least: float, most: float, start: float, end: float) -> Scale:
    return lambda value: start + (value - least) / (most - least) * (end - start)


def _log(least: float, most: float, start: float, end: float) -> Scale:
    inner = _linear(math.log(least), math.log(most), start, end)
    return lambda value: inner(math.log(value))


def _grid(start: float, end: float, y: float) -> str:
    return f'<path class="grid" d="M{start},{y:.1f}H{end}"/>'


def _text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{words}</text>'
