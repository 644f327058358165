"""What is asked of a model in memory, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from worker.heard import Span
from worker.hints import NONE, Hints
from worker.passages import Passage
from worker.windows import Samples

SPAN_S = 30.0  #: what Whisper hears at once


@dataclass(frozen=True, slots=True)
class How:
    """How to decode."""

    language: str
    beam_size: int = 5
    hints: Hints = NONE
    conditioned: bool = True  #: the text so far leads on


class Decoder(Protocol):
    """A model in memory. All times are seconds from the start of the samples it is given."""

    languages: Sequence[str]

    def width(self) -> int:
        """Of its layers: what tells small models from large ones. It takes as long as decoding 30 s."""
        ...

    def speech(self, samples: Samples) -> list[Span]: ...

    def one_by_one(self, samples: Samples, how: How) -> Iterator[Passage]:
        """Decoded as asked for, 30 s at a time. What the model can't do is a RuntimeError."""
        ...

    def at_once(self, samples: Samples, spans: Sequence[Span], how: How, after_s: float) -> list[Passage]:
        """All spans, of 30 s at most, in one batch; `after_s` is where the words before them ended."""
        ...

    def spoken(self, samples: Samples) -> dict[str, float]:
        """How probable each language is in the first 30 s."""
        ...

    def count_tokens(self, text: str) -> int: ...
