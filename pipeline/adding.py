"""The way in before publication: an audio file becomes an episode, and awaits its feed item."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pipeline import states
from pipeline.config import Feed
from pipeline.errors import ConfigError
from pipeline.identity import audio_alias, awaited_aliases, episode_id, normal_title
from pipeline.keys import key_of
from pipeline.model import Change, Episode, FeedItem
from pipeline.ports import ArtifactStore, Clock, Ledger


class Audio(Protocol):
    """A file that is not published yet."""

    @property
    def name(self) -> str: ...

    def sha256(self) -> str: ...

    def store(self, key: str) -> None:
        """Make it an artifact."""
        ...


@dataclass(frozen=True)
class AudioFile:
    """Audio on this machine. Its methods raise ConfigError where it can't be read."""

    path: Path
    artifacts: ArtifactStore

    @property
    def name(self) -> str:
        return self.path.name

    def sha256(self) -> str:
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ConfigError(f"{self.path} can't be read: {error.strerror}") from None

    def store(self, key: str) -> None:
        self.artifacts.put_file(key, self.path)


def add(audio: Audio, feed: Feed, item: FeedItem, ledger: Ledger, clock: Clock) -> tuple[Episode, bool]:
    """The episode of this audio, and whether it is new. Raises ConfigError, StorageFull."""
    alias = audio_alias(audio.sha256())
    known = ledger.known(feed.name, [alias])
    if alias in known:
        there = ledger.get(known[alias])
        if there:
            return there, False
    _refuse_known(feed, item, ledger)
    now = clock()
    episode = Episode(
        id=episode_id(feed.name, (alias,), item.title),
        feed=feed.name,
        title=item.title,
        number=item.number,
        discovered_at=now,
        updated_at=now,
    )
    key = key_of(episode, "audio")
    audio.store(key)
    episode = replace(episode, artifacts={"audio": key})
    expected = ledger.known(feed.name, awaited_aliases(item))
    awaited = tuple(alias for alias in awaited_aliases(item) if alias not in expected)
    added = Change(episode=episode, detail=f"added from {_plain(audio.name)}", aliases=(alias, *awaited))
    queued = states.queued(episode, now)
    ledger.record([added, queued])
    return queued.episode, True


def _refuse_known(feed: Feed, item: FeedItem, ledger: Ledger) -> None:
    """The feed may have had it already: a second episode of it would be transcribed and proposed again."""
    for episode in ledger.episodes(feed=feed.name):
        same_number = None in (item.number, episode.number) or item.number == episode.number
        if same_number and normal_title(item.title) == normal_title(episode.title):
            raise ConfigError(
                f"'{item.title}' is known already: {episode.id}, {episode.state}",
                "'proofcast retry' brings it back if it was skipped or failed; else give another --title",
            )


def _plain(name: str) -> str:
    """A file's name as text: what is not UTF-8 in it can't be stored."""
    return name.encode("utf-8", "replace").decode()
