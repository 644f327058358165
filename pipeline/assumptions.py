"""What `plan` takes for granted: one dated table, each figure of which a person may replace."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from typing import Any

from pipeline.errors import ConfigError

#: What a figure may be, by its unit: nothing is divided by zero, and no simulation runs for ever.
_LIMITS = {
    "s": ("0", "86400"),
    "s/s": ("0.1", "10000"),
    "share": ("0", "1"),
    "years": ("0.1", "100"),
}
_LIMIT = ("0", "1000000")


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """One figure; `origin` tells whether it is ours, was `set` by a person, or was `measured`."""

    key: str
    value: Decimal
    unit: str
    source: str
    date: str  #: that the figure is of, as 2026-11-23; empty where a person set it
    origin: str = "assumed"


Assumptions = Mapping[str, Assumption]


def shipped() -> dict[str, Assumption]:
    """The table as it comes with Proofcast."""
    text = files("pipeline").joinpath("assumptions.toml").read_text(encoding="utf-8")
    rows: dict[str, dict[str, Any]] = tomllib.loads(text, parse_float=Decimal)
    return {key: _row(key, **row) for key, row in rows.items()}


def measured(table: Assumptions, speeds: Mapping[str, float]) -> dict[str, Assumption]:
    """With the speeds of instance types that were measured, in seconds of audio a second."""
    rows = {
        f"speed.{type}": Assumption(
            key=f"speed.{type}",
            value=Decimal(f"{speed:.3g}"),
            unit="s/s",
            source="measured by this deployment",
            date="",
            origin="measured",
        )
        for type, speed in speeds.items()
    }
    return {**table, **rows}


def changed(table: Assumptions, settings: Iterable[str]) -> dict[str, Assumption]:
    """With each `KEY=VALUE` of a person's. Raises ConfigError."""
    rows = dict(table)
    for setting in settings:
        key, _, text = setting.partition("=")
        row = rows.get(key)
        if row is None:
            raise ConfigError(f"--set {setting}: there is no assumption '{key}'", _nearest(key, rows))
        rows[key] = replace(row, value=_value(setting, text, row.unit), source="--set", date="", origin="set")
    return rows


def scaled(table: Assumptions, prefixes: tuple[str, ...], factor: Decimal) -> dict[str, Assumption]:
    """With all figures so many times as large whose keys begin so."""
    return {
        key: replace(row, value=row.value * factor) if key.startswith(prefixes) else row
        for key, row in table.items()
    }


def _row(key: str, *, value: Decimal | int, **facts: str) -> Assumption:
    return Assumption(key=key, value=Decimal(value), **facts)


def _value(setting: str, text: str, unit: str) -> Decimal:
    least, most = _LIMITS.get(unit, _LIMIT)
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ConfigError(f"--set {setting}: '{text}' is not a number", "as: --set idle_end_s=60") from None
    if not (value.is_finite() and Decimal(least) <= value <= Decimal(most)):
        raise ConfigError(f"--set {setting}: it must be from {least} to {most} ({unit})")
    return value


def _nearest(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean '{near[0]}'?" if near else "'proofcast plan --json' lists those that were used"
