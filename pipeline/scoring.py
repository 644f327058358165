"""How far a transcript is from the true text."""

from __future__ import annotations

import re
import unicodedata

_CURLY = "\N{RIGHT SINGLE QUOTATION MARK}"
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words_of(text: str) -> list[str]:
    """Words as compared: case and punctuation don't count, apostrophes within words do."""
    return _WORD.findall(unicodedata.normalize("NFC", text).replace(_CURLY, "'").casefold())


def word_error_rate(truth: str, heard: str) -> float:
    """Substituted, missing and added words as a share of the true words (0 is perfect).

    The usual measure of speech recognition: Levenshtein distance over words.
    """
    from rapidfuzz.distance import Levenshtein

    true_words = words_of(truth)
    return Levenshtein.distance(true_words, words_of(heard)) / max(1, len(true_words))
