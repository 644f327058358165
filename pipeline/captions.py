"""Captions: a transcript cut into cues that can be read along, as WebVTT and SubRip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.config import Captions
from pipeline.model import Transcript
from pipeline.spoken import (
    CLAUSE,
    INSIDE,
    PAUSE_S,
    SENTENCE,
    SPACE,
    Piece,
    break_between,
    joined,
    names,
    pieces,
)

MIN_MS = 20
READABLE_MS = 1000  #: shorter ones stay on the screen this long, if nothing follows
USUAL = Captions()

# SubRip knows no escapes; what players and readers take for markup becomes a look-alike.
_SUBRIP_SAFE = str.maketrans({"<": "\u2039", ">": "\u203a", "\\": "\uff3c"})
_VTT_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SPOKEN_TIME = re.compile(r"(?<=:\d\d)[.,](?=\d)")
_LIT, _UNLIT = "\x01", "\x02"  #: around the word being said, until text is escaped; no text holds them
_TAGS = {"underline": "u", "bold": "b", "italic": "i"}


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption: when, in whole milliseconds; whose (a label); some lines of clean text."""

    start_ms: int
    end_ms: int
    speaker: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """A cue before its text is joined."""

    start_ms: int
    end_ms: int
    named: int  #: how many pieces at the beginning are the speaker's name: 0 or 1
    rows: tuple[Sequence[Piece], ...]

    def cue(self, rows: Sequence[Sequence[Piece]]) -> Cue:
        return Cue(self.start_ms, self.end_ms, rows[0][0].speaker, tuple(map(joined, rows)))


def cues(t: Transcript, options: Captions = USUAL) -> tuple[Cue, ...]:
    """Cut at changes of speaker, long pauses and, where it fits, punctuation.

    Lines have at most `line_chars` characters, names included, cues at most `lines` of them; cues last
    20 ms to `max_s`, in order, and never overlap. The word being said is not marked.
    """
    return tuple(block.cue(block.rows) for block in _blocks(t, options))


def vtt(t: Transcript, options: Captions = USUAL) -> str:
    """WebVTT; where several people speak, voice tags say who, or the options' names.

    Written here and not by pysubs2, which escapes nothing and turns `\\n` and `\\h` in a text into spaces.
    """
    voices = names(t)
    tagged = options.speakers == "voices" and len(voices) > 1
    blocks = ["WEBVTT\n"]
    for cue in _shown(t, options):
        voice = f"<v {vtt_text(voices[cue.speaker])}>" if tagged else ""
        text = _tagged("\n".join(map(vtt_text, cue.lines)), options)
        blocks.append(f"{vtt_time(cue.start_ms)} --> {vtt_time(cue.end_ms)}\n{voice}{text}\n")
    return "\n".join(blocks)


def srt(t: Transcript, options: Captions = USUAL) -> str:
    """SubRip, which knows no voices. It has no escapes: `<`, `>`, backslashes are replaced by look-alikes."""
    import pysubs2

    subs = pysubs2.SSAFile()
    for cue in _shown(t, options):
        text = "\\N".join(_no_times(line.translate(_SUBRIP_SAFE)) for line in cue.lines)
        subs.append(pysubs2.SSAEvent(start=cue.start_ms, end=cue.end_ms, text=_tagged(text, options)))
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


def _tagged(text: str, options: Captions) -> str:
    tag = _TAGS.get(options.highlight, "")
    return text.replace(_LIT, f"<{tag}>").replace(_UNLIT, f"</{tag}>")


def _blocks(t: Transcript, options: Captions) -> Iterator[_Block]:
    """Every cue, cut and timed."""
    announced = _announced(t, options)
    # With one line a cue, a name and at least one piece have to fit in it.
    longest = (options.line_chars - 1) // 2 if announced and options.lines == 1 else options.line_chars
    parts = pieces(t, longest)
    most = options.line_chars * options.lines + 2  # pieces that a cue can't hold
    first = free_ms = 0
    while first < len(parts):
        change = first == 0 or parts[first].speaker != parts[first - 1].speaker
        name = announced.get(parts[first].speaker) if change or options.speakers == "always" else None
        view = _led(name, parts[first : first + most])
        named = 1 if name else 0
        stop = _good_end(view, named, _reach(view, named, options))
        first += stop - named
        next_ms = round(parts[first].start * 1000) if first < len(parts) else 0
        start_ms, end_ms = _times(view[:stop], free_ms, next_ms, round(options.max_s * 1000))
        yield _Block(start_ms, end_ms, named, _rows(view[:stop], options.line_chars))
        free_ms = end_ms


def _announced(t: Transcript, options: Captions) -> dict[str, str]:
    """The names that stand in the text, by label; long ones are shortened, to leave half a line."""
    voices = names(t)
    wanted = options.speakers == "always" or (options.speakers == "when-changes" and len(voices) > 1)
    most = options.line_chars // 2 - 1
    short = {label: n if len(n) <= most else f"{n[: most - 1]}\u2026" for label, n in voices.items()}
    return {label: f"{name}:" for label, name in short.items()} if wanted else {}


def _led(name: str | None, parts: Sequence[Piece]) -> Sequence[Piece]:
    if not name:
        return parts
    first = parts[0]
    return [
        Piece(name, True, first.start, first.start, first.speaker),
        replace(first, spaced=True),
        *parts[1:],
    ]


def _reach(parts: Sequence[Piece], named: int, options: Captions) -> int:
    """Where a cue that begins with the first piece has to end at the latest; behind a name, later."""
    lines, width = 1, len(parts[0].text)
    for at in range(1, len(parts)):
        part = parts[at]
        if at > named and (_turns(parts, at) or part.end - parts[0].start > options.max_s):
            return at
        width += part.spaced + len(part.text)
        if width > options.line_chars:
            lines, width = lines + 1, len(part.text)
        if lines > options.lines:
            return at
    return len(parts)


def _turns(parts: Sequence[Piece], at: int) -> bool:
    """Whether a cue has to end before this piece, however short it is."""
    before, part = parts[at - 1], parts[at]
    return before.speaker != part.speaker or part.start - before.end > PAUSE_S


def _good_end(parts: Sequence[Piece], named: int, stop: int) -> int:
    """The best place to end a cue that could go on to `stop`, unless the cue would be too short."""
    if stop == len(parts) or _turns(parts, stop):
        return stop
    for wanted, share in ((SENTENCE, 0.3), (CLAUSE, 0.5), (SPACE, 0.5)):
        for at in range(stop, max(named, int(stop * share)), -1):
            if break_between(parts[at - 1], parts[at]) >= wanted:
                return at
    return stop


def _times(run: Sequence[Piece], free_ms: int, next_ms: int, max_ms: int) -> tuple[int, int]:
    start = max(free_ms, round(run[0].start * 1000))
    end = max(round(run[-1].end * 1000), min(start + READABLE_MS, next_ms))
    return start, max(start + MIN_MS, min(end, start + max_ms))


def _rows(run: Sequence[Piece], width: int) -> tuple[Sequence[Piece], ...]:
    """As few lines as possible, of about the same length."""
    lines = _depth(run, width)
    if lines == 1:
        return (run,)
    fitting = [
        at for at in range(1, len(run)) if len(joined(run[:at])) <= width and _depth(run[at:], width) < lines
    ]

    def badness(at: int) -> tuple[bool, bool, int]:
        lower = joined(run[at:])
        # A last line of digits looks like the next cue's number to some readers.
        inside = break_between(run[at - 1], run[at]) < SPACE
        return inside, lower.isdecimal(), abs(len(joined(run[:at])) * (lines - 1) - len(lower))

    at = min(fitting, key=badness)
    return (run[:at], *_rows(run[at:], width))


def _depth(run: Sequence[Piece], width: int) -> int:
    """How many lines a run of pieces fills."""
    lines, used = 1, len(run[0].text)
    for part in run[1:]:
        used += part.spaced + len(part.text)
        if used > width:
            lines, used = lines + 1, len(part.text)
    return lines


def _shown(t: Transcript, options: Captions) -> Iterator[Cue]:
    """The cues as players show them: each once, or once for each word that is marked in it."""
    for block in _blocks(t, options):
        if options.highlight == "none":
            yield block.cue(block.rows)
        else:
            yield from _lit(block)


def _lit(block: _Block) -> Iterator[Cue]:
    """The cue again for each word of it. Words too short to be seen are marked together with others."""
    run = [piece for row in block.rows for piece in row]
    marks = [(block.named, block.start_ms)]
    for at in range(block.named + 1, len(run)):
        ms = round(run[at].start * 1000)
        within = marks[-1][1] + MIN_MS <= ms <= block.end_ms - MIN_MS
        if within and break_between(run[at - 1], run[at]) > INSIDE:
            marks.append((at, ms))
    ends = [*marks[1:], (len(run), block.end_ms)]
    for (first, start_ms), (last, end_ms) in zip(marks, ends, strict=True):
        rows = _marked(block.rows, first, last)
        yield replace(block, start_ms=start_ms, end_ms=end_ms).cue(rows)


def _marked(rows: Sequence[Sequence[Piece]], first: int, last: int) -> list[list[Piece]]:
    """The rows with marks around the pieces from `first` to `last`, anew in each line."""
    marked: list[list[Piece]] = []
    for row in rows:
        copy = list(row)
        begin, end = max(first, 0), min(last, len(row))
        if begin < end:
            copy[begin] = replace(copy[begin], text=_LIT + copy[begin].text)
            copy[end - 1] = replace(copy[end - 1], text=copy[end - 1].text + _UNLIT)
        marked.append(copy)
        first, last = first - len(row), last - len(row)
    return marked
