"""What every code host promises. See `ports.CodeHost`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import CodeHostError
from pipeline.model import Proposal, Review, ReviewState
from pipeline.ports import CodeHost
from tests.builders import NOW, a_proposal
from tests.git_site import GitSite


@pytest.fixture
def proposal(site: GitSite) -> Proposal:
    return a_proposal(site.repository)


@pytest.fixture
def review(code_host: CodeHost, proposal: Proposal) -> Review:
    """An open one."""
    return code_host.open(proposal, code_host.commit(proposal))


def state(code_host: CodeHost, review: Review) -> ReviewState:
    return code_host.status(review).review.state


def test_the_same_proposal_is_the_same_commit(code_host: CodeHost, site: GitSite, proposal: Proposal) -> None:
    commit = code_host.commit(proposal)
    assert code_host.commit(proposal) == commit
    assert site.branches() == ["main"]
    other = replace(proposal, files={**proposal.files, "transcripts/one.md": "# Two\n"})
    assert code_host.commit(other) != commit
    assert code_host.commit(replace(proposal, at=NOW + 1)) != commit


def test_a_commit_holds_the_files_to_the_byte_and_nothing_else_new(
    code_host: CodeHost, site: GitSite, proposal: Proposal
) -> None:
    texts = ["", "no newline at the end", "two\r\nends\r", "Grüße, 日本 \U0001f399\u2028\n", "x" * 300_000]
    files = {f"deep/er/{number}.txt": text for number, text in enumerate(texts)}
    commit = code_host.commit(replace(proposal, files=files))
    before = site.files("main")
    assert site.files(commit) == before | {path: text.encode() for path, text in files.items()}
    assert site.git("rev-parse", f"{commit}^") == site.head("main")


def test_a_commit_says_what_it_is(code_host: CodeHost, site: GitSite, proposal: Proposal) -> None:
    commit = code_host.commit(proposal)
    message = site.git("show", "--no-patch", "--format=%B", commit)
    assert message == f"{proposal.title}\n\nEpisode-Key: show-1"
    assert (
        site.git("show", "--no-patch", "--format=%(trailers:key=Episode-Key,valueonly)", commit) == "show-1"
    )
    assert site.git("show", "--no-patch", "--format=%at %ct", commit) == f"{NOW:.0f} {NOW:.0f}"


def test_opened_twice_it_is_the_same_review(code_host: CodeHost, site: GitSite, proposal: Proposal) -> None:
    commit = code_host.commit(proposal)
    review = code_host.open(proposal, commit)
    assert (review.branch, review.base, review.commit) == (proposal.branch, "main", commit)
    assert review.state is ReviewState.OPEN
    assert review.url
    assert code_host.open(proposal, commit) == review
    assert site.branches() == ["main", proposal.branch]
    assert site.head(proposal.branch) == commit


def test_a_branch_of_somebody_else_is_never_moved(
    code_host: CodeHost, site: GitSite, proposal: Proposal
) -> None:
    theirs = site.commit(proposal.branch, {"notes.md": "mine\n"})
    commit = code_host.commit(proposal)
    with pytest.raises(CodeHostError, match="not Proofcast's"):
        code_host.open(proposal, commit)
    assert site.head(proposal.branch) == theirs
    prepared = Review(
        repository=proposal.repository, branch=proposal.branch, base=proposal.base, commit=commit
    )
    assert state(code_host, prepared) is ReviewState.ABSENT


def test_an_edited_branch_is_not_moved_back(code_host: CodeHost, site: GitSite, review: Review) -> None:
    theirs = site.commit(review.branch, {"transcripts/one.md": "# Corrected\n"})
    with pytest.raises(CodeHostError):
        code_host.open(a_proposal(review.repository), review.commit)
    assert site.head(review.branch) == theirs
    status = code_host.status(review)
    assert (status.head, status.edited, status.review) == (theirs, True, review)


def test_a_review_is_known_by_branch_and_commit_alone(code_host: CodeHost, review: Review) -> None:
    bare = Review(repository=review.repository, branch=review.branch, base=review.base, commit=review.commit)
    status = code_host.status(bare)
    assert (status.review, status.head, status.edited) == (review, review.commit, False)


def test_a_review_that_was_never_opened_is_absent(
    code_host: CodeHost, site: GitSite, proposal: Proposal
) -> None:
    prepared = Review(
        repository=proposal.repository, branch=proposal.branch, base="main", commit=code_host.commit(proposal)
    )
    status = code_host.status(prepared)
    assert (status.review, status.head, status.edited) == (prepared, None, False)
    site.commit("main", {"news.md": "News\n"})
    assert state(code_host, prepared) is ReviewState.ABSENT


def test_merged(code_host: CodeHost, site: GitSite, review: Review) -> None:
    site.merge(review.branch)
    assert state(code_host, review) is ReviewState.MERGED
    site.delete(review.branch)
    assert state(code_host, review) is ReviewState.MERGED
    site.commit("main", {"transcripts/one.md": "# Corrected later\n"})
    assert state(code_host, review) is ReviewState.MERGED


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_merged_with_corrections_or_without_in_any_way(
    code_host: CodeHost, site: GitSite, review: Review, how: str, edited: bool
) -> None:
    if edited:
        site.commit(review.branch, {"transcripts/one.md": "# Corrected\n"})
    site.commit("main", {"news.md": "News\n"})
    assert state(code_host, review) is ReviewState.OPEN
    {"merge": site.merge, "squash": site.squash, "rebase": site.rebase}[how](review.branch)
    assert state(code_host, review) is ReviewState.MERGED
    site.delete(review.branch)
    assert state(code_host, review) is ReviewState.MERGED


def test_a_branch_deleted_without_merging_is_closed(
    code_host: CodeHost, site: GitSite, review: Review
) -> None:
    site.commit("main", {"transcripts/one.md": "# Only one of the two, by hand\n"})
    site.delete(review.branch)
    status = code_host.status(review)
    assert (status.review.state, status.head, status.edited) == (ReviewState.CLOSED, None, False)


def test_the_diff_is_what_the_review_adds(code_host: CodeHost, site: GitSite, review: Review) -> None:
    site.commit("main", {"news.md": "News\n"})
    diff = code_host.diff(review)
    assert "+# One" in diff
    assert "+++ b/transcripts/one.json" in diff
    assert "news.md" not in diff
    site.commit(review.branch, {"transcripts/one.md": "# Corrected\n"})
    assert "+# Corrected" in code_host.diff(review)


def test_a_text_that_is_on_the_site_already_is_never_undone(
    code_host: CodeHost, site: GitSite, proposal: Proposal
) -> None:
    site.commit("main", {"transcripts/one.md": "# Corrected\n"})
    with pytest.raises(CodeHostError, match=r"transcripts/one\.md is on 'main'"):
        code_host.commit(proposal)
    site.commit("main", {"transcripts/one.md": "# One\n"})
    assert code_host.commit(proposal)


def test_what_the_site_lacks_is_said(code_host: CodeHost, proposal: Proposal) -> None:
    with pytest.raises(CodeHostError, match="no branch 'master'"):
        code_host.commit(replace(proposal, base="master"))
    nowhere = proposal.repository + "-gone"
    with pytest.raises(CodeHostError, match="-gone"):
        code_host.commit(replace(proposal, repository=nowhere))
    with pytest.raises(CodeHostError, match="-gone"):
        code_host.status(Review(repository=nowhere, branch="b", base="main", commit="c" * 40))
    with pytest.raises(CodeHostError):
        code_host.open(replace(proposal, branch="no..such name"), code_host.commit(proposal))


def test_a_commit_that_is_not_there_is_not_merged(code_host: CodeHost, site: GitSite, review: Review) -> None:
    lost = replace(review, commit="c" * 40)
    assert state(code_host, lost) is ReviewState.OPEN


def test_a_file_of_the_base_is_read_as_it_is_now(code_host: CodeHost, site: GitSite) -> None:
    assert code_host.read(site.repository, "main", "words/show one.toml") is None
    site.commit("main", {"words/show one.toml": "terms = []\n\n"})
    site.commit("other", {"words/show one.toml": "no\n"})
    assert code_host.read(site.repository, "main", "words/show one.toml") == "terms = []\n\n"
    site.commit("main", {"words/show one.toml": 'terms = ["Grüße"]\n'})
    assert code_host.read(site.repository, "main", "words/show one.toml") == 'terms = ["Grüße"]\n'
