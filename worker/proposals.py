"""Whether a change that a language model proposes may be made: it may fix words, not rewrite."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from rapidfuzz import fuzz

from pipeline.correcting import same_letters
from pipeline.model import Segment
from pipeline.sound import TOKEN, key, pieces_of, sound, spoken
from pipeline.spoken import plain

LONGEST = 120  #: characters of one change
MOST_WORDS = 4  #: that one change replaces, or writes
NEAR = 60.0  #: rapidfuzz's ratio, 0 to 100, of letters or of sounds that may have been mistaken
MOST_OF_A_PASSAGE = 0.5  #: of its words, in all its changes
FREE_WORDS = 4  #: of a passage may be changed, however short it is
PER_100_WORDS = 4  #: changes of a window: people make one
LEAST_CHANGES = 3  #: of a window, however short it is
SAME_STEM = 75.0  #: rapidfuzz's ratio of words of which one may negate the other: "possibly", "impossible"

_TURNS = frozenset(
    ["no", "not", "nor", "never", "none", "nothing", "nobody", "nowhere", "without", "cannot", "neither"]
)
_NEGATING = ("un", "in", "im", "il", "ir", "dis", "non")
_PARTED = re.compile(rf"\b({'|'.join(_NEGATING)})-(?=\w)", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)t(?:y|ie)"
    r"|hundred|thousand|[mbtr]+illion|dozen|half|halve|quarter|single|double|triple|minus"
    r"|first|second|third|(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|hundred|thousand|[mbtr]+illion)th"
    r"|(?:(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)tie)th)s?"
    r"|once|twice|thrice"
)
# Signs, currencies and per cent are part of a number, and whatever stands between two of its digits.
_NUMERAL = re.compile(
    r"(?:(?<!\w)[-\u2212\u2013.+\xb1$\u20ac\xa3\xa5~<>]+)?"
    r"[\d\xb2\xb3\xb9\xbc-\xbe]+(?:[^\w\s][\d\xb2\xb3\xb9\xbc-\xbe]+)*(?:\s?[%\u2030\xb0])?"
)
_THOUSANDS = re.compile(r"(?<=\d)(?:,(?=\d{3}(?!\d))|\s(?=000(?!\d)))")
_DASH = re.compile(r"[\u2010-\u2014\u2212]")


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
        reason = _malformed(segment.text, wrong, right)
        if reason:
            return "rejected", reason
        whole = _with_the_rest(segment.text, wrong, right)
        reason = _turned(*whole) or _rewritten(wrong, right)
        if reason:
            return "rejected", reason
        changed = max(map(len, _differing(wrong, right)))
        allowed = max(FREE_WORDS, len(segment.text.split()) * MOST_OF_A_PASSAGE)
        if self._changed[number] + changed > allowed:
            return "rejected", "too much of the passage would be changed"
        if self._left < 1:
            return "rejected", f"more than {PER_100_WORDS} changes in 100 words"
        reason = _for_a_person(wrong, right) or _for_a_person(*whole) or self._of_a_name(wrong, right)
        if reason:
            return "suggested", reason
        self._left -= 1
        self._changed[number] += changed
        return "applied", ""

    def _of_a_name(self, wrong: str, right: str) -> str:
        before, after = ({key(piece.text) for piece in pieces_of(text)} for text in (wrong, right))
        return "a speaker's name would go" if (self._names & before) - after else ""


def _malformed(text: str, wrong: str, right: str) -> str:
    if not right or max(len(wrong), len(right)) > LONGEST or not _is_clean(right):
        return "it is not a few words in place of others"
    if wrong == right:
        return "it changes nothing"
    count = len(found_in(text, wrong))
    if count != 1:
        return f"'{wrong}' stands there {count} times" if count else f"'{wrong}' does not stand there"
    return ""


def _is_clean(text: str) -> bool:
    return text.isprintable() and text == plain(text)


def _with_the_rest(text: str, wrong: str, right: str) -> tuple[str, str]:
    """Both with what is written together with them: to change the point of "1.5" is to change "1.5"."""
    start = found_in(text, wrong)[0]
    before, after = re.split(r"\s", text[:start])[-1], re.split(r"\s", text[start + len(wrong) :])[0]
    return before + wrong + after, before + right + after


def _turned(wrong: str, right: str) -> str:
    return "the meaning would turn" if _turns(wrong) != _turns(right) else ""


def _for_a_person(wrong: str, right: str) -> str:
    """Why only a person can tell, however alike the two are."""
    if _numerals(wrong) != _numerals(right) or _number_words(wrong) != _number_words(right):
        return "a number would change"
    if _negated(wrong, right):
        return "the meaning may turn"
    before, after = _by_letters(wrong), _by_letters(right)
    if any(before[letters] != after[letters] for letters in before.keys() & after.keys()):
        return "an apostrophe makes it another word"
    return ""


def _rewritten(wrong: str, right: str) -> str:
    """Why it is no mishearing."""
    if same_letters(wrong, right):
        return ""
    before, after = _differing(wrong, right)
    if max(len(before), len(after)) > MOST_WORDS:
        return f"more than {MOST_WORDS} words would change"
    numbers = _numerals(wrong), _numerals(right)
    if before and after and all(numbers) and numbers[0] != numbers[1]:  # a person will judge it
        return ""
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
    if fuzz.ratio(spoken(before), spoken(after)) >= NEAR:
        return True
    sounds = sound(before), sound(after)
    return min(map(len, sounds)) > 1 and fuzz.ratio(*sounds) >= NEAR


def _words(text: str) -> list[str]:
    return [word.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'") for word in TOKEN.findall(text)]


def _turns(text: str) -> int:
    """How many words turn the meaning into its opposite."""
    return sum(word in _TURNS or word.endswith("n't") for word in _words(text))


def _numerals(text: str) -> list[str]:
    """The numbers in digits, in order, the same however thousands are parted."""
    return [_DASH.sub("-", "".join(number.split())) for number in _NUMERAL.findall(_THOUSANDS.sub("", text))]


def _number_words(text: str) -> list[str]:
    return [word for word in _words(text) if _NUMBER.fullmatch(word.removesuffix("'s"))]


def _negated(wrong: str, right: str) -> bool:
    """Whether a word of one side may be the opposite of one of the other's."""
    before, after = (set(_words(_PARTED.sub(r"\1", text))) for text in (wrong, right))
    lost, won = before - after, after - before
    if sum(word.endswith("less") for word in lost) != sum(word.endswith("less") for word in won):
        return True
    return any(_opposite(one, other) or _opposite(other, one) for one in lost for other in won)


def _opposite(longer: str, shorter: str) -> bool:
    stems = [longer.removeprefix(prefix) for prefix in _NEGATING if longer.startswith(prefix)]
    return any(
        fuzz.ratio(stem, shorter) >= SAME_STEM and not shorter.startswith(longer.removesuffix(stem))
        for stem in stems
    )


def _by_letters(text: str) -> dict[str, Counter[str]]:
    """The words as they are written, by their letters without apostrophes."""
    found: dict[str, Counter[str]] = {}
    for word in _words(text):
        found.setdefault(word.replace("'", ""), Counter())[word] += 1
    return found
