"""What the writers of all formats share: clean text, times that only run forwards, pieces of speech."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from pipeline.model import Segment, Transcript, Word

LONGEST = 42  #: characters of a piece: what one line of a caption holds
PAUSE_S = 1.5  #: a silence that ends a cue, and a segment

SENTENCE, CLAUSE, SPACE, INSIDE = 3, 2, 1, 0  #: how good a place to break is

# Controls that aren't white space, overrides of the writing direction, and halves of characters.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_SENTENCE_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019\xbb)\]]*$")
_CLAUSE_END = re.compile(r"[,;:\u2013\u2014\u3001\uff0c\uff1b\uff1a][\"'\u201d\u2019\xbb)\]]*$")
WIDE_ENDS = "\u3002\uff01\uff1f\u3001\uff0c\uff1b\uff1a"  #: no space follows these, in Chinese say


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, or as much of one as a line holds, with its place in the audio in seconds."""

    text: str
    spaced: bool  #: white space comes before it
    start: float
    end: float
    speaker: str


def clock(seconds: float) -> str:
    """A position as people read it on a player: `1:09`, `1:02:03`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def plain(text: str) -> str:
    """One line of text without control characters or needless white space."""
    return " ".join(_CONTROLS.sub("", text).split())


def settled(t: Transcript) -> Transcript:
    """The same with all times in whole milliseconds, none negative, none before the one ahead of it."""
    now = 0.0
    segments: list[Segment] = []
    for segment in t.segments:
        start = now = _not_before(now, segment.start)
        words: list[Word] = []
        for word in segment.words:
            begin = _not_before(now, word.start)
            now = _not_before(begin, word.end)
            words.append(Word(word.text, begin, now, _not_before(0.0, word.probability)))
        now = _not_before(now, segment.end)
        segments.append(Segment(segment.speaker, start, now, segment.text, tuple(words)))
    return replace(t, duration_s=_not_before(0.0, t.duration_s), segments=tuple(segments))


def names(t: Transcript) -> dict[str, str]:
    """The speakers who say something, label -> clean display name, first the ones that have a name."""
    used = {segment.speaker: None for segment in t.segments if plain(segment.text)}
    ordered = [label for label in t.speakers if label in used]
    ordered += [label for label in used if label not in t.speakers]
    return {label: plain(t.speakers.get(label, "")) or plain(label) or "Speaker" for label in ordered}


def pieces(t: Transcript, longest: int = LONGEST) -> list[Piece]:
    """All that is said, in order, in pieces of at most `longest` characters.

    The segments' texts count: words only lend them their times.
    """
    return [piece for segment in settled(t).segments for piece in _of_segment(segment, longest)]


def joined(parts: Sequence[Piece]) -> str:
    """The pieces as one text."""
    text = "".join(f" {part.text}" if part.spaced else part.text for part in parts)
    return text.removeprefix(" ")


def ends_sentence(text: str) -> bool:
    return bool(_SENTENCE_END.search(text))


def break_between(before: Piece, after: Piece) -> int:
    """How good it is to break there: SENTENCE, CLAUSE, SPACE or INSIDE a word."""
    if not after.spaced and before.text[-1] not in WIDE_ENDS:
        return INSIDE
    if ends_sentence(before.text):
        return SENTENCE
    return CLAUSE if _CLAUSE_END.search(before.text) else SPACE


def _not_before(floor: float, value: float) -> float:
    return max(floor, round(float(value), 3)) if math.isfinite(value) else floor


def letters_and_spaces(text: str) -> tuple[str, set[int]]:
    """A text without its spaces, and how many letters stand before each of them, start and end included."""
    tokens = plain(text).split(" ")
    return "".join(tokens), set(accumulate(map(len, tokens), initial=0))


def _of_segment(segment: Segment, longest: int) -> Iterator[Piece]:
    letters, spaces = letters_and_spaces(segment.text)
    for first, last, start, end in _spans(segment, letters):
        pace = (end - start) / (last - first)
        for a, b in pairwise(_cuts(first, last, spaces, longest)):
            begin, stop = start + (a - first) * pace, start + (b - first) * pace
            yield Piece(letters[a:b], a in spaces, round(begin, 3), round(stop, 3), segment.speaker)


def _spans(segment: Segment, letters: str) -> list[tuple[int, int, float, float]]:
    """Which letters are said when: as the words tell, or evenly where a person changed the text since."""
    spans: list[tuple[int, int, float, float]] = []
    said = ""
    for word in segment.words:
        spoken = plain(word.text).replace(" ", "")
        if spoken:
            spans.append((len(said), len(said) + len(spoken), word.start, word.end))
            said += spoken
    if said == letters:
        return spans
    return [(0, len(letters), segment.start, segment.end)] if letters else []


def _cuts(first: int, last: int, spaces: set[int], longest: int) -> list[int]:
    cuts = [first]
    for at in range(first + 1, last):
        if at in spaces or at - cuts[-1] == longest:
            cuts.append(at)
    return [*cuts, last]
