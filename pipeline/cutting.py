"""A transcript's segments as people read and correct them: about a sentence each.

A recogniser's own segments end where its decoding happened to stop; a sentence a segment reads well on a
page, and in a diff a corrected word is one line. Where to cut depends only on what is said nearby, so that
a word corrected here moves no cut elsewhere.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pipeline.model import Segment, Word
from pipeline.spoken import (
    CLAUSE,
    PAUSE_S,
    SENTENCE,
    SPACE,
    WIDE_ENDS,
    Piece,
    break_between,
    joined,
    letters_and_spaces,
    plain,
)

LONGEST = 200  #: characters of a segment, unless a single run of letters is longer
SHORT = 25  #: a sentence of fewer characters, "Yes.", may share a segment…
TOGETHER = 80  #: …of so many
BREATH_S = 0.25  #: a pause in which people hear a break
EDGE_S = 0.002  #: times are equal that differ less
INNER = 0.25  #: the least share of a sentence that is broken off it, if it can be helped

# Titles, and letters with full stops: initials, "e.g.", "U.S.".
_ABBREVIATED = re.compile(
    r"(?:^|[^\w.])(?:mr|mrs|ms|dr|prof|st|vs|(?:[^\W\d_]\.)*[^\W\d_])\.$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Said:
    """A word, and as a piece of the text: clean, with the white space before it."""

    word: Word
    piece: Piece
    tied: bool = False  #: to the word before


Run = Sequence[_Said]
Span = tuple[float, float]
"""From and until which second of the audio."""


def cut(segments: Sequence[Segment], whole: Sequence[Span] = ()) -> tuple[Segment, ...]:
    """The same words in segments of a sentence each, never across speakers or a pause of over 1.5 s.

    Short sentences share a segment; long ones are broken at a clause, else at a pause. A segment whose
    words don't spell its text, since somebody changed it, stays as it is; one that says nothing is left
    out. The text of all others is made of their words. Cutting again changes nothing.

    One speaker's words within one of the spans of `whole`, such as a term, are never parted.
    """
    spans = _merged(whole)
    found: list[Segment] = []
    run: list[_Said] = []
    for segment in segments:
        said = _said(segment, run[-1].piece.text[-1] if run else "")
        if not said:
            found += _cut_run(run)
            run = []
            found += [segment] if plain(segment.text) else []
        run += _tied(said, spans)
    return (*found, *_cut_run(run))


def _said(segment: Segment, before: str) -> list[_Said]:
    """A segment's words; none if they don't spell its text. `before` is the letter said before it."""
    letters, spaces = letters_and_spaces(segment.text)
    said: list[_Said] = []
    at = 0
    for word in segment.words:
        text = plain(word.text)
        spaced = at in spaces and before not in WIDE_ENDS
        said.append(_Said(word, Piece(text, spaced, word.start, word.end, segment.speaker)))
        bare = text.replace(" ", "")
        if not bare or not letters.startswith(bare, at):
            return []
        at, before = at + len(bare), bare[-1]
    return said if at == len(letters) else []


def _merged(spans: Sequence[Span]) -> list[Span]:
    """The spans in order, those that overlap as one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1] - EDGE_S:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _tied(said: Run, spans: Sequence[Span]) -> Iterator[_Said]:
    """A segment's words, each of which knows whether it is in one span with the one before."""
    before: _Said | None = None
    for each in said:
        at = bisect(spans, each.word.start + EDGE_S, key=lambda span: span[0]) - 1
        start, end = spans[at] if at >= 0 else (0.0, 0.0)
        tied = before is not None and start <= before.word.start + EDGE_S and each.word.end <= end + EDGE_S
        before = each
        yield replace(each, tied=tied)


def _cut_run(run: Run) -> Iterator[Segment]:
    """Segments of words that follow each other."""
    for turn in _split(run, _turns):
        sentences = [part for sentence in _split(turn, _ends_sentence) for part in _broken(sentence)]
        for part in _gathered(sentences):
            yield _segment(part)


def _split(run: Run, ends: Callable[[_Said, _Said], bool]) -> Iterator[Run]:
    """A run's parts, each up to where `ends` says so of two neighbours."""
    first = 0
    for at, (before, after) in enumerate(pairwise(run), 1):
        if ends(before, after):
            yield run[first:at]
            first = at
    if run:
        yield run[first:]


def _turns(before: _Said, after: _Said) -> bool:
    pause = after.word.start - before.word.end > PAUSE_S and not after.tied
    return before.piece.speaker != after.piece.speaker or pause


def _ends_sentence(before: _Said, after: _Said) -> bool:
    return (
        break_between(before.piece, after.piece) == SENTENCE
        and not after.tied
        and not after.piece.text[0].islower()
        and not _ABBREVIATED.search(before.piece.text)
    )


def _broken(sentence: Run) -> list[Run]:
    """The sentence, or its halves' halves, each short enough."""
    at = _breaking(sentence) if _length(sentence) > LONGEST else 0
    return [*_broken(sentence[:at]), *_broken(sentence[at:])] if at else [sentence]


def _breaking(sentence: Run) -> int:
    """Where to break a long sentence: at the clause nearest its middle, else at a pause, else anywhere.

    0 if it is one run of letters.
    """
    whole = _length(sentence)
    best: tuple[bool, int, float, float] | None = None
    at_best = length = 0
    for at, (before, after) in enumerate(pairwise(sentence), 1):
        length += before.piece.spaced + len(before.piece.text)
        rank = break_between(before.piece, after.piece)
        if rank < SPACE or after.tied:
            continue
        pause_s = after.word.start - before.word.end
        kind = 2 if rank >= CLAUSE else 1 if pause_s >= BREATH_S else 0
        inner = min(length, whole - length) >= INNER * whole
        here = (inner, kind, pause_s if kind == 1 else 0.0, -abs(2 * length - whole))
        if best is None or here > best:
            best, at_best = here, at
    return at_best


def _gathered(parts: Sequence[Run]) -> Iterator[Run]:
    """Sentences, the short ones together with what comes before or after them."""
    held: Run = ()
    for part in parts:
        short = min(_length(held), _length(part)) < SHORT
        if held and short and _length([*held, *part]) <= TOGETHER:
            held = [*held, *part]
        else:
            if held:
                yield held
            held = part
    if held:
        yield held


def _text(run: Run) -> str:
    return joined([each.piece for each in run])


def _length(run: Run) -> int:
    return len(_text(run))


def _segment(run: Run) -> Segment:
    words = tuple(each.word for each in run)
    return Segment(run[0].piece.speaker, words[0].start, words[-1].end, _text(run), words)
