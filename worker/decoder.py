"""The model and the voice detector: faster-whisper, with what is random in it replaced by fixed remedies.

faster-whisper decodes a passage that fails again with sampling. Its generator can't be seeded anew, so a
killed worker's successor would hear other words. Here a failed passage is decoded again without what led
the model astray, always in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.vad import (
    VadOptions,
    get_speech_timestamps,  # pyright: ignore[reportUnknownVariableType] - in its values
)

from pipeline.model import Word
from worker.audio import RATE
from worker.faults import SQUEEZED, failed
from worker.gpu import check_libraries
from worker.heard import Span
from worker.hints import LIMIT
from worker.listening import SPAN_S, Decoder, How
from worker.models import ModelChoice
from worker.passages import Passage, spread
from worker.windows import Samples

if TYPE_CHECKING:
    from faster_whisper.tokenizer import Tokenizer
    from faster_whisper.transcribe import Segment, TranscriptionOptions

PAUSE_MS = 160  #: of silence that end a span of speech
STUCK = {"no_repeat_ngram_size": 5, "repetition_penalty": 1.1}  #: for a model that repeats itself


def load(choice: ModelChoice) -> Decoder:
    """Raises ModelError, or RuntimeError, ValueError or OSError, as CTranslate2 does."""
    if choice.device == "cuda":
        check_libraries()
    return _FasterWhisper(choice)


class _Steady(WhisperModel):
    """Two of faster-whisper's own methods, done otherwise; both are called once for each 30 s."""

    def get_prompt(
        self,
        tokenizer: Tokenizer,
        previous_tokens: list[int],
        without_timestamps: bool = False,
        prefix: str | None = None,
        hotwords: str | None = None,
    ) -> list[int]:
        """With hotwords *and* the text so far, faster-whisper leaves little room for what is decoded."""
        taken = len(tokenizer.encode(" " + hotwords.strip())) if hotwords else 0
        room = max(0, LIMIT - taken)
        previous = previous_tokens[-room:] if room else []
        return super().get_prompt(tokenizer, previous, without_timestamps, prefix, hotwords)

    def generate_with_fallback(
        self, encoder_output: Any, prompt: list[int], tokenizer: Tokenizer, options: TranscriptionOptions
    ) -> tuple[Any, float, float, float]:
        """The first attempt that does not fail, else the likeliest of those that do not repeat themselves.

        Its third value is a temperature: 1 tells the caller to forget the text so far.
        """
        fresh = prompt[prompt.index(tokenizer.sot) :]
        decode = super().generate_with_fallback  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        decode = cast("Callable[..., tuple[Any, float, float, float]]", decode)
        attempts: list[tuple[Any, float, float, float]] = []
        for start, changes in _attempts(prompt, fresh, options.beam_size):
            fixed = replace(options, temperatures=[0.0], **changes)
            attempts.append(decode(encoder_output, start, tokenizer, fixed))
            result, logprob, _, squeeze = attempts[-1]
            if not failed(logprob, squeeze, result.no_speech_prob):
                break
        best = _best(attempts)
        return best[0], best[1], float(len(attempts) > 1), best[3]


def _attempts(prompt: list[int], fresh: list[int], beam: int) -> Iterator[tuple[list[int], dict[str, Any]]]:
    yield prompt, {}
    if fresh != prompt:
        yield fresh, {}
    yield fresh, STUCK
    yield fresh, {**STUCK, "beam_size": 1 if beam > 1 else 5}


def _best(attempts: Sequence[tuple[Any, float, float, float]]) -> tuple[Any, float, float, float]:
    result, logprob, _, squeeze = attempts[-1]
    if not failed(logprob, squeeze, result.no_speech_prob):
        return attempts[-1]
    varied = [attempt for attempt in attempts if attempt[3] <= SQUEEZED]
    return max(varied or attempts, key=lambda attempt: attempt[1])


class _FasterWhisper:
    def __init__(self, choice: ModelChoice) -> None:
        self._model: Any = _Steady(
            str(choice.path),
            device=choice.device,
            compute_type=choice.compute_type,
            # One thread for each shard that is heard, not several for each step of one: no waiting.
            cpu_threads=1,
            num_workers=choice.threads if choice.device == "cpu" else 1,
        )
        if choice.device == "cuda":
            self._try_out()
        self.languages: Sequence[str] = self._model.supported_languages

    def width(self) -> int:
        features = np.zeros(
            (self._model.model.n_mels, int(SPAN_S * self._model.frames_per_second)), np.float32
        )
        return int(self._model.encode(features).shape[-1])

    def _try_out(self) -> None:
        """A second of noise: what a library lacks shows in the first decoding, not when a model is loaded."""
        noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
        list(self._model.transcribe(noise, language="en", beam_size=1, word_timestamps=True)[0])

    def speech(self, samples: Samples) -> list[Span]:
        found = cast("Callable[..., list[dict[str, int]]]", get_speech_timestamps)(
            samples, VadOptions(min_silence_duration_ms=PAUSE_MS, speech_pad_ms=0)
        )
        return [(span["start"] / RATE, span["end"] / RATE) for span in found]

    def one_by_one(self, samples: Samples, how: How) -> Iterator[Passage]:
        segments, _ = self._model.transcribe(
            samples,
            **_options(how),
            condition_on_previous_text=how.conditioned,
            temperature=0.0,
            vad_filter=False,
        )
        return map(_passage, segments)

    def at_once(self, samples: Samples, spans: Sequence[Span], how: How, after_s: float) -> list[Passage]:
        batched: Any = BatchedInferencePipeline(self._model)
        # The first word after a pause is shortened; without this the first of every batch would be.
        batched.last_speech_timestamp = after_s
        segments, _ = batched.transcribe(
            samples,
            **_options(how),
            clip_timestamps=[{"start": start, "end": end} for start, end in spans],
            batch_size=len(spans),
        )
        return [_passage(segment) for segment in segments]

    def spoken(self, samples: Samples) -> dict[str, float]:
        _, _, probabilities = self._model.detect_language(samples, language_detection_threshold=0.0)
        return dict(probabilities)

    def count_tokens(self, text: str) -> int:
        return len(self._model.hf_tokenizer.encode(text, add_special_tokens=False).ids)


def _options(how: How) -> dict[str, Any]:
    return {
        "language": how.language,
        "beam_size": how.beam_size,
        "word_timestamps": True,
        "hotwords": how.hints.hotwords,
        "initial_prompt": how.hints.initial_prompt,
    }


def _passage(segment: Segment) -> Passage:
    """faster-whisper's numbers are often numpy's, which are no floats to everybody."""
    words = tuple(
        Word(word.word.strip(), float(word.start), float(word.end), round(float(word.probability), 3))
        for word in segment.words or ()
        if word.word.strip()
    )
    text, guessed = segment.text.strip(), 0
    if not words:  # alignment may leave a passage without
        words = spread(
            text.split() or [text], (segment.start, segment.end), round(math.exp(segment.avg_logprob), 3)
        )
        guessed = len(words)
    return Passage(
        words=words,
        text=text,
        logprob=float(segment.avg_logprob),
        silence=float(segment.no_speech_prob),
        squeeze=float(segment.compression_ratio),
        guessed=guessed,
    )
