"""What every ledger promises to several processes at once: outbox, claims, races."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from threading import Barrier

import pytest

from pipeline import states
from pipeline.errors import Conflict, LeaseLost
from pipeline.model import Alias, Step
from pipeline.ports import Ledger
from tests.builders import NOW, a_change, a_claim, a_lease, an_episode, some_progress
from tests.scenes import after, claimed, queued

Opener = Callable[[], Ledger]


def test_the_outbox_holds_what_was_queued_until_it_is_sent(ledger: Ledger) -> None:
    late, early = queued(ledger, "show-1", published=NOW), queued(ledger, "show-2", published=NOW - 9)
    ledger.record([a_change(an_episode("show-3"))])
    assert ledger.outbox() == [early, late]
    ledger.sent(early)
    ledger.sent(early)
    assert ledger.outbox() == [late]
    assert ledger.get("show-2") == early


def test_sent_of_an_older_version_leaves_the_newer_wish(ledger: Ledger) -> None:
    first = queued(ledger)
    failed = states.failed(first, Step.DOWNLOAD, "no", NOW)
    again = states.queued(failed.episode, NOW)
    ledger.record([failed, again])
    ledger.sent(first)
    assert ledger.outbox() == [again.episode]


def test_a_feed_s_correction_leaves_a_queued_episode_in_the_outbox(ledger: Ledger) -> None:
    retitled = after(queued(ledger), title="New title")
    ledger.record([retitled])
    assert ledger.outbox() == [retitled.episode]


def test_what_is_not_queued_any_more_leaves_the_outbox(ledger: Ledger) -> None:
    ledger.record([states.skipped(queued(ledger), NOW, "by hand")])
    assert ledger.outbox() == []
    claimed(ledger, "show-2")
    assert ledger.outbox() == []


def test_a_heartbeat_renews_the_claim_without_a_version(ledger: Ledger) -> None:
    episode = claimed(ledger)
    events = ledger.events(episode.id)
    ledger.heartbeat(episode.id, a_claim(until=NOW + 99), some_progress())
    assert ledger.get(episode.id) == replace(episode, claim=a_claim(until=NOW + 99), progress=some_progress())
    assert ledger.episodes() == [ledger.get(episode.id)]
    assert ledger.events(episode.id) == events


def test_a_heartbeat_of_a_lost_claim_is_refused(ledger: Ledger) -> None:
    episode = claimed(ledger)
    with pytest.raises(LeaseLost):
        ledger.heartbeat(episode.id, a_claim(token="other", until=NOW + 99), None)
    with pytest.raises(LeaseLost):
        ledger.heartbeat("show-9", a_claim(), None)
    assert ledger.get(episode.id) == episode
    back = states.given_back(episode, NOW, "stopped")
    ledger.record([back])
    with pytest.raises(LeaseLost):
        ledger.heartbeat(episode.id, a_claim(until=NOW + 99), some_progress())
    assert ledger.get(episode.id) == back.episode


def test_a_change_keeps_the_later_time_of_its_claim_and_ends_its_progress(ledger: Ledger) -> None:
    episode = claimed(ledger)
    ledger.heartbeat(episode.id, a_claim(until=NOW + 99), some_progress())
    ledger.record([states.at_step(episode, Step.STORE, NOW)])
    there = ledger.get(episode.id)
    assert there
    assert (there.claim, there.progress) == (a_claim(until=NOW + 99), None)
    later = states.at_step(there, Step.REVIEW, NOW).episode
    ledger.record([a_change(replace(later, claim=a_claim(until=NOW + 120)))])
    assert ledger.get(episode.id) == replace(later, claim=a_claim(until=NOW + 120))


def test_another_worker_s_claim_has_its_own_time(ledger: Ledger) -> None:
    episode = claimed(ledger)
    ledger.heartbeat(episode.id, a_claim(until=NOW + 99), None)
    change = states.claimed(episode, "worker-2", a_lease(token="t2", until=NOW + 30), NOW)
    ledger.record([change])
    assert ledger.get(episode.id) == change.episode


def test_one_of_many_writers_wins(open_ledger: Opener) -> None:
    episode = queued(open_ledger())
    together = Barrier(6)

    def take(number: int) -> bool:
        ledger = open_ledger()
        change = states.claimed(episode, f"worker-{number}", a_lease(token=str(number)), NOW)
        together.wait()
        try:
            ledger.record([change])
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(take, range(6))) == 1
    assert len(open_ledger().events(episode.id)) == 3


def test_one_of_many_discoverers_wins(open_ledger: Opener) -> None:
    together = Barrier(6)

    def discover(number: int) -> bool:
        ledger = open_ledger()
        together.wait()
        try:
            ledger.record([a_change(an_episode(f"show-{number}"), aliases=(Alias("guid", "same"),))])
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(discover, range(6))) == 1
    assert len(open_ledger().episodes()) == 1


def count_up(open_ledger: Opener, times: int) -> None:
    ledger = open_ledger()
    for _ in range(times):
        while True:
            there = ledger.get("show-1")
            assert there
            try:
                ledger.record([after(there, attempts=there.attempts + 1)])
            except Conflict:
                continue
            break


def test_no_write_of_another_process_is_lost(open_ledger: Opener) -> None:
    open_ledger().record([a_change()])
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        for done in [processes.submit(count_up, open_ledger, 40) for _ in range(2)]:
            done.result()
    there = open_ledger().get("show-1")
    assert there
    assert (there.attempts, there.version) == (80, 81)
    assert [event.version for event in open_ledger().events("show-1")] == list(range(1, 82))
