from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import FeedError
from pipeline.feeds import parse_feed
from pipeline.model import FeedDocument, FeedItem

FEEDS = Path(__file__).parent / "feeds"


def read(name: str) -> FeedDocument:
    return parse_feed((FEEDS / name).read_bytes())


def one(inner: str) -> FeedItem:
    """The item of a feed that has only this."""
    text = (
        '<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd">'
        f"<channel><title>T</title><item><guid>g</guid>{inner}</item></channel></rss>"
    )
    document = parse_feed(text.encode())
    assert document.warning is None
    return document.items[0]


def test_a_feed_says_all_that_is_known_of_an_episode() -> None:
    document = read("show.xml")
    assert (document.title, document.language, document.warning) == ("The Ferry Hour", "en-gb", None)
    newest = document.items[0]
    assert newest.title == "3. What the harbour master said & did"
    assert (newest.guid, newest.link) == ("ferry-3", "https://ferry.example/3")
    assert (newest.number, newest.season, newest.duration_s) == (3, None, 3723.0)
    assert newest.published == 1772776800.0
    assert newest.enclosure is not None
    assert newest.enclosure.url == "https://op3.example/e/cdn.ferry.example/3.mp3?token=a"
    assert (newest.enclosure.type, newest.enclosure.length) == ("audio/mpeg", 52428800)


def test_audio_is_preferred_and_playlists_are_never_taken() -> None:
    _, crossing, untitled, trailer = read("show.xml").items
    assert crossing.enclosure is not None
    assert crossing.enclosure.url == "https://cdn.ferry.example/2.m4a"
    assert (crossing.enclosure.type, crossing.enclosure.length) == ("audio/x-m4a", None)
    assert untitled.enclosure is None
    assert trailer.enclosure is not None
    assert (trailer.enclosure.url, trailer.enclosure.length) == ("https://cdn.ferry.example/t.mp4", None)


def test_audio_by_its_name_comes_before_video() -> None:
    item = one(
        '<enclosure url="https://x.example/a.mp4" type="video/mp4"/>'
        '<enclosure url="https://x.example/a.mp3?x=1" type="application/octet-stream"/>'
    )
    assert item.enclosure is not None
    assert item.enclosure.url == "https://x.example/a.mp3?x=1"


def test_what_makes_no_sense_is_left_out() -> None:
    _, crossing, untitled, trailer = read("show.xml").items
    assert crossing.link is None
    assert (crossing.season, crossing.number, crossing.duration_s) == (1, 2, 3570.0)
    assert crossing.published == 1772175600.0
    assert untitled.title == "Untitled"
    assert untitled.published is None
    assert untitled.duration_s is None
    assert (trailer.number, trailer.duration_s) == (None, 95.0)


def test_atom_is_read_too() -> None:
    document = read("atom.xml")
    assert document.language == "de"
    (item,) = document.items
    assert (item.guid, item.number, item.published) == ("urn:hafen:12", 12, 1769936400.0)
    assert item.enclosure is not None
    assert item.enclosure.url == "https://hafen.example/12.opus"


def test_broken_xml_is_read_as_far_as_it_goes() -> None:
    document = read("broken.xml")
    assert document.warning is not None
    assert "line 4" in document.warning
    (item,) = document.items  # the second one was cut short, so its guid can't be trusted
    assert (item.guid, item.title) == ("salt-2", "Buoys & bells, with AT&T")
    assert item.enclosure is not None
    assert item.enclosure.url == "https://salt.example/2.mp3?a=1&b=2"


def test_broken_xml_without_items_is_an_error_that_names_the_place() -> None:
    with pytest.raises(FeedError, match="line 2, column"):
        parse_feed(b'<rss version="2.0"><channel>\n<title>A & B</title></channel></rss>')


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<!DOCTYPE html><html><body><p>Hello</body></html>", "a web page"),
        (b"\n<html lang='en'><head></head></html>", "a web page"),
        (b'{"version": "https://jsonfeed.org/version/1.1"}', "JSON"),
        (b"<?xml version='1.0'?><opml><body/></opml>", "XML, but not"),
        (b"ID3\x04\x00\x00\x00", "binary data"),
        (b"Too many requests", "plain text"),
    ],
)
def test_what_is_not_a_feed_is_called_what_it_is(body: bytes, what: str) -> None:
    with pytest.raises(FeedError) as caught:
        parse_feed(body)
    assert what in caught.value.message
    assert caught.value.hint


def test_a_feed_without_episodes_is_a_feed() -> None:
    assert parse_feed(b'<rss version="2.0"><channel><title>Soon</title></channel></rss>').items == ()


def test_the_name_of_a_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_bytes((FEEDS / "show.xml").read_bytes())
    with pytest.raises(FeedError, match="plain text"):
        parse_feed(str(path).encode())


def test_the_charset_of_the_answer_counts() -> None:
    text = '<rss version="2.0"><channel><title>Fähre</title></channel></rss>'
    document = parse_feed(text.encode("latin-1"), {"content-type": "text/xml; charset=iso-8859-1"})
    assert (document.title, document.warning) == ("Fähre", None)


def test_a_content_location_leaves_guids_alone() -> None:
    body = b'<rss version="2.0"><channel><item><guid>55</guid></item></channel></rss>'
    document = parse_feed(body, {"content-location": "https://x.example/feed/", "content-type": "text/xml"})
    assert document.items[0].guid == "55"


@pytest.mark.parametrize(
    ("title", "number", "season"),
    [
        ("55. How do you test this?", 55, None),
        ("007: A cat", 7, None),
        ("561: NUMMI 2015", 561, None),
        ("199- The Yin and Yang", 199, None),
        ("234 - The Boy", 234, None),
        ("32 \u2013 Boats", 32, None),
        ("Episode 12: Rope", 12, None),
        ("The Ferry Hour Episode 12: Rope", 12, None),
        ("Ep 12 - Rope", 12, None),
        ("Ep. #12", 12, None),
        ("Folge 9: Tau", 9, None),
        ("#12", 12, None),
        ("#12 Rope", 12, None),
        ("The Ferry Hour #12: Rope", 12, None),
        ("It's probably an inside job [EP 100!]", 100, None),
        ("S2E5", 5, 2),
        ("S02 E05: Rope", 5, 2),
        ("Rope (Season 2, Episode 5)", 5, 2),
        ("2024: the year in boats", None, None),
        ("18. May 2024", None, None),
        ("02.03.2022 \u2013 News", None, None),
        ("12 angry sailors", None, None),
        ("99% Invisible", None, None),
        ("10 - 15 knots", None, None),
        ("5.1 surround sound", None, None),
        ("We're #1 in boats", None, None),
        ("Apple's 5 E3 moments", None, None),
        ("Episode 4.5", None, None),
        ("Rope", None, None),
    ],
)
def test_numbers_in_titles(title: str, number: int | None, season: int | None) -> None:
    item = one(f"<title>{title}</title>")
    assert (item.number, item.season) == (number, season)


def test_the_feeds_own_number_comes_before_the_titles() -> None:
    item = one("<title>55. Rope</title><itunes:episode>56</itunes:episode><itunes:season>x</itunes:season>")
    assert (item.number, item.season) == (56, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3600", 3600.0),
        ("3600.5", 3600.5),
        ("61:01", 3661.0),
        ("01:01:01", 3661.0),
        ("0", None),
        ("00:00:00", None),
        ("-5", None),
        ("1h 2m", None),
        ("1:2:3:4", None),
        ("3600000000", None),
        ("\u0663\u0660", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert one(f"<itunes:duration>{text}</itunes:duration>").duration_s == seconds


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("Thu, 01 Jan 2026 00:00:00 GMT", 1767225600.0),
        ("Thu, 01 Jan 2026 00:00:00 EST", 1767243600.0),
        ("2026-01-01T00:00:00+01:00", 1767222000.0),
        ("2026-01-01", 1767225600.0),
        ("January 1, 2026", 1767225600.0),
        ("2026-13-45", None),
        ("Thu, 32 Jan 2026 00:00:00 GMT", None),
        ("gestern", None),
        ("", None),
    ],
)
def test_dates(text: str, published: float | None) -> None:
    assert one(f"<pubDate>{text}</pubDate>").published == published


def test_titles_are_one_line_of_plain_text() -> None:
    item = one("<title>\n Rope\t&amp; \u202eknots &lt;b&gt;now&lt;/b&gt; \x7f31m if a &lt; b\n</title>")
    assert item.title == "Rope & knots now 31m if a < b"


def test_feedparser_is_loaded_only_when_a_feed_is_read() -> None:
    check = "import sys, pipeline.feeds; sys.exit('feedparser' in sys.modules)"
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", check], cwd=root, check=False).returncode == 0


PEOPLE = b"""<rss version="2.0" xmlns:p="https://podcastindex.org/namespace/1.0"><channel><title>Show</title>
<p:person role="host">Ada Host</p:person><p:person>Bob &amp; Host</p:person>
<item><title>1. One</title><guid>one</guid>
<description>&lt;p&gt;With &lt;b&gt;Cy Guest&lt;/b&gt; of ACME.&lt;/p&gt;</description>
<p:person role="guest" href="https://example.com/cy">Cy Guest</p:person><p:person>Ada Host</p:person></item>
<item><title>2. Two</title><guid>two</guid></item></channel></rss>"""


def test_people_are_the_items_own_or_the_shows() -> None:
    one, two = parse_feed(PEOPLE).items
    assert one.people == ("Cy Guest", "Ada Host")
    assert two.people == ("Ada Host", "Bob & Host")


def test_an_element_called_people_is_nobody() -> None:
    body = PEOPLE.replace(b"<title>Show</title>", b"<title>Show</title><people>Ada</people>")
    assert parse_feed(body).items[1].people == ("Ada Host", "Bob & Host")


def test_names_in_the_notes_are_kept() -> None:
    one, two = parse_feed(PEOPLE).items
    assert one.mentions == ("Cy Guest", "ACME")
    assert two.mentions == ()
