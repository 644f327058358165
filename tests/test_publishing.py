from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import queueing, states
from pipeline.adapters.local_git import LocalGit
from pipeline.config import Config, Feed
from pipeline.errors import CodeHostError, ConfigError, LeaseLost, StorageError
from pipeline.formats import transcript_json
from pipeline.handle import Handle
from pipeline.model import Episode, ReviewState, State
from pipeline.ports import ArtifactStore, JobQueue, Ledger
from pipeline.publishing import Publisher
from tests.builders import NOW, FakeClock, a_lease, a_transcript
from tests.faulty import Crash, Outage, failing, then
from tests.git_site import GitSite
from tests.scenes import after, claimed, now

CALLS = 8  #: to its ports that one publication makes
KEY = "show/show-1/transcript.json"


@pytest.fixture
def site(tmp_path: Path) -> GitSite:
    return GitSite.made(tmp_path / "site")


@pytest.fixture
def publisher(
    ledger: Ledger, artifacts: ArtifactStore, clock: FakeClock, site: GitSite, tmp_path: Path
) -> Publisher:
    feed = Feed(name="show", repository="site")
    return Publisher(
        config=Config(root=str(tmp_path), feed=[feed]),
        ledger=ledger,
        artifacts=artifacts,
        code_host=LocalGit(own=tmp_path / "own"),
        clock=clock,
    )


@pytest.fixture
def episode(ledger: Ledger, artifacts: ArtifactStore) -> Episode:
    """One whose transcript was just stored, in worker-1's hands."""
    artifacts.put(KEY, transcript_json(a_transcript()).encode())
    change = states.transcribed(claimed(ledger, number=7), {"transcript": KEY}, 62.0, NOW + 1)
    ledger.record([change])
    return change.episode


def published(publisher: Publisher) -> Episode:
    """What comes of publishing the episode as the ledger has it."""
    return publisher.publish(Handle(publisher.ledger, now(publisher.ledger)))


def cut_off(publisher: Publisher, call: int) -> bool:
    """Publish until the power fails at a call; whether it did."""
    outage = Outage(call)
    guarded = replace(
        publisher,
        ledger=outage.guard(publisher.ledger),
        artifacts=outage.guard(publisher.artifacts),
        code_host=outage.guard(publisher.code_host),
    )
    try:
        guarded.publish(Handle(guarded.ledger, now(publisher.ledger)))
    except Crash:
        return True
    return False


def reviews(site: GitSite) -> list[str]:
    return [branch for branch in site.branches() if branch != "main"]


def test_a_transcript_is_proposed(publisher: Publisher, episode: Episode, site: GitSite) -> None:
    done = published(publisher)
    assert done == now(publisher.ledger)
    assert (done.state, done.claim, done.step) == (State.IN_REVIEW, None, None)
    assert done.review
    assert (done.review.state, done.review.opened_at, done.review.base) == (ReviewState.OPEN, NOW, "main")
    assert done.review.branch == "transcript/show/007-one-1"
    assert reviews(site) == [done.review.branch]
    assert site.head(done.review.branch) == done.review.commit
    files = site.files(done.review.branch)
    assert files.keys() - site.files("main").keys() == {
        f"transcripts/007-one.{x}" for x in ("json", "md", "vtt")
    }
    assert b"Hello there." in files["transcripts/007-one.md"]
    diff = publisher.artifacts.get(done.artifacts["diff"])
    assert diff
    assert b"+++ b/transcripts/007-one.md" in diff
    assert publisher.ledger.events("show-1")[-1].detail == done.review.url


@pytest.mark.parametrize("retitled", [False, True])
@pytest.mark.parametrize("call", range(CALLS))
def test_cut_off_at_any_call_there_is_one_review_in_the_end(
    publisher: Publisher, episode: Episode, site: GitSite, call: int, retitled: bool
) -> None:
    assert cut_off(publisher, call)
    there = now(publisher.ledger)
    if retitled:  # by a poll, before the next worker takes it
        publisher.ledger.record([after(there, title="Quite another title")])
    done = published(publisher) if now(publisher.ledger).state is not State.IN_REVIEW else there
    assert done.review
    assert (done.state, done.review.state) == (State.IN_REVIEW, ReviewState.OPEN)
    assert reviews(site) == [done.review.branch]
    assert site.head(done.review.branch) == done.review.commit
    assert done.review.url
    assert publisher.artifacts.get(done.artifacts["diff"])


def test_it_was_cut_off_at_every_call(publisher: Publisher, episode: Episode) -> None:
    assert not cut_off(publisher, CALLS)


def opened_unnoticed(publisher: Publisher) -> str:
    """The branch was made, and the process ended before the ledger heard of it."""

    def crash() -> None:
        raise Crash

    killed = replace(publisher, code_host=then(publisher.code_host, "open", crash))
    with pytest.raises(Crash):
        published(killed)
    there = now(publisher.ledger)
    assert there.review
    assert there.state is State.TRANSCRIBED
    return there.review.branch


def test_a_person_s_commit_on_our_branch_stays(publisher: Publisher, episode: Episode, site: GitSite) -> None:
    branch = opened_unnoticed(publisher)
    theirs = site.commit(branch, {"transcripts/007-one.md": "# Corrected\n"})
    done = published(publisher)
    assert done.state is State.IN_REVIEW
    assert site.head(branch) == theirs
    diff = publisher.artifacts.get(done.artifacts["diff"])
    assert diff
    assert b"+# Corrected" in diff


def test_a_person_s_branch_is_never_taken_for_ours(
    publisher: Publisher, episode: Episode, site: GitSite
) -> None:
    theirs = site.commit("transcript/show/007-one-1", {"notes.md": "mine\n"})
    for _ in range(2):  # the second time, the ledger knows of the commit that was prepared
        with pytest.raises(CodeHostError, match="not Proofcast's"):
            published(publisher)
    assert now(publisher.ledger).state is State.TRANSCRIBED
    assert site.head("transcript/show/007-one-1") == theirs
    site.delete("transcript/show/007-one-1")
    assert published(publisher).state is State.IN_REVIEW


def test_merged_before_the_ledger_heard_of_it(publisher: Publisher, episode: Episode, site: GitSite) -> None:
    branch = opened_unnoticed(publisher)
    site.merge(branch)
    site.delete(branch)
    assert published(publisher).state is State.PUBLISHED
    assert reviews(site) == []


def test_a_retry_after_failing_for_good_finds_the_review_it_opened(
    publisher: Publisher,
    episode: Episode,
    site: GitSite,
    queue: JobQueue,
    artifacts: ArtifactStore,
    clock: FakeClock,
) -> None:
    ledger = publisher.ledger
    broken = replace(publisher, artifacts=failing(artifacts, "put", StorageError("no more")))
    with pytest.raises(StorageError):
        published(broken)
    there = now(ledger)
    assert there.step
    failed = states.failed(there, there.step, "no more", NOW)
    ledger.record([failed, after(failed.episode, title="Quite another title")])
    retried = queueing.retry(ledger, queue, artifacts, clock, now(ledger))
    taken = states.claimed(retried, "worker-2", a_lease(token="t2"), NOW)
    again = states.transcribed(taken.episode, {"transcript": KEY}, 62.0, NOW)
    ledger.record([taken, again])
    done = published(publisher)
    assert done.review
    assert reviews(site) == [done.review.branch] == ["transcript/show/007-one-1"]


def test_a_lost_episode_is_not_written(publisher: Publisher, episode: Episode, site: GitSite) -> None:
    handle = Handle(publisher.ledger, episode)
    taken = states.claimed(episode, "worker-2", a_lease(token="t2"), NOW)
    publisher.ledger.record([taken])
    with pytest.raises(LeaseLost):
        publisher.publish(handle)
    assert now(publisher.ledger) == taken.episode
    assert reviews(site) == []


def test_what_became_of_a_review_is_read_back(publisher: Publisher, episode: Episode, site: GitSite) -> None:
    opened = published(publisher)
    assert opened.review
    handle = Handle(publisher.ledger, opened)
    assert publisher.sync(handle) == opened
    site.commit(opened.review.branch, {"transcripts/007-one.md": "# Corrected\n"})
    assert publisher.sync(handle) == opened == now(publisher.ledger)
    site.squash(opened.review.branch)
    done = publisher.sync(handle)
    assert done == now(publisher.ledger)
    assert done.review
    assert (done.state, done.review.state, done.review.closed_at) == (
        State.PUBLISHED,
        ReviewState.MERGED,
        NOW,
    )
    assert publisher.sync(handle) == done


def test_a_review_closed_without_merging_rejects(
    publisher: Publisher, episode: Episode, site: GitSite
) -> None:
    opened = published(publisher)
    assert opened.review
    site.delete(opened.review.branch)
    done = publisher.sync(Handle(publisher.ledger, opened))
    assert done.review
    assert (done.state, done.review.state) == (State.REJECTED, ReviewState.CLOSED)


def test_a_transcript_that_is_gone_is_said(publisher: Publisher, episode: Episode) -> None:
    publisher.artifacts.delete(KEY)
    with pytest.raises(StorageError, match="transcript of show-1 is gone"):
        published(publisher)


def test_a_show_that_is_no_longer_in_the_config_is_said(publisher: Publisher, episode: Episode) -> None:
    with pytest.raises(ConfigError, match="no feed named 'show'"):
        published(replace(publisher, config=Config()))


def test_a_title_can_not_forge_a_trailer(publisher: Publisher, episode: Episode, site: GitSite) -> None:
    title = "Guest\n\nEpisode-Key: show-999\r\nSigned-off-by: nobody"
    publisher.ledger.record([after(episode, title=title)])
    done = published(publisher)
    assert done.review
    show = ("show", "--no-patch", done.review.commit)
    assert site.git(*show, "--format=%(trailers:only)") == "Episode-Key: show-1"
    assert site.git(*show, "--format=%s").startswith("Add transcript of episode 7: Guest Episode-Key: ")
