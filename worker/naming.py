"""What the speakers are called: from voices known already, and from how people are introduced (in English).

Each hint is evidence that one label has one name. Evidence for the same pair adds up, names go to labels
so that all of it fits best, and only a pair that stands out counts: a wrong name is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.model import Segment
from worker.diarizing import Diarization
from worker.persons import EXACT, Match, behind_name, matched, merged, name_words
from worker.profiles import Profile

KNOWN_VOICE = 0.6  #: cosine from which a voice is a profile's (measured: own 0.97, others' up to 0.51)
ENOUGH, MARGIN = 0.5, 0.1  #: how sure a name must be, and by how much surer than the next best
EARLY_S = 300.0  #: people introduce themselves in the first minutes of an episode...
FIRST_S = 60.0  #: ...or in the first seconds after they first speak

#: How much each hint is worth if the name is heard exactly.
HIMSELF, LATER, UNCONFIRMED = 0.95, 0.7, 0.6
PRESENTED = 0.6
OTHER, NEXT, PREVIOUS, GUEST = 0.75, 0.6, 0.5, 0.6
TITLED = 0.75  #: no name is surer that only the episode's title gives: too little to learn a voice by

_SELF = re.compile(r"\b(?i:my name is|my name['\u2019]s|i['\u2019]m|i am)\s+")
_PRESENTED = re.compile(r"\b(?i:(and,?\s+)?this is)\s+")
_OF_ANOTHER = re.compile(r"\s*,?\s*(?:my|our|who)\b", re.IGNORECASE)
_JOINED = re.compile(
    r"\b(?i:joined(?: today| once again| again| as (?:always|ever|usual))?,? by|with me(?: today)? (?:is|are)"
    r"|here with|(?:my|your)(?: dear)? co-?hosts?(?: is| are)?|our guests?(?: today)?(?: is| are)?)"
    r"[\s,]+([^.!?]+)"
)
_GREETED = re.compile(
    r"\b(?i:hello|hi|hey|welcome(?: back)?(?: to the show)?|over to you|what about you|how about you"
    r"|good to see you|great to have you)[\s,]+"
)
_THANKED = re.compile(
    r"\b(?i:thanks(?: a lot| a million| so much| very much)?|thank you(?: so much| very much)?)[\s,]+"
)
_ASKED = re.compile(r",\s+([^\W\d_][\w'\u2019-]*)\s*\?")
_INVITED = re.compile(
    r"\b(?i:(?:thanks|thank you)(?: so much| very much)? for (?:having|inviting) (?:me|us)"
    r"|(?:happy|glad|good|great|delighted|pleasure) to be (?:here|on))\b"
)
_GUEST = re.compile(r"\b(?i:guests?)\b[^.!?]*")
_ENDS_NAME = re.compile(r"\s*(?:[,.;!?]|and\b|from\b|your\b|the\b|here\b|with\b|$)", re.IGNORECASE)

#: What people say they are, with a capital letter, without it being a name.
_NO_NAMES = re.compile(
    r"american|australian|austrian|belgian|brazilian|british|canadian|chinese|christian|danish|dutch|english"
    r"|european|finnish|french|german|greek|indian|irish|israeli|italian|japanese|jewish|korean|mexican"
    r"|muslim|norwegian|polish|portuguese|python|russian|scottish|spanish|swedish|swiss|turkish|ukrainian"
    r"|welsh|i|ok|okay|java|javascript|rust|linux|mrs?|ms|dr|prof",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Name:
    """A speaker's display name, how it was found (`voice`, `introduction`, `address`, `number`), how sure."""

    text: str
    how: str
    sure: float  #: 0 to 1; a number says nothing of who it is, and has 0


@dataclass(frozen=True, slots=True)
class _Hint:
    label: str
    name: str
    how: str
    sure: float


@dataclass(frozen=True, slots=True)
class _Run:
    """What one says until another does."""

    label: str
    start: float
    text: str


def named(
    segments: Sequence[Segment],
    diarization: Diarization,
    known: Sequence[str],
    people: Sequence[str] = (),
    profiles: Mapping[str, Profile] | None = None,
    titled: Sequence[str] = (),
) -> dict[str, Name]:
    """A name for each label that says something, in the order of their first words; no name twice.

    `known` are the show's people (config), `people` those whom the feed names for this episode, `titled`
    those whom its title seems to name. A name that is none of these, and has no profile, counts only if a
    speaker gives it as their own.
    """
    runs = _runs(segments)
    labels = list(dict.fromkeys(run.label for run in runs))
    voices = profiles or {}
    sure = merged(merged(known, people), voices)
    names = merged(sure, titled)
    doubtful = names[len(sure) :]
    hints = [*_from_voices(diarization, labels, voices, names), *_from_text(runs, labels, names, doubtful)]
    found = _settled([*_in_full(hints, names)], labels, doubtful)
    return {
        label: found.get(label) or Name(f"Speaker {number}", "number", 0.0)
        for number, label in enumerate(labels, 1)
    }


def _runs(segments: Sequence[Segment]) -> list[_Run]:
    runs: list[_Run] = []
    for label, own in groupby(segments, key=lambda segment: segment.speaker):
        said = list(own)
        runs.append(_Run(label, said[0].start, " ".join(segment.text for segment in said)))
    return runs


# Hints


def _from_voices(
    diarization: Diarization, labels: Sequence[str], profiles: Mapping[str, Profile], names: Sequence[str]
) -> Iterator[_Hint]:
    for label in labels:
        for own, profile in profiles.items():
            voice = diarization.voices.get(label)
            if voice is None or voice.shape != profile.embedding.shape:
                continue
            likeness = float(voice @ profile.embedding)
            same = matched(own.split(), names)
            name = same.name if same and same.sure == EXACT else own
            if likeness >= KNOWN_VOICE:
                sure = 0.7 + 0.25 * (min(likeness, 1.0) - KNOWN_VOICE) / (1 - KNOWN_VOICE)
                yield _Hint(label, name, "voice", sure)


def _from_text(
    runs: Sequence[_Run], labels: Sequence[str], names: Sequence[str], doubtful: Sequence[str]
) -> Iterator[_Hint]:
    first = {run.label: run.start for run in reversed(runs)}
    for at, run in enumerate(runs):
        early = run.start <= EARLY_S or run.start <= first[run.label] + FIRST_S
        yield from _of_self(run, names, doubtful, early)
        yield from _of_others(runs, at, labels, names)
    yield from _of_presented(runs, names, doubtful)
    yield from _of_guest(runs, names)


def _of_self(run: _Run, names: Sequence[str], doubtful: Sequence[str], early: bool) -> Iterator[_Hint]:
    """Who says "I'm X" is X; of a doubtful name, a part does not do."""
    for cue in _SELF.finditer(run.text):
        rest = run.text[cue.end() :]
        words = name_words(rest)
        confirmed = matched(words, names)
        doubted = confirmed is not None and confirmed.name in doubtful
        if confirmed and (len(words) > 1 or not doubted):
            worth = HIMSELF if early and not doubted else LATER
            yield _Hint(run.label, confirmed.name, "introduction", worth * confirmed.sure)
        elif early and _is_name(words, rest):
            yield _Hint(run.label, " ".join(words), "introduction", UNCONFIRMED)


def _of_presented(runs: Sequence[_Run], names: Sequence[str], doubtful: Sequence[str]) -> Iterator[_Hint]:
    """Who says "this is X" is X, or presents X: it counts but once, and not where it is likely another."""
    found: dict[tuple[str, str], _Hint] = {}
    for run in runs:
        for cue in _PRESENTED.finditer(run.text) if not _SELF.search(run.text) else ():
            rest = run.text[cue.end() :]
            words = name_words(rest)
            match = matched(words, names)
            if not match or match.name in doubtful or cue[1] or _OF_ANOTHER.match(behind_name(rest, words)):
                continue
            hint = _Hint(run.label, match.name, "introduction", PRESENTED * match.sure)
            found.setdefault((run.label, match.name), hint)
    yield from found.values()


def _is_name(words: Sequence[str], rest: str) -> bool:
    """Words with capital letters, and a pause or the like behind them."""
    return (
        bool(words)
        and all(word[0].isupper() and len(word) > 1 and not word.isupper() for word in words)
        and not any(_NO_NAMES.fullmatch(word) for word in words)
        and bool(_ENDS_NAME.match(behind_name(rest, words)))
    )


def _of_others(runs: Sequence[_Run], at: int, labels: Sequence[str], names: Sequence[str]) -> Iterator[_Hint]:
    """Who says "I'm joined by X", "hello, X", "thanks, X" or "what do you think, X?" is not X."""
    run = runs[at]
    others = [label for label in labels if label != run.label]
    coming = [other for other in dict.fromkeys(each.label for each in runs[at + 1 :]) if other != run.label]
    before = [runs[at - 1].label] if at else []
    alone = len(others) == 1
    for cue in _JOINED.finditer(run.text):
        for label, match in zip(coming, _all_names(cue[1], names), strict=False):
            yield _Hint(label, match.name, "address", (OTHER if alone else NEXT) * match.sure)
    for cues, whom, worth in ((_GREETED, coming, NEXT), (_ASKED, coming, NEXT), (_THANKED, before, PREVIOUS)):
        for cue in cues.finditer(run.text):
            match = matched(name_words(cue[1] if cue.groups() else run.text[cue.end() :]), names)
            for label in others if alone else whom[:1]:
                if match:
                    yield _Hint(label, match.name, "address", (OTHER if alone else worth) * match.sure)


def _of_guest(runs: Sequence[_Run], names: Sequence[str]) -> Iterator[_Hint]:
    """Who says "thanks for having me" is the guest whom others announced."""
    invited = {run.label for run in runs if _INVITED.search(run.text)}
    announced = [
        match
        for run in runs
        if run.label not in invited
        for cue in _GUEST.finditer(run.text)
        for match in _all_names(cue[0], names)
    ]
    if len(invited) == 1 and len({match.name for match in announced}) == 1:
        yield _Hint(invited.pop(), announced[0].name, "address", GUEST * announced[0].sure)


def _all_names(text: str, names: Sequence[str]) -> list[Match]:
    """Whoever of the names is named in a text, in order, each once."""
    found: dict[str, Match] = {}
    for start in re.finditer(r"[^\W\d_]+", text):
        words = name_words(text[start.start() :])
        match = matched(words, names) if words and words[0][0].isupper() else None
        if match:
            found.setdefault(match.name, match)
    return list(found.values())


# The names that fit best


def _in_full(hints: Sequence[_Hint], names: Sequence[str]) -> Iterator[_Hint]:
    """Who is Jane, and Jane Doe at another time, is Jane Doe; names that others gave stay as they are."""
    for hint in hints:
        words = hint.name.split()
        longer = (each.name for each in hints if each.label == hint.label)
        match = matched(words, dict.fromkeys(name for name in longer if len(name.split()) > len(words)))
        same = match is not None and match.sure == EXACT and hint.name not in names
        yield replace(hint, name=match.name) if match and same else hint


def _settled(hints: Iterable[_Hint], labels: Sequence[str], doubtful: Sequence[str]) -> dict[str, Name]:
    from scipy import optimize

    by_pair: dict[tuple[str, str], list[_Hint]] = {}
    for hint in hints:
        by_pair.setdefault((hint.label, hint.name), []).append(hint)
    names = list(dict.fromkeys(name for _, name in by_pair))
    # Hints are taken as independent: a name is wrong only if all of them are.
    scores = {pair: 1 - prod(1 - hint.sure for hint in own) for pair, own in by_pair.items()}
    table = np.zeros((len(labels), len(names)))
    for (label, name), score in scores.items():
        table[labels.index(label), names.index(name)] = score
    rows, columns = cast("Any", optimize).linear_sum_assignment(table, maximize=True)
    found: dict[str, Name] = {}
    for row, column in zip(map(int, rows), map(int, columns), strict=True):
        score, rival = float(table[row, column]), _rival(table, row, column)
        if score >= ENOUGH and score - rival >= MARGIN:
            best = max(by_pair[labels[row], names[column]], key=lambda hint: hint.sure)
            most = TITLED if best.name in doubtful else 0.99
            found[labels[row]] = Name(best.name, best.how, round(min(score, most), 2))
    return found


def _rival(table: NDArray[np.float64], row: int, column: int) -> float:
    """The next best score of the same label, or of the same name."""
    others = table.copy()
    others[row, column] = 0.0
    return float(max(others[row].max(), others[:, column].max()))
