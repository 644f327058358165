"""The show's own words: terms, and rules that put right what is heard wrong again and again.

They stand in a TOML file of the site's repository, which people edit in pull requests:

    terms = ["fourTheorem", "EventBridge"]

    [[rule]]
    wrong = "4th theorem"           # whole words, in any case; or several: ["4th theorem", "for theorem"]
    right = "fourTheorem"
    near = ["AWS", "consulting"]    # only where one of these stands within 20 words
    case = true                     # only in exactly this case
    regex = true                    # wrong is a regular expression, as RE2 has them; right may have \\1
    suggest = true                  # never applied, only shown to the reviewer
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol, cast

from pipeline.errors import ConfigError

LONGEST = 200  #: characters of a term, a wrong or a right form
MOST_WRONG = 2_000  #: wrong forms: each is looked for in each passage, and beside each other rule

_LETTERS = re.compile(r"\w")
_GROUP = re.compile(r"\\(\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is heard wrong, and what it should be."""

    wrong: tuple[str, ...]
    right: str
    near: tuple[str, ...] = ()
    case: bool = False
    regex: bool = False
    suggest: bool = False

    def found(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where it is in a text: from and until which character, and what should stand there.

        Not where an expression leaves nothing to stand there, nor where it would change that again.
        """
        folded = text if self.case else text.casefold()
        for wrong in self.wrong:
            # Most texts have none of it: looking for its first word takes a tenth of the time.
            if not self.regex and (wrong if self.case else wrong.casefold()).split()[0] not in folded:
                continue
            for match in _pattern(wrong, self.regex, self.case).finditer(text):
                right = self._right(match) if self.regex else self.right
                if match.end() > match.start() and right:
                    yield match.start(), match.end(), right

    def _right(self, match: _Match) -> str:
        right = self._expanded(match)
        again = (
            found.group(0) != self._expanded(found)
            for wrong in self.wrong
            for found in _pattern(wrong, True, self.case).finditer(right)
        )
        return "" if not right.strip() or any(again) else right

    def _expanded(self, match: _Match) -> str:
        """RE2's own `expand` garbles all but ASCII."""
        return _GROUP.sub(lambda number: match.group(int(number[1])) or "", self.right)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A show's own words; `terms` are written as they should be read."""

    terms: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    names: tuple[str, ...] = ()  #: of people, word by word: terms, but many are words of the language, too

    def knowing(self, names: Sequence[str]) -> Vocabulary:
        """The same, and people's names."""
        parts = dict.fromkeys(part for name in names for part in name.split() if part[:1].isupper())
        return replace(self, names=tuple(part for part in parts if part not in self.terms))


class _Match(Protocol):
    def start(self) -> int: ...
    def end(self) -> int: ...
    def group(self, number: int, /) -> str | None: ...


class _Pattern(Protocol):
    @property
    def groups(self) -> int: ...
    def finditer(self, text: str, /) -> Iterator[_Match]: ...


def read_vocabulary(text: str, where: str) -> Vocabulary:
    """The vocabulary of a file's text; `where` is its name. Raises ConfigError, which names the place."""
    try:
        document = tomllib.loads(text)
    except ValueError as error:  # tomllib's own, and that of a number with thousands of digits
        raise ConfigError(f"{where} is not TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{where} is not a vocabulary: its lists are nested too deeply") from None
    _check_keys(document, ("terms", "rule"), where)
    terms = _texts(document.get("terms", []), f"{where}: terms")
    tables = document.get("rule", [])
    if not isinstance(tables, list):
        raise ConfigError(
            f"{where}: [rule] must be a list, since there may be several", "write it as [[rule]]"
        )
    rules = [_rule(table, _at(where, n)) for n, table in enumerate(cast(list[Any], tables))]
    _check_together(rules, where)
    return Vocabulary(tuple(dict.fromkeys(terms)), tuple(rules))


def written(vocabulary: Vocabulary) -> str:
    """The file's text, always the same for the same vocabulary; what is read from it is the vocabulary."""
    lines = [f"    {_quoted(term)}," for term in vocabulary.terms]
    parts = ["\n".join(["terms = [", *lines, "]"])] if lines else []
    for rule in vocabulary.rules:
        one = len(rule.wrong) == 1
        keys: list[tuple[str, object]] = [("wrong", "".join(rule.wrong) if one else rule.wrong)]
        keys += [("right", rule.right), *([("near", rule.near)] if rule.near else [])]
        keys += [(flag, True) for flag in _FLAGS if getattr(rule, flag)]
        parts.append("\n".join(["[[rule]]", *(f"{key} = {_quoted(value)}" for key, value in keys)]))
    return "\n\n".join(parts) + "\n" if parts else ""


_FLAGS = ("case", "regex", "suggest")
_KEYS = ("wrong", "right", "near", *_FLAGS)


def _quoted(value: object) -> str:
    """JSON's texts, lists and booleans are TOML's, too, where nothing in them needs to be escaped oddly."""
    return json.dumps(value, ensure_ascii=False)


def _at(where: str, number: int) -> str:
    return f"{where}: [[rule]] number {number + 1}"


def _check_keys(table: dict[str, Any], known: Sequence[str], where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key '{key}'", hint)


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{where} must be a list of texts", 'as: ["EventBridge", "Step Functions"]')
    return tuple(_text(item, where) for item in cast(list[object], value))


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where} must be text in quotes")
    if "\N{REPLACEMENT CHARACTER}" in value:
        raise ConfigError(
            f"{where} has characters that can't be read: the file is not UTF-8", "save it as UTF-8"
        )
    if not value or value != value.strip():
        raise ConfigError(f"{where} is empty, or begins or ends with a space")
    if len(value) > LONGEST or not value.isprintable():
        raise ConfigError(f"{where} must be one line of at most {LONGEST} characters, without invisible ones")
    return value


def _rule(table: object, where: str) -> Rule:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} must be a table", "write it as [[rule]], with its keys below")
    found = cast(dict[str, Any], table)
    _check_keys(found, _KEYS, where)
    for key in ("wrong", "right"):
        if key not in found:
            raise ConfigError(f"{where} has no {key}")
    wrong = found["wrong"]
    for flag in _FLAGS:
        if not isinstance(found.get(flag, False), bool):
            raise ConfigError(f"{where}: {flag} must be true or false")
    rule = Rule(
        wrong=_texts(cast(object, wrong) if isinstance(wrong, list) else [wrong], f"{where}: wrong"),
        right=_text(found["right"], f"{where}: right"),
        near=_texts(found.get("near", []), f"{where}: near"),
        **{flag: found[flag] for flag in _FLAGS if flag in found},
    )
    _check_rule(rule, where)
    return rule


def _check_rule(rule: Rule, where: str) -> None:
    if "  " in rule.right:
        raise ConfigError(f"{where}: right has two spaces in a row: '{rule.right}'", "leave one of them out")
    if not rule.wrong:
        raise ConfigError(f"{where}: wrong names nothing")
    for wrong in rule.wrong:
        if wrong == rule.right:
            raise ConfigError(f"{where}: wrong and right are the same: '{wrong}'", "delete one of them")
        if rule.regex:
            _check_regex(wrong, rule, where)
        elif not _LETTERS.search(wrong):
            raise ConfigError(f"{where}: there is no letter in '{wrong}'", "regex = true can find signs")
    _check_changes(rule, rule.right, where, "it writes itself")


def _check_regex(wrong: str, rule: Rule, where: str) -> None:
    try:
        pattern = _pattern(wrong, True, rule.case)
    except ValueError as error:
        raise ConfigError(
            f"{where}: the regular expression '{wrong}' can't be used: {error}",
            "RE2 has no look-around and no back references; near = […] asks for words around it",
        ) from None
    if any(True for _ in pattern.finditer("")):
        raise ConfigError(f"{where}: '{wrong}' matches even where there is nothing", "use + in place of *")
    if any(int(number) > pattern.groups for number in _GROUP.findall(rule.right)):
        raise ConfigError(f"{where}: right names a group that wrong doesn't have", "\\1 is the first (…)")


def _check_changes(rule: Rule, text: str, where: str, what: str) -> None:
    """A rule that changes what was put right would be applied again and again."""
    for start, end, right in rule.found(text):
        if text[start:end] != right:
            raise ConfigError(
                f"{where}: it would change '{text}', which {what}",
                "make wrong more exact, or set case = true, or delete one of the two",
            )


def _check_together(rules: Sequence[Rule], where: str) -> None:
    wrongs = sum(len(rule.wrong) for rule in rules)
    if wrongs > MOST_WRONG:
        raise ConfigError(
            f"{where} has {wrongs} wrong forms, and may have {MOST_WRONG}", "delete those that are rare"
        )
    first: dict[str, int] = {}
    for number, rule in enumerate(rules):
        for wrong in rule.wrong:
            known = first.setdefault(wrong if rule.case or rule.regex else wrong.casefold(), number)
            if known != number or rule.wrong.count(wrong) > 1:
                raise ConfigError(
                    f"{_at(where, number)}: number {known + 1} is for '{wrong}', too", "keep one of them"
                )
    for number, rule in enumerate(rules):
        for other, made in enumerate(rules):
            if other != number and not (made.regex and _GROUP.search(made.right)):
                _check_changes(rule, made.right, _at(where, number), f"number {other + 1} writes")


@lru_cache(maxsize=4096)
def _pattern(wrong: str, regex: bool, case: bool) -> _Pattern:
    """What finds a wrong form. Raises ValueError where it is no regular expression."""
    if regex:
        return _expression(wrong, case)
    words = r"\s+".join(re.escape(word) for word in wrong.split())
    return cast(_Pattern, re.compile(rf"(?<![\w@]){words}(?![\w@])", 0 if case else re.IGNORECASE))


def _expression(wrong: str, case: bool) -> _Pattern:
    """People's own expressions are RE2's, which take time in proportion to the text whatever they say.

    The file is one that many may edit, and Python's own could be made to run for ever.
    """
    import re2

    known: Any = re2  # has no types
    options = known.Options()
    options.case_sensitive = case
    options.log_errors = False
    try:
        return known.compile(wrong, options)
    except known.error as error:
        said = error.args[0]
        raise ValueError(said.decode() if isinstance(said, bytes) else said) from None
