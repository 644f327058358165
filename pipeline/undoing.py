"""Corrections taken back: what was heard stands there again, with the times it had."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipeline.errors import ProofcastError
from pipeline.model import Segment, Transcript, Word
from pipeline.rewording import as_before, replaced, said_at


def undone(transcript: Transcript, entry: dict[str, Any]) -> Transcript:
    """The transcript with what was heard in place of a correction. Raises ProofcastError if it is gone.

    Where one correction changed what another wrote, the later one has to be undone first.
    """
    if entry not in transcript.vocabulary_applied or entry["status"] != "applied":
        raise ProofcastError(f"'{entry['right']}' is not a correction that can be undone")
    for number, segment in enumerate(transcript.segments):
        start = _place_of(segment, entry)
        if start is not None:
            back = _heard(segment, start, entry)
            segments = (*transcript.segments[:number], back, *transcript.segments[number + 1 :])
            entries = list(transcript.vocabulary_applied)
            entries[entries.index(entry)] = {**entry, "status": "undone"}
            return replace(transcript, segments=segments, vocabulary_applied=tuple(entries))
    raise ProofcastError(f"'{entry['right']}' no longer stands where it was put", "edit the text by hand")


def _heard(segment: Segment, start: int, entry: dict[str, Any]) -> Segment:
    """The passage with what the entry says was heard there; its words' own times, if it has all of them."""
    back = replaced(segment, start, start + len(entry["right"]), entry["wrong"])
    was = [Word(*word) for word in entry.get("was", ())]
    return as_before(back, start, start + len(entry["wrong"]), was)


def _place_of(segment: Segment, entry: dict[str, Any]) -> int | None:
    """At which character of the passage the correction stands."""
    start = segment.text.find(entry["right"])
    while start >= 0:
        begin, stop = said_at(segment, start, start + len(entry["right"]))
        if abs(begin - entry["start"]) < 0.002 and abs(stop - entry["end"]) < 0.002:
            return start
        start = segment.text.find(entry["right"], start + 1)
    return None
