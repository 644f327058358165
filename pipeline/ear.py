"""What may be a term of the show's, heard wrong: spelled another way, or sounding like it.

It is strict: what it takes for a term is put in the transcript without asking anybody, and of 3,303
right words a looser search changed 12. So only words that are no words of the language are taken for
terms that they resemble; what is less sure is a suggestion.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from pipeline.lexicon import FREQUENT, Lexicon
from pipeline.sound import Piece, key, pieces_of, sound, spoken, stands_alone
from pipeline.vocabulary import Vocabulary

SHORTEST = 6  #: letters of what may resemble; shorter words resemble too much
SURE = 84.0  #: rapidfuzz's ratio, 0 to 100, of what is spelled like a term
SURE_BY_SOUND = 70.0  #: and of what also sounds the same
SHORTEST_SOUND = 3  #: consonants that tell something
LONG_SOUND = 5  #: consonants that are no accident: half of the letters are then enough
SURE_BY_LONG_SOUND = 55.0
WORTH_SAYING = 78.0  #: and of what a reviewer is shown
MARGIN = 4.0  #: how much nearer it must be than to any other term
RARE = 20_000  #: words of a language beyond which nobody says one by accident: "lambda"; "rust" may be rust
MOST_PIECES = 3  #: words that may be one term: "dynamo d b"

_INNER_CAPITAL = re.compile(r"[^\W_][A-Z]")
_ACRONYM = re.compile(r"(?=.*[A-Z\d])(?!.*[a-z]{3})[A-Za-z\d/]{2,6}")
_JOINT = re.compile(r"[ -]")
# "We will cloud watch": what follows is a verb. And "cloud front and center": what goes on is a phrase.
_VERB_NEXT = re.compile(
    r"\b(?:to|not|will|would|can|could|should|shall|must|might|let's|i|we|they|he|she|\w+'ll|\w+n't)\s+$",
    re.IGNORECASE,
)
_AND = re.compile(r" and ([^\W_]+)")


@dataclass(frozen=True, slots=True)
class Alike:
    """A place in a text that may be a term; `doubt` says why it is only suggested, if it is."""

    start: int
    end: int
    right: str
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class _Near:
    """A term that something is near to; the score is higher for what is nearer."""

    score: float
    term: str
    sure: bool
    learnt: bool  #: not to the term itself, but to a form of it that was heard before


class Ear:
    """Knows a vocabulary's terms when it hears them. Without a lexicon nothing is known of likeness."""

    def __init__(self, vocabulary: Vocabulary, lexicon: Lexicon | None) -> None:
        self._lexicon = lexicon
        rights = [rule.right for rule in vocabulary.rules if not rule.regex and self._is_name(rule.right)]
        terms = list(dict.fromkeys([*vocabulary.terms, *rights]))
        # People are called Grant and Chase; recognisers know when to write that with a capital.
        strange = [name for name in vocabulary.names if lexicon and not lexicon.knows(name)]
        self._terms = _by_key([*terms, *strange])
        terms += vocabulary.names
        self._words = frozenset(key(piece.text) for term in terms for piece in pieces_of(term))
        self._words |= self._terms.keys()
        self._aliases = {spoken(term): term for term in terms if len(key(term)) >= SHORTEST}
        for rule in vocabulary.rules:
            if not (rule.regex or rule.near or rule.suggest):
                self._learn(rule.wrong, rule.right)
        self._sounds = {alias: sound(alias) for alias in self._aliases}

    def heard(self, text: str) -> list[Alike]:
        """What may be terms; they may overlap."""
        pieces = pieces_of(text)
        found: list[Alike | None] = []
        for first in range(len(pieces)):
            for last in range(first + 1, min(first + MOST_PIECES, len(pieces)) + 1):
                window = pieces[first:last]
                if not _adjacent(text, window):
                    break
                found += [self._spelled(text, window)]
                if len(window) < MOST_PIECES:
                    found += [self._resembling(text, window)]
        return [alike for alike in found if alike]

    def _is_name(self, right: str) -> bool:
        """What rules write may be any word; of those that are names we look for other spellings, too."""
        pieces = pieces_of(right)
        if not 1 <= len(pieces) <= MOST_PIECES or not self._lexicon:
            return False
        words = [piece.text for piece in pieces]
        frequent = any(self._lexicon.common(word, FREQUENT) for word in words if len(word) > 1)
        return not frequent and not all(map(self._lexicon.common, words))

    def _learn(self, wrongs: Iterable[str], right: str) -> None:
        """What is near to a form that was heard before is near to what it stands for."""
        for wrong in wrongs:
            if len(key(wrong)) >= SHORTEST and len(pieces_of(wrong)) == 1 and not self._known(wrong):
                self._aliases.setdefault(spoken(wrong), right)

    def _known(self, word: str) -> bool:
        plain = word.casefold()
        lexicon = self._lexicon
        return lexicon is None or lexicon.knows(plain) or lexicon.knows(plain.removesuffix("s"))

    def _spelled(self, text: str, window: Sequence[Piece]) -> Alike | None:
        """The same letters, in another case or parted in another way."""
        start, end = window[0].start, window[-1].end
        said = text[start:end]
        letters = key(said)
        plural = "s" if letters not in self._terms and letters.endswith("s") else ""
        term = self._terms.get(letters.removesuffix(plural) if plural else letters)
        if term is None or not stands_alone(text, start, end):
            return None
        if plural and _ACRONYM.fullmatch(term) and not (said[-1] == "s" and said[:-1].isupper()):
            return None  # https is no plural
        right = term + plural
        if said == right or (right.islower() and said == right.capitalize()):
            return None
        if plural and self._lexicon and self._lexicon.common(term, RARE):
            return None  # grants are not several people called Grant
        doubt = self._doubt(text, window, term)
        return None if doubt is None else Alike(start, end, right, doubt)

    def _doubt(self, text: str, window: Sequence[Piece], term: str) -> str | None:
        """Why another spelling may be no slip: empty if it surely is one, None if it likely is not."""
        said = text[window[0].start : window[-1].end]
        words = [piece.text for piece in window]
        if _ACRONYM.fullmatch(term):
            return self._doubt_acronym(words, term)
        if len(words) == 1:
            return self._doubt_word(said, term)
        if len(words) == len(pieces_of(term)):
            return None if "-" in said and "-" not in term else ""  # as commands are called
        plain = not _INNER_CAPITAL.search(term) or self._is_phrase(text, window, term)
        return f"'{said}' may be just that" if plain else ""

    def _doubt_word(self, said: str, term: str) -> str | None:
        lexicon = self._lexicon
        if term.islower() or (lexicon and lexicon.common(said)):
            return None
        plain = lexicon and lexicon.common(said, RARE) and term == term.capitalize()
        return f"'{said}' is a word, too" if plain else ""

    def _is_phrase(self, text: str, window: Sequence[Piece], term: str) -> bool:
        """Whether words that spell a name together may be words of the sentence, by their neighbours."""
        lexicon = self._lexicon
        words = [piece.text for piece in window]
        if lexicon is None:
            return False
        if any(word not in term and lexicon.common(word, FREQUENT) for word in words):
            return True
        more = _AND.match(text, window[-1].end)
        goes_on = more is not None and self._is_ordinary(more[1])
        verb = _VERB_NEXT.search(text, 0, window[0].start) is not None
        return all(map(lexicon.common, words)) and (verb or goes_on)

    def _is_ordinary(self, word: str) -> bool:
        """Whether it is everybody's word, but not one that every sentence has, nor the show's."""
        lexicon = self._lexicon
        common = lexicon is not None and lexicon.common(word) and not lexicon.common(word, FREQUENT)
        return common and not self._is_own(word)

    def _doubt_acronym(self, words: Sequence[str], term: str) -> str | None:
        if len(words) == 1:
            return None if self._known(words[0]) else ""
        at = 0
        for word in words:
            exact = term[at : at + len(word)] == word
            at += len(word)
            if len(word) > 1 and (not exact or (self._lexicon and self._lexicon.common(word))):
                return None
            if len(word) == 1 and not exact and word not in "aA":
                return None
        return "" if any(len(word) > 1 for word in words) or "".join(words) == term else None

    def _resembling(self, text: str, window: Sequence[Piece]) -> Alike | None:
        """A word that nobody knows, alone or with the next, and near to a term."""
        if not any(self._is_strange(piece.text) for piece in window):
            return None
        start, end = window[0].start, window[-1].end
        said = text[start:end]
        if len(key(said)) < SHORTEST or any(self._is_own(piece.text) for piece in window):
            return None
        best = self._nearest(said)
        if best is None or (len(window) > 1 and not best.sure):
            return None
        if len(window) > 1 and any(self._nearest(piece.text) for piece in window):
            return None  # one of them is enough
        # Capitals within are a name's way: it may be another name.
        sure = best.sure and (best.learnt or not _INNER_CAPITAL.search(said))
        return Alike(start, end, best.term, "" if sure else f"'{said}' is only a little like it")

    def _is_strange(self, word: str) -> bool:
        """Whether no one knows it; of shorter ones nobody can say."""
        return len(word) > 2 and not word.isdecimal() and not self._known(word)

    def _is_own(self, word: str) -> bool:
        letters = key(word)
        return letters in self._words or letters.removesuffix("s") in self._words

    def _compared(self, letters: str, alias: str, ratio: float) -> _Near | None:
        """What is heard, beside a term or a form of it that was heard before, of so much likeness."""
        if _digits(letters) != _digits(alias):
            return None  # python3 is not Python
        heard, term = sound(letters), self._aliases[alias]
        learnt = spoken(term) != alias
        if self._sounds[alias] == heard and len(heard) >= SHORTEST_SOUND:
            enough = SURE_BY_LONG_SOUND if len(heard) >= LONG_SOUND else SURE_BY_SOUND
            if ratio < (SURE if learnt else enough):
                return None
            return _Near(ratio + 100 - SURE, term, True, learnt)
        if learnt or ratio < WORTH_SAYING:
            return None
        # Another beginning makes another word, and so does an ending: cpython and pythonic are not Python,
        # and a short form is a name of its own: postgres.
        other = letters[0] != alias[0] or letters.startswith(alias) or alias.startswith(letters)
        return _Near(ratio, term, ratio >= SURE and not other, learnt)

    def _nearest(self, said: str) -> _Near | None:
        """The term that it is nearest to; None where none is near, or two are."""
        letters = spoken(said)
        scored: dict[str, _Near] = {}
        for alias, ratio, _ in process.extract(letters, list(self._aliases), scorer=fuzz.ratio, limit=None):
            near = self._compared(letters, alias, ratio)
            known = scored.setdefault(near.term, near) if near else None
            if near and known and near.score > known.score:
                scored[near.term] = near
        ranked = sorted(scored.values(), key=lambda near: (-near.score, near.term))
        if not ranked or (len(ranked) > 1 and ranked[0].score - ranked[1].score < MARGIN):
            return None
        return ranked[0]


def _adjacent(text: str, window: Sequence[Piece]) -> bool:
    """Whether nothing but a space or hyphen stands between them."""
    return len(window) < 2 or bool(_JOINT.fullmatch(text[window[-2].end : window[-1].start]))


def _digits(letters: str) -> str:
    return "".join(filter(str.isdecimal, letters))


def _by_key(terms: Iterable[str]) -> dict[str, str]:
    """Terms by their letters; those that are spelled in two ways are nobody's to choose."""
    found: dict[str, str] = {}
    twice: set[str] = set()
    for term in terms:
        if found.setdefault(key(term), term) != term:
            twice.add(key(term))
    return {letters: term for letters, term in found.items() if letters not in twice and len(letters) > 1}
