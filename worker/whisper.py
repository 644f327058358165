"""Speech recognition: a window of audio in, what was said in it out.

On a CPU, shards of a window are decoded side by side, each by one thread; on a GPU, many half minutes at
once. What then seems wrong is decoded again (`worker.mending`).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np

from pipeline.config import Transcribe
from pipeline.errors import LanguageError, ModelError
from pipeline.model import Doubt
from worker import audio
from worker.faults import LANGUAGE, LOWER_CASE, Suspect
from worker.gpu import explained, lacks_room
from worker.heard import Heard, Span
from worker.hints import NARROW, NONE, Hints
from worker.listening import SPAN_S, Decoder, How
from worker.mending import mended
from worker.models import BATCHES, ModelChoice, language_code
from worker.passages import Passage, later, moved, ordered
from worker.shards import SHARD_S, Timeline, audible, cuts, packed
from worker.team import Team
from worker.windows import Samples, Window

Load = Callable[[ModelChoice], Decoder]
Told = Callable[[float], None]
"""Told how far the work is, in seconds of the episode; what it raises ends the work."""

LANGUAGE_SPANS = 4  #: so many of these tell an episode's language
CHECKED_SPANS = 2  #: and so many whether a window is in it
FOREIGN = 0.1  #: as improbable as this, a language is not what is spoken
#: Passages with less than this share of the usual words a second are heard again. A batch loses the ends
#: of half minutes (0.8 finds them); one by one little is lost, and shorter passages vary more.
BATCHED_SHARE, SINGLE_SHARE = 0.8, 0.5
PUNCTUATED = "Hello, and welcome. I'm glad that you are here. So, what do we talk about today?"


def _load(choice: ModelChoice) -> Decoder:
    from worker.decoder import load

    return load(choice)


class Whisper:
    """A model, loaded when first used and then kept."""

    def __init__(
        self,
        choice: ModelChoice,
        settings: Transcribe,
        load: Load = _load,
    ) -> None:
        self.choice = choice
        self._settings = settings
        self._load = load
        self._decoder: Decoder | None = None
        self._width: int | None = None
        self._batch = settings.batch_size or BATCHES[choice.device]
        self._first_batch = self._batch

    def window(
        self,
        window: Window,
        language: str | None,
        hints: Hints,
        told: Told,
        go_on: Callable[[], None] = lambda: None,
    ) -> Heard:
        """What is said in a window; in the language given, or the one that is found.

        The same window, language, hints and settings always give the same, wherever and whenever. Raises
        LanguageError, ModelError or RecognitionError, and what `told` and `go_on` raise; of those, see Team.
        """
        code = self.supported(language)
        decoder = self._loaded()
        length_s = len(window.samples) / audio.RATE
        threads = self.choice.threads if self.choice.device == "cpu" else 1
        team = Team(window.start_s, length_s, threads, told, go_on)
        team.tell()
        with self._explained():
            speech = decoder.speech(window.samples)
        if not speech and self._settings.vad:
            return Heard(window.start_s, window.start_s + length_s, None, (), ())
        code, doubts = self._language(decoder, window.samples, speech, code)
        how = How(code, self._settings.beam_size, hints if self._takes(hints) else NONE)
        batched = self._first_batch > 1 and self._settings.vad  # what is cut anywhere loses words
        first = self._batches if batched else self._shards
        passages = first(decoder, window.samples, speech, how, team)

        def again(found: Sequence[Suspect]) -> list[list[Passage]]:
            return self._again(decoder, window.samples, found, how, team)

        share = BATCHED_SHARE if batched else SINGLE_SHARE
        passages, more = mended(passages, speech, length_s, share, again)
        return _heard(window.start_s, length_s, code, passages, speech, [*doubts, *more])

    def supported(self, language: str | None) -> str | None:
        """Whisper's code for a language as feeds write it. Raises LanguageError where the model lacks it."""
        code = language_code(language)
        if code and code not in self._loaded().languages:
            raise LanguageError(
                f"the model '{self.choice.name}' doesn't know the language '{language}'",
                "set the feed's language to a code such as 'en', or to none to have it detected"
                + ("; '.en' models know only English" if self.choice.english_only else ""),
            )
        return code

    def count_tokens(self, text: str) -> int:
        """How many of Whisper's 223 tokens of hints a text takes."""
        return self._loaded().count_tokens(text)

    def card(self) -> dict[str, Any]:
        """What the transcript says of how it was made."""
        choice = self.choice
        fallback = {"fallback_from": choice.fallback_from} if choice.fallback_from else {}
        return {
            "name": choice.name,
            **fallback,
            "device": choice.device,
            "compute_type": choice.compute_type,
            "beam_size": self._settings.beam_size,
            "batch_size": self._first_batch,  # not what fits today: it changes with who else uses the GPU
            "vad": self._settings.vad,
            "faster_whisper": version("faster-whisper"),
            "ctranslate2": version("ctranslate2"),
        }

    def _takes(self, hints: Hints) -> bool:
        """The smallest models drop sentences under a long prompt."""
        if not (hints and self._settings.hints):
            return False
        if self._width is None:
            with self._explained():
                self._width = self._loaded().width()
        return self._width > NARROW

    def _loaded(self) -> Decoder:
        if self._decoder is None:
            with self._explained():
                self._decoder = self._load(self.choice)
        return self._decoder

    def _language(
        self, decoder: Decoder, samples: Samples, speech: Sequence[Span], code: str | None
    ) -> tuple[str, list[Doubt]]:
        """The language, and a doubt where the one that was given is not what is spoken."""
        if len(decoder.languages) == 1:
            return decoder.languages[0], []
        spans = packed(speech, len(samples) / audio.RATE, SPAN_S) or [(0.0, SPAN_S)]
        if code is None:
            likely = self._spoken(decoder, samples, spans[:LANGUAGE_SPANS])
            return max(likely, key=lambda each: likely[each]), []
        step = len(spans) // CHECKED_SPANS or 1
        likely = self._spoken(decoder, samples, spans[::step][:CHECKED_SPANS])
        other = max(likely, key=lambda each: likely[each])
        if other == code or likely.get(code, 0.0) > FOREIGN:
            return code, []
        # The language given is the feed's, or else what the episode began with.
        said = f"this sounds like '{other}', but was heard as '{code}', as the feed says or the episode began"
        return code, [Doubt(LANGUAGE, speech[0][0] if speech else 0.0, spans[-1][1], said)]

    def _spoken(self, decoder: Decoder, samples: Samples, spans: Sequence[Span]) -> dict[str, float]:
        """Each language's mean probability."""
        with self._explained():
            found = [decoder.spoken(_cut(samples, span)) for span in spans]
        return {code: statistics.fmean(each.get(code, 0.0) for each in found) for code in sorted(found[0])}

    def _shards(
        self, decoder: Decoder, samples: Samples, speech: Sequence[Span], how: How, team: Team
    ) -> list[Passage]:
        def shard(span: Span) -> list[Passage]:
            kept = audible(speech, *span) if self._settings.vad else [span]
            found: list[Passage] = []
            at = span[0]
            for passage in self._one_by_one(decoder, samples, kept, how):
                found.append(passage)
                team.done(max(0.0, passage.end - at))
                at = max(at, passage.end)
            team.done(max(0.0, span[1] - at))
            return found

        limits = pairwise(cuts(speech, team.length_s, SHARD_S))
        return [passage for found in team.each(shard, list(limits)) for passage in found]

    def _one_by_one(
        self, decoder: Decoder, samples: Samples, kept: Sequence[Span], how: How
    ) -> Iterator[Passage]:
        """The passages of some spans, which are decoded as one."""
        if not kept:
            return
        timeline = Timeline(kept)
        joined = np.concatenate([_cut(samples, span) for span in kept])
        with self._explained():
            passages = iter(decoder.one_by_one(joined, how))
        while True:
            with self._explained():  # the work is done here; what is made of it is not ours to explain
                passage = next(passages, None)
            if passage is None:
                return
            yield moved(passage, timeline)

    def _batches(
        self, decoder: Decoder, samples: Samples, speech: Sequence[Span], how: How, team: Team
    ) -> list[Passage]:
        spans = packed(speech, team.length_s, SPAN_S)
        afters = dict(zip(spans, [0.0, *(end for _, end in spans)], strict=False))

        def batch(part: Sequence[Span]) -> list[Passage]:
            found: list[Passage] = []
            at = 0
            after_s = afters[part[0]]
            while at < len(part):
                team.alive()
                some = part[at : at + self._batch]
                try:
                    with self._explained():
                        found += decoder.at_once(samples, some, how, after_s)
                except ModelError as error:
                    self._shrink(error)
                    continue
                after_s = found[-1].end if found else after_s  # as within a batch
                at += len(some)
                team.done(some[-1][1] - some[0][0])
            return found

        size = self._first_batch
        parts = [spans[at : at + size] for at in range(0, len(spans), size)]
        return [passage for found in team.each(batch, parts) for passage in found]

    def _shrink(self, error: ModelError) -> None:
        """Half as many at once from now on, where that may help.

        The result is the same, but for how a GPU rounds in batches of other sizes.
        """
        if self._batch == 1 or not lacks_room(error.__cause__):
            raise error
        self._batch //= 2

    def _again(
        self, decoder: Decoder, samples: Samples, found: Sequence[Suspect], how: How, team: Team
    ) -> list[list[Passage]]:
        """Without hints and without the text so far: either may have led the model astray."""

        def one(suspect: Suspect) -> list[Passage]:
            prompt = PUNCTUATED if suspect.kind == LOWER_CASE and how.language == "en" else None
            fresh = replace(how, conditioned=False, hints=Hints(initial_prompt=prompt))
            team.alive()
            heard: list[Passage] = []
            for passage in self._one_by_one(decoder, samples, [suspect.span], fresh):
                team.alive()
                heard.append(passage)
            return heard

        return team.each(one, found)

    @contextmanager
    def _explained(self) -> Generator[None]:
        """CTranslate2 says everything with a RuntimeError; some of it people can do something about."""
        try:
            yield
        except (RuntimeError, ValueError, OSError) as error:
            raise explained(error, self.choice, loaded=self._decoder is not None) from error


def _cut(samples: Samples, span: Span) -> Samples:
    return samples[round(span[0] * audio.RATE) : round(span[1] * audio.RATE)]


def _heard(
    start_s: float,
    length_s: float,
    language: str,
    passages: Sequence[Passage],
    speech: Sequence[Span],
    doubts: Sequence[Doubt],
) -> Heard:
    """Times from the window's start become the episode's."""
    segments = ordered([passage.segment() for passage in passages], length_s)
    return Heard(
        start_s=start_s,
        end_s=start_s + length_s,
        language=language if segments else None,
        segments=tuple(later(segment, start_s) for segment in segments),
        speech=tuple((round(start_s + start, 3), round(start_s + end, 3)) for start, end in speech),
        doubts=tuple(
            replace(doubt, start=round(start_s + doubt.start, 3), end=round(start_s + doubt.end, 3))
            for doubt in doubts
        ),
    )
