"""Other words in a passage, with the times of those that were heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from pipeline.model import Segment, Word

Place = tuple[int, int]
"""From and until which character of a text."""


def places(segment: Segment) -> tuple[Place, ...]:
    """Where each of its words stands in its text; none where text and words tell different things."""
    found: list[Place] = []
    at = 0
    for word in segment.words:
        letters = "".join(word.text.split())
        start = at = _after_space(segment.text, at)
        for letter in letters:
            at = _after_space(segment.text, at)
            if segment.text[at : at + 1] != letter:
                return ()
            at += 1
        found.append((start, at))
    return () if segment.text[at:].strip() else tuple(found)


def replaced(segment: Segment, start: int, end: int, text: str, sure: float = 0.0) -> Segment:
    """The passage with `text` in place of its characters from `start` until `end`.

    As many words as before keep their times. Else they share the time of those replaced by their
    letters. A word is as probable as the least probable of those that it stands for, or `sure` if that
    is more.
    """
    whole = segment.text[:start] + text + segment.text[end:]
    where = places(segment)
    touched = touching(where, start, end)
    if not touched:
        return replace(segment, text=whole)
    first, last = touched[0], touched[-1] + 1
    begin, stop = where[first][0], where[last - 1][1]
    spoken = segment.text[begin:start] + text + segment.text[end:stop]
    words = _timed(spoken.split(), segment.words[first:last], sure)
    return replace(segment, text=whole, words=(*segment.words[:first], *words, *segment.words[last:]))


def words_at(segment: Segment, start: int, end: int) -> tuple[Word, ...]:
    """The words of which a letter is among these characters."""
    return tuple(segment.words[n] for n in touching(places(segment), start, end))


def as_before(segment: Segment, start: int, end: int, was: Sequence[Word]) -> Segment:
    """The passage with the words that were at these characters once, if they say the same."""
    touched = touching(places(segment), start, end)
    if [word.text.strip() for word in was] != [segment.words[n].text.strip() for n in touched] or not touched:
        return segment
    first, last = touched[0], touched[-1] + 1
    return replace(segment, words=(*segment.words[:first], *was, *segment.words[last:]))


def touching(where: Sequence[Place], start: int, end: int) -> list[int]:
    """The numbers of the places that share a character with this one."""
    return [number for number, (begin, stop) in enumerate(where) if begin < end and stop > start]


def said_at(segment: Segment, start: int, end: int) -> tuple[float, float]:
    """When these characters are said, in seconds from the audio's start: as finely as words tell."""
    touched = words_at(segment, start, end)
    return (touched[0].start, touched[-1].end) if touched else (segment.start, segment.end)


def moved(first: Segment, second: Segment, count: int) -> tuple[Segment, Segment | None]:
    """So many words of the second at the end of the first; None where none are left. Both have places."""
    cut = places(second)[count - 1][1]
    words = second.words[:count]
    longer = replace(
        first,
        end=max(first.end, words[-1].end),
        text=f"{first.text} {second.text[:cut].strip()}",
        words=(*first.words, *words),
    )
    left = second.words[count:]
    if not left:
        return longer, None
    return longer, replace(second, start=left[0].start, text=second.text[cut:].strip(), words=left)


def _after_space(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _timed(texts: Sequence[str], heard: Sequence[Word], sure: float) -> list[Word]:
    least = max(sure, min(word.probability for word in heard))
    if len(texts) == len(heard):
        return [
            replace(word, text=text, probability=word.probability if word.text == text else least)
            for text, word in zip(texts, heard, strict=True)
        ]
    start, end = heard[0].start, heard[-1].end
    letters = max(1, sum(map(len, texts)))
    shares = [start + (end - start) * done / letters for done in accumulate(map(len, texts), initial=0)]
    edges = [start, *(round(share, 3) for share in shares[1:-1]), end]
    return [Word(text, *times, least) for text, times in zip(texts, pairwise(edges), strict=True)]
