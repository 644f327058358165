"""The formats that a transcript is written in, by name; and reading our own back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from pipeline.captions import USUAL, Cue, cues, srt, vtt, vtt_time
from pipeline.config import Captions
from pipeline.errors import StorageError
from pipeline.model import Segment, Transcript
from pipeline.prose import escape_markdown, markdown, txt
from pipeline.spoken import names, plain, settled

__all__ = [
    "FORMATS",
    "Cue",
    "awsbites_json",
    "awsbites_vtt",
    "cues",
    "escape_markdown",
    "markdown",
    "podcast_json",
    "read_transcript",
    "srt",
    "transcript_json",
    "txt",
    "vtt",
    "written",
]

VERSION = 1


def transcript_json(t: Transcript) -> str:
    """Our own document, one segment a line, so that a diff shows what changed."""
    t = settled(t)
    return (
        "{\n"
        f'"version": {VERSION},\n'
        f'"episode": {_line(t.episode)},\n'
        f'"language": {_line(t.language)},\n'
        f'"duration_s": {_line(t.duration_s)},\n'
        f'"model": {_line(t.model)},\n'
        f'"speakers": {_line(t.speakers)},\n'
        f'"segments": {_lines(t.segments)},\n'
        f'"quality": {_line(t.quality)},\n'
        f'"vocabulary_applied": {_lines(t.vocabulary_applied)}\n'
        "}\n"
    )


def read_transcript(data: str | bytes) -> Transcript:
    """Read what `transcript_json` wrote, even if a person changed it since. Raises StorageError."""
    hint = "it must be a JSON document as 'proofcast transcribe --format json' writes it"
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
        version = document.get("version")
        if version != VERSION:
            raise StorageError(f"the transcript has version {version!r}, not {VERSION}", hint)
        return msgspec.convert(document, Transcript)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise StorageError(f"the transcript can't be read: {error}", hint) from None


def awsbites_json(t: Transcript) -> str:
    """The JSON of the AWS Bites site, to the byte: no newline at the end, whole seconds as integers."""
    segments = [
        {
            "speakerLabel": segment.speaker,
            "start": _number(segment.start),
            "end": _number(segment.end),
            "text": plain(segment.text),
        }
        for segment in _speaking(t)
    ]
    return json.dumps({"speakers": names(t), "segments": segments}, indent=2, ensure_ascii=False)


def awsbites_vtt(t: Transcript) -> str:
    """The WebVTT of the AWS Bites site, to the byte: a numbered cue per segment, no speakers.

    The site's own tool escapes nothing, so neither does this but for the one thing that would end a cue.
    """
    blocks = ["WEBVTT\n"]
    for number, segment in enumerate(_speaking(t), 1):
        times = f"{vtt_time(_ms(segment.start))} --> {vtt_time(_ms(segment.end))}"
        blocks.append(f"{number}\n{times}\n{plain(segment.text).replace('-->', '--&gt;')}\n")
    return "\n".join(blocks)


def podcast_json(t: Transcript) -> str:
    """The JSON that the podcast namespace's transcript tag may point to."""
    voices = names(t)
    segments = [
        {
            "speaker": voices[segment.speaker],
            "startTime": segment.start,
            "endTime": segment.end,
            "body": plain(segment.text),
        }
        for segment in _speaking(t)
    ]
    return json.dumps({"version": "1.0.0", "segments": segments}, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Transcript], str]] = {
    "json": transcript_json,
    "vtt": vtt,
    "srt": srt,
    "txt": txt,
    "md": markdown,
    "awsbites-json": awsbites_json,
    "awsbites-vtt": awsbites_vtt,
    "podcast-json": podcast_json,
}


def written(kind: str, t: Transcript, options: Captions = USUAL) -> str:
    """The transcript in one of `FORMATS`; the options are for captions, which sites' own formats aren't."""
    captions = {"vtt": vtt, "srt": srt}
    return captions[kind](t, options) if kind in captions else FORMATS[kind](t)


def _line(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()


def _lines(values: Sequence[object]) -> str:
    return "[\n" + ",\n".join(map(_line, values)) + "\n]" if values else "[]"


def _speaking(t: Transcript) -> list[Segment]:
    """The segments with a text."""
    return [segment for segment in settled(t).segments if plain(segment.text)]


def _number(seconds: float) -> float | int:
    return int(seconds) if seconds.is_integer() else seconds


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
