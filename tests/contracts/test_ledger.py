"""What every ledger promises of its records: see `ports.Ledger`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline import states
from pipeline.errors import Conflict
from pipeline.model import Alias, Episode, FeedState, State, Step
from pipeline.ports import Ledger
from tests.builders import NOW, a_change, a_claim, a_failure, a_review, an_episode
from tests.scenes import after, queued


def test_an_episode_is_read_back_whole(ledger: Ledger) -> None:
    episode = an_episode(
        title="Grüße, 日本 \U0001f399",
        state=State.TRANSCRIBED,
        number=7,
        season=2,
        published=NOW - 0.125,
        duration_s=61.5,
        link="https://show.example/7",
        language="de",
        step=Step.REVIEW,
        attempts=2,
        reason="because",
        failure=a_failure(),
        claim=a_claim(),
        review=a_review(url="u", opened_at=NOW),
        artifacts={"audio": "show/show-1/audio"},
    )
    ledger.record([a_change(episode)])
    assert ledger.get("show-1") == episode


def test_what_is_not_there(ledger: Ledger) -> None:
    assert ledger.get("show-9") is None
    assert ledger.episodes() == ledger.outbox() == ledger.events("show-9") == []
    assert ledger.known("show", [Alias("guid", "g")]) == ledger.known("show", []) == {}
    assert ledger.counts() == {}
    assert ledger.feed("show") == FeedState(name="show")


@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_version_that_does_not_follow_is_refused_whole(ledger: Ledger, version: int) -> None:
    there = queued(ledger)  # version 2
    ledger.sent(there)
    other = replace(there, version=version, title="Other", state=State.FAILED)
    change = a_change(other, aliases=(Alias("guid", "other"),), enqueue=True, detail="no")
    with pytest.raises(Conflict):
        ledger.record([change], FeedState(name="show", etag="new"))
    assert ledger.get("show-1") == there
    assert [event.version for event in ledger.events("show-1")] == [1, 2]
    assert ledger.known("show", [Alias("guid", "other")]) == {}
    assert ledger.outbox() == []
    assert ledger.feed("show").etag is None


def test_an_episode_that_is_not_there_can_not_change(ledger: Ledger) -> None:
    with pytest.raises(Conflict):
        ledger.record([a_change(an_episode(version=2))])
    assert ledger.get("show-1") is None


def test_an_alias_of_another_episode_is_refused_whole(ledger: Ledger) -> None:
    taken, free = Alias("guid", "taken"), Alias("guid", "free")
    ledger.record([a_change(an_episode("show-1"), aliases=(taken,))])
    change = a_change(an_episode("show-2"), aliases=(free, taken), enqueue=True)
    with pytest.raises(Conflict):
        ledger.record([change], FeedState(name="show", etag="new"))
    assert ledger.get("show-2") is None
    assert ledger.events("show-2") == ledger.outbox() == []
    assert ledger.known("show", [taken, free]) == {taken: "show-1"}
    assert ledger.feed("show").etag is None


def test_an_alias_is_one_kind_s_one_feed_s_and_may_be_told_again(ledger: Ledger) -> None:
    guid, audio = Alias("guid", "x"), Alias("audio", "x")
    first = an_episode("show-1")
    ledger.record([a_change(first, aliases=(guid,))])
    ledger.record([replace(after(first), aliases=(guid,))])
    ledger.record([a_change(an_episode("show-2"), aliases=(audio,))])
    ledger.record([a_change(an_episode("else-1", feed="else"), aliases=(guid, audio))])
    assert ledger.known("show", [guid, audio]) == {guid: "show-1", audio: "show-2"}
    assert ledger.known("else", [guid, audio]) == {guid: "else-1", audio: "else-1"}


def test_aliases_of_a_large_feed_are_known_at_once(ledger: Ledger) -> None:
    aliases = [Alias("guid", f"https://show.example/?p={number}&x='") for number in range(2000)]
    ledger.record([a_change(aliases=tuple(aliases[::8]))])
    assert ledger.known("show", aliases) == dict.fromkeys(aliases[::8], "show-1")


def test_changes_and_feed_state_come_together(ledger: Ledger) -> None:
    state = FeedState(name="show", url="https://show.example/rss", etag='"1"', polled_at=NOW, http_status=200)
    first, second = an_episode("show-1"), an_episode("show-2")
    ledger.record([a_change(first), states.queued(first, NOW), a_change(second)], state)
    assert ledger.feed("show") == state
    assert ledger.counts() == {State.QUEUED: 1, State.DISCOVERED: 1}
    ledger.record([], replace(state, etag='"2"'))
    assert ledger.feed("show").etag == '"2"'
    assert ledger.feed("other") == FeedState(name="other")


def test_every_change_is_an_event(ledger: Ledger) -> None:
    episode = an_episode()
    ledger.record([a_change(episode, detail="found")])
    change = states.failed(episode, Step.POLL, "no audio", NOW + 5)
    ledger.record([change])
    first, second = ledger.events("show-1")
    assert (first.at, first.version, first.state, first.step) == (NOW, 1, State.DISCOVERED, None)
    assert (second.at, second.version, second.state) == (NOW + 5, 2, State.FAILED)
    assert (first.detail, second.detail, second.step) == ("found", "no audio", Step.POLL)


def test_the_newest_come_first(ledger: Ledger) -> None:
    times = {"a": NOW, "b": None, "c": NOW + 9, "d": NOW + 9}
    episodes = [an_episode(id, published=at, discovered_at=NOW + 5) for id, at in times.items()]
    ledger.record([a_change(episode) for episode in episodes])
    ids = [episode.id for episode in ledger.episodes()]
    assert ids[2:] == ["b", "a"]
    assert set(ids[:2]) == {"c", "d"}


def test_pages_and_filters(ledger: Ledger) -> None:
    episodes = [
        an_episode(
            f"e-{n:02}",
            feed="odd" if n % 2 else "even",
            state=State.SKIPPED if n % 3 else State.HELD,
            published=NOW + n // 4,  # four at a time
        )
        for n in range(30)
    ]
    ledger.record([a_change(episode) for episode in episodes])
    everything = ledger.episodes()
    paged: list[Episode] = []
    while page := ledger.episodes(limit=7, after=paged[-1] if paged else None):
        assert len(page) <= 7
        paged += page
    assert paged == everything
    assert len(everything) == 30
    picked = ledger.episodes(state=State.HELD, feed="odd")
    assert [e.id for e in picked] == [e.id for e in everything if e.state is State.HELD and e.feed == "odd"]
    assert ledger.episodes(state=State.HELD, feed="odd", limit=2, after=picked[1]) == picked[2:4]
    assert ledger.episodes(limit=0) == []


def test_a_page_goes_on_behind_an_episode_that_has_changed(ledger: Ledger) -> None:
    for n in range(4):
        queued(ledger, f"show-{n}", published=NOW + n)
    first, second, *_ = ledger.episodes(state=State.QUEUED)
    ledger.record([states.skipped(second, NOW, "by hand")])
    rest = ledger.episodes(state=State.QUEUED, after=second)
    assert [episode.id for episode in [first, *rest]] == ["show-3", "show-1", "show-0"]


def test_ids_by_their_beginning(ledger: Ledger) -> None:
    ids = ["show-1a", "show-1b", "show-2", "shop-1", "show-1"]
    ledger.record([a_change(an_episode(id)) for id in ids])
    found = ledger.starting_with("show-1", limit=10)
    assert {episode.id for episode in found} == {"show-1", "show-1a", "show-1b"}
    assert len(ledger.starting_with("show-1", limit=2)) == 2
    assert [ledger.starting_with(text, limit=9) for text in ("show_", "%", "x", "show-1aa")] == [[]] * 4


def test_several_are_read_together(ledger: Ledger) -> None:
    for number in range(3):
        ledger.record([a_change(an_episode(f"show-{number}"))])
    wanted = ["show-2", "show-9", "show-0"]
    assert [episode.id for episode in ledger.several(wanted)] == ["show-2", "show-0"]
    assert ledger.several([]) == []
