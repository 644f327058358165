"""One poll: ask each feed, find what is new, record it, queue it.

`plan` decides and is pure; `poll` does. Everything a feed showed is in the ledger, with the
validators of the answer, in one step: a poll that is stopped before has simply not happened.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace

from pipeline import states
from pipeline.config import Feed
from pipeline.errors import Conflict, FeedError
from pipeline.feeds import parse_feed
from pipeline.identity import (
    awaited_aliases,
    canonical_enclosure,
    distinct_aliases,
    episode_id,
    normal_title,
)
from pipeline.model import Alias, Change, Episode, FeedDocument, FeedItem, FeedState, State, Step
from pipeline.ports import Clock, FetchFeed, Ledger
from pipeline.urls import shown_url

_TRIES = 3  # against `proofcast add` and the like, which may write between our reading and writing


@dataclass(frozen=True, kw_only=True)
class FeedResult:
    """What one poll of one feed came to; the keys of `poll --json`."""

    name: str
    url: str
    http_status: int | None = None
    new: int = 0
    updated: int = 0
    held: int = 0
    error: str | None = None
    queued: int = 0
    warning: str | None = None  #: what is wrong with the feed, which could be read all the same


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the ledger knows that may concern a feed's items."""

    owners: dict[Alias, str]
    episodes: dict[str, Episode]
    first: bool  #: the feed was never read before


def poll(
    feeds: Sequence[Feed],
    fetch: FetchFeed,
    ledger: Ledger,
    clock: Clock,
    done: Callable[[FeedResult], None] = lambda result: None,
) -> list[FeedResult]:
    """Poll each feed once; one that fails is recorded as such, and the rest goes on."""
    results: list[FeedResult] = []
    for feed in feeds:
        results.append(_poll_one(feed, fetch, ledger, clock))
        done(results[-1])
    return results


def _poll_one(feed: Feed, fetch: FetchFeed, ledger: Ledger, clock: Clock) -> FeedResult:
    state = ledger.feed(feed.name)
    if state.url != feed.url:  # another address: what the old one answered says nothing about it
        state = replace(state, url=feed.url, etag=None, last_modified=None)
    state = replace(state, polled_at=clock(), error=None)
    result = FeedResult(name=feed.name, url=shown_url(feed.url))
    try:
        fetched = fetch(state)
        result = replace(result, http_status=fetched.status)
        state = replace(state, http_status=fetched.status)
        if fetched.status == 304:
            ledger.record([], state)
            return result
        document = parse_feed(fetched.body, fetched.headers)
    except FeedError as error:
        status = error.status or result.http_status
        ledger.record([], replace(state, error=str(error), http_status=status))
        return replace(result, error=str(error), http_status=status)
    headers = fetched.headers or {}
    result = replace(result, warning=document.warning)
    state = replace(
        state,
        title=document.title,
        language=document.language,
        etag=headers.get("etag"),
        last_modified=headers.get("last-modified"),
    )
    return _record(feed, document, state, ledger, clock, result)


def _record(
    feed: Feed, document: FeedDocument, state: FeedState, ledger: Ledger, clock: Clock, result: FeedResult
) -> FeedResult:
    for _ in range(_TRIES):
        changes = plan(feed, document, _known(ledger, feed, document), clock())
        changed_at = clock() if changes or state.changed_at is None else state.changed_at
        try:
            ledger.record(changes, replace(state, changed_at=changed_at))
        except Conflict as error:
            result = replace(result, error=str(error))
        else:
            return _counted(replace(result, error=None), changes)
    return result


def _known(ledger: Ledger, feed: Feed, document: FeedDocument) -> Known:
    awaited = [awaited_aliases(item) for item in document.items]
    aliases = [alias for names in (*_names(document), *awaited) for alias in names]
    owners = ledger.known(feed.name, aliases)
    found = ledger.several(sorted(set(owners.values())))
    return Known(
        owners=owners,
        episodes={episode.id: episode for episode in found},
        first=ledger.feed(feed.name).changed_at is None,
    )


def _names(document: FeedDocument) -> list[tuple[Alias, ...]]:
    """The aliases of each item; its title where it has no other."""
    return [
        names or (Alias("untold", normal_title(item.title)),)
        for item, names in zip(document.items, distinct_aliases(document.items), strict=True)
    ]


def _counted(result: FeedResult, changes: Sequence[Change]) -> FeedResult:
    new = {change.episode.id for change in changes if change.episode.version == 1}
    return replace(
        result,
        new=len(new),
        updated=len({change.episode.id for change in changes} - new),
        held=sum(change.episode.state is State.HELD for change in changes),
        queued=sum(change.enqueue for change in changes),
    )


def plan(feed: Feed, document: FeedDocument, known: Known, now: float) -> list[Change]:
    """What a feed's items mean for the ledger."""
    owners = dict(known.owners)
    # Added before publication, and not matched to an item yet.
    awaiting = {id for id, there in known.episodes.items() if there.guid is None and there.enclosure is None}
    changes: list[Change] = []
    seen: set[str] = set()
    for item, aliases in zip(document.items, _names(document), strict=True):
        owner = _owner(item, aliases, owners, awaiting, known.episodes)
        awaiting.discard(owner)
        if owner in seen:  # two items, one identity: the first speaks for both
            continue
        free = tuple(alias for alias in aliases if alias not in owners)
        if owner is None:
            change = _discovered(feed, document, item, free, now)
            changes.append(change)
        else:
            change = _updated(known.episodes[owner], item, free, now)
            changes.extend([change] if change.detail else [])
        seen.add(change.episode.id)
        owners.update(dict.fromkeys(free, change.episode.id))
    decided = _decide(feed, [change.episode for change in changes], len(document.items), known.first, now)
    return [*changes, *_revived(changes, known.episodes, now), *decided]


def _owner(
    item: FeedItem,
    aliases: Sequence[Alias],
    owners: dict[Alias, str],
    awaiting: Container[str | None],
    episodes: dict[str, Episode],
) -> str | None:
    for alias in aliases:
        owner = owners.get(alias)
        if owner and not (alias.kind == "enclosure" and _is_another(item, episodes.get(owner))):
            return owner
    for alias in awaited_aliases(item):
        if owners.get(alias) in awaiting:
            return owners[alias]
    return None


def _is_another(item: FeedItem, there: Episode | None) -> bool:
    """Whether nothing but the audio's address is the same: a show may reuse one, as `latest.mp3`."""
    if there is None or item.guid is None or there.guid is None or there.published is None:
        return False
    return (
        item.guid != there.guid
        and normal_title(item.title) != normal_title(there.title)
        and item.published != there.published
    )


def _discovered(
    feed: Feed, document: FeedDocument, item: FeedItem, aliases: tuple[Alias, ...], now: float
) -> Change:
    episode = Episode(
        id=episode_id(feed.name, aliases, item.title),
        feed=feed.name,
        title=item.title,
        guid=item.guid,
        number=item.number,
        season=item.season,
        published=item.published,
        duration_s=item.duration_s,
        link=item.link,
        language=document.language,
        enclosure=item.enclosure,
        people=item.people,
        mentions=item.mentions,
        discovered_at=now,
        updated_at=now,
    )
    return Change(episode=episode, detail="found in the feed", aliases=aliases)


def _updated(episode: Episode, item: FeedItem, aliases: tuple[Alias, ...], now: float) -> Change:
    measured = bool(episode.artifacts.get("transcript"))
    fresh = replace(
        episode,
        title=item.title,
        guid=item.guid or episode.guid,
        number=episode.number if item.number is None else item.number,
        season=episode.season if item.season is None else item.season,
        published=episode.published if item.published is None else item.published,
        duration_s=episode.duration_s if measured or item.duration_s is None else item.duration_s,
        link=item.link or episode.link,
        enclosure=item.enclosure or episode.enclosure,
        people=episode.people if measured else item.people,
        mentions=episode.mentions if measured else item.mentions,
    )
    if fresh == episode and not aliases:
        return Change(episode=episode)
    return Change(
        episode=replace(fresh, version=episode.version + 1, updated_at=now),
        detail="changed in the feed",
        aliases=aliases,
    )


def _decide(feed: Feed, changed: Sequence[Episode], items: int, first: bool, now: float) -> list[Change]:
    """What becomes of new episodes: queued, held, skipped, or failed for want of audio."""
    new = [episode for episode in changed if episode.version == 1]
    if first:
        wanted = _wanted(feed, changed)  # one that was added before publication may be the latest
        return [
            _queue_or_fail(episode, now)
            if episode.id in wanted
            else states.skipped(episode, now, f"older than asked for (backfill = {feed.backfill})")
            for episode in new
        ]
    if len(new) > max(3, items * 0.02):  # a publisher that renames everything must not cost a fortune
        reason = f"{len(new)} unknown items at once: 'proofcast release' says that they are new"
        return [states.held(episode, now, reason) for episode in new]
    return [_queue_or_fail(episode, now) for episode in new]


def _wanted(feed: Feed, episodes: Sequence[Episode]) -> set[str]:
    if feed.backfill == "all":
        return {episode.id for episode in episodes}
    count = 1 if feed.backfill == "latest" else feed.backfill
    newest = sorted(episodes, key=lambda episode: episode.published or 0.0, reverse=True)
    return {episode.id for episode in newest[:count]}


def _queue_or_fail(episode: Episode, now: float) -> Change:
    if episode.enclosure is None:
        return states.failed(episode, Step.POLL, "the feed item has no audio enclosure", now)
    return states.queued(episode, now)


def _revived(changes: Sequence[Change], before: dict[str, Episode], now: float) -> list[Change]:
    """Episodes that failed for want of good audio, where the feed has other audio now."""
    return [
        states.queued(change.episode, now, "the feed item has other audio now")
        for change in changes
        if change.episode.state is State.FAILED
        and change.episode.step in (Step.POLL, Step.DOWNLOAD, Step.DECODE)
        and _address(change.episode) != _address(before.get(change.episode.id))
    ]


def _address(episode: Episode | None) -> str | None:
    """Where the audio is, less the tokens that change with every poll."""
    return canonical_enclosure(episode.enclosure.url) if episode and episode.enclosure else None
