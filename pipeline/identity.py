"""By which names an episode is known again when its feed says something else next week. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from urllib.parse import unquote

from pipeline.model import Alias, FeedItem
from pipeline.urls import split_web_url

#: From the firmest to the weakest; an episode's id is made from the first it has.
_KINDS = ("guid", "enclosure", "audio", "title")

_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,24}(?::[0-9]{1,5})?", re.ASCII)
_MEDIA = {
    *(".mp3", ".m4a", ".m4b", ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".aac", ".ac3"),
    *(".ogg", ".oga", ".ogv", ".opus", ".flac", ".wav", ".aif", ".aiff", ".wma"),
}
#: What a path segment ends in that looks like a host but is a file.
_NOT_HOSTS = {*_MEDIA, ".php", ".asp", ".aspx", ".jsp", ".cgi", ".html", ".htm", ".xml", ".json", ".rss"}

_LONGEST = 500  # characters of an alias; a longer value is replaced by its hash


def aliases_of(item: FeedItem) -> tuple[Alias, ...]:
    """The names of one feed item, the firmest first; none if it has neither guid, audio nor date."""
    names: list[Alias] = []
    if item.guid:
        names.append(_alias("guid", item.guid))
    if item.enclosure:
        names.append(_alias("enclosure", canonical_enclosure(item.enclosure.url)))
    if item.published is not None:
        day = datetime.fromtimestamp(item.published, UTC).date().isoformat()
        names.append(_alias("title", f"{normal_title(item.title)}|{day}"))
    return tuple(names)


def distinct_aliases(items: Iterable[FeedItem]) -> list[tuple[Alias, ...]]:
    """As `aliases_of` for each item of one document, less the names that tell nothing apart.

    A feed may give one guid, or one `download?` URL, to all its items: a name that several items
    have while they have no second one in common identifies none of them.
    """
    named = [aliases_of(item) for item in items]
    shared = {alias for alias, times in Counter(a for names in named for a in names).items() if times > 1}
    common: dict[Alias, set[Alias]] = {}
    for names in named:
        for alias in shared.intersection(names):
            common[alias] = common.get(alias, set(names)).intersection(names)
    useless = {alias for alias, agreed in common.items() if len(agreed) == 1}
    return [tuple(alias for alias in names if alias not in useless) for names in named]


def audio_alias(sha256: str) -> Alias:
    """The name that an audio file itself gives an episode."""
    return Alias("audio", sha256.lower())


def awaited_aliases(item: FeedItem) -> tuple[Alias, ...]:
    """What an episode that was added before publication shares with its feed item to come."""
    names: list[Alias] = []
    if item.number is not None:
        names.append(Alias("awaited", f"number {item.number}"))
    title = normal_title(item.title)
    if title and title != "untitled":
        names.append(_alias("awaited", f"title {title}"))
    return tuple(names)


def episode_id(feed: str, aliases: Sequence[Alias], title: str = "") -> str:
    """`feed-` and ten hex digits made of the firmest alias, or of the title where there is none."""
    first = min(aliases, key=_firmness, default=Alias("untold", normal_title(title)))
    return f"{feed}-{_digest(feed, first.kind, first.value)[:10]}"


def normal_title(title: str) -> str:
    """Letters and digits only, case folded, one space between words."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", title).casefold())
    words = re.findall(r"[^\W_]+", folded)
    return " ".join(words) or " ".join(folded.split())


def canonical_enclosure(url: str) -> str:
    """Host and path of the audio itself: no scheme, no tracker in front, no tokens behind.

    Trackers put the address they lead to behind their own path, so the last path segment that
    looks like a host is where the audio is. The query is kept where the path names no media
    file (`download.php?id=55`): there it is what tells episodes apart.
    """
    parts = split_web_url(url)
    if parts is None:
        return url
    segments = [parts.netloc.rpartition("@")[2], *(s for s in unquote(parts.path).split("/") if s)]
    start = max([0, *(i for i, segment in enumerate(segments[:-1]) if _is_host(segment))])
    host, path = re.sub(r":(?:80|443)$", "", segments[start].lower()), segments[start + 1 :]
    names_media = bool(path) and PurePosixPath(path[-1]).suffix.lower() in _MEDIA
    query = f"?{parts.query}" if parts.query and not names_media else ""
    return "/".join([host, *path]) + query


def _is_host(segment: str) -> bool:
    name = segment.lower()
    return bool(_HOST.fullmatch(name)) and PurePosixPath(name).suffix not in _NOT_HOSTS


def _alias(kind: str, value: str) -> Alias:
    return Alias(kind, value if len(value) <= _LONGEST else f"sha256:{_digest(value)}")


def _firmness(alias: Alias) -> int:
    return _KINDS.index(alias.kind) if alias.kind in _KINDS else len(_KINDS)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
