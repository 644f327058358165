"""Transcripts for reading: plain text and Markdown, in paragraphs by speaker."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.model import Transcript
from pipeline.spoken import SENTENCE, SPACE, Piece, break_between, joined, names, pieces, plain

PARAGRAPH = 400  #: characters after which a paragraph ends with its sentence
WIDTH = 80

# Braces and dollars are for the template languages and formulas of sites and of GitHub.
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~{}$]|(?<!\S)#|&(?=#?\w+;)")
_BLOCK_START = re.compile(r"^(?:\d{1,9}(?=[.)])|(?=[-+=:]))")
_AUTOLINK = re.compile(r"(?<=/)(?=/)|(?=@)|(?<=@)|(?<=\bwww)(?=\.)|(?<=#)(?=\d)", re.IGNORECASE)
_JOINER = "\u2060"  #: invisible, forbids nothing but being taken for a link or a mention


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Some sentences of one speaker (a label), from a time in seconds."""

    speaker: str
    start: float
    sentences: tuple[str, ...]


def paragraphs(t: Transcript) -> list[Paragraph]:
    """What is said, a paragraph ending with its speaker's turn or after about 400 characters."""
    found: list[Paragraph] = []
    for run in _sentences(pieces(t)):
        speaker, text = run[0].speaker, joined(run)
        last = found[-1] if found else None
        if last and last.speaker == speaker and sum(map(len, last.sentences)) + len(text) <= PARAGRAPH:
            found[-1] = Paragraph(speaker, last.start, (*last.sentences, text))
        else:
            found.append(Paragraph(speaker, run[0].start, (text,)))
    return found


def txt(t: Transcript) -> str:
    """Plain text without times, wrapped at 80 columns; names where several people speak."""
    blocks = [
        textwrap.fill(
            " ".join([f"{name}:", *paragraph.sentences] if name else paragraph.sentences),
            WIDTH,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, paragraph in _announced(t)
    ]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def markdown(t: Transcript) -> str:
    """Markdown with a time at each paragraph and one sentence a line, so that a diff shows sentences.

    No text of the transcript can become structure, HTML, a link or a mention.
    """
    title = t.episode.get("title")
    heading = escape_markdown(title) if isinstance(title, str) else ""
    blocks = [f"# {heading or 'Transcript'}"]
    for name, paragraph in _announced(t):
        lead = f"**{escape_markdown(name)}** " if name else ""
        first, *rest = map(escape_markdown, paragraph.sentences)
        lines = [f"{lead}[{_clock(paragraph.start)}] {first}", *map(_no_block, rest)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def escape_markdown(text: str) -> str:
    """Text as one line that is nothing but text in Markdown: no structure, HTML, link or mention.

    A whole line of it needs care with how it begins: `- ` and `1. ` are lists there.
    """
    return _AUTOLINK.sub(_JOINER, _SPECIAL.sub(r"\\\g<0>", plain(text)))


def _sentences(parts: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
    """Runs of pieces that end a sentence or a turn, or that would be too long for a paragraph."""
    first, length = 0, 0
    for at in range(1, len(parts) + 1):
        length += len(parts[at - 1].text) + parts[at - 1].spaced
        if at == len(parts) or parts[at].speaker != parts[first].speaker or _ends(parts, at, length):
            yield parts[first:at]
            first, length = at, 0


def _ends(parts: Sequence[Piece], at: int, length: int) -> bool:
    rank = break_between(parts[at - 1], parts[at])
    return rank == SENTENCE or (length >= PARAGRAPH and rank >= SPACE)


def _announced(t: Transcript) -> Iterator[tuple[str, Paragraph]]:
    """Every paragraph with its speaker's name where that is news, else with an empty one."""
    known = names(t)
    speaker = None
    for paragraph in paragraphs(t):
        news = len(known) > 1 and paragraph.speaker != speaker
        speaker = paragraph.speaker
        yield known[speaker] if news else "", paragraph


def _no_block(line: str) -> str:
    """A line that can't begin a list, a rule, a table or an underlined heading."""
    return _BLOCK_START.sub("\\g<0>\\\\", line)


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"
