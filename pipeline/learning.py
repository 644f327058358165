"""What people's corrections teach: rules for words that are heard wrong again and again."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from pipeline.correcting import doubt_of, same_letters
from pipeline.lexicon import Lexicon, lexicon
from pipeline.sound import pieces_of
from pipeline.vocabulary import LONGEST, Rule, Vocabulary

_MOST_WORDS = 4  #: more are a sentence that was written anew
_SHORT = 3  #: letters of a wrong form that is met by accident
_ENOUGH = 2  #: episodes in which a doubtful correction was made, for it to be a rule
_SLIP = 90.0  #: rapidfuzz's ratio of a word and the same with a slip of the pen
_OUTER = re.compile(r"^[\W_]+|[\W_]+$")
_INNER = re.compile(r"[,;:!?\"()\u201c\u201d](?=\s)|\.\s")


@dataclass(frozen=True, slots=True)
class Pair:
    """What a person changed into what, and in how many episodes."""

    wrong: str
    right: str
    episodes: int = 1


def learnt_rules(pairs: Iterable[Pair], language: str = "en") -> Vocabulary:
    """The rules that these corrections justify; what is unsafe everywhere only suggests.

    Ordinary words that were changed into others are no vocabulary, nor are moved commas and full stops.
    """
    words = lexicon(language)
    counts: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        plain = _plain(pair)
        if plain and _teaches(*plain, words):
            counts[plain] += pair.episodes
    rights = _trusted(counts)
    counts = Counter(
        {pair: count for pair, count in counts.items() if pair[1] in rights and pair[0] not in rights}
    )
    by_wrong: defaultdict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for (wrong, right), count in counts.items():
        by_wrong[wrong.casefold()].append((count, right, wrong))
    grouped: defaultdict[tuple[str, bool], list[str]] = defaultdict(list)
    for found in by_wrong.values():
        count, right, wrong = max(found, key=lambda each: (each[0], each[1]))
        torn = sum(each[0] == count for each in found if each[1] != right) > 0
        doubtful = torn or _doubtful(wrong, right, count, words)
        grouped[right, doubtful].append(wrong)
    rules = [
        Rule(wrong=tuple(sorted(wrongs)), right=right, suggest=suggest)
        for (right, suggest), wrongs in sorted(grouped.items())
    ]
    return Vocabulary(rules=tuple(_at_peace(rules)))


def _trusted(counts: Mapping[tuple[str, str], int]) -> set[str]:
    """The right forms, without those that are likely slips of the pen: almost another, and rarer."""
    total: Counter[str] = Counter()
    for (_, right), count in counts.items():
        total[right] += count
    return {
        right
        for right, count in total.items()
        if not any(count < more and fuzz.ratio(right, other) >= _SLIP for other, more in total.items())
    }


def _plain(pair: Pair) -> tuple[str, str] | None:
    """The words that differ, without the equal ones around them; None where nothing is left."""
    wrong, right = pair.wrong.split(), pair.right.split()
    while wrong and right and _same(wrong[0], right[0], wrong[1:], right[1:]):
        wrong, right = wrong[1:], right[1:]
    while wrong and right and _same(wrong[-1], right[-1], wrong[:-1], right[:-1]):
        wrong, right = wrong[:-1], right[:-1]
    said, meant = (_OUTER.sub("", " ".join(words)) for words in (_once(wrong), _once(right)))
    if not said or not meant or said == meant or max(len(said), len(meant)) > LONGEST:
        return None
    return said, meant


def _same(first: str, second: str, wrong: list[str], right: list[str]) -> bool:
    """Whether two words are no part of what differs: the others are, or these differ in nothing."""
    others = [word.casefold() for word in wrong] != [word.casefold() for word in right]
    return first == second or (others and first.casefold() == second.casefold())


def _once(words: list[str]) -> list[str]:
    """Half of them where the second half says the same again."""
    half = len(words) // 2
    same = [_OUTER.sub("", word) for word in words]
    return words[:half] if half and same[:half] == same[half:] else words


def _teaches(wrong: str, right: str, words: Lexicon | None) -> bool:
    if _INNER.search(wrong) or _INNER.search(right):
        return False
    said, meant = wrong.casefold().split(), right.casefold().split()
    if max(len(said), len(meant)) > _MOST_WORDS or not wrong.isprintable():
        return False
    if len(said) != len(meant) and (_within(said, meant) or _within(meant, said)):
        return False  # a word more or less: that is style
    if words is None or not all(words.common(piece.text) for piece in pieces_of(right)):
        return True
    capitals = same_letters(wrong, right) and right != right.lower()  # a phrase became a name
    return capitals and len(pieces_of(wrong)) > 1


def _within(few: list[str], many: list[str]) -> bool:
    return any(many[at : at + len(few)] == few for at in range(len(many) - len(few) + 1))


def _doubtful(wrong: str, right: str, count: int, words: Lexicon | None) -> bool:
    if doubt_of(wrong, right, words):
        return True
    heard = pieces_of(wrong)
    if len(heard) == 1 and len(wrong) <= _SHORT and count < _ENOUGH:
        return True
    if words is None or count >= _ENOUGH:
        return False
    if same_letters(wrong, right):
        return wrong.casefold() == right.casefold() and all(words.common(piece.text) for piece in heard)
    return all(words.knows(piece.text) for piece in heard)


def _at_peace(rules: Sequence[Rule]) -> list[Rule]:
    """The rules of which none changes what it, or one before it, writes."""
    kept: list[Rule] = []
    for rule in rules:
        fighting = any(_changes(rule, other.right) or _changes(other, rule.right) for other in [*kept, rule])
        if not fighting:
            kept.append(rule)
    return kept


def _changes(rule: Rule, text: str) -> bool:
    return any(text[start:end] != right for start, end, right in rule.found(text))
