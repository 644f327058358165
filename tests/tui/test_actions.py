"""What is done to an engine from the dashboard, on both."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline import states
from pipeline.errors import Busy, ConfigError, ProofcastError, StorageError
from pipeline.formats import transcript_json
from pipeline.handle import Handle
from pipeline.model import BudgetState, Job, State
from pipeline.queueing import relay
from pipeline.tariff import month_of
from tests.builders import a_failure, a_transcript
from tests.faulty import failing
from tests.git_site import GitSite
from tests.tui.conftest import Site
from tui.actions import actions, keep_warm
from tui.keys import BY_ID
from tui.sources.episodes import EpisodesSource
from tui.sources.fleet import FleetSource
from tui.values import Line


def does(site: Site, id: str, *ids: str) -> str:
    said = actions(site.engine)[id].run(ids)
    assert said.isprintable()
    return said


def says(site: Site, id: str, *lines: Line) -> str:
    return actions(site.engine)[id].consequence(lines)


def test_polling_queues_what_is_new_and_starts_what_is_needed(site: Site) -> None:
    said = does(site, "poll")
    assert said.startswith("1 feeds, 1 new episodes")
    assert site.engine.ledger.counts() == {State.QUEUED: 1}
    assert site.engine.queue.depth().waiting == 1
    assert ("workers asked for: 1" in said) is site.remote
    assert does(site, "poll").startswith("1 feeds, 0 new")
    with site.engine.polling(), pytest.raises(Busy):
        does(site, "poll")


def test_one_that_can_not_be_moved_does_not_keep_the_others(site: Site) -> None:
    site.has("show-1", state=State.FAILED, failure=a_failure())
    site.has("show-2", state=State.PUBLISHED)
    site.has("show-3", state=State.SKIPPED)
    said = does(site, "retry", "show-1", "show-2", "show-3", "show-1", "show-9")
    assert said.startswith("queued: show-1, show-3; show-2 is published")
    assert "show-9 is no episode" in said
    assert site.engine.ledger.counts() == {State.QUEUED: 2, State.PUBLISHED: 1}
    assert site.engine.queue.depth().waiting == 2
    assert len(site.engine.fleet.tasks()) == (1 if site.remote else 0)
    with pytest.raises(ProofcastError, match="show-2 is published"):
        does(site, "retry", "show-2")
    if site.remote:
        site.has("show-4", state=State.SKIPPED)
        away = StorageError("ECS does not answer")
        vars(site.engine)["fleet"] = failing(site.engine.fleet, "survey", away)
        said = does(site, "retry", "show-4")
        assert said == "queued: show-4; workers could not be started: ECS does not answer"


def test_what_is_held_is_released_and_what_is_not_wanted_skipped(local: Site) -> None:
    local.has("show-1", state=State.HELD, reason="many are new")
    local.taken("show-2", "worker-1")
    assert does(local, "release", "show-1") == "queued: show-1"
    assert does(local, "skip", "show-2") == "skipped: show-2"
    assert local.engine.ledger.counts() == {State.QUEUED: 1, State.SKIPPED: 1}
    with pytest.raises(ProofcastError, match="not held"):
        does(local, "release", "show-2")


def test_stopping_says_what_is_lost_and_takes_an_episode_for_its_worker(site: Site) -> None:
    worker = site.workers.begin()
    site.taken("show-1", worker, number=7)
    site.clock.go_on(840)
    (episode,) = EpisodesSource(site.engine).read().lines
    task = FleetSource(site.engine).read().lines[0]
    assert says(site, "stop", episode) == "show#7 is given back: 14m of work. That is done again."
    lost = says(site, "stop", task)
    assert ("14m of work, about $0." in lost) is site.remote
    assert says(site, "stop", replace(task, lost="")) == "nothing is lost: no work is in hand there"
    assert "; and 2 more" in says(site, "stop", *[task] * 5)
    assert does(site, "stop", "show-1", worker) == f"told to end: {worker}"
    for live in site.engine.fleet.tasks():
        site.workers.ended(live)
    assert worker not in {each.id for each in site.engine.fleet.tasks()}


def test_a_worker_is_started_by_hand_also_long_after_the_last(site: Site) -> None:
    if not site.remote:
        site.workers.keep_busy()
    said = does(site, "start")
    (task,) = site.engine.fleet.tasks()
    assert said == f"asked for: {task.id}"
    if site.remote:
        site.workers.begin()  # somebody else starts one meanwhile
        assert does(site, "start").startswith("asked for: ")
        month = month_of(site.clock())
        held = BudgetState(month=month, held="it is spent", held_at=site.clock())
        site.engine.ledger.keep_budget(held, BudgetState(month=month))
        with pytest.raises(ConfigError, match="budget"):
            does(site, "start")
        assert does(site, "release_budget").startswith(f"{month}: work goes on")
        assert not site.engine.held()
        return
    does(site, "stop", task.id)
    site.workers.ended(task)
    assert site.engine.fleet.tasks() == []
    with pytest.raises(ConfigError, match="no budget"):
        does(site, "release_budget")


def test_what_was_given_up_is_redriven(local: Site) -> None:
    at = local.engine
    local.queued("show-1")
    relay(at.ledger, at.queue)
    for _ in range(2):
        lease = at.queue.lease(60)
        if lease:
            at.queue.bury(lease, "it failed")
        at.queue.send(Job(episode_id="nobody"))
    at.tend()
    assert at.ledger.counts() == {State.FAILED: 1}
    assert does(local, "redrive") == "queued: show-1"
    assert at.queue.dead_letters() == []
    assert at.ledger.counts() == {State.QUEUED: 1}
    assert does(local, "redrive") == "nothing was given up"


def test_reviews_are_synced_as_far_as_their_host_answers(local: Site) -> None:
    at, now = local.engine, local.clock()
    key = "show/show-1/transcript.json"
    at.artifacts.put(key, transcript_json(a_transcript()).encode())
    taken = local.taken("show-1", "worker-1")
    made = states.transcribed(taken, {"transcript": key}, 62.0, now)
    at.ledger.record([made])
    opened = at.publisher.publish(Handle(at.ledger, made.episode))
    local.in_review("show-2", ("well", 0.9), feed="gone")
    assert opened.review
    GitSite(at.config.own_site).merge(opened.review.branch)
    said = does(local, "sync")
    assert said.startswith("reviews that ended: show-1 (published); show-2: there is no feed named 'gone'")
    assert at.ledger.counts() == {State.PUBLISHED: 1, State.IN_REVIEW: 1}
    with pytest.raises(ProofcastError, match="show-2"):
        does(local, "sync")


def test_those_that_lose_or_cost_something_ask_first(local: Site) -> None:
    local.has("show-1", state=State.FAILED)
    (line,) = EpisodesSource(local.engine).read().lines
    for id, action in actions(local.engine).items():
        assert action.id == id
        assert BY_ID[id].writes
        assert action.asks is (id not in ("poll", "sync", "first"))
        if action.asks:
            assert action.consequence([line])
    assert says(local, "retry", *[line] * 5).startswith("show-1, show-1, show-1 and 2 more")


def test_a_queued_episode_comes_before_those_that_wait_longer(site: Site) -> None:
    for number in range(3):
        site.queued(f"show-{number}")
    relay(site.engine.ledger, site.engine.queue)
    site.clock.go_on(1)
    said = actions(site.engine)["first"].run(["show-2"])
    assert said.startswith("comes next: show-2")
    lease = site.engine.queue.lease(60)
    assert lease
    assert lease.job.episode_id == "show-2"
    site.has("show-9", state=State.PUBLISHED)
    with pytest.raises(ProofcastError, match="does not wait"):
        actions(site.engine)["first"].run(["show-9"])


def test_a_worker_is_kept_warm_and_no_longer(site: Site) -> None:
    said = keep_warm(site.engine, 7200)
    assert said.startswith("a worker stays for 2h")
    assert site.engine.warm()
    if site.remote:
        assert len(site.engine.fleet.tasks()) == 1
    keep_warm(site.engine, 0)
    assert not site.engine.warm()
