"""The way in before publication: an audio file becomes an episode, and awaits its feed item."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline import states
from pipeline.config import Feed
from pipeline.errors import ConfigError
from pipeline.identity import audio_alias, awaited_aliases, episode_id, normal_title
from pipeline.model import Change, Episode, FeedItem
from pipeline.ports import ArtifactStore, Clock, Ledger


def add(
    audio: Path,
    feed: Feed,
    item: FeedItem,
    ledger: Ledger,
    artifacts: ArtifactStore,
    clock: Clock,
) -> tuple[Episode, bool]:
    """The episode of this audio, and whether it is new. Raises ConfigError, StorageFull."""
    alias = audio_alias(_sha256(audio))
    known = ledger.known(feed.name, [alias])
    if alias in known:
        there = ledger.get(known[alias])
        if there:
            return there, False
    _refuse_known(feed, item, ledger)
    now = clock()
    identity = episode_id(feed.name, (alias,), item.title)
    key = f"{feed.name}/{identity}/audio"
    artifacts.put_file(key, audio)
    episode = Episode(
        id=identity,
        feed=feed.name,
        title=item.title,
        number=item.number,
        discovered_at=now,
        updated_at=now,
        artifacts={"audio": key},
    )
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


def _sha256(audio: Path) -> str:
    try:
        with audio.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{audio} can't be read: {error.strerror}") from None


def _plain(name: str) -> str:
    """A file's name as text: what is not UTF-8 in it can't be stored."""
    return name.encode("utf-8", "replace").decode()
