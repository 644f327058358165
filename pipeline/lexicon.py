"""Which words a language has, and which of them everybody uses.

The lists are pyspellchecker's (MIT): words with how often they were counted in films' subtitles, which
are spoken language. They hold ordinary words and common names, hardly any product's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

COMMON = 10_000  #: words of a language that count as everybody's: "hosting" is, "owen" and "midi" are not
FREQUENT = 300  #: words of which every sentence has some

_LISTED = frozenset({"de", "en", "es", "fr", "it", "nl", "pt"})


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of one language, in any case."""

    ranks: Mapping[str, int]  #: 0 for the most frequent word

    def knows(self, word: str) -> bool:
        return word.casefold() in self.ranks

    def common(self, word: str, most: int = COMMON) -> bool:
        """Whether it is one of so many most frequent words; a number and a single letter are, too."""
        plain = word.casefold()
        return plain.isdecimal() or len(plain) == 1 or self.ranks.get(plain, most) < most


@cache
def lexicon(language: str) -> Lexicon | None:
    """That of a language's code (en, en-GB…), or None where there is no list of its words."""
    code = language.replace("_", "-").partition("-")[0].casefold()
    if code not in _LISTED:
        return None
    from spellchecker import SpellChecker  # a tenth of a second

    counts = SpellChecker(language=code).word_frequency.dictionary
    # Sorted by the word where counts are equal: the same list must give the same ranks.
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    return Lexicon({word: rank for rank, word in enumerate(ordered)})
