"""People's names, as written and as a recogniser hears them: Eoin is heard as Owen, Aoife as Efuh."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.fuzz import ratio

EXACT, CLOSE, ALIKE = 1.0, 0.9, 0.85  #: how sure a match is: the same letters, nearly, the same sound
SPELT = 80.0  #: rapidfuzz's likeness from which names count as nearly the same (Marin, Maren)
SURNAME = 60.0  #: the same for surnames, once the first names match

#: Spellings that sound the same, longest first; vowels but the first are then left out.
_SOUNDS = (
    (r"gh$", ""),
    (r"sch|sh|tch|ch", "x"),
    (r"^g(?=e|i)", "j"),
    (r"(?<=[^s])si(?=o)|^s(?=ea|io)", "x"),
    (r"bh|mh|ph|gh(?=t)|v|w(?=r)", "f"),
    (r"ck|q|k|c(?![eiy])|g(?=h)", "k"),
    (r"[cz]", "s"),
    (r"(?<=.)[wyh]|^h", ""),
    (r"^[aeiouy]+", "a"),
    (r"(?<=.)[aeiou]+", ""),
    (r"(.)\1+", r"\1"),
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_OWNING = re.compile(r"['\u2019]s$")
#: Before a name, not part of it; whoever has one may leave it out.
_TITLES = r"mrs?|ms|dr|prof(?:essor)?"
_TITLED = re.compile(rf"(?:(?:{_TITLES})(?:\.\s*|\s+))+", re.IGNORECASE)
_WITH = re.compile(r"\b(?:with|featuring|feat\.?|ft\.?|guests?:?)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Match:
    """Which of the names it is, and how sure that is (0 to 1)."""

    name: str
    sure: float


def matched(heard: Sequence[str], names: Iterable[str]) -> Match | None:
    """Who is meant by the words heard, first name first; None for nobody, or for two alike.

    A first name alone will do; surnames must not contradict each other where both are there.
    """
    found = sorted(((_likeness(heard, name), name) for name in names), reverse=True)
    if not found or not found[0][0] or (len(found) > 1 and found[1][0] == found[0][0]):
        return None
    return Match(found[0][1], found[0][0])


def name_words(text: str) -> list[str]:
    """The words at the start of a text that may be a name: up to three with capital letters.

    One without, if there are no others: whole passages come without capitals at times. What somebody
    owns ("Luciano's idea") is not them, and a title ("Dr.") is no name.
    """
    titled = _TITLED.match(text)
    text = text[titled.end() :] if titled else text
    words: list[str] = []
    end = 0
    for word in _WORD.finditer(text):
        apart = text[end : word.start()].strip() or len(words) == 3
        if apart or not word[0][0].isupper() or _OWNING.search(word[0]):
            break
        words.append(word[0])
        end = word.end()
    first = _WORD.match(text)
    return words or ([first[0]] if first and first[0][0].islower() else [])


def merged(names: Iterable[str], more: Iterable[str]) -> list[str]:
    """All names once; who is among the first already is not added in another form."""
    all_names = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    for name in more:
        found = matched(name.split(), all_names)
        if name.strip() and not (found and found.sure == EXACT):
            all_names.append(name.strip())
    return all_names


def behind_name(text: str, words: Iterable[str]) -> str:
    """What follows the `name_words` of a text."""
    end = 0
    for word in words:
        end = text.index(word, end) + len(word)
    return text[end:]


def people_in(title: str, terms: Sequence[str] = ()) -> tuple[str, ...]:
    """Who is named as a guest in an episode's title: `Queues with Jane Doe and Al Roe`.

    Products are named so too (`Queues with Amazon EventBridge`): what has one of the terms in it, or isn't
    spelt as people are, is nobody.
    """
    own = [f" {term.casefold()} " for term in terms]
    return tuple(name for name in _guests(title) if not any(term in f" {name.casefold()} " for term in own))


def _guests(title: str) -> Iterator[str]:
    for cue in _WITH.finditer(title):
        for part in re.split(r",|&|\band\b", title[cue.end() :]):
            words = name_words(part.strip())
            if len(words) < 2 or not all(map(_as_people_are, words)):
                break
            if behind_name(part.strip(), words)[:1].isdigit():  # Amazon S3
                break
            yield " ".join(words)


def _as_people_are(word: str) -> bool:
    """Spelt like O'Neill, Jean-Luc or McCoy; not like AWS, EventBridge or serverless."""
    parts = re.split(r"['\u2019-]|(?<=^Mc)(?=[A-Z])", word)
    return word[0].isupper() and not any(letter.isupper() for part in parts for letter in part[1:])


def _likeness(heard: Sequence[str], name: str) -> float:
    """0 where they can't be the same."""
    own, said = (_untitled(words) for words in (name.split(), heard))
    if not own or not said:
        return 0.0
    if len(own) > 1 and len(said) > 1 and not _same_surname(own[-1], said[1:]):
        return 0.0
    if own[0] == said[0]:
        return EXACT
    if not any(word[0].isupper() for word in heard if word):  # a common word sooner than a name
        return 0.0
    if ratio(own[0], said[0]) >= SPELT:
        return CLOSE
    return ALIKE if _alike(own[0], said[0]) else 0.0


def _same_surname(own: str, said: Sequence[str]) -> bool:
    return any(ratio(own, word) >= SURNAME or _alike(own, word) for word in said)


def _untitled(words: Iterable[str]) -> list[str]:
    plain = map(_plain, words)
    return [word for word in plain if word and not re.fullmatch(_TITLES, word)]


def _plain(word: str) -> str:
    """Small letters without accents."""
    letters = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in letters if letter.isalpha())


def _alike(one: str, other: str) -> bool:
    """The same sound: Owen and Eoin, but not Anna, who ends on a vowel. A last e may be heard or not."""
    ends = {bool(re.search("[aiouy]h?$", word)) for word in (one, other) if not word.endswith("e")}
    return len(ends) < 2 and _sound(one) == _sound(other)


def _sound(word: str) -> str:
    """The consonants that are heard, and whether it begins with a vowel."""
    for pattern, sound in _SOUNDS:
        word = re.sub(pattern, sound, word)
    return word
