"""The show's own words put right in what was heard, each change kept for the reviewer to see and undo."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.ear import Ear
from pipeline.lexicon import Lexicon, lexicon
from pipeline.model import Segment
from pipeline.rewording import moved, places, replaced, said_at, words_at
from pipeline.sound import key, pieces_of, stands_alone
from pipeline.vocabulary import Rule, Vocabulary

NEAR_WORDS = 20  #: how far a word of `near` may be
MOST_SUGGESTED = 5  #: of the same suggestion in one transcript: more are no help
ACROSS = 4  #: words on either side of a border between passages that may belong together
SURE = 0.95  #: the least probability of a word that was put right; in tests few such changes were wrong
GAP_S = 1.0  #: the longest silence within one term
_PASSES = 4  #: what one change makes possible is changed in the next; more than two were never needed
_SENTENCE_START = re.compile(r"(?:^|[.!?\u2026][\"'\u201d\u2019)]*\s+)[\"'\u201c\u2018(]*$")
_PLAIN = re.compile(r"[a-z]+")
_SHORT = 3  #: letters of a word that is no accident between others: "I am" is, "cloud formation" is not


@dataclass(frozen=True, slots=True)
class Corrected:
    """The passages, and what was changed or suggested, as a transcript's `vocabulary_applied` has it."""

    segments: tuple[Segment, ...]
    applied: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class _Edit:
    """One change of a text; `why` says why it is only suggested, and is empty if it is not."""

    start: int
    end: int
    right: str
    by: str
    why: str = ""


def corrected(segments: Sequence[Segment], vocabulary: Vocabulary, language: str = "en") -> Corrected:
    """The passages with the vocabulary applied. Doing it again changes nothing.

    Passages may become shorter or vanish where a term crosses the border to the one before.
    """
    corrector = _Corrector(vocabulary, lexicon(language))
    result = tuple(segments)
    applied: list[dict[str, Any]] = []
    suggested: list[dict[str, Any]] = []
    for _ in range(_PASSES):
        result, changes, suggested = corrector(corrector.gathered(result))
        applied += changes
        if not changes:
            break
    entries = applied + _fewer(suggested)
    return Corrected(result, tuple(sorted(entries, key=lambda entry: (entry["start"], entry["end"]))))


def entry_of(
    segment: Segment, start: int, end: int, right: str, *, by: str, status: str, why: str = ""
) -> dict[str, Any]:
    """What the transcript keeps of a change to these characters of a passage as it was before.

    With `was`, its words then (text, start, end and probability each), what is applied can be undone.
    """
    begin, stop = said_at(segment, start, end)
    entry = {"start": begin, "end": stop, "wrong": segment.text[start:end], "right": right}
    words = words_at(segment, start, end) if status == "applied" else ()
    was = [[word.text, word.start, word.end, word.probability] for word in words]
    more = {**({"why": why} if why else {}), **({"was": was} if was else {})}
    return {**entry, "by": by, "status": status, **more}


def same_letters(wrong: str, right: str) -> bool:
    """Whether only case, spaces and signs differ."""
    return key(wrong) == key(right)


def doubt_of(wrong: str, right: str, words: Lexicon | None) -> str:
    """Why a rule can't be trusted everywhere: what it changes is what people say, too. Empty if it can."""
    if words is None:
        known = same_letters(wrong, right)
        return "" if known else "no words of this language are known: name words that stand near (near = […])"
    heard = [piece.text for piece in pieces_of(wrong)]
    joined = len(heard) > len(pieces_of(right))
    if same_letters(wrong, right) and not (joined and any(len(word) < _SHORT for word in heard)):
        return ""
    if not heard:
        return ""  # signs
    if all(words.common(word) for word in heard):
        return f"'{wrong}' is common: name words that stand near it (near = […]) to have it applied"
    meant = [piece.text for piece in pieces_of(right)]
    if all(map(words.knows, heard)) and all(map(words.common, meant)):
        return f"'{wrong}' and '{right}' are both words: name words that stand near it (near = […])"
    return ""


class _Corrector:
    def __init__(self, vocabulary: Vocabulary, words: Lexicon | None) -> None:
        self._rules = vocabulary.rules
        self._words = words
        self._ear = Ear(vocabulary, words)
        rights = [rule.right for rule in vocabulary.rules if not rule.regex]
        self._own = frozenset([*vocabulary.terms, *vocabulary.names, *rights])

    def __call__(
        self, segments: Sequence[Segment]
    ) -> tuple[tuple[Segment, ...], list[dict[str, Any]], list[dict[str, Any]]]:
        """The passages after one pass, what was changed, and what is suggested."""
        result: list[Segment] = []
        changes: list[dict[str, Any]] = []
        suggested: list[dict[str, Any]] = []
        around = _Around([segment.text for segment in segments])
        for number, segment in enumerate(segments):
            changed = segment
            for edit in reversed(self._edits(segment.text, around, number)):
                status = "suggested" if edit.why else "applied"
                entry = entry_of(
                    segment, edit.start, edit.end, edit.right, by=edit.by, status=status, why=edit.why
                )
                (suggested if edit.why else changes).append(entry)
                if not edit.why:
                    changed = replaced(changed, edit.start, edit.end, edit.right, SURE)
            result.append(changed)
        return tuple(result), changes, suggested

    def gathered(self, segments: Sequence[Segment]) -> tuple[Segment, ...]:
        """The passages, with what is one term in one passage."""
        result: list[Segment] = []
        for number, segment in enumerate(segments):
            after = segments[number + 1 : number + 1 + NEAR_WORDS]
            count = self._across(result[-1 - NEAR_WORDS :], segment, after) if result else 0
            if not count:
                result.append(segment)
                continue
            result[-1], left = moved(result[-1], segment, count)
            if left:
                result.append(left)
        return tuple(result)

    def _across(self, until: Sequence[Segment], second: Segment, later: Sequence[Segment]) -> int:
        """How many words of the second belong to a term that begins in the last of those before it."""
        first = until[-1]
        if first.speaker != second.speaker or second.start - first.end > GAP_S:
            return 0
        before, after = places(first), places(second)
        if not before or not after:
            return 0
        begin, stop = before[-ACROSS:][0][0], after[:ACROSS][-1][1]
        head = first.text[begin:].rstrip()
        text = f"{head} {second.text[:stop].strip()}"
        shift = len(head) + 1 - after[0][0]
        ahead = [*(segment.text for segment in until[:-1]), first.text[:begin]]
        around = _Around([*ahead, text, second.text[stop:], *(segment.text for segment in later)])
        for edit in self._edits(text, around, len(ahead)):
            if edit.start < len(head) < edit.end and not edit.why:
                return sum(start + shift < edit.end for start, _ in after)
        return 0

    def _edits(self, text: str, around: _Around, number: int) -> list[_Edit]:
        """What to change in a text, in order, nothing twice: rules before likenesses, the longest first."""
        found = sorted(
            self._candidates(text, around, number),
            key=lambda edit: (bool(edit.why), edit.by != "rule", edit.start - edit.end, edit.start),
        )
        chosen: list[_Edit] = []
        for edit in found:
            if all(edit.end <= other.start or edit.start >= other.end for other in chosen):
                chosen.append(edit)
        return sorted(chosen, key=lambda edit: edit.start)

    def _candidates(self, text: str, around: _Around, number: int) -> Iterator[_Edit]:
        for rule in self._rules:
            for start, end, right in rule.found(text):
                if rule.near and not around.has(number, text, (start, end), rule.near):
                    continue
                right = _as_sentence(text, start, end, right)
                said = text[start:end]
                if said != right and (stands_alone(text, start, end) or not same_letters(said, right)):
                    yield _Edit(start, end, right, "rule", self._why(rule, text, start, end, right))
        for alike in self._ear.heard(text):
            if not self._is_own(text, alike.start, alike.end):
                yield _Edit(alike.start, alike.end, alike.right, "sound", alike.doubt)

    def _why(self, rule: Rule, text: str, start: int, end: int, right: str) -> str:
        if rule.suggest:
            return "the rule only suggests"
        if rule.near:
            return ""
        if self._is_own(text, start, end):
            return f"'{text[start:end]}' is one of the show's own words, too: name words that stand near"
        return doubt_of(text[start:end], right, self._words)

    def _is_own(self, text: str, start: int, end: int) -> bool:
        """Whether what stands there is, or is part of, one of the show's words as it should be."""
        said = text[start:end]
        return any(said in own and _covers(own, text, start, end) for own in self._own)


class _Around:
    """The words around a place in the passages."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def has(self, number: int, text: str, place: tuple[int, int], wanted: Sequence[str]) -> bool:
        """Whether one of the wanted stands within `NEAR_WORDS` words of a place of a passage's text."""
        before = text[: place[0]].split()
        after = text[place[1] :].split()
        at = number
        while len(before) < NEAR_WORDS and at > 0:
            at -= 1
            before = self._texts[at].split() + before
        at = number
        while len(after) < NEAR_WORDS and at + 1 < len(self._texts):
            at += 1
            after += self._texts[at].split()
        near = " ".join([*before[-NEAR_WORDS:], "\n", *after[:NEAR_WORDS]])
        return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", near, re.IGNORECASE) for word in wanted)


def _covers(own: str, text: str, start: int, end: int) -> bool:
    return any(
        match.start() <= start and end <= match.end()
        for match in re.finditer(rf"(?<!\w){re.escape(own)}(?!\w)", text)
    )


def _as_sentence(text: str, start: int, end: int, right: str) -> str:
    """An ordinary word begins a sentence with a capital, as what it replaces did."""
    first = _PLAIN.match(right.split()[0])
    if (
        text[start].isupper()
        and first
        and first[0] == right.split()[0]
        and _SENTENCE_START.search(text[:start])
    ):
        return right[0].upper() + right[1:]
    return right


def _fewer(suggested: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first few of each suggestion."""
    seen: Counter[tuple[str, str]] = Counter()
    kept: list[dict[str, Any]] = []
    for entry in sorted(suggested, key=lambda entry: entry["start"]):
        pair = (entry["wrong"].casefold(), entry["right"])
        seen[pair] += 1
        if seen[pair] <= MOST_SUGGESTED:
            kept.append(entry)
    return kept
