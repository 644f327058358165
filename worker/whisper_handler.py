"""Transcribing as the config wants it: the handler that workers have unless another is named."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from pipeline.config import Feed
from pipeline.errors import CodeHostError, ConfigError, ProofcastError, StorageError
from pipeline.model import Episode, Step, Transcript
from pipeline.vocabulary import Vocabulary, read_vocabulary
from pipeline.wiring import Engine
from worker.desk import Watch
from worker.handling import Handler, Item
from worker.hearing import forget
from worker.profiles import Profile, learnt, profiles_from_bytes, profiles_to_bytes
from worker.transcribing import Made, Scribe, Show
from worker.transcripts import TranscriptHandler

log = logging.getLogger("proofcast.worker")


def whisper_handler(engine: Engine, say: Callable[[str], None], watch: Watch) -> Handler:
    """Raises ConfigError where the config asks for what is not installed, ModelError where a GPU fails."""
    speech = Speech(engine, say, watch)
    speech.scribe.ready()
    return TranscriptHandler(publisher=engine.publisher, transcribe=speech, forget=speech.done)


class Speech:
    """Makes transcripts with what each show's config, vocabulary and earlier episodes tell."""

    def __init__(self, engine: Engine, say: Callable[[str], None], watch: Watch) -> None:
        self._engine = engine
        self.scribe = Scribe(
            engine.config, say, lambda done, total: watch.progress(done, total, 0.0), engine.language_model
        )
        self._made: dict[str, Made] = {}  #: what is not kept yet, by its episode

    def __call__(self, item: Item) -> Transcript:
        item.file()
        item.step(Step.TRANSCRIBE)
        made = self.scribe.transcript(item, self.show(item.episode))
        self._made = {item.episode.id: made}
        return made.transcript

    def done(self, item: Item) -> None:
        """The transcript is kept: clear away what it was made from, and learn from its voices."""
        forget(item)  # which ends it if the job is no longer ours
        made = self._made.pop(item.episode.id, None)
        feed = self._engine.config.feed_named(item.episode.feed)
        if made and feed.voice_profiles:
            known = learnt(self._profiles(feed), made.voices, made.names)
            self._engine.artifacts.put(_profiles_key(feed), profiles_to_bytes(known))

    def show(self, episode: Episode) -> Show:
        feed = self._engine.config.feed_named(episode.feed)
        vocabulary, notes = self._vocabulary(feed)
        for note in notes:
            log.warning("%s", note)
        return Show(
            language=self._engine.language_of(episode),
            names=feed.speakers,
            fewest=feed.min_speakers,
            most=max(feed.min_speakers, feed.max_speakers),
            vocabulary=vocabulary,
            profiles=self._profiles(feed) if feed.voice_profiles else {},
            notes=notes,
        )

    def _vocabulary(self, feed: Feed) -> tuple[Vocabulary, list[str]]:
        """As it is on the site's base branch now. One that can't be read keeps no transcript back."""
        trouble: ProofcastError
        try:
            return self._words(feed), []
        except CodeHostError as error:
            trouble = error
            kept = self._engine.artifacts.get(_words_key(feed))
            with suppress(ConfigError):
                if kept:
                    words = read_vocabulary(kept.decode(), feed.vocabulary)
                    return words, [f"made with the vocabulary of last time, today's can't be had: {error}"]
        except ConfigError as error:
            trouble = error
        return Vocabulary(), [f"made without the show's vocabulary: {trouble}"]

    def _words(self, feed: Feed) -> Vocabulary:
        """Today's, of which a copy is kept for when it can't be had. Raises ConfigError, CodeHostError."""
        repository = self._engine.config.repository_of(feed)
        text = self._engine.code_host.read(repository, feed.base, feed.vocabulary) or ""
        words = read_vocabulary(text, feed.vocabulary)
        self._engine.artifacts.put(_words_key(feed), text.encode())
        return words

    def _profiles(self, feed: Feed) -> Mapping[str, Profile]:
        data = self._engine.artifacts.get(_profiles_key(feed))
        try:
            return profiles_from_bytes(data) if data else {}
        except StorageError as error:
            log.warning("%s", error)
            return {}


def _words_key(feed: Feed) -> str:
    return f"{feed.name}/vocabulary.toml"


def _profiles_key(feed: Feed) -> str:
    return f"{feed.name}/voices.json"
