"""Names and terms in a text that people wrote: what a speech recogniser should expect to hear."""

from __future__ import annotations

import re

MOST = 30
_LONGEST = 60

_WEB = re.compile(r"\S*(?:://|www\.|@)\S*|\b[\w-]+\.(?:com|org|net|io|dev|fm)\b\S*")
# An inner capital or digit (DynamoDB, S3, vCPU), or a capital at the front; some in a row are one name.
_INNER = r"(?:[A-Za-z]+[A-Z0-9]|[0-9]+[A-Z])[A-Za-z0-9]*"
_CAPITAL = r"[A-Z][\w\N{RIGHT SINGLE QUOTATION MARK}']*[a-z\w]"
_NAME = re.compile(rf"(?:{_INNER}|{_CAPITAL})(?:[ -](?:{_INNER}|{_CAPITAL}))*")
_SENTENCE_ENDS = ".!?:\n\u2022*\u2013-"


def mentions(text: str) -> tuple[str, ...]:
    """Names, products and acronyms in the order of their first mention, at most 30.

    A word that only begins a sentence with its capital is none, unless it comes again elsewhere.
    """
    text = _WEB.sub(". ", text)
    found: dict[str, None] = {}
    for match in _NAME.finditer(text):
        name = match[0]
        before = text[max(0, match.start() - 4) : match.start()].rstrip(" \t\r\"'([")
        if before[-1:] in _SENTENCE_ENDS:  # an empty one too: the text's beginning
            name = _less_the_first(name)
        if 1 < len(name) <= _LONGEST:
            found.setdefault(name)
    return tuple(found)[:MOST]


def _less_the_first(name: str) -> str:
    """Without a first word that may have its capital from the sentence that it begins."""
    first, _, rest = name.partition(" ")
    return name if re.search(r"[A-Z0-9]", first[1:]) else rest
