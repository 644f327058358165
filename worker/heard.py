"""What was heard in one window of audio, before anybody is named or anything corrected."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.model import Doubt, Segment

Span = tuple[float, float]
"""From and until, in seconds from the audio's start."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Stored as soon as it is there, so that a successor need not hear it again.

    All times are from the audio's start. Segments are in order, their speaker is empty, and each has
    words; a word's text keeps its punctuation and has no white space around it.
    """

    start_s: float
    end_s: float
    language: str | None  #: None where nobody speaks
    segments: tuple[Segment, ...]
    speech: tuple[Span, ...]  #: where somebody speaks, as the voice detector has it
    doubts: tuple[Doubt, ...] = ()
