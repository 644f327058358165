"""Decoders that fail as Whisper does, for what a real one can't be brought to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.model import Word
from worker.audio import RATE
from worker.heard import Span
from worker.listening import How
from worker.passages import Passage
from worker.windows import Samples


def passage(text: str, start: float, end: float, *, logprob: float = -0.2, silence: float = 0.1) -> Passage:
    """Words that share the time evenly."""
    texts = text.split()
    step = (end - start) / len(texts)
    words = tuple(Word(each, start + step * i, start + step * (i + 1), 0.9) for i, each in enumerate(texts))
    return Passage(words, text, logprob, silence, 1.2)


def sentence(first: int, count: int) -> str:
    """So many words, none of which comes twice."""
    return " ".join(f"word{number}" for number in range(first, first + count)).capitalize() + "."


def paced(samples: Samples, words_a_second: float = 2.5) -> list[Passage]:
    """A sentence every ten seconds, all different; the samples' own numbers make the words."""
    found: list[Passage] = []
    length = len(samples) / RATE
    start = 0.0
    while start < length:
        end = min(start + 10.0, length)
        count = max(1, int((end - start) * words_a_second))
        found.append(passage(sentence(int(samples[int(start * RATE)]), count), start, end))
        start = end
    return found


@dataclass
class FakeDecoder:
    """Hears speech where it is told to, and says what `first` and, when asked again, `second` say."""

    spoken_at: Sequence[Span]
    first: Callable[[Samples], Iterable[Passage]] = paced
    second: Callable[[Samples], Iterable[Passage]] = paced
    languages: Sequence[str] = ("en",)
    sounds: dict[str, float] = field(default_factory=lambda: {"en": 1.0})
    wide: int = 512
    room: int = 1000  #: so many spans at once fit into the GPU
    hows: list[How] = field(default_factory=list[How])
    batches: list[int] = field(default_factory=list[int])
    afters: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    no_room: str = "CUDA failed with error out of memory"

    def width(self) -> int:
        return self.wide

    def speech(self, samples: Samples) -> list[Span]:
        length = len(samples) / RATE
        return [(start, min(end, length)) for start, end in self.spoken_at if start < length]

    def one_by_one(self, samples: Samples, how: How) -> Iterator[Passage]:
        self.hows.append(how)
        yield from (self.first if how.conditioned else self.second)(samples)

    def at_once(self, samples: Samples, spans: Sequence[Span], how: How, after_s: float) -> list[Passage]:
        if len(spans) > self.room:
            raise RuntimeError(self.no_room)
        self.batches.append(len(spans))
        self.afters.append((spans[0][0], after_s))
        self.hows.append(how)
        found: list[Passage] = []
        for start, end in spans:
            first = int(samples[int(start * RATE)])
            found.append(passage(sentence(first, max(1, int((end - start) * 2.5))), start, end))
        return found

    def spoken(self, samples: Samples) -> dict[str, float]:
        return self.sounds

    def count_tokens(self, text: str) -> int:
        return len(text.split())
