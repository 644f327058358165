"""What is DynamoDB's own about the ledger on it; what every ledger promises is in contracts/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import states
from pipeline.adapters.aws.records import bill_writes, key, sort_at
from pipeline.adapters.aws.rows import Rows
from pipeline.errors import Conflict, StorageError
from pipeline.model import Alias, Bill, FeedState, State
from pipeline.ports import Ledger
from tests.aws_site import Obstacle, clients, dynamo_ledger, name_for
from tests.builders import NOW, a_change, a_claim, an_episode, some_progress
from tests.scenes import after, claimed, now, queued

COLLISION = {
    "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
}


@pytest.fixture
def ledger(obstacle: Obstacle, tmp_path: Path) -> Ledger:
    return dynamo_ledger(tmp_path)


@pytest.fixture
def table(tmp_path: Path) -> str:
    return name_for(tmp_path)


def test_changes_of_one_episode_are_one_write(ledger: Ledger, obstacle: Obstacle) -> None:
    first = an_episode()
    second = states.queued(first, NOW)
    third = states.skipped(second.episode, NOW, "by hand")
    ledger.record([a_change(first), second, third, states.queued(third.episode, NOW)])
    assert obstacle.requests.count("TransactWriteItems") == 1
    assert [event.state for event in ledger.events("show-1")] == [
        State.DISCOVERED,
        State.QUEUED,
        State.SKIPPED,
        State.QUEUED,
    ]
    assert ledger.outbox() == [now(ledger)]
    assert now(ledger).version == 4


def test_changes_that_leave_a_version_out_are_refused(ledger: Ledger) -> None:
    first = an_episode()
    with pytest.raises(Conflict):
        ledger.record([a_change(first), a_change(replace(first, version=3))])
    assert ledger.get("show-1") is None


def test_many_episodes_take_few_transactions(ledger: Ledger, obstacle: Obstacle) -> None:
    found = [an_episode(f"show-{n:02}") for n in range(70)]
    ledger.record(
        [
            change
            for episode in found
            for change in (
                a_change(episode, aliases=(Alias("guid", episode.id),)),
                states.queued(episode, NOW),
            )
        ],
        FeedState(name="show", etag="1"),
    )
    assert obstacle.requests.count("TransactWriteItems") == 4  # five actions an episode, a hundred at once
    assert obstacle.requests.index("PutItem") > obstacle.requests.index("TransactWriteItems")
    assert ledger.counts() == {State.QUEUED: 70}
    assert len(ledger.outbox()) == 70


def test_one_name_is_not_two_new_episodes_at_once(ledger: Ledger) -> None:
    alias = Alias("guid", "same")
    changes = [a_change(an_episode(id), aliases=(alias,)) for id in ("show-1", "show-2")]
    with pytest.raises(Conflict, match="guid 'same' is another episode's"):
        ledger.record(changes, FeedState(name="show", etag="1"))
    assert [episode.id for episode in ledger.episodes()] == ["show-1"]
    assert ledger.feed("show").etag is None
    assert ledger.known("show", [alias]) == {alias: "show-1"}


def test_a_collision_of_transactions_is_waited_for(ledger: Ledger, obstacle: Obstacle) -> None:
    obstacle.answer("TransactWriteItems", 400, COLLISION, times=3)
    episode = claimed(ledger)
    assert now(ledger) == episode
    obstacle.fail("UpdateItem", "TransactionConflictException", times=2)
    ledger.heartbeat(episode.id, a_claim(until=NOW + 99), some_progress())
    assert now(ledger).claim == a_claim(until=NOW + 99)


def test_a_collision_that_does_not_end_is_said(ledger: Ledger, obstacle: Obstacle) -> None:
    obstacle.answer("TransactWriteItems", 400, COLLISION, times=20)
    with pytest.raises(StorageError, match="more than it can take"):
        ledger.record([a_change()])


def parts_unread(table: str, ids: Sequence[str]) -> dict[str, Any]:
    keys = [key("episode", id) for id in ids]
    return {"Responses": {}, "UnprocessedKeys": {table: {"Keys": keys, "ConsistentRead": True}}}


def test_what_a_busy_table_left_out_is_asked_for_again(
    ledger: Ledger, obstacle: Obstacle, table: str
) -> None:
    queued(ledger)
    obstacle.answer("BatchGetItem", 200, parts_unread(table, ["show-1"]))
    assert ledger.outbox() == [now(ledger)]
    obstacle.answer("BatchGetItem", 200, parts_unread(table, ["show-1"]), times=20)
    with pytest.raises(StorageError, match="more than it can take"):
        ledger.outbox()


def test_an_index_that_is_behind_shows_no_episode_as_it_was(ledger: Ledger, obstacle: Obstacle) -> None:
    there = queued(ledger)
    ledger.record([states.skipped(there, NOW, "by hand")])
    old = {"Items": [key("episode", id) for id in ("show-1", "show-9")], "Count": 2, "ScannedCount": 2}
    obstacle.answer("Query", 200, old, times=2)
    assert ledger.episodes(state=State.QUEUED) == []
    assert ledger.episodes() == [now(ledger)]


def test_the_outbox_needs_no_index(ledger: Ledger, obstacle: Obstacle) -> None:
    queued(ledger)
    before = len(obstacle.requests)
    assert [episode.id for episode in ledger.outbox()] == ["show-1"]
    assert obstacle.requests[before:] == ["Query", "BatchGetItem"]


def test_nothing_is_ever_scanned(ledger: Ledger, obstacle: Obstacle) -> None:
    for state, feed in ((None, None), (State.QUEUED, None), (None, "show"), (State.QUEUED, "show")):
        ledger.episodes(state=state, feed=feed)
    ledger.starting_with("show", 9)
    ledger.counts()
    ledger.outbox()
    assert set(obstacle.requests) == {"CreateTable", "Query"}


@pytest.mark.parametrize("id", ["", "x" * 5000, "é", "\udcff"])
def test_what_can_not_be_an_id_is_nobody_s(ledger: Ledger, id: str) -> None:
    ledger.record([a_change()])
    assert ledger.get(id) is None
    assert ledger.events(id) == []
    assert ledger.starting_with(id, 9) == ([] if id else ledger.episodes())
    assert ledger.starting_with("show", 0) == []


def test_names_may_be_long_and_strange(ledger: Ledger) -> None:
    aliases = [Alias("guid", text) for text in ("", "x" * 10_000, "é#日本", "#", "a\0b")]
    ledger.record([a_change(aliases=tuple(aliases))])
    assert ledger.known("show", [*aliases, aliases[0], Alias("guid", "##")]) == dict.fromkeys(
        aliases, "show-1"
    )


def test_a_change_told_twice_in_one_call_names_an_episode_once(ledger: Ledger) -> None:
    first, alias = an_episode(), Alias("guid", "1")
    ledger.record([a_change(first, aliases=(alias, alias)), replace(after(first), aliases=(alias,))])
    assert ledger.known("show", [alias]) == {alias: "show-1"}


TIMES = st.floats(-6e10, 2.5e11) | st.sampled_from([0.0, -0.25, NOW])  # the years 1 to 9999


@given(TIMES, TIMES)
def test_times_sort_as_they_follow(one: float, other: float) -> None:
    first, second = (sort_at(an_episode("show-1", published=at)) for at in (one, other))
    assert len(first) == len(second)
    if abs(one - other) > 1e-4:
        assert (first < second) is (one < other)
    else:
        assert (first == second) or (first < second) is (one < other)


def test_a_months_bill_may_be_of_very_many_episodes(ledger: Ledger, table: str) -> None:
    """DynamoDB keeps 400 KB at most; these come to 700 as they are."""
    rng = Random(1)
    work_s = {f"some-show-{rng.getrandbits(40):010x}": rng.uniform(0, 900) for _ in range(15_000)}
    bill = Bill(id="standing-2026-10", began_at=NOW, ended_at=NOW + 60, items=(), work_s=work_s)
    Rows(clients().dynamodb(), table).write(bill_writes(table, bill))
    assert ledger.bills() == [bill]
