"""From an episode's audio to its transcript document: what was heard becomes what people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from pipeline.config import Config
from pipeline.correcting import corrected
from pipeline.cutting import cut
from pipeline.model import Episode, Segment, Transcript
from pipeline.vocabulary import Vocabulary
from worker.assigning import assigned
from worker.diarizing import Diarization, turns_of
from worker.hints import hints_for
from worker.listening import WINDOW_S, Ears, Part, forget, listened
from worker.models import choose
from worker.naming import Name, named
from worker.quality import report
from worker.whisper import Whisper, ordered

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.ports import Ask
    from worker.handling import Source
    from worker.hub import Bytes, Say
    from worker.naming import Profiles
    from worker.voices import Voices


@dataclass(frozen=True, kw_only=True)
class Show:
    """What is known of a show before one of its episodes is heard."""

    language: str | None = None
    names: Sequence[str] = ()  #: of who is heard in most episodes
    fewest: int = 1  #: speakers
    most: int = 12
    vocabulary: Vocabulary = Vocabulary()
    profiles: Profiles | None = None  #: of voices; None: none are kept


@dataclass(frozen=True, kw_only=True)
class Made:
    """A transcript, and by whom it is spoken."""

    transcript: Transcript
    voices: Diarization
    names: Mapping[str, Name]


class Scribe:
    """Everything that turns audio into a transcript; models are loaded when the first episode needs them."""

    def __init__(
        self,
        config: Config,
        say: Say,
        downloading: Bytes | None = None,
        ask: Ask | None = None,
        window_s: float = WINDOW_S,
    ) -> None:
        self._config = config
        self._say = say
        self._downloading = downloading
        self._ask = ask
        self._window_s = window_s
        self._loaded: dict[bool, Whisper] = {}
        self._voices: Voices | None = None

    def transcript(self, source: Source, show: Show) -> Made:
        """Raises AudioError where the audio can't be used, ModelError where a model can't."""
        ears = self._ears(source.episode, show)
        parts = listened(source, ears)
        code = next((part.heard.language for part in parts if part.heard.language), None) or "en"
        end_s = parts[-1].heard.end_s
        heard = ordered([segment for part in parts for segment in part.heard.segments], end_s)
        voices = self._who(source.file(), parts, show)
        told = assigned(heard, voices.turns)
        names = named(told, voices, show.names, source.episode.people, show.profiles or {})
        right = corrected(told, show.vocabulary.knowing([*show.names, *source.episode.people]), code)
        refined = self._refined(right.segments, names, source)
        spoken = Transcript(
            episode=about(source.episode),
            language=code,
            duration_s=round(end_s, 3),
            model={**ears.whisper.card(), **self._card(), **refined.card},
            speakers={label: name.name for label, name in names.items()},
            segments=cut(refined.segments),
            vocabulary_applied=(*right.applied, *refined.applied),
        )
        return Made(transcript=self._judged(spoken, parts, source.episode), voices=voices, names=names)
