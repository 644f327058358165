from __future__ import annotations

import pytest

from pipeline.scoring import word_error_rate, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Hello, there! -- 'Yes'", ["hello", "there", "yes"]),
        ("Don't DON\u2019T", ["don't", "don't"]),
        ("Straße Größe", ["strasse", "grösse"]),
        ("3.5 per_cent; e-mail", ["3", "5", "per", "cent", "e", "mail"]),
    ],
)
def test_words_are_compared_without_case_and_punctuation(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("truth", "heard", "rate"),
    [
        ("one two three four", "One, two: three four.", 0.0),
        ("one two three four", "one two tree four", 0.25),
        ("one two three four", "one two four", 0.25),
        ("one two three four", "one two and three four", 0.25),
        ("one two three four", "", 1.0),
        ("one", "one and two", 2.0),
        ("", "", 0.0),
        ("", "one two", 2.0),
    ],
)
def test_substituted_missing_and_added_words_count(truth: str, heard: str, rate: float) -> None:
    assert word_error_rate(truth, heard) == rate
