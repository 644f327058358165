"""From a feed's bytes to its items. Pure: nothing is fetched, and nothing in a feed is trusted."""

from __future__ import annotations

import email.utils
import html
import re
import unicodedata
from calendar import timegm
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any, cast

from pipeline.errors import FeedError
from pipeline.mentions import mentions
from pipeline.model import Enclosure, FeedDocument, FeedItem
from pipeline.urls import split_web_url

UNTITLED = "Untitled"

_AUDIO = {".mp3", ".m4a", ".m4b", ".aac", ".ogg", ".oga", ".opus", ".flac", ".wav", ".aif", ".aiff", ".wma"}
_PLAYLIST_TYPES = re.compile(r"mpegurl|dash\+xml|x-scpls", re.IGNORECASE)
_PLAYLISTS = {".m3u8", ".m3u", ".mpd", ".pls"}
_LEAST_BYTES = 1000  # a shorter `length` is a placeholder, not a size
_LONGEST_S = 100 * 3600.0  # of an episode; more is milliseconds, or nonsense
_LONGEST_TITLE = 500
_LONGEST_NOTES = 4000
_MOST_PEOPLE = 20
_PEOPLE = "podcast:people"  #: among what feedparser found: no element leaves a key with a colon
_TAG = re.compile(r"<[^<>]*>")

#: Of the podcast namespace: what it is called, and what many feeds call it.
_PODCAST = (
    "https://podcastindex.org/namespace/1.0",
    "https://github.com/podcastindex-org/podcast-namespace/blob/main/docs/1.0.md",
)

_MARKUP = re.compile(
    r"</?(?:a|abbr|b|br|code|em|font|i|p|small|span|strong|sub|sup|u)\b[^<>]*>", re.IGNORECASE
)
_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

_DASHES = "\u2013\u2014"  # en and em; a hyphen counts only beside a space
_SEASON_EPISODE = re.compile(
    rf"(?<![\w'\u2019])S(?:eason)?\s*([0-9]{{1,2}})\s*[,:.{_DASHES}-]?\s*"
    r"E(?:p(?:isode)?)?\.?\s*([0-9]{1,4})(?!\w)",
    re.IGNORECASE,
)
_WORD = r"(?:episode|épisode|episodio|episódio|folge|ep)\.?\s*#?\s*([0-9]{1,5})(?![\w%]|[.,][0-9])"
#: Forms of an episode number in a title; anything looser takes years and dates for numbers.
_NUMBERS = (
    re.compile(rf"(?:^|[|:(\[{_DASHES}-]\s*){_WORD}", re.IGNORECASE),
    re.compile(rf"\b{_WORD}(?=\s*[:|{_DASHES}]|\s+-\s)", re.IGNORECASE),
    re.compile(r"^[(\[]?#\s?([0-9]{1,5})(?![\w%]|[.,-]\w)"),
    re.compile(rf"#([0-9]{{1,5}})(?=\s*[:|{_DASHES})\]]|\s+-\s)"),
    re.compile(
        r"^(?!(?:19|20)[0-9]{2}\b)([0-9]{1,4})"
        r"(?:[:)]\s+|\.\s+(?!\w{3,9}\.?\s+(?:19|20)[0-9]{2}\b)"  # not 18. May 2024
        rf"|\s*(?:[|{_DASHES}]|-(?=\s))\s*(?![0-9\s]))"
    ),
)


def parse_feed(body: bytes, headers: Mapping[str, str] | None = None) -> FeedDocument:
    """Read RSS or Atom; `headers` are the answer's, with lower-case names.

    Broken XML that still yields items is read, with a warning. Raises FeedError for anything else.
    """
    document = _feedparser(body, headers or {})
    # As plain dicts: feedparser's own answer a question for `updated` with `published` and a warning.
    show: dict[str, Any] = dict(document["feed"])
    entries: list[dict[str, Any]] = [dict(entry) for entry in document["entries"]]
    trouble = _xml_trouble(document, body)
    if trouble and _is_cut_short(body):
        entries = entries[:-1]
    hosts = _people(show)
    items = tuple(_item(entry, hosts) for entry in entries if _says_something(entry))
    if not document.get("version"):
        raise _not_a_feed(body)
    if trouble and not items:
        raise FeedError(
            f"the feed's XML is broken: {trouble}, and no episode can be read from it",
            "tell the show's host; a feed validator shows the place",
        )
    return FeedDocument(
        title=_plain(show.get("title")),
        language=_language(show.get("language")),
        items=items,
        warning=trouble,
    )


def _feedparser(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    if not body.strip():
        raise FeedError("the feed is empty: the server sent no text", "check the feed's url")
    # Only the type is passed on, for its charset: a Content-Location would rewrite relative guids.
    known = {"content-type": headers["content-type"]} if "content-type" in headers else {}
    try:
        # BytesIO, as feedparser takes bytes and text for the name of a file to open.
        return _parser().parse(
            BytesIO(body), response_headers=known, resolve_relative_uris=False, sanitize_html=False
        )
    except Exception as error:  # noqa: BLE001 - it lets re.error, ValueError and others through
        raise FeedError(f"the feed can't be read: {type(error).__name__}: {error}") from None


@cache
def _parser() -> Any:
    """feedparser, taught to collect the people of the podcast namespace: it keeps only the last."""
    # 80 ms, so only when there is something to read
    import feedparser  # pyright: ignore[reportMissingTypeStubs]
    from feedparser.mixin import _FeedParserMixin as mixin  # pyright: ignore

    def begin(parser: Any, _: object) -> None:
        parser.push("podcast_person", 1)

    def end(parser: Any) -> None:
        parser._get_context().setdefault(_PEOPLE, []).append(parser.pop("podcast_person"))

    handlers = cast(Any, mixin)
    handlers.namespaces.update(dict.fromkeys(_PODCAST, "podcast"))
    handlers._start_podcast_person, handlers._end_podcast_person = begin, end
    return feedparser


def _xml_trouble(document: dict[str, Any], body: bytes) -> str | None:
    """What the XML parser complained of; a wrong or missing charset was mended and is no trouble."""
    error = document.get("bozo_exception") if document.get("bozo") else None
    if error is None or type(error).__name__ in ("CharacterEncodingOverride", "NonXMLContentType"):
        return None
    if not hasattr(error, "getLineNumber"):
        return _plain(str(error)) or type(error).__name__
    # A document that does not begin with a declaration was given one, on a line of its own.
    line = error.getLineNumber() - (not body.removeprefix(b"\xef\xbb\xbf").startswith(b"<?xml"))
    return f"{error.getMessage()} in line {line}, column {error.getColumnNumber()}"


def _is_cut_short(body: bytes) -> bool:
    """Whether the text ends within an item, whose last words may then be half words."""
    closed = max(body.rfind(b"</item>"), body.rfind(b"</entry>"))
    return max(body.rfind(b"<item"), body.rfind(b"<entry")) > closed


def _not_a_feed(body: bytes) -> FeedError:
    head = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:2000].lower()
    link = "look on the show's site for its RSS link, and use that"
    if b"<html" in head or head.startswith((b"<!doctype html", b"<head", b"<body")):
        return FeedError("this is a web page, not a feed", link)
    if head.startswith((b"{", b"[")):
        return FeedError("this is JSON, not a feed", f"JSON feeds are not read; {link}")
    if head.startswith(b"<"):
        return FeedError("this is XML, but not an RSS or Atom feed", link)
    if b"\x00" in head:
        return FeedError("this is binary data, not a feed", "is it the address of an audio file? " + link)
    return FeedError("this is plain text, not a feed", link)


def _says_something(entry: dict[str, Any]) -> bool:
    return any(entry.get(key) for key in ("title", "id", "links", "itunes_title"))


def _item(entry: dict[str, Any], hosts: tuple[str, ...]) -> FeedItem:
    title = _plain(entry.get("title")) or _plain(entry.get("itunes_title")) or UNTITLED
    said_season, said_number = _count(entry.get("itunes_season")), _count(entry.get("itunes_episode"))
    season, number = (None, None) if _is_extra(entry) else numbers_in(title)
    link = str(entry.get("link") or "").strip()
    return FeedItem(
        title=title,
        guid=str(entry.get("id") or "").strip() or None,
        number=said_number or number,
        season=said_season or season,
        published=_time(entry),
        duration_s=_seconds(entry.get("itunes_duration")),
        link=link if split_web_url(link) else None,
        enclosure=_enclosure(entry),
        # An item's own people stand in place of the show's: the podcast namespace's rule.
        people=_people(entry) or hosts,
        mentions=mentions(_notes(entry)),
    )


def _people(part: dict[str, Any]) -> tuple[str, ...]:
    names = [_plain(name)[:100] for name in part.get(_PEOPLE) or ()]
    return tuple(dict.fromkeys(name for name in names if name))[:_MOST_PEOPLE]


def _notes(entry: dict[str, Any]) -> str:
    """An item's description as plain text, its beginning: it may be a book."""
    content: list[dict[str, Any]] = entry.get("content") or []
    text = max((str(each.get("value") or "") for each in content), key=len, default="")
    text = (text or str(entry.get("summary") or ""))[:_LONGEST_NOTES]
    return html.unescape(_TAG.sub(" ", text))


def _plain(text: object) -> str:
    """One line of plain text: no markup, entities, control or direction-changing characters."""
    line = html.unescape(_MARKUP.sub(" ", str(text or "")))
    line = re.sub(r"&([A-Za-z]\w*);", r"&\1", line)  # what the lenient parser makes of `AT&T`
    line = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in line if _is_text(c))
    return " ".join(line.split())[:_LONGEST_TITLE]


def _is_text(character: str) -> bool:
    return character not in _BIDI and unicodedata.category(character) != "Cs"


def _is_extra(entry: dict[str, Any]) -> bool:
    """Bonus episodes and trailers: a number in their title is that of another episode."""
    return str(entry.get("itunes_episodetype") or "").strip().lower() in ("bonus", "trailer")


def numbers_in(title: str) -> tuple[int | None, int | None]:
    """Season and number, where the title says them plainly."""
    if both := _SEASON_EPISODE.search(title):
        return _count(both[1]), _count(both[2])
    for form in _NUMBERS:
        if found := form.search(title):
            return None, _count(found[1])
    return None, None


def _count(value: object) -> int | None:
    text = str(value or "").strip()
    return (int(text) or None) if re.fullmatch(r"[0-9]{1,6}", text) else None


def _time(entry: dict[str, Any]) -> float | None:
    """When it was published, POSIX seconds; a date without a zone is taken for UTC."""
    text = str(entry.get("published") or entry.get("updated") or "").strip()
    when = _exact_time(text)
    if when is None and not re.match(r"[0-9]{4}", text):  # of ISO dates feedparser makes others: 13th months
        parsed = entry.get("published_parsed") or entry.get("updated_parsed")
        when = float(timegm(parsed)) if parsed else None
    return when if when is not None and 0 < when < 4e9 else None


def _exact_time(text: str) -> float | None:
    for parse in (email.utils.parsedate_to_datetime, datetime.fromisoformat, _plain_english):
        try:
            when = parse(text)
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _plain_english(text: str) -> datetime:
    """`April 9, 2021`, which a real feed began to write for all its episodes one day."""
    return datetime.strptime(f"{text} +0000", "%B %d, %Y %z")


def _seconds(value: object) -> float | None:
    """A duration: seconds, mm:ss or h:mm:ss; None for anything else."""
    text = str(value or "").strip()
    if not re.fullmatch(r"(?:[0-9]{1,4}:){0,2}[0-9]{1,7}(?:\.[0-9]{1,6})?", text):
        return None
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total if 0 < total <= _LONGEST_S else None


def _language(value: object) -> str | None:
    tag = str(value or "").strip().replace("_", "-").lower()
    return tag if re.fullmatch(r"[a-z]{2,3}(?:-[a-z0-9]{1,8})*", tag) else None


def _enclosure(entry: dict[str, Any]) -> Enclosure | None:
    """The first audio, else what is named like audio, else the first video; never a playlist."""
    links = cast(list[dict[str, Any]], entry.get("links") or [])
    offers = [offer for link in links if link.get("rel") == "enclosure" and (offer := _offer(link))]
    ranks = [(_rank(offer), place) for place, offer in enumerate(offers)]
    best = min(ranks, default=(9, 0))
    return offers[best[1]] if best[0] < 9 else None


def _offer(link: dict[str, Any]) -> Enclosure | None:
    url = str(link.get("href") or "").strip()
    if not split_web_url(url):
        return None
    kind = _plain(link.get("type")).partition(";")[0].strip().lower()
    length = _count_bytes(link.get("length"))
    return Enclosure(url=url, type=kind, length=length)


def _count_bytes(value: object) -> int | None:
    text = str(value or "").strip()
    size = int(text) if re.fullmatch(r"[0-9]{1,15}", text) else 0
    return size if size >= _LEAST_BYTES else None


def _rank(offer: Enclosure) -> int:
    parts = split_web_url(offer.url)
    suffix = PurePosixPath(parts.path if parts else "").suffix.lower()
    if suffix in _PLAYLISTS or _PLAYLIST_TYPES.search(offer.type):
        return 9
    if offer.type.startswith("audio/"):
        return 0
    if suffix in _AUDIO:
        return 1
    return 2 if offer.type.startswith("video/") else 9
