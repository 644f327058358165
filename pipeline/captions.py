"""Captions: a transcript cut into cues that can be read along, as WebVTT and SubRip."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.model import Transcript
from pipeline.spoken import CLAUSE, LONGEST, SENTENCE, SPACE, Piece, break_between, joined, names, pieces

MAX_LINES = 2
MAX_MS = 7000
MIN_MS = 20
READABLE_MS = 1000  #: shorter ones stay on the screen this long, if nothing follows
PAUSE_S = 1.5  #: a silence that ends a cue

# SubRip knows no escapes; what players and readers take for markup becomes a look-alike.
_SUBRIP_SAFE = str.maketrans({"<": "\u2039", ">": "\u203a", "\\": "\uff3c"})
_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SPOKEN_TIME = re.compile(r"(?<=:\d\d)[.,](?=\d)")


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption: when, in whole milliseconds; whose (a label); one or two lines of clean text."""

    start_ms: int
    end_ms: int
    speaker: str
    lines: tuple[str, ...]


def cues(t: Transcript) -> tuple[Cue, ...]:
    """Cut at changes of speaker, long pauses and, where it fits, punctuation.

    Lines have at most 42 characters; cues last 20 ms to 7 s, in order, and never overlap.
    """
    parts = pieces(t)
    runs: list[Sequence[Piece]] = []
    first = 0
    while first < len(parts):
        stop = _good_end(parts, first, _reach(parts, first))
        runs.append(parts[first:stop])
        first = stop
    found: list[Cue] = []
    for at, run in enumerate(runs):
        free_ms = found[-1].end_ms if found else 0
        next_ms = round(runs[at + 1][0].start * 1000) if at + 1 < len(runs) else 0
        start_ms, end_ms = _times(run, free_ms, next_ms)
        found.append(Cue(start_ms, end_ms, run[0].speaker, _lines(run)))
    return tuple(found)


def vtt(t: Transcript) -> str:
    """WebVTT; where several people speak, voice tags say who.

    Written here and not by pysubs2, which escapes nothing and turns `\\n` and `\\h` in a text into spaces.
    """
    voices = names(t)
    blocks = ["WEBVTT\n"]
    for cue in cues(t):
        voice = f"<v {vtt_text(voices[cue.speaker])}>" if len(voices) > 1 else ""
        text = "\n".join(vtt_text(line) for line in cue.lines)
        blocks.append(f"{vtt_time(cue.start_ms)} --> {vtt_time(cue.end_ms)}\n{voice}{text}\n")
    return "\n".join(blocks)


def srt(t: Transcript) -> str:
    """SubRip. It has no escapes, so `<`, `>` and backslashes are replaced by look-alikes."""
    import pysubs2

    subs = pysubs2.SSAFile()
    for cue in cues(t):
        text = "\\N".join(_no_times(line.translate(_SUBRIP_SAFE)) for line in cue.lines)
        subs.append(pysubs2.SSAEvent(start=cue.start_ms, end=cue.end_ms, text=text))
    # Our text has no SubStation tags; looking for them would eat whatever is in braces.
    return subs.to_string("srt", keep_ssa_tags=True)


def vtt_text(text: str) -> str:
    """Clean text, escaped for a WebVTT cue or voice."""
    return _no_times(text.translate(_VTT_ESCAPES))


def vtt_time(ms: int) -> str:
    """Milliseconds as HH:MM:SS.mmm."""
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"


def _no_times(text: str) -> str:
    """Some readers take any line with two times for the head of a cue; a word joiner spoils them."""
    return _SPOKEN_TIME.sub("\\g<0>\u2060", text)


def _reach(parts: Sequence[Piece], first: int) -> int:
    """Where a cue that begins at `first` has to end at the latest."""
    lines, width = 1, len(parts[first].text)
    for at in range(first + 1, len(parts)):
        part = parts[at]
        if _turns(parts, at) or part.end - parts[first].start > MAX_MS / 1000:
            return at
        width += part.spaced + len(part.text)
        if width > LONGEST:
            lines, width = lines + 1, len(part.text)
        if lines > MAX_LINES:
            return at
    return len(parts)


def _turns(parts: Sequence[Piece], at: int) -> bool:
    """Whether a cue has to end before this piece, however short it is."""
    before, part = parts[at - 1], parts[at]
    return before.speaker != part.speaker or part.start - before.end > PAUSE_S


def _good_end(parts: Sequence[Piece], first: int, stop: int) -> int:
    """The best place to end a cue that could go on to `stop`, unless the cue would be too short."""
    if stop == len(parts) or _turns(parts, stop):
        return stop
    for wanted, share in ((SENTENCE, 0.3), (CLAUSE, 0.5), (SPACE, 0.5)):
        for at in range(stop, first + int((stop - first) * share), -1):
            if break_between(parts[at - 1], parts[at]) >= wanted:
                return at
    return stop


def _times(run: Sequence[Piece], free_ms: int, next_ms: int) -> tuple[int, int]:
    start = max(free_ms, round(run[0].start * 1000))
    end = max(round(run[-1].end * 1000), min(start + READABLE_MS, next_ms))
    return start, max(start + MIN_MS, min(end, start + MAX_MS))


def _lines(run: Sequence[Piece]) -> tuple[str, ...]:
    """One line, or two of about the same length."""
    whole = joined(run)
    if len(whole) <= LONGEST:
        return (whole,)
    halves = [(at, joined(run[:at]), joined(run[at:])) for at in range(1, len(run))]
    fitting = [half for half in halves if max(len(half[1]), len(half[2])) <= LONGEST]

    def badness(half: tuple[int, str, str]) -> tuple[bool, bool, int]:
        at, upper, lower = half
        # A last line of digits looks like the next cue's number to some readers.
        inside = break_between(run[at - 1], run[at]) < SPACE
        return inside, lower.isdecimal(), abs(len(upper) - len(lower))

    _, upper, lower = min(fitting, key=badness)
    return upper, lower
