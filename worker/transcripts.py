"""From an episode to its review: a transcript is made, kept, put into captions, and proposed.

Every step stores what it made before the ledger hears of it, so a successor goes on where a killed
worker stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline import states
from pipeline.formats import read_transcript, transcript_json, written
from pipeline.keys import key_of
from pipeline.model import Episode, State, Step, Transcript
from pipeline.publishing import Publisher
from worker.handling import Item

CAPTIONS = ("vtt", "srt", "txt", "md")  #: stored beside every transcript, for people to fetch


@dataclass(frozen=True, kw_only=True)
class TranscriptHandler:
    """See `handling.Handler`.

    `transcribe` makes the transcript of an item; it may store parts of it, so that a successor need not
    make them again, and `forget` discards those once the whole is kept.
    """

    publisher: Publisher
    transcribe: Callable[[Item], Transcript]
    forget: Callable[[Item], object] = lambda item: None

    def __call__(self, item: Item) -> None:
        self.publisher.check(item.episode)
        if item.episode.state is not State.TRANSCRIBED:
            stored = item.stored("transcript.json")  # by an earlier attempt
            if stored:
                self._keep(item, read_transcript(stored), worked_s=None)
            else:
                began = self.publisher.clock()
                made = self.transcribe(item)
                worked_s = self.publisher.clock() - began
                # Later attempts may have found parts of it done, which says nothing of the speed.
                self._keep(item, made, worked_s if item.episode.attempts == 1 else None)
        self.forget(item)
        item.step(Step.REVIEW)
        self.publisher.publish(item.handle)

    def _keep(self, item: Item, transcript: Transcript, worked_s: float | None) -> None:
        item.step(Step.STORE)
        data = transcript_json(transcript).encode()
        kept = item.create("transcript.json", data)
        if kept != data:
            # One that was thought dead, or a successor, was first: everybody goes on from what it stored.
            transcript = read_transcript(kept)
        made = {"transcript": key_of(item.episode, "transcript.json")}
        for kind in CAPTIONS:
            made[kind] = key_of(item.episode, f"transcript.{kind}")
            text = written(kind, transcript, self.publisher.config.captions)
            item.store(f"transcript.{kind}", text.encode())
        at = self.publisher.clock()
        item.handle.write(
            lambda episode: states.transcribed(
                episode, {**episode.artifacts, **made}, transcript.duration_s, at, worked_s
            )
        )


def about(episode: Episode) -> dict[str, Any]:
    """What the transcript document says of its episode."""
    facts = {
        "id": episode.id,
        "feed": episode.feed,
        "guid": episode.guid,
        "number": episode.number,
        "season": episode.season,
        "title": episode.title,
        "published": episode.published,
        "link": episode.link,
        "duration_s": episode.duration_s,
    }
    return {key: value for key, value in facts.items() if value not in (None, "")}
