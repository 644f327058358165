from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from pipeline import adding
from pipeline.adding import AudioFile
from pipeline.config import Feed
from pipeline.errors import ConfigError, Conflict, FeedError
from pipeline.model import FeedItem, FeedState, State, Step
from pipeline.polling import FeedResult, poll
from pipeline.ports import ArtifactStore, Fetched, Ledger
from pipeline.states import failed
from tests.builders import NOW, FakeClock, an_enclosure, an_item
from tests.faulty import Crash, Outage, failing
from tests.scenes import now

SHOW = Feed(name="show", url="https://show.example/rss", backfill="all")


def rss(*items: FeedItem) -> bytes:
    """A feed's document as a host would serve it."""
    parts = [
        f"<item><title>{escape(item.title)}</title>"
        + (f"<guid>{item.guid}</guid>" if item.guid else "")
        + (f"<pubDate>{formatdate(item.published, usegmt=True)}</pubDate>" if item.published else "")
        + (f'<enclosure url="{item.enclosure.url}" type="audio/mpeg"/>' if item.enclosure else "")
        + "</item>"
        for item in items
    ]
    head = "<title>The Show</title><language>en</language>"
    return f'<rss version="2.0"><channel>{head}{"".join(parts)}</channel></rss>'.encode()


class Host:
    """A show's server: says 304 to whoever has its latest document."""

    def __init__(self, *items: FeedItem) -> None:
        self.asked: list[FeedState] = []
        self.publish(*items)

    def publish(self, *items: FeedItem) -> None:
        self.body = rss(*items)
        self.etag = f'"{len(self.body)}"'

    def __call__(self, state: FeedState) -> Fetched:
        self.asked.append(state)
        if state.etag == self.etag:
            return Fetched(status=304, url=state.url)
        headers = {"etag": self.etag, "last-modified": "Sat, 06 Jun 2026 00:00:00 GMT"}
        return Fetched(status=200, url=state.url, body=self.body, headers=headers)


def result(**fields: object) -> FeedResult:
    facts: dict[str, object] = {"name": "show", "url": SHOW.url, "http_status": 200, **fields}
    return FeedResult(**facts)  # pyright: ignore[reportArgumentType]


def states(ledger: Ledger) -> dict[str, State]:
    return {episode.guid or episode.title: episode.state for episode in ledger.episodes()}


def test_the_first_poll_finds_all_the_second_what_is_new(ledger: Ledger, clock: FakeClock) -> None:
    host = Host(an_item("g2"), an_item("g1"))
    assert poll([SHOW], host, ledger, clock) == [result(new=2, queued=2)]
    assert [episode.guid for episode in ledger.outbox()] == ["g1", "g2"]
    host.publish(an_item("g3"), an_item("g2"), an_item("g1"))
    assert poll([SHOW], host, ledger, clock) == [result(new=1, queued=1)]
    assert states(ledger) == dict.fromkeys(["g1", "g2", "g3"], State.QUEUED)


def test_an_unchanged_feed_costs_one_question(ledger: Ledger, clock: FakeClock) -> None:
    host = Host(an_item("g1"))
    poll([SHOW], host, ledger, clock)
    clock.go_on(600)
    assert poll([SHOW], host, ledger, clock) == [result(http_status=304)]
    state = ledger.feed("show")
    assert (state.polled_at, state.changed_at, state.http_status) == (NOW + 600, NOW, 304)
    assert host.asked[-1].last_modified == "Sat, 06 Jun 2026 00:00:00 GMT"
    assert len(ledger.events(ledger.episodes()[0].id)) == 2


def test_the_same_document_again_queues_nothing_twice(ledger: Ledger, clock: FakeClock) -> None:
    host = Host(an_item("g1"), an_item("g1", title="Twice"))
    poll([SHOW], host, ledger, clock)
    host.etag = '"other"'
    clock.go_on(600)
    assert poll([SHOW], host, ledger, clock) == [result()]
    assert len(ledger.outbox()) == len(ledger.episodes()) == 1
    assert ledger.feed("show").changed_at == NOW


def test_what_the_feed_said_of_itself_is_kept(ledger: Ledger, clock: FakeClock) -> None:
    poll([SHOW], Host(), ledger, clock)
    state = ledger.feed("show")
    assert (state.title, state.language, state.url) == ("The Show", "en", SHOW.url)
    assert (state.error, state.http_status, state.changed_at) == (None, 200, NOW)


def test_an_empty_feed_has_been_read(ledger: Ledger, clock: FakeClock) -> None:
    host = Host()
    poll([SHOW], host, ledger, clock)
    host.publish(an_item("g1"))
    latest = Feed(name="show", url=SHOW.url, backfill=0)
    assert poll([latest], host, ledger, clock) == [result(new=1, queued=1)]


def test_too_many_at_once_are_held(ledger: Ledger, clock: FakeClock) -> None:
    host = Host(an_item("g1"))
    poll([SHOW], host, ledger, clock)
    host.publish(*(an_item(f"g{n}", title=f"New {n}") for n in range(2, 7)), an_item("g1"))
    assert poll([SHOW], host, ledger, clock) == [result(new=5, held=5)]
    assert ledger.counts() == {State.QUEUED: 1, State.HELD: 5}
    assert poll([SHOW], host, ledger, clock) == [result(http_status=304)]


def test_audio_that_comes_later(ledger: Ledger, clock: FakeClock) -> None:
    host = Host(an_item("g1", enclosure=None))
    assert poll([SHOW], host, ledger, clock) == [result(new=1)]
    episode = ledger.episodes()[0]
    assert (episode.state, episode.step) == (State.FAILED, Step.POLL)
    host.publish(an_item("g1"))
    assert poll([SHOW], host, ledger, clock) == [result(updated=1, queued=1)]
    assert states(ledger) == {"g1": State.QUEUED}
    assert len(ledger.outbox()) == 1


def test_what_failed_for_its_audio_is_queued_when_the_feed_has_other_audio(
    ledger: Ledger, clock: FakeClock
) -> None:
    host = Host(an_item("g1"))
    poll([SHOW], host, ledger, clock)
    ledger.record([failed(now(ledger, ledger.episodes()[0].id), Step.DOWNLOAD, "404", clock())])
    host.publish(an_item("g1", title="Another title"))
    assert poll([SHOW], host, ledger, clock) == [result(updated=1)]
    host.publish(an_item("g1", title="Another title", enclosure=an_enclosure("mended")))
    assert poll([SHOW], host, ledger, clock) == [result(updated=1, queued=1)]


def test_an_address_that_is_used_again_is_another_episode(ledger: Ledger, clock: FakeClock) -> None:
    host = Host(an_item("g1", enclosure=an_enclosure("latest")))
    poll([SHOW], host, ledger, clock)
    host.publish(an_item("g2", title="Another one", enclosure=an_enclosure("latest")))
    assert poll([SHOW], host, ledger, clock) == [result(new=1, queued=1)]
    assert set(states(ledger)) == {"g1", "g2"}


def test_what_the_feed_has_already_is_not_added_again(
    ledger: Ledger, artifacts: ArtifactStore, clock: FakeClock, tmp_path: Path
) -> None:
    poll([SHOW], Host(an_item("g1")), ledger, clock)
    audio = tmp_path / "final mix.mp3"
    audio.write_bytes(b"audio")
    with pytest.raises(ConfigError, match="is known already"):
        adding.add(AudioFile(audio, artifacts), SHOW, FeedItem(title="episode G1"), ledger, clock)
    assert len(ledger.episodes()) == 1


def test_an_episode_added_before_is_matched_not_queued_again(
    ledger: Ledger, artifacts: ArtifactStore, clock: FakeClock, tmp_path: Path
) -> None:
    audio = tmp_path / "final mix.mp3"
    audio.write_bytes(b"audio")
    episode, new = adding.add(AudioFile(audio, artifacts), SHOW, FeedItem(title="The Guest"), ledger, clock)
    assert new
    assert adding.add(AudioFile(audio, artifacts), SHOW, FeedItem(title="The Guest"), ledger, clock) == (
        episode,
        False,
    )
    host = Host(an_item("g2", title="The  guest"), an_item("g1"))
    assert poll([SHOW], host, ledger, clock) == [result(new=1, updated=1, queued=1)]
    assert len(ledger.outbox()) == len(ledger.episodes()) == 2
    assert (now(ledger, episode.id).guid, now(ledger, episode.id).title) == (
        "g2",
        "The  guest".replace("  ", " "),
    )
    host.etag = '"other"'
    assert poll([SHOW], host, ledger, clock) == [result()]


def test_a_feed_that_fails_is_recorded_and_the_rest_goes_on(ledger: Ledger, clock: FakeClock) -> None:
    good = Host(an_item("g1"))

    def fetch(state: FeedState) -> Fetched:
        match state.name:
            case "gone":
                raise FeedError("the server said 404", "is the url right?")
            case "page":
                return Fetched(status=200, url=state.url, body=b"<html></html>", headers={"etag": '"page"'})
            case _:
                return good(state)

    feeds = [Feed(name=name, url=f"https://{name}.example/rss") for name in ("gone", "page", "show")]
    told: list[FeedResult] = []
    results = poll(feeds, fetch, ledger, clock, told.append)
    assert told == results
    assert [each.error is None for each in results] == [False, False, True]
    assert results[0].error == "the server said 404 (is the url right?)"
    assert (results[1].http_status, results[2].new) == (200, 1)
    assert ledger.feed("gone").error == results[0].error
    assert (ledger.feed("page").error, ledger.feed("page").etag) == (results[1].error, None)


def test_a_failure_keeps_the_validators_and_ends_with_the_next_answer(
    ledger: Ledger, clock: FakeClock
) -> None:
    host = Host(an_item("g1"))
    poll([SHOW], host, ledger, clock)

    def down(state: FeedState) -> Fetched:
        raise FeedError("no answer")

    assert poll([SHOW], down, ledger, clock)[0].error == "no answer"
    assert (ledger.feed("show").error, ledger.feed("show").etag) == ("no answer", host.etag)
    assert poll([SHOW], host, ledger, clock) == [result(http_status=304)]
    assert ledger.feed("show").error is None


def test_another_address_is_asked_without_the_old_one_s_validators(ledger: Ledger, clock: FakeClock) -> None:
    host = Host(an_item("g1"))
    poll([SHOW], host, ledger, clock)
    moved = Feed(name="show", url="https://new.example/rss", backfill="all")
    (polled,) = poll([moved], host, ledger, clock)
    assert (polled.http_status, polled.new) == (200, 0)
    assert (host.asked[-1].url, host.asked[-1].etag, host.asked[-1].last_modified) == (moved.url, None, None)


def test_an_item_with_a_title_alone_stops_no_later_poll(ledger: Ledger, clock: FakeClock) -> None:
    bare = FeedItem(title="About this feed")
    host = Host(bare, bare)
    poll([SHOW], host, ledger, clock)
    host.publish(an_item("g1"), bare, bare)
    assert poll([SHOW], host, ledger, clock) == [result(new=1, queued=1)]


@pytest.mark.parametrize("call", range(4))
def test_a_poll_that_was_cut_off_happened_or_did_not(ledger: Ledger, clock: FakeClock, call: int) -> None:
    host = Host(an_item("g2"), an_item("g1"))
    outage = Outage(call)
    with pytest.raises(Crash):
        poll([SHOW], host, outage.guard(ledger), clock)
    assert (ledger.episodes(), ledger.feed("show").etag) == ([], None)
    poll([SHOW], host, ledger, clock)
    assert [episode.guid for episode in ledger.outbox()] == ["g1", "g2"]


def test_somebody_who_writes_meanwhile_is_read_again(ledger: Ledger, clock: FakeClock) -> None:
    host = Host(an_item("g1"))
    conflict = Conflict("changed by somebody else meanwhile")
    assert poll([SHOW], host, failing(ledger, "record", conflict, times=2), clock) == [
        result(new=1, queued=1)
    ]


def test_a_feed_that_somebody_else_writes_all_the_time_is_left_for_the_next_poll(
    ledger: Ledger, clock: FakeClock
) -> None:
    feeds = [SHOW, Feed(name="else", url="https://else.example/rss")]
    busy = failing(ledger, "record", Conflict("changed by somebody else meanwhile"), times=3)
    first, second = poll(feeds, Host(an_item("g1")), busy, clock)
    assert first.error == "changed by somebody else meanwhile"
    assert (second.error, second.queued) == (None, 1)
    assert poll([SHOW], Host(an_item("g1")), ledger, clock) == [result(new=1, queued=1)]
