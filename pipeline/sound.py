"""The letters and the sounds of words: what is spelled another way may still sound the same."""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKEN = re.compile(r"[^\W_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W_]+)*")
_POSSESSIVE = re.compile(r"['\N{RIGHT SINGLE QUOTATION MARK}]s$", re.IGNORECASE)
_BEFORE, _AFTER = re.compile(r"(?<![\w@/-])(?<!\w\.)"), re.compile(r"(?![\w@/]|\.\w)")

# Consonants as English says them, and no vowels but a first one: the idea of Metaphone (L. Philips, 1990).
_SOUNDS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"^[gkp]n", "n"),
        (r"^wr", "r"),
        (r"^x", "s"),
        (r"(.)\1", r"\1"),
        (r"ph", "f"),
        (r"t?ch|tsh", "C"),
        (r"sh|[ts]i(?=on|a)", "S"),
        (r"th", "0"),
        (r"gh(?=[^aeiou]|$)", ""),
        (r"dg(?=[eiy])|g(?=[eiy])|j", "J"),
        (r"ck|q|c(?![eiy])", "k"),
        (r"c|z", "s"),
        (r"x", "ks"),
        (r"v", "f"),
        (r"wh", "w"),
        (r"h(?![aeiouy])|(?<=[aeiou])w(?![aeiou])", ""),
        (r"d(?=$)", "t"),
        (r"(?<!^)[aeiouy]+|[^\w]", ""),
        (r"^[aeiouy]+", "A"),
    )
)


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, slots=True)
class Piece:
    """A word of a text, from and until which character."""

    start: int
    end: int
    text: str


def key(text: str) -> str:
    """Letters and digits alone, in lower case: "event-bridge" and "EventBridge" are the same."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def spoken(text: str) -> str:
    """The same letters, a digit at the beginning as it is said: "4th Erem" is "fourtherem"."""
    letters = key(text)
    if letters[:1].isdecimal() and letters[1:2].isalpha():
        return _DIGITS[int(letters[0])] + letters[1:]
    return letters


def sound(text: str) -> str:
    """How it sounds in English, roughly: the same for "fortherum" and "fourTheorem"."""
    said = spoken(text)
    for pattern, becomes in _SOUNDS:
        said = pattern.sub(becomes, said)
    return said


def pieces_of(text: str) -> list[Piece]:
    """The words of a text, with their places; the 's of a possessive is no part of them."""
    pieces: list[Piece] = []
    for match in TOKEN.finditer(text):
        word = _POSSESSIVE.sub("", match[0])
        pieces.append(Piece(match.start(), match.start() + len(word), word))
    return pieces


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether it is no part of a name, an address or a path, whose case is as it is."""
    return bool(_BEFORE.match(text, start) and _AFTER.match(text, end))
