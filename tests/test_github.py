"""GitHub in trouble, and in people's hands; what all code hosts promise is in contracts/."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import states
from pipeline.adapters.github import GitHub
from pipeline.adapters.github import api as api_module
from pipeline.adapters.github.answers import Pull
from pipeline.adapters.github.api import Api
from pipeline.config import Config, Feed
from pipeline.errors import CodeHostError
from pipeline.formats import transcript_json
from pipeline.handle import Handle
from pipeline.model import Episode, Proposal, Review, ReviewState, State
from pipeline.ports import ArtifactStore, CodeHost, Ledger
from pipeline.publishing import Publisher
from tests.builders import NOW, FakeClock, a_proposal, a_transcript
from tests.fakes.github import (
    READER,
    STRANGER,
    TOKEN,
    Call,
    FakeGitHub,
    Reply,
    Trouble,
    complaint,
    served,
)
from tests.fakes.github_site import GitHubSite, PullRequest
from tests.faulty import Crash, then
from tests.scenes import after, claimed, now

CALLS = 14  #: to GitHub that one publication makes
CHANGES = ("git/trees", "git/commits", "git/refs", "pulls")
KEY = "show/show-1/transcript.json"
BRANCH = "transcript/show/007-one-1"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[FakeGitHub]:
    monkeypatch.setenv("no_proxy", "*")
    with served(tmp_path / "github") as hub:
        yield hub


@pytest.fixture
def site(hub: FakeGitHub) -> GitHubSite:
    return hub.site


@pytest.fixture
def code_host(hub: FakeGitHub) -> Generator[GitHub]:
    with GitHub(lambda: TOKEN, hub.url) as code_host:
        yield code_host


@pytest.fixture
def proposal(site: GitHubSite) -> Proposal:
    return a_proposal(site.repository)


@pytest.fixture
def publisher(
    ledger: Ledger, artifacts: ArtifactStore, clock: FakeClock, code_host: GitHub, site: GitHubSite
) -> Publisher:
    return Publisher(
        config=Config(feed=[Feed(name="show", repository=site.repository)]),
        ledger=ledger,
        artifacts=artifacts,
        code_host=code_host,
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


def synced(publisher: Publisher) -> Episode:
    return publisher.sync(Handle(publisher.ledger, now(publisher.ledger)))


def tried(publisher: Publisher) -> None:
    """Publish, whether it goes well or not."""
    try:
        published(publisher)
    except CodeHostError:
        assert now(publisher.ledger).state is State.TRANSCRIBED


def assert_one_review(publisher: Publisher, site: GitHubSite) -> None:
    """In the end: one branch, with one commit, and one pull request."""
    done = now(publisher.ledger)
    assert done.review
    assert (done.state, done.review.state) == (State.IN_REVIEW, ReviewState.OPEN)
    assert site.branches() == ["main", BRANCH]
    assert site.git("rev-list", f"main..{BRANCH}") == site.head(BRANCH) == done.review.commit
    assert [(pull.number, pull.branch, pull.state) for pull in site.pulls] == [(1, BRANCH, "open")]
    assert done.review.url == "https://github.com/ann/site/pull/1"
    assert publisher.artifacts.get(done.artifacts["diff"])


def always(reply: Reply) -> Callable[[Call], Trouble]:
    return lambda call: Trouble(reply=reply)


def once(method: str, path: str, trouble: Trouble) -> Callable[[Call], Trouble | None]:
    """Upon the first such request."""
    waiting = [trouble]
    return lambda call: waiting.pop() if waiting and (call.method, call.path) == (method, path) else None


def test_a_transcript_becomes_a_pull_request(
    publisher: Publisher, episode: Episode, hub: FakeGitHub, site: GitHubSite
) -> None:
    published(publisher)
    assert_one_review(publisher, site)
    assert len(hub.calls) == CALLS
    (asked,) = hub.asked("POST", "pulls")
    assert asked.body["title"] == "Add transcript of episode 7: One"
    assert "- [ ] names of people and products" in asked.body["body"]
    assert (asked.body["base"], asked.body["head"]) == ("main", BRANCH)
    assert site.git("show", "--no-patch", "--format=%an <%ae>, %cn <%ce>", BRANCH) == ", ".join(
        ["Proofcast <proofcast@localhost>"] * 2
    )
    for call in hub.calls:
        assert call.headers["X-GitHub-Api-Version"] == "2022-11-28"
        assert call.headers["User-Agent"] == "proofcast"


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("number", range(CALLS))
def test_cut_off_at_any_request_there_is_one_review_in_the_end(
    publisher: Publisher, episode: Episode, hub: FakeGitHub, site: GitHubSite, number: int, heard: bool
) -> None:
    hub.trouble = lambda call: (
        Trouble(heard=heard and call.number == number) if call.number >= number else None
    )
    with pytest.raises(CodeHostError, match="ann/site on GitHub: the connection failed"):
        published(publisher)
    hub.trouble = lambda call: None
    published(publisher)
    assert_one_review(publisher, site)


def test_a_branch_without_a_pull_request_is_kept_whatever_changed_meanwhile(
    publisher: Publisher, episode: Episode, hub: FakeGitHub, site: GitHubSite
) -> None:
    hub.trouble = once("POST", "pulls", Trouble(reply=Reply(status=500)))
    tried(publisher)
    assert site.pulls == []
    publisher.ledger.record([after(now(publisher.ledger), title="Quite another title")])  # by a poll
    site.commit("main", {"news.md": "News\n"})
    published(publisher)
    assert_one_review(publisher, site)


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("path", CHANGES)
def test_a_change_that_is_answered_with_an_error_is_looked_for(
    publisher: Publisher, episode: Episode, hub: FakeGitHub, site: GitHubSite, path: str, heard: bool
) -> None:
    page = Reply(status=502, body="<html>Unicorn!</html>")
    hub.trouble = once("POST", path, Trouble(heard=heard, reply=page))
    with pytest.raises(CodeHostError, match="trouble of its own"):
        published(publisher)
    assert len(hub.asked("POST", path)) == 1
    published(publisher)
    assert_one_review(publisher, site)


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_that_is_never_answered_is_looked_for(
    publisher: Publisher,
    episode: Episode,
    hub: FakeGitHub,
    site: GitHubSite,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub.trouble = once("POST", path, Trouble(heard=True, silent=True))
    with monkeypatch.context() as patch, GitHub(lambda: TOKEN, hub.url) as impatient:
        patch.setattr(api_module, "_READ_SECONDS", 0.5)
        tried(replace(publisher, code_host=impatient))
    published(publisher)
    assert_one_review(publisher, site)


@pytest.mark.parametrize("trouble", [Trouble(), Trouble(reply=Reply(status=503))], ids=["hang up", "503"])
def test_a_question_that_fails_once_is_asked_again(
    publisher: Publisher, episode: Episode, hub: FakeGitHub, site: GitHubSite, trouble: Trouble
) -> None:
    hub.trouble = lambda call: trouble if call.method == "GET" and call.number % 2 == 0 else None
    published(publisher)
    assert_one_review(publisher, site)


def test_where_lists_lag_behind_what_is_there_already_is_found(
    code_host: CodeHost, hub: FakeGitHub, site: GitHubSite, proposal: Proposal
) -> None:
    commit = code_host.commit(proposal)
    review = code_host.open(proposal, commit)
    hub.trouble = once("GET", f"git/ref/heads/{review.branch}", Trouble(reply=complaint(404, "Not Found")))
    assert code_host.open(proposal, commit) == review
    hub.trouble = once("GET", "pulls", Trouble(reply=Reply(status=200, body=[])))
    assert code_host.open(proposal, commit) == review
    assert len(site.pulls) == 1


def test_a_branch_of_ours_without_a_pull_request_is_not_open_yet(
    code_host: CodeHost, hub: FakeGitHub, site: GitHubSite, proposal: Proposal
) -> None:
    commit = code_host.commit(proposal)
    hub.trouble = once("POST", "pulls", Trouble(reply=Reply(status=500)))
    with pytest.raises(CodeHostError):
        code_host.open(proposal, commit)
    prepared = Review(repository="ann/site", branch=proposal.branch, base="main", commit=commit)
    status = code_host.status(prepared)
    assert (status.review, status.head, status.edited) == (prepared, commit, False)
    site.commit("main", {"news.md": "News\n"})
    review = code_host.open(replace(proposal, title="Another title", body="Other words"), commit)
    assert code_host.status(prepared).review == review
    assert [pull.title for pull in site.pulls] == ["Another title"]


def test_merged_by_hand_before_it_was_asked_for(
    code_host: CodeHost, hub: FakeGitHub, site: GitHubSite, proposal: Proposal
) -> None:
    commit = code_host.commit(proposal)
    hub.trouble = once("POST", "pulls", Trouble(reply=Reply(status=500)))
    with pytest.raises(CodeHostError):
        code_host.open(proposal, commit)
    site.merge(proposal.branch)
    with pytest.raises(CodeHostError, match="No commits between"):
        code_host.open(proposal, commit)
    prepared = Review(repository="ann/site", branch=proposal.branch, base="main", commit=commit)
    status = code_host.status(prepared)
    assert status.review.state is ReviewState.MERGED
    assert status.review.url == f"https://github.com/ann/site/commit/{commit}"


def test_a_pull_request_of_somebody_else_is_not_taken_for_ours(
    code_host: CodeHost, site: GitHubSite, proposal: Proposal
) -> None:
    site.commit(proposal.branch, {"notes.md": "mine\n"})
    site.make_pull({"title": "Mine", "body": "", "head": proposal.branch, "base": "main"})
    commit = code_host.commit(proposal)
    with pytest.raises(CodeHostError, match="not Proofcast's"):
        code_host.open(proposal, commit)
    prepared = Review(repository="ann/site", branch=proposal.branch, base="main", commit=commit)
    assert code_host.status(prepared).review == prepared
    site.delete(proposal.branch)
    review = code_host.open(proposal, commit)
    assert review.url.endswith("/pull/2")
    assert code_host.status(prepared).review == review


def test_merged_or_closed_is_read_back(publisher: Publisher, episode: Episode, site: GitHubSite) -> None:
    assert synced(publisher) == episode
    opened = published(publisher)
    assert synced(publisher) == opened
    site.commit(BRANCH, {"transcripts/007-one.md": "# Corrected\n"})
    assert synced(publisher) == opened
    site.squash(BRANCH)
    site.delete(BRANCH)
    done = synced(publisher)
    assert done.review
    assert (done.state, done.review.state) == (State.PUBLISHED, ReviewState.MERGED)


def test_closed_by_a_person_it_is_rejected_and_never_opened_again(
    publisher: Publisher, episode: Episode, site: GitHubSite
) -> None:
    published(publisher)
    site.close(BRANCH)
    done = synced(publisher)
    assert done.review
    assert (done.state, done.review.state) == (State.REJECTED, ReviewState.CLOSED)
    assert [pull.state for pull in site.pulls] == ["closed"]


def test_wanted_again_after_it_was_closed_it_is_another_pull_request(
    code_host: CodeHost, site: GitHubSite, proposal: Proposal
) -> None:
    commit = code_host.commit(proposal)
    first = code_host.open(proposal, commit)
    site.close(proposal.branch)
    second = code_host.open(proposal, commit)
    assert [pull.state for pull in site.pulls] == ["closed", "open"]
    assert code_host.status(first).review.state is ReviewState.CLOSED
    assert code_host.status(second).review == second
    assert code_host.status(replace(second, url="")).review == second


def opened_unnoticed(publisher: Publisher) -> None:
    """The pull request was made, and the process ended before the ledger heard of it."""

    def crash() -> None:
        raise Crash

    killed = replace(publisher, code_host=then(publisher.code_host, "open", crash))
    with pytest.raises(Crash):
        published(killed)


def test_a_person_s_push_to_our_branch_stays(
    publisher: Publisher, episode: Episode, site: GitHubSite
) -> None:
    opened_unnoticed(publisher)
    theirs = site.commit(BRANCH, {"transcripts/007-one.md": "# Corrected\n"})
    done = published(publisher)
    assert (done.state, len(site.pulls)) == (State.IN_REVIEW, 1)
    assert site.head(BRANCH) == theirs
    assert b"+# Corrected" in (publisher.artifacts.get(done.artifacts["diff"]) or b"")


def test_closed_before_the_ledger_heard_of_it(
    publisher: Publisher, episode: Episode, site: GitHubSite
) -> None:
    opened_unnoticed(publisher)
    site.delete(BRANCH)
    assert published(publisher).state is State.REJECTED
    assert len(site.pulls) == 1


def test_a_diff_that_is_too_long_holds_nothing_up(
    publisher: Publisher, episode: Episode, hub: FakeGitHub, site: GitHubSite
) -> None:
    too_long = complaint(406, "Sorry, the diff exceeded the maximum number of lines (20000)")
    hub.trouble = lambda call: (
        Trouble(reply=too_long) if call.headers["Accept"] == "application/vnd.github.diff" else None
    )
    done = published(publisher)
    assert_one_review(publisher, site)
    diff = publisher.artifacts.get(done.artifacts["diff"]) or b""
    assert b"see https://github.com/ann/site/compare/main..." in diff


def test_a_renamed_repository_is_found_under_its_new_name(
    code_host: CodeHost, hub: FakeGitHub, site: GitHubSite, proposal: Proposal
) -> None:
    commit = code_host.commit(proposal)
    first = code_host.open(proposal, commit)
    hub.former_names.add("ann/site")
    site.name = "podcasts/web"
    assert code_host.status(replace(first, url="")).review.state is ReviewState.OPEN
    assert code_host.diff(first)
    second = replace(proposal, branch="transcript/show/2", files={"2.md": "2"})
    review = code_host.open(second, code_host.commit(second))
    assert (review.repository, review.url) == ("ann/site", "https://github.com/podcasts/web/pull/2")


def test_another_repository_is_not_taken_for_a_rejection(
    code_host: CodeHost, hub: FakeGitHub, site: GitHubSite, proposal: Proposal
) -> None:
    review = code_host.open(proposal, code_host.commit(proposal))
    site.pulls[0].branch = "somebody-elses"
    with pytest.raises(CodeHostError, match="is not the repository in which"):
        code_host.status(review)
    site.pulls.clear()
    with pytest.raises(CodeHostError, match="is not the repository in which"):
        code_host.status(review)


def test_the_token_goes_to_github_and_nobody_else(
    code_host: CodeHost, hub: FakeGitHub, proposal: Proposal, tmp_path: Path
) -> None:
    with served(tmp_path / "another") as another:
        place = f"{another.url}/repos/ann/site"
        hub.trouble = always(Reply(status=301, headers={"Location": place}))
        with pytest.raises(CodeHostError, match="leads away"):
            code_host.commit(proposal)
        assert another.calls == []
    hub.trouble = always(Reply(status=301, headers={"Location": "/repos/ann/site"}))
    with pytest.raises(CodeHostError, match="redirects have no end"):
        code_host.commit(proposal)
    hub.trouble = once("POST", "git/trees", Trouble(reply=Reply(status=307, headers={"Location": "/x"})))
    with pytest.raises(CodeHostError, match="it moved"):
        code_host.commit(proposal)


REFUSALS = {
    "expired token": (complaint(401, "Bad credentials"), "wrong or has expired", "GITHUB_TOKEN"),
    "rights": (
        complaint(403, "Resource not accessible by personal access token"),
        "lacks the right",
        "'Contents' and 'Pull requests'",
    ),
    "classic token": (complaint(404, "Not Found"), "lacks the right", "'Contents'"),
    "archived": (complaint(403, "Repository was archived so is read-only."), "is archived", "unarchive"),
    "hourly limit": (
        complaint(403, "API rate limit exceeded", X_RateLimit_Remaining="0", X_RateLimit_Reset="1780000000"),
        "this hour's requests are used up",
        "try again after 20:26 UTC",
    ),
    "hourly limit, new form": (
        complaint(429, "API rate limit exceeded", X_RateLimit_Remaining="0", X_RateLimit_Reset="soon"),
        "this hour's requests are used up",
        "in an hour",
    ),
    "secondary limit": (
        complaint(403, "You have exceeded a secondary rate limit."),
        "asked too much at once",
        "in a few minutes",
    ),
    "secondary limit with a pause": (
        complaint(429, "Wait.", Retry_After="60"),
        "asked too much at once",
        "try again in 60 s",
    ),
    "conflict": (complaint(409, "Conflict"), "refuses this (409: Conflict)", ""),
    "rules": (
        complaint(422, "Validation Failed", {"field": "ref", "code": "custom"}, "and\n more"),
        "refuses this (422: Validation Failed; ref custom; and  more)",
        "",
    ),
    "down": (Reply(status=503, body="<html>"), "trouble of its own (503: it says no more)", "later"),
    "a proxy's page": (Reply(status=201, body="<html>Log in</html>"), "not GitHub's", "proxy"),
    "another form": (Reply(status=201, body={"sha": 1}), "form that is not known", "proxy"),
}


@pytest.mark.parametrize(("reply", "message", "hint"), REFUSALS.values(), ids=list(REFUSALS))
def test_refusals_are_said_in_plain_words(
    code_host: CodeHost, hub: FakeGitHub, proposal: Proposal, reply: Reply, message: str, hint: str
) -> None:
    hub.trouble = once("POST", "git/trees", Trouble(reply=reply))
    with pytest.raises(CodeHostError) as error:
        code_host.commit(proposal)
    assert error.value.message.startswith("ann/site on GitHub: ")
    assert message in error.value.message
    assert hint in error.value.hint
    assert len(hub.asked("POST", "git/trees")) == 1


def test_what_a_token_may_not_is_said(hub: FakeGitHub, site: GitHubSite, proposal: Proposal) -> None:
    with GitHub(lambda: READER, hub.url) as reader, pytest.raises(CodeHostError, match="lacks the right"):
        reader.commit(proposal)
    with GitHub(lambda: STRANGER, hub.url) as stranger, pytest.raises(CodeHostError, match="can't see it"):
        stranger.commit(proposal)
    with GitHub(lambda: "expired", hub.url) as expired, pytest.raises(CodeHostError, match="has expired"):
        expired.commit(proposal)
    hub.archived = True
    with GitHub(lambda: TOKEN, hub.url) as late, pytest.raises(CodeHostError, match="is archived"):
        late.commit(proposal)
    assert site.branches() == ["main"]


@pytest.mark.parametrize("token", ["", " \n", "two\nlines", "tökén"])
def test_what_can_be_no_token_is_not_sent(hub: FakeGitHub, proposal: Proposal, token: str) -> None:
    with GitHub(lambda: token, hub.url) as code_host, pytest.raises(CodeHostError, match="token") as error:
        code_host.commit(proposal)
    assert hub.calls == []
    assert not token.strip() or token not in str(error.value)


def test_the_token_is_fetched_anew_for_each_request(hub: FakeGitHub, proposal: Proposal) -> None:
    tokens = iter([TOKEN + "\n", READER, TOKEN, READER])
    with GitHub(lambda: next(tokens), hub.url) as code_host:
        code_host.status(Review(repository="ann/site", branch="b", base="main", commit="c" * 40))
    assert next(tokens, None) is None


def test_the_token_is_never_told(
    code_host: CodeHost, hub: FakeGitHub, proposal: Proposal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    code_host.commit(proposal)
    hub.trouble = always(complaint(400, f"What is 'Authorization: Bearer {TOKEN}'?"))
    with pytest.raises(CodeHostError, match=r"Bearer \*\*\*") as error:
        code_host.commit(proposal)
    assert TOKEN not in str(error.value)
    assert TOKEN not in caplog.text


def test_a_server_that_is_not_there_is_said(hub: FakeGitHub, proposal: Proposal) -> None:
    hub.shutdown()
    hub.server_close()
    with GitHub(lambda: TOKEN, hub.url) as code_host, pytest.raises(CodeHostError, match="connection failed"):
        code_host.commit(proposal)


@pytest.mark.parametrize("name", ["site", "ann/site/tree/main", "ann/", "../user/keys", "ann/site?x=1"])
def test_what_can_be_no_repository_is_not_asked_for(
    code_host: CodeHost, hub: FakeGitHub, proposal: Proposal, name: str
) -> None:
    with pytest.raises(CodeHostError, match="no repository on GitHub"):
        code_host.commit(replace(proposal, repository=name))
    assert hub.calls == []


def test_a_file_where_a_folder_is_wanted_is_left_there(
    code_host: CodeHost, site: GitHubSite, proposal: Proposal
) -> None:
    site.commit("main", {"transcripts": "See the show's page.\n"})
    with pytest.raises(CodeHostError, match=r"transcripts/one\.md is on 'main'"):
        code_host.commit(proposal)
    with pytest.raises(CodeHostError, match=r"transcripts is on 'main'"):
        code_host.commit(replace(proposal, files={"transcripts": "Another text"}))


def test_a_repository_without_a_commit_has_no_branch(
    code_host: CodeHost, site: GitHubSite, proposal: Proposal
) -> None:
    site.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(CodeHostError, match="has no branch 'main'"):
        code_host.commit(proposal)


def test_a_set_up_can_be_checked(code_host: GitHub, hub: FakeGitHub) -> None:
    code_host.check("ann/site", "main")
    with pytest.raises(CodeHostError, match="ann/site has no branch 'master'"):
        code_host.check("ann/site", "master")
    with pytest.raises(CodeHostError, match="no repository ann/blog"):
        code_host.check("ann/blog", "main")
    assert {call.method for call in hub.calls} == {"GET"}


def test_branches_of_any_name(code_host: CodeHost, site: GitHubSite, proposal: Proposal) -> None:
    site.commit("näxt/#1_100%25+", {"news.md": "News\n"})
    base = site.branches()[1]
    odd = replace(proposal, base=base, branch="transcript/#2&state=closed%2f+ü")
    review = code_host.open(odd, code_host.commit(odd))
    assert site.head(odd.branch) == review.commit
    assert code_host.open(odd, review.commit) == review
    assert code_host.status(replace(review, url="")).review == review
    assert "+# One" in code_host.diff(review)


def test_all_pages_of_a_list_are_read(hub: FakeGitHub, site: GitHubSite) -> None:
    old = [PullRequest(n, "", "", "b", "main", site.head("main"), "closed") for n in range(1, 252)]
    site.pulls.extend(old)
    api = Api(lambda: TOKEN, hub.url, "proofcast", "GITHUB_TOKEN")
    pulls = api.get_all("ann/site", "repos/ann/site/pulls", Pull, {"head": "ann:b", "state": "all"})
    api.close()
    assert [pull.number for pull in pulls] == [*range(251, 0, -1)]
    assert len(hub.calls) == 3


def test_nothing_is_loaded_before_it_is_used() -> None:
    script = (
        "import sys; from pipeline.adapters.github import GitHub; GitHub(lambda: '').close(); "
        "sys.exit('httpx2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
