"""Transcribing as the config wants it: the handler that workers have unless another is named."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.model import Step, Transcript
from pipeline.wiring import Engine
from worker.desk import Watch
from worker.handling import Handler, Item
from worker.models import choose
from worker.transcripts import TranscriptHandler, about
from worker.whisper import Whisper


def whisper_handler(engine: Engine, say: Callable[[str], None], watch: Watch) -> Handler:
    return TranscriptHandler(publisher=engine.publisher, transcribe=Speech(engine, say, watch))


class Speech:
    """Whisper as the config wants it, loaded when the first episode needs it."""

    def __init__(self, engine: Engine, say: Callable[[str], None], watch: Watch) -> None:
        self._engine = engine
        self._say = say
        self._watch = watch
        self._loaded: dict[bool, Whisper] = {}

    def __call__(self, item: Item) -> Transcript:
        audio = item.file()
        item.step(Step.TRANSCRIBE)
        config, language = self._engine.config.transcribe, self._engine.language_of(item.episode)
        english = language is None or language.lower().startswith("en")
        if english not in self._loaded:
            choice = choose(config, language, self._say, self._downloading)
            self._loaded[english] = Whisper(choice, config.beam_size)
        return self._loaded[english].transcribe(audio, about(item.episode), language, item.progress)

    def _downloading(self, done: int, total: int) -> None:
        self._watch.progress(done, total, 0.0)
