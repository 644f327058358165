"""What a person types after `/`: words and conditions, as one test of a line. No Textual here.

lambda durable        both words, anywhere in the line
"two words"           as they stand
status:fail           in that column; status:failed,held is either
cost>0.5 $>0.5        > >= < <= = of numbers; $ is the column of costs
age>2d dur<1h30m      lengths of time, which lines keep in seconds
day>=2026-11          of text: in its order
!x -x                 not
fail|held             either
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tui.values import Column, Line

Test = Callable[[Line], bool]

SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "min": 60, "m": 60, "s": 1}

_TERM = re.compile(r'\||(?:[^\s"|]|"[^"]*(?:"|$))+')
_CONDITION = re.compile(r'([^"\s:<>=]+)(>=|<=|[:=<>])(.*)', re.DOTALL)
_LISTED = re.compile(r'(?:[^,"]|"[^"]*(?:"|$))+')
_NUMBER = re.compile(r"\$?(-?(?:\d+\.?\d*|\.\d+))%?")
_UNIT = "|".join(SECONDS)
_LENGTH = re.compile(rf"(?:\d+(?:\.\d+)?(?:{_UNIT}))+")
_PIECE = re.compile(rf"(\d+(?:\.\d+)?)({_UNIT})")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, kw_only=True)
class Query:
    """A filter as it was typed, and as far as it was understood."""

    text: str = ""
    trouble: str = ""  #: what of it was left out, and why; empty: nothing
    tests: tuple[tuple[Test, ...], ...] = ()  #: of each group, one must hold

    def matches(self, line: Line) -> bool:
        """Whether a line of those columns is meant."""
        for group in self.tests:
            for test in group:
                if test(line):
                    break
            else:
                return False
        return True


class _NotUnderstood(Exception):
    """Part of a filter, told as a person should read it."""


def parse(text: str, columns: Sequence[Column]) -> Query:
    """A filter for lines of these columns. What can't be understood, half-typed or wrong, is left out."""
    names = _names(columns)
    groups: list[list[Test]] = []
    troubles: list[str] = []
    joined = False
    for term in _TERM.findall(text):
        if term == "|":
            joined = bool(groups)
            continue
        try:
            test = _term(term, names, columns)
        except _NotUnderstood as trouble:
            troubles.append(str(trouble))
            test = None
        if not joined:
            groups.append([])
        if test:
            groups[-1].append(test)
        joined = False
    return Query(
        text=text, trouble="; ".join(troubles), tests=tuple(tuple(group) for group in groups if group)
    )


def suggest(text: str, columns: Sequence[Column]) -> list[str]:
    """The text with its last word completed to a column's key, every way there is."""
    start = max(text.rfind(mark) for mark in ' |!-"') + 1
    word = text[start:].casefold()
    return [f"{text[:start]}{column.key}:" for column in columns if word and column.key.startswith(word)]


def _names(columns: Sequence[Column]) -> dict[str, int]:
    """Columns by what people call them: titles, `$` for the costs, and keys above all."""
    named = {column.title.casefold(): at for at, column in enumerate(columns)}
    keyed = {column.key.casefold(): at for at, column in enumerate(columns)}
    costs = {"$": keyed["cost"]} if "cost" in keyed else {}
    return named | costs | keyed


def _term(term: str, names: dict[str, int], columns: Sequence[Column]) -> Test | None:
    """One test; None: there is nothing to it yet. Raises _NotUnderstood."""
    denied = term[0] in "!-"
    wanted = term[1:] if denied else term
    condition = _CONDITION.fullmatch(wanted)
    test = _on_column(condition, names, columns) if condition else _anywhere(wanted)
    if denied and test:
        return lambda line: not test(line)
    return test


def _anywhere(word: str) -> Test | None:
    wanted = _bare(word)
    return (lambda line: wanted in _folded(line.cells)) if wanted else None


def _on_column(condition: re.Match[str], names: dict[str, int], columns: Sequence[Column]) -> Test | None:
    name, sign, given = condition.groups()
    at = names.get(name.casefold())
    if at is None:
        near = difflib.get_close_matches(name.casefold(), names, n=1)
        advice = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(c.key for c in columns)}"
        raise _NotUnderstood(f"no column '{name}': {advice}")
    if sign in _COMPARE:
        return _compared(at, sign, _bare(given), name, numeric=columns[at].right)
    wanted = [word for word in map(_bare, _LISTED.findall(given)) if word]
    tests = [_within(at, word) if sign == ":" else _equal(at, word) for word in wanted]
    return (lambda line: any(test(line) for test in tests)) if tests else None


def _within(at: int, word: str) -> Test:
    def test(line: Line) -> bool:
        value = line.values[at]
        return word in line.cells[at].casefold() or (isinstance(value, str) and word in value.casefold())

    return test


def _equal(at: int, word: str) -> Test:
    """The whole cell as it is shown, or the value behind it."""
    number = amount(word)

    def test(line: Line) -> bool:
        value = line.values[at]
        same = value.casefold() == word if isinstance(value, str) else number is not None and value == number
        return same or line.cells[at].strip().casefold() == word

    return test


def _compared(at: int, sign: str, word: str, name: str, *, numeric: bool) -> Test:
    number, compare = amount(word), _COMPARE[sign]
    if not word or (numeric and number is None):
        what = f"'{word}' is no number" if word else "of what?"
        raise _NotUnderstood(f"{name}{sign}: {what} (as 0.5, 45m, 1h30m, 2d)")

    def test(line: Line) -> bool:
        value = line.values[at]
        if isinstance(value, str):
            return compare(value.casefold(), word)
        return value is not None and number is not None and compare(value, number)

    return test


def amount(word: str) -> float | None:
    """Of `0.5`, `$0.5`, `50%`, `45m`, `1h30m`; lengths of time in seconds. None: it is none."""
    if plain := _NUMBER.fullmatch(word):
        return float(plain[1])
    if _LENGTH.fullmatch(word):
        return sum(float(many) * SECONDS[unit] for many, unit in _PIECE.findall(word))
    return None


def _bare(word: str) -> str:
    return word.replace('"', "").casefold()


def _folded(cells: tuple[str, ...]) -> str:
    return "\n".join(cells).casefold()
