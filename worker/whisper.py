"""Speech recognition with faster-whisper: an audio file in, a transcript out."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import AudioError, LanguageError, ModelError
from pipeline.model import Segment, Transcript, Word
from worker import audio
from worker.models import ModelChoice, language_code
from worker.windows import Window, windows

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment as Heard
    from faster_whisper.transcribe import Word as HeardWord

SPEAKER = "spk_0"

Progress = Callable[[float, float, float], None]
"""Told seconds of audio done, seconds of audio there are, and seconds of audio per second of work."""


class Whisper:
    """A model, loaded when first used and then kept."""

    def __init__(
        self, choice: ModelChoice, beam_size: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.choice = choice
        self.beam_size = beam_size
        self._monotonic = monotonic
        self._model: WhisperModel | None = None

    def transcribe(
        self, path: Path, episode: dict[str, Any], language: str | None, progress: Progress
    ) -> Transcript:
        """Everything said in a file, in one voice.

        `progress` is called after each passage; what it raises ends the work. Raises AudioError where
        the file can't be read or nobody speaks in it, ModelError where the model can't be used.
        """
        model = self._loaded()
        hint = audio.probe(path).duration_s or episode.get("duration_s") or 0.0
        meter = _Meter(hint, progress, self._monotonic)
        code = self._supported(model, language)
        heard: list[Segment] = []
        end_s = 0.0
        for window in windows(audio.decode(path)):
            found, code = self._window(model, window, code, meter)
            heard += found
            end_s = window.start_s + len(window.samples) / audio.RATE
            meter(end_s)
        if not heard:
            raise AudioError(f"no speech was found in {audio.clock(end_s)} of audio")
        return Transcript(
            episode=episode,
            language=code or "en",
            duration_s=round(end_s, 3),
            model=self._card(),
            speakers={SPEAKER: "Speaker 1"},
            segments=ordered(heard, end_s),
        )

    def _window(
        self, model: WhisperModel, window: Window, language: str | None, meter: Callable[[float], None]
    ) -> tuple[list[Segment], str | None]:
        """The passages of one window, and the language: what was heard in the first that has speech."""
        with self._explained():
            heard, info = model.transcribe(  # pyright: ignore[reportUnknownMemberType] - in other options
                window.samples,
                language=language,
                beam_size=self.beam_size,
                word_timestamps=True,
                vad_filter=True,
            )
        found: list[Segment] = []
        for each in self._each(heard):
            found.append(_passage(each, window.start_s))
            meter(found[-1].end)
        return found, info.language if found else language

    def _loaded(self) -> WhisperModel:
        if self._model is None:
            from faster_whisper import WhisperModel

            with self._explained():
                self._model = WhisperModel(
                    str(self.choice.path),
                    device=self.choice.device,
                    compute_type=self.choice.compute_type,
                    cpu_threads=self.choice.threads,
                )
        return self._model

    def _supported(self, model: WhisperModel, language: str | None) -> str | None:
        code = language_code(language)
        if code and code not in model.supported_languages:
            raise LanguageError(
                f"the model '{self.choice.name}' doesn't know the language '{language}'",
                "set the feed's language to a code such as 'en', or to none to have it detected"
                + ("; '.en' models know only English" if self.choice.english_only else ""),
            )
        return code

    def _each(self, heard: Iterable[Heard]) -> Iterator[Heard]:
        """The work is done while iterating; what the consumer raises is not ours to explain."""
        passages = iter(heard)
        while True:
            with self._explained():
                passage = next(passages, None)
            if passage is None:
                return
            yield passage

    @contextmanager
    def _explained(self) -> Generator[None]:
        """CTranslate2 says everything with a RuntimeError; some of it people can do something about."""
        try:
            yield
        except (RuntimeError, ValueError, OSError) as error:
            raise explained(error, self.choice) from error

    def _card(self) -> dict[str, Any]:
        """What the transcript says of how it was made."""
        choice = self.choice
        fallback = {"fallback_from": choice.fallback_from} if choice.fallback_from else {}
        return {
            "name": choice.name,
            **fallback,
            "device": choice.device,
            "compute_type": choice.compute_type,
            "beam_size": self.beam_size,
            "faster_whisper": version("faster-whisper"),
            "ctranslate2": version("ctranslate2"),
        }


class _Meter:
    """Tells how far the work has come; never backwards, and never past the end."""

    def __init__(self, total_s: float, progress: Progress, monotonic: Callable[[], float]) -> None:
        self._total_s = total_s
        self._progress = progress
        self._monotonic = monotonic
        self._began = monotonic()
        self._done_s = 0.0

    def __call__(self, done_s: float) -> None:
        self._done_s = max(self._done_s, done_s)
        elapsed = self._monotonic() - self._began
        speed = self._done_s / elapsed if elapsed > 0 else 0.0
        self._progress(self._done_s, max(self._total_s, self._done_s), speed)


def ordered(segments: Sequence[Segment], end_s: float) -> tuple[Segment, ...]:
    """The same passages with times that never run backwards, overlap, or pass the audio's end.

    Every passage must have words; its own times become those of its first and last.
    """
    words: list[Word] = []
    at = 0.0
    for word in (word for segment in segments for word in segment.words):
        at = min(max(at, word.start), end_s)
        words.append(replace(word, start=round(at, 3), end=word.end))
    limits = [word.start for word in words[1:]] + [round(end_s, 3)]
    timed = iter(
        replace(word, end=round(min(max(word.end, word.start), limit), 3))
        for word, limit in zip(words, limits, strict=True)
    )
    result: list[Segment] = []
    for segment in segments:
        own = tuple(islice(timed, len(segment.words)))
        result.append(replace(segment, start=own[0].start, end=own[-1].end, words=own))
    return tuple(result)


def _passage(heard: Heard, offset_s: float) -> Segment:
    """faster-whisper's numbers are often numpy's, which are no floats to everybody."""
    text = heard.text.strip()
    start, end = float(heard.start) + offset_s, float(heard.end) + offset_s
    words = tuple(_word(word, offset_s) for word in heard.words or ())
    # Alignment may leave a passage without words; its text is then one.
    words = words or (Word(text, start, end, round(math.exp(heard.avg_logprob), 3)),)
    return Segment(SPEAKER, start, end, text, words)


def _word(heard: HeardWord, offset_s: float) -> Word:
    start, end = float(heard.start) + offset_s, float(heard.end) + offset_s
    return Word(heard.word.strip(), start, end, round(float(heard.probability), 3))


def explained(error: Exception, choice: ModelChoice) -> ModelError:
    """What CTranslate2 complained of, for people."""
    said = str(error)
    library = re.search(r"(?:lib)?(?:cublas|cudnn|cudart)[\w.]*", said)
    if library:
        return ModelError(
            f"the GPU library {library[0]} can't be loaded",
            "CTranslate2 needs cuBLAS for CUDA 12 and cuDNN 9, where the loader finds them "
            "(LD_LIBRARY_PATH); or set device under [transcribe] to 'cpu'",
        )
    if "out of memory" in said:
        return ModelError(
            f"the GPU has too little memory for the model '{choice.name}'",
            "set compute_type under [transcribe] to 'int8_float16', or choose a smaller model",
        )
    if "CUDA" in said:
        return ModelError(f"the GPU can't be used: {said}", "see nvidia-smi, or set device to 'cpu'")
    return ModelError(
        f"the model in {choice.path} can't be used: {said}", "choose another model under [transcribe]"
    )
