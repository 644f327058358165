"""From an episode's audio to its transcript document: what was heard becomes what people read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.config import Config
from pipeline.correcting import corrected
from pipeline.cutting import cut
from pipeline.model import Doubt, Episode, Segment, Transcript
from pipeline.vocabulary import Vocabulary
from worker.assigning import assigned
from worker.diarizing import Diarization, turns_of
from worker.hearing import Ears, Part, listened
from worker.hints import NONE, Hints, hints_for
from worker.models import ModelChoice, choose
from worker.naming import Name, named
from worker.passages import ordered
from worker.persons import people_in
from worker.profiles import Profile
from worker.pyannote import Pyannote
from worker.quality import report
from worker.refining import Refined, refined
from worker.transcripts import about
from worker.whisper import Whisper

if TYPE_CHECKING:
    from pipeline.proposing import Ask
    from worker.handling import Source
    from worker.hub import Bytes, Say
    from worker.voices import Voices


NO_WORDS = Vocabulary()


@dataclass(frozen=True, kw_only=True)
class Show:
    """What is known of a show before one of its episodes is heard."""

    language: str | None = None
    names: Sequence[str] = ()  #: of who is heard in most episodes
    fewest: int = 1  #: speakers of an episode
    most: int = 12
    vocabulary: Vocabulary = NO_WORDS
    profiles: Mapping[str, Profile] = field(default_factory=dict[str, Profile])  #: of voices, by names
    notes: Sequence[str] = ()  #: what else should be known, and why it is not; for the quality report


@dataclass(frozen=True, kw_only=True)
class Made:
    """A transcript, and who speaks in it."""

    transcript: Transcript
    voices: Diarization
    names: Mapping[str, Name]


class Scribe:
    """All that turns audio into transcripts; models are loaded when they are first needed, then kept."""

    def __init__(
        self,
        config: Config,
        say: Say,
        downloading: Bytes | None = None,
        ask: Ask | None = None,
    ) -> None:
        self._config = config
        self._say = say
        self._downloading = downloading
        self._ask = ask
        self._choices: dict[bool, ModelChoice] = {}
        self._whispers: dict[ModelChoice, Whisper] = {}
        self._voices: Voices | None = None
        self._pyannote = Pyannote(config.speakers.model)

    def ready(self) -> None:
        """What is wrong with what the config asks for is better known before a job is taken: where it wants a
        GPU, the model is tried; where it wants pyannote, that is loaded. Raises ModelError, ConfigError."""
        if self._config.speakers.method == "pyannote":
            self._pyannote.ready()
        if self._config.transcribe.device == "cuda":
            self._whisper(None).count_tokens("")

    def transcript(self, source: Source, show: Show) -> Made:
        """Raises AudioError where the audio can't be used, LanguageError and ModelError where a model can't,
        and what `source.progress` raises."""
        ears = self._ears(source.episode, show)
        parts = listened(source, ears)
        end_s = parts[-1].heard.end_s
        language = next(part.heard.language for part in parts if part.heard.language)

        def go_on() -> None:
            source.progress(end_s, end_s, 0.0)

        voices = self._who(source, parts, show, go_on)
        people, titled = source.episode.people, people_in(source.episode.title, show.vocabulary.terms)
        heard = ordered([segment for part in parts for segment in part.heard.segments], end_s)
        told = assigned(heard, voices.turns, show.fewest)
        names = named(told, voices, show.names, people, show.profiles, titled)
        right = corrected(told, show.vocabulary.knowing([*show.names, *people]), language)
        better = self._refined(right.segments, names, go_on)
        applied = (*right.applied, *better.applied)
        terms = [(entry["start"], entry["end"]) for entry in applied if entry["status"] == "applied"]
        made = Transcript(
            episode=about(source.episode),
            language=language,
            duration_s=round(end_s, 3),
            model={**ears.whisper.card(), "speakers": self._config.speakers.method, **self._paid(better)},
            speakers={label: name.text for label, name in names.items()},
            segments=cut(better.segments, terms),
            vocabulary_applied=applied,
        )
        quality = self._judged(made, parts, names, source.episode)
        notes = [*show.notes, *better.failures]
        return Made(
            transcript=replace(made, quality={**quality, **({"notes": notes} if notes else {})}),
            voices=voices,
            names=names,
        )

    def _ears(self, episode: Episode, show: Show) -> Ears:
        whisper = self._whisper(show.language)
        settings = self._config.transcribe
        return Ears(
            whisper=whisper,
            settings=settings,
            voices=self._listener() if self._config.speakers.method == "built-in" else None,
            hints=self._hints(whisper, episode, show) if settings.hints else NONE,
            language=show.language,
        )

    def _whisper(self, language: str | None) -> Whisper:
        settings = self._config.transcribe
        english = language is None or language.lower().startswith("en")
        if english not in self._choices:
            self._choices[english] = choose(settings, language, self._say, self._downloading)
        choice = self._choices[english]
        if choice not in self._whispers:
            self._whispers[choice] = Whisper(choice, settings)
        return self._whispers[choice]

    def _hints(self, whisper: Whisper, episode: Episode, show: Show) -> Hints:
        titled = people_in(episode.title, show.vocabulary.terms)
        names = list(dict.fromkeys([*show.names, *episode.people, *titled]))
        notes = " ".join(f"{mention}." for mention in episode.mentions)
        return hints_for(show.vocabulary.terms, names, episode.title, notes, whisper.count_tokens)

    def _listener(self) -> Voices:
        if self._voices is None:
            from worker.voices import Voices

            self._voices = Voices()
        return self._voices

    def _who(
        self, source: Source, parts: Sequence[Part], show: Show, go_on: Callable[[], None]
    ) -> Diarization:
        method = self._config.speakers.method
        if method == "pyannote":
            return self._pyannote.turns_of(source.file(), show.fewest, show.most, go_on)
        if method == "none":
            return Diarization((), {}, {})
        from worker.voices import from_bytes

        return turns_of([from_bytes(part.voiced) for part in parts], show.fewest, show.most)

    def _refined(
        self, segments: Sequence[Segment], names: Mapping[str, Name], go_on: Callable[[], None]
    ) -> Refined:
        if self._ask is None:
            return Refined(tuple(segments), ())
        texts = [name.text for name in names.values()]
        return refined(segments, texts, self._config.refine.context, self._ask, lambda done, of: go_on())

    def _paid(self, better: Refined) -> dict[str, Any]:
        """Which language model was asked, and what it read and wrote."""
        if self._ask is None:
            return {}
        usage = better.usage
        told = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
        return {"refined_by": {"name": self._config.refine.model, **told}}

    def _judged(
        self, made: Transcript, parts: Sequence[Part], names: Mapping[str, Name], episode: Episode
    ) -> dict[str, Any]:
        speech = [span for part in parts for span in part.heard.speech]
        doubts: list[Doubt] = [doubt for part in parts for doubt in part.heard.doubts]
        quality = report(made, speech, doubts, episode.duration_s)
        sure = {label: {"how": name.how, "sure": round(name.sure, 2)} for label, name in names.items()}
        return {**quality, "names": sure}
