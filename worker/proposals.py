"""Whether a change that a language model proposes may be made: it may fix words, not rewrite."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from rapidfuzz import fuzz

from pipeline.correcting import same_letters
from pipeline.model import Segment
from pipeline.sound import key, sound, spoken

LONGEST = 120  #: characters of one change
MOST_WORDS = 4  #: that one change replaces, or writes
NEAR = 60.0  #: rapidfuzz's ratio, 0 to 100, of letters or of sounds that may have been mistaken
MOST_OF_A_PASSAGE = 0.5  #: of its words, in all its changes
FREE_WORDS = 4  #: of a passage may be changed, however short it is
PER_100_WORDS = 4  #: changes of a window: people make one
LEAST_CHANGES = 3  #: of a window, however short it is

_TURNS = frozenset(["no", "not", "nor", "never", "none", "nothing", "without", "cannot", "neither"])
_NUMBER = re.compile(
    r"zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand"
    r"|[mb]illion|half|double"
)
_WORD = re.compile(r"[^\W_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W_]+)*")
_DIGITS = re.compile(r"\d+")


def found_in(text: str, wrong: str) -> list[int]:
    """At which characters it stands in a text, as words of its own."""
    before = r"(?<!\w)" if wrong[0].isalnum() else ""
    after = r"(?!\w)" if wrong[-1].isalnum() else ""
    return [match.start() for match in re.finditer(before + re.escape(wrong) + after, text)]


class Check:
    """Judges the proposals for one window, one after another."""

    def __init__(self, names: Sequence[str], words: int) -> None:
        self._names = frozenset(key(part) for name in names for part in name.split())
        self._left = max(LEAST_CHANGES, words * PER_100_WORDS // 100)
        self._changed: Counter[int] = Counter()

    def __call__(self, number: int, segment: Segment, wrong: str, right: str) -> tuple[str, str]:
        """`applied`, `suggested` or `rejected`, and why not applied. `number` is the passage's."""
        reason = _malformed(segment.text, wrong, right) or _rewritten(wrong, right)
        if reason:
            return "rejected", reason
        changed = max(map(len, _differing(wrong, right)))
        allowed = max(FREE_WORDS, len(segment.text.split()) * MOST_OF_A_PASSAGE)
        if self._changed[number] + changed > allowed:
            return "rejected", "too much of the passage would be changed"
        if self._left < 1:
            return "rejected", f"more than {PER_100_WORDS} changes in 100 words"
        reason = self._for_a_person(wrong, right)
        if reason:
            return "suggested", reason
        self._left -= 1
        self._changed[number] += changed
        return "applied", ""

    def _for_a_person(self, wrong: str, right: str) -> str:
        if _numbers(wrong) != _numbers(right):
            return "a number would change"
        gone = self._names.intersection(map(key, _words(wrong))) - set(map(key, _words(right)))
        return "a speaker's name would go" if gone else ""


def _malformed(text: str, wrong: str, right: str) -> str:
    if not right or max(len(wrong), len(right)) > LONGEST or not right.isprintable():
        return "it is not a few words in place of others"
    if wrong == right:
        return "it changes nothing"
    count = len(found_in(text, wrong))
    if count != 1:
        return f"'{wrong}' stands there {count} times" if count else f"'{wrong}' does not stand there"
    return ""


def _rewritten(wrong: str, right: str) -> str:
    """Why it is no mishearing."""
    if same_letters(wrong, right):
        return ""
    before, after = _differing(wrong, right)
    if max(len(before), len(after)) > MOST_WORDS:
        return f"more than {MOST_WORDS} words would change"
    if _turns(wrong) != _turns(right):
        return "the meaning would turn"
    if not _near(" ".join(before), " ".join(after)):
        return "it neither looks nor sounds like what it would replace"
    return ""


def _differing(wrong: str, right: str) -> tuple[list[str], list[str]]:
    """The words that differ, without equal ones around them; all where only signs between them do."""
    before, after = wrong.split(), right.split()
    while before and after and before[0] == after[0]:
        before, after = before[1:], after[1:]
    while before and after and before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
    return before, after


def _near(before: str, after: str) -> bool:
    """Whether one may have been heard for the other: a name's words count together, not each."""
    if not before or not after:  # words would only be added, or only be taken away
        return False
    if _DIGITS.search(before) and _DIGITS.search(after):  # a person will judge it
        return True
    if fuzz.ratio(spoken(before), spoken(after)) >= NEAR:
        return True
    sounds = sound(before), sound(after)
    return min(map(len, sounds)) > 1 and fuzz.ratio(*sounds) >= NEAR


def _words(text: str) -> list[str]:
    return [word.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") for word in _WORD.findall(text)]


def _turns(text: str) -> int:
    """How many words turn the meaning into its opposite."""
    return sum(word in _TURNS or word.endswith("n't") for word in _words(text))


def _numbers(text: str) -> tuple[str, list[str]]:
    """The digits in order, however they are parted, and the words for numbers."""
    return "".join(_DIGITS.findall(text)), [word for word in _words(text) if _NUMBER.fullmatch(word)]
