"""What a feed's items mean for the ledger, decided without either."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from pipeline.config import Feed
from pipeline.identity import aliases_of, awaited_aliases
from pipeline.model import Alias, Change, Episode, FeedItem, State, Step
from pipeline.polling import Known, plan
from tests.builders import NOW, a_document, an_enclosure, an_episode, an_item

S = State
NOTHING = Known(owners={}, episodes={}, first=True)


def the_feed(backfill: Literal["latest", "all"] | int = "latest") -> Feed:
    return Feed(name="show", url="https://show.example/rss", backfill=backfill)


def planned(*items: FeedItem, known: Known = NOTHING, feed: Feed | None = None) -> list[Change]:
    return plan(feed or the_feed(), a_document(*items), known, NOW)


def outcome(changes: list[Change]) -> dict[str, State]:
    """The state that each episode, by its guid or title, ends in."""
    return {change.episode.guid or change.episode.title: change.episode.state for change in changes}


def knowing(*changes: Change, also: tuple[Alias, ...] = ()) -> Known:
    """What the ledger knows after these changes, and by which other names."""
    episodes = {change.episode.id: change.episode for change in changes}
    owners = {alias: change.episode.id for change in changes for alias in change.aliases}
    owners |= {alias: id for alias in also for id in episodes}
    return Known(owners=owners, episodes=episodes, first=False)


def items(*numbers: int) -> list[FeedItem]:
    return [an_item(f"g{number}") for number in numbers]


@pytest.mark.parametrize(
    ("backfill", "wanted"),
    [("latest", {"g4"}), ("all", {"g1", "g2", "g3", "g4"}), (0, set[str]()), (2, {"g3", "g4"})],
)
def test_a_first_poll_queues_what_was_asked_for(
    backfill: Literal["latest", "all"] | int, wanted: set[str]
) -> None:
    changes = planned(*items(2, 4, 1, 3), feed=the_feed(backfill))
    assert outcome(changes) == {f"g{n}": S.QUEUED if f"g{n}" in wanted else S.SKIPPED for n in (1, 2, 3, 4)}
    assert {change.episode.guid for change in changes if change.enqueue} == wanted
    skipped = [change.episode.reason for change in changes if change.episode.state is S.SKIPPED]
    assert set(skipped) <= {f"older than asked for (backfill = {backfill})"}


def test_an_episode_is_discovered_before_anything_else_happens_to_it() -> None:
    discovered, queued = planned(an_item("g1", number=7, duration_s=60.0))
    assert (discovered.episode.state, discovered.episode.version) == (S.DISCOVERED, 1)
    assert (queued.episode.state, queued.episode.version) == (S.QUEUED, 2)
    assert discovered.aliases == aliases_of(an_item("g1", number=7, duration_s=60.0))
    episode = queued.episode
    assert (episode.number, episode.duration_s, episode.language) == (7, 60.0, "en")
    assert episode.id.startswith("show-")


def test_an_unchanged_item_changes_nothing() -> None:
    *_, queued = planned(an_item("g1"))
    assert planned(an_item("g1"), known=knowing(replace(queued, aliases=aliases_of(an_item("g1"))))) == []


def test_a_second_poll_queues_what_is_new() -> None:
    known = knowing(*planned(*items(1), feed=the_feed("all")))
    assert outcome(planned(*items(3, 2, 1), known=known)) == {"g2": S.QUEUED, "g3": S.QUEUED}


@pytest.mark.parametrize(("unknown", "state"), [(3, S.QUEUED), (4, S.HELD)])
def test_more_than_a_few_unknown_items_are_held(unknown: int, state: State) -> None:
    known = Known(owners={}, episodes={}, first=False)
    changes = planned(*items(*range(unknown)), known=known)
    assert set(outcome(changes).values()) == {state}
    if state is S.HELD:
        assert not any(change.enqueue for change in changes)
        assert "4 unknown items at once" in (changes[-1].episode.reason or "")


def test_of_a_large_feed_a_fiftieth_may_be_new() -> None:
    known = knowing(*planned(*items(*range(196)), feed=the_feed("all")))
    assert set(outcome(planned(*items(*range(200)), known=known)).values()) == {S.QUEUED}
    assert set(outcome(planned(*items(*range(201)), known=known)).values()) == {S.HELD}


def test_what_a_feed_corrects_is_corrected_in_place() -> None:
    first = planned(an_item("g1", title="Fist"))[0]
    corrected = an_item("g1", title="First", number=1, duration_s=61.0)
    (change,) = planned(corrected, known=knowing(first))
    assert (change.episode.id, change.episode.version) == (first.episode.id, 2)
    assert (change.episode.title, change.episode.number, change.episode.duration_s) == ("First", 1, 61.0)
    assert change.aliases == (aliases_of(corrected)[-1],)  # the title's; the others are known
    assert not change.enqueue


def test_what_was_measured_is_not_overwritten_by_the_feed_s_claim() -> None:
    first = planned(an_item("g1", duration_s=60.0))[0]
    done = replace(first.episode, duration_s=61.234, artifacts={"transcript": "t"})
    known = knowing(replace(first, episode=done))
    (change,) = planned(an_item("g1", duration_s=60.0, title="Other"), known=known)
    assert change.episode.duration_s == 61.234


def test_an_item_that_lost_a_field_keeps_it() -> None:
    first = planned(an_item("g1", number=7, season=2, link="https://show.example/7"))[0]
    assert planned(an_item("g1", published=None), known=knowing(first)) == []


def test_two_items_with_one_guid_are_one_episode() -> None:
    twice = [an_item("g1"), an_item("g1", title="Again")]
    assert outcome(planned(*twice, feed=the_feed("all"))) == {"g1": S.QUEUED}


def test_a_changed_guid_is_seen_through() -> None:
    first = planned(an_item("g1"))[0]
    renamed = replace(an_item("g1"), guid="https://new-host.example/g1")
    (change,) = planned(renamed, known=knowing(first))
    assert (change.episode.id, change.episode.guid) == (first.episode.id, renamed.guid)


def test_an_item_without_audio_fails_and_is_revived_when_it_has_some() -> None:
    silent = an_item("g1", enclosure=None)
    discovered, failed = planned(silent)
    assert failed.episode.failure
    assert (failed.episode.state, failed.episode.failure.step) == (S.FAILED, Step.POLL)
    known = knowing(replace(failed, aliases=discovered.aliases))
    assert planned(silent, known=known) == []
    updated, queued = planned(an_item("g1"), known=known)
    assert (updated.episode.version, queued.episode.version) == (3, 4)
    assert (queued.episode.state, queued.enqueue, queued.episode.failure) == (S.QUEUED, True, None)
    assert queued.episode.enclosure == an_enclosure("g1")


def test_another_failure_is_not_revived_by_the_feed() -> None:
    first = planned(an_item("g1"))[0]
    failed = replace(first.episode, state=S.FAILED, step=Step.DOWNLOAD)
    (change,) = planned(an_item("g1", title="Other"), known=knowing(replace(first, episode=failed)))
    assert change.episode.state is S.FAILED


def added(title: str = "Pre-published", number: int | None = None) -> tuple[Episode, tuple[Alias, ...]]:
    """An episode that was added before publication, and the names it awaits its item by."""
    item = FeedItem(title=title, number=number)
    episode = an_episode("show-added", title=title, number=number, guid=None, enclosure=None, state=S.QUEUED)
    return episode, awaited_aliases(item)


@pytest.mark.parametrize(
    ("here", "there"),
    [({"title": "The Guest"}, {"title": "the guest!"}), ({"number": 7}, {"number": 7, "title": "Else"})],
)
def test_an_episode_added_before_publication_is_known_again(
    here: dict[str, object], there: dict[str, object]
) -> None:
    episode, awaited = added(**here)  # pyright: ignore[reportArgumentType]
    item = an_item("g1", **there)
    (change,) = planned(item, known=knowing(Change(episode=episode), also=awaited))
    assert (change.episode.id, change.episode.guid) == ("show-added", "g1")
    assert change.episode.enclosure == item.enclosure
    assert change.aliases == aliases_of(item)
    assert not change.enqueue


def test_only_one_item_is_what_was_added() -> None:
    """Season 2 begins at number 1 again."""
    episode, awaited = added(number=1)
    known = replace(knowing(Change(episode=episode), also=awaited), first=True)
    found = planned(an_item("g9", number=1, season=2), an_item("g2", number=1, season=1), known=known)
    assert [(change.episode.guid, change.episode.id == "show-added") for change in found] == [
        ("g9", True),
        ("g2", False),
        ("g2", False),
    ]
    assert outcome(found)["g2"] is S.SKIPPED  # the latest was there already


def test_what_was_matched_once_is_not_matched_again() -> None:
    episode, awaited = added("Weekly news")
    matched = replace(episode, guid="g1", enclosure=an_enclosure("g1"))
    known = knowing(Change(episode=matched, aliases=aliases_of(an_item("g1"))), also=awaited)
    found = planned(an_item("g2", title="Weekly news"), an_item("g1", title="Weekly news"), known=known)
    assert [change.episode.guid for change in found if change.episode.version == 1] == ["g2"]


def test_an_item_that_says_nothing_but_a_title_is_known_by_it() -> None:
    bare = FeedItem(title="About this feed")
    discovered, failed = planned(bare, bare)
    assert failed.episode.state is S.FAILED
    assert planned(bare, bare, known=knowing(replace(failed, aliases=discovered.aliases))) == []
