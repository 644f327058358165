"""What a decoder is told beforehand of an episode: the show's words and names, within Whisper's limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.spoken import plain

LIMIT = 223  #: tokens of a prompt that Whisper heeds: half its text's 448, less one
HOTWORDS = 120  #: of these for names and terms; the rest is for title and notes
TERMS = 30  #: more harmed in the measurements
NARROW = 384  #: the width of Whisper's smallest models, which drop sentences under a long prompt

_SPECIAL = re.compile(r"<\|[^|]*\|>")  # Whisper's own marks, as <|startoftranscript|>
_LINK = re.compile(r"(?:https?://|www\.)\S+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Hints:
    """As faster-whisper takes them: words to expect, and text that could have come before."""

    hotwords: str | None = None
    initial_prompt: str | None = None

    def __bool__(self) -> bool:
        return bool(self.hotwords or self.initial_prompt)


NONE = Hints()


def hints_for(
    terms: Sequence[str], names: Sequence[str], title: str, notes: str, count_tokens: Callable[[str], int]
) -> Hints:
    """The names, then the terms that are hardest to guess, as many as fit; and what the episode is about.

    `count_tokens` is the model's own. Terms of equal worth keep their order, so give the best first.
    """
    worthy = sorted(_distinct(terms), key=lambda term: -specific(term))
    hotwords = _fitting(_distinct([*names, *worthy]), ", ", HOTWORDS, count_tokens, TERMS)
    left = LIMIT - (count_tokens(" " + hotwords) if hotwords else 0)
    prompt = _fitting(_sentences(title, notes), " ", left, count_tokens)
    return Hints(hotwords or None, prompt or None)


def specific(term: str) -> int:
    """How unlike an ordinary word it is: capitals and digits inside it count most, then its length."""
    inner = sum(letter.isupper() or letter.isdigit() for letter in term[1:])
    return 100 * min(inner, 3) + 50 * term[:1].isupper() + min(len(term), 40)


def _distinct(texts: Iterable[str]) -> list[str]:
    """Clean, and each once however it is written, as it first comes."""
    found: dict[str, str] = {}
    for text in map(plain, texts):
        found.setdefault(text.casefold(), text)
    return [text for text in found.values() if text]


def _sentences(title: str, notes: str) -> Iterator[str]:
    """The model goes on as it was begun: with whole sentences."""
    head = plain(_SPECIAL.sub(" ", title))
    if head:
        yield head if head[-1] in ".!?" else head + "."
    yield from (
        sentence for sentence in _SENTENCE.split(plain(_SPECIAL.sub(" ", _LINK.sub("", notes)))) if sentence
    )


def _fitting(
    parts: Iterable[str],
    between: str,
    tokens: int,
    count_tokens: Callable[[str], int],
    most: int | None = None,
) -> str:
    """As many of the parts, from the first, as make no more than so many tokens."""
    text = ""
    for part in list(parts)[:most]:
        longer = f"{text}{between}{part}" if text else part
        if count_tokens(" " + longer) <= tokens:
            text = longer
    return text
