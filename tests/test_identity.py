from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity import (
    aliases_of,
    audio_alias,
    awaited_aliases,
    canonical_enclosure,
    distinct_aliases,
    episode_id,
    normal_title,
)
from pipeline.model import Alias, Enclosure, FeedItem
from pipeline.urls import may_connect, safe_url


def item(
    title: str = "Rope", guid: str | None = None, url: str | None = None, at: float | None = None
) -> FeedItem:
    return FeedItem(title=title, guid=guid, enclosure=Enclosure(url=url) if url else None, published=at)


def test_an_item_is_known_by_guid_audio_and_title_with_date() -> None:
    aliases = aliases_of(item("55. Rope & Knots!", "g-55", "https://cdn.example/55.mp3?t=1", 1767225600.0))
    assert aliases == (
        Alias("guid", "g-55"),
        Alias("enclosure", "cdn.example/55.mp3"),
        Alias("title", "55 rope knots|2026-01-01"),
    )


def test_a_title_without_a_date_is_no_name() -> None:
    assert aliases_of(item("Rope")) == ()


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://cdn.example/a/55.mp3", "cdn.example/a/55.mp3"),
        ("http://user:pass@CDN.Example:80/a/55.mp3?token=1#t=0", "cdn.example/a/55.mp3"),
        ("https://dts.podtrac.com/redirect.mp3/cdn.example/55.mp3", "cdn.example/55.mp3"),
        (
            "https://www.podtrac.com/pts/redirect.mp3/chrt.fm/track/8D/pdst.fm/e/media.blubrry.com/x/cdn.example/5.mp3",
            "cdn.example/5.mp3",
        ),
        ("https://op3.dev/e,pg=1/https://cdn.example/55.mp3", "cdn.example/55.mp3"),
        ("https://anchor.fm/s/1/podcast/play/9/https%3A%2F%2Fcdn.example%2F55.m4a", "cdn.example/55.m4a"),
        ("https://cdn.example/my.show.com", "cdn.example/my.show.com"),
        ("https://cdn.example/55.part.mp3/stream.mp3", "cdn.example/55.part.mp3/stream.mp3"),
        ("https://x.example/download.php?id=55", "x.example/download.php?id=55"),
        ("https://x.example/uc?id=55", "x.example/uc?id=55"),
        ("https://x.example/", "x.example"),
    ],
)
def test_trackers_and_tokens_are_taken_off(url: str, canonical: str) -> None:
    assert canonical_enclosure(url) == canonical


def test_a_long_name_becomes_a_short_one() -> None:
    (alias,) = aliases_of(item(guid="g" * 5000))
    assert len(alias.value) < 100
    assert alias != aliases_of(item(guid="g" * 5001))[0]


def test_a_name_that_all_items_share_identifies_none() -> None:
    named = distinct_aliases(
        [item("A", "same", "https://x.example/a.mp3"), item("B", "same", "https://x.example/b.mp3")]
    )
    assert named == [
        (Alias("enclosure", "x.example/a.mp3"),),
        (Alias("enclosure", "x.example/b.mp3"),),
    ]


def test_an_item_that_is_listed_twice_stays_one() -> None:
    first = item("A", "g", "https://x.example/a.mp3", 1767225600.0)
    again = item("A", "g", "https://x.example/a-fixed.mp3", 1767225600.0)
    named = distinct_aliases([first, again])
    assert Alias("guid", "g") in named[0]
    assert Alias("guid", "g") in named[1]


def test_the_firmest_name_makes_the_id() -> None:
    guid, enclosure, title = aliases_of(item("A", "g", "https://x.example/a.mp3", 1767225600.0))
    audio = audio_alias("AB" * 32)
    assert audio == Alias("audio", "ab" * 32)
    assert episode_id("ferry", [title, audio, enclosure, guid]) == episode_id("ferry", [guid])
    assert episode_id("ferry", [title, audio, enclosure]) == episode_id("ferry", [enclosure])
    assert episode_id("ferry", [title, audio]) == episode_id("ferry", [audio])
    assert re.fullmatch(r"ferry-[0-9a-f]{10}", episode_id("ferry", [guid]))
    assert episode_id("other", [guid])[-10:] != episode_id("ferry", [guid])[-10:]


def test_an_id_is_had_without_any_name() -> None:
    assert episode_id("ferry", (), "Rope") == episode_id("ferry", (), " ROPE! ")
    assert episode_id("ferry", (), "Rope") != episode_id("ferry", (), "Knots")


def test_an_id_never_changes() -> None:
    """Ids name artifacts, branches and pull requests of last year."""
    assert episode_id("ferry", [Alias("guid", "ferry-3")]) == "ferry-4e08266472"


def test_what_is_awaited_before_publication() -> None:
    assert awaited_aliases(FeedItem(title="55. Rope", number=55)) == (
        Alias("awaited", "number 55"),
        Alias("awaited", "title 55 rope"),
    )
    assert awaited_aliases(FeedItem(title="Untitled")) == ()


def test_titles_are_compared_by_their_letters() -> None:
    assert normal_title("  Stra\u00dfe \u2013 \u2018Caf\u00e9\u2019! ") == "strasse café"
    assert normal_title("cafe\u0301") == normal_title("CAF\u00c9")
    assert normal_title("???") == "???"


@given(st.text(max_size=60))
def test_any_title_and_guid_make_an_id(text: str) -> None:
    found = aliases_of(item(text, text, f"https://x.example/{text}", 1.0))
    assert re.fullmatch(r"f-[0-9a-f]{10}", episode_id("f", found, text))
    assert normal_title(normal_title(text)) == normal_title(text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@x.example/feed.xml?token=s#f", "https://x.example/feed.xml?…"),
        ("http://x.example:8080/feed", "http://x.example:8080/feed"),
        ("file:///etc/passwd", "an address that is not http or https"),
        ("https://[::1", "an address that is not http or https"),
        ("https://x.example/\x1b[31m", "an address that is not http or https"),
    ],
)
def test_urls_are_shown_without_their_secrets(url: str, shown: str) -> None:
    assert safe_url(url) == shown


PUBLIC = ["93.184.215.14", "2606:2800:21f::1", "::ffff:93.184.215.14"]
OWN = [
    "127.0.0.1",
    "::1",
    "10.1.2.3",
    "192.168.0.9",
    "fd12::1",
    "::ffff:10.0.0.1",
    "100.64.0.1",
    "64:ff9b::a00:1",
]
NEVER = [
    *("169.254.169.254", "fe80::1%eth0", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254"),
    *("224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"),
]


def test_which_addresses_may_be_connected_to() -> None:
    assert [a for a in [*PUBLIC, *OWN, *NEVER] if may_connect(a, private=False)] == PUBLIC
    assert [a for a in [*PUBLIC, *OWN, *NEVER] if may_connect(a, private=True)] == [*PUBLIC, *OWN]
