"""The local code host beside somebody's own work; what all code hosts promise is in contracts/."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from pipeline.adapters.local_git import LocalGit
from pipeline.errors import CodeHostError
from pipeline.model import Review, ReviewState
from tests.builders import a_proposal
from tests.git_site import GitSite


@pytest.fixture
def site(tmp_path: Path) -> GitSite:
    return GitSite.made(tmp_path / "site")


@pytest.fixture
def code_host(tmp_path: Path) -> LocalGit:
    return LocalGit(own=tmp_path / "data" / "own")


def test_the_owner_s_checkout_and_index_are_left_alone(code_host: LocalGit, site: GitSite) -> None:
    site.commit("feature", {"feature.md": "half done\n"})
    (site.folder / "staged.md").write_text("staged\n")
    site.git("add", "staged.md")
    (site.folder / "README.md").write_text("being edited\n")
    (site.folder / "untracked.md").write_text("untracked\n")
    index = (site.folder / ".git" / "index").read_bytes()
    before = site.git("status", "--porcelain=v2", "--branch")
    proposal = a_proposal(str(site.folder))
    review = code_host.open(proposal, code_host.commit(proposal))
    code_host.status(review)
    code_host.diff(review)
    assert site.git("status", "--porcelain=v2", "--branch") == before
    assert (site.folder / ".git" / "index").read_bytes() == index
    assert not (site.folder / "transcripts").exists()


def test_settings_of_the_repository_change_no_byte(code_host: LocalGit, site: GitSite) -> None:
    site.commit("main", {".gitattributes": "* text=auto eol=crlf\n", ".gitignore": "transcripts/\n"})
    for name, value in {
        "core.autocrlf": "true",
        "commit.gpgSign": "true",
        "diff.noprefix": "true",
        "color.ui": "always",
    }.items():
        site.git("config", name, value)
    proposal = a_proposal(str(site.folder), files={"transcripts/a.md": "one\ntwo\r\n"})
    review = code_host.open(proposal, code_host.commit(proposal))
    assert site.files(review.branch)["transcripts/a.md"] == b"one\ntwo\r\n"
    diff = code_host.diff(review)
    assert "\x1b" not in diff
    assert "+++ b/transcripts/a.md" in diff


def test_inside_a_git_hook_it_goes_to_the_site_all_the_same(
    code_host: LocalGit, site: GitSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = GitSite.made(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", os.fspath(other.folder / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", os.fspath(other.folder / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", os.fspath(other.folder))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    for repository, there in ((site.folder, site), (tmp_path / "data" / "own", None)):
        proposal = a_proposal(str(repository))
        review = code_host.open(proposal, code_host.commit(proposal))
        there = there or GitSite(repository)
        assert there.branches() == ["main", review.branch]
        assert there.git("show", "--no-patch", "--format=%an", review.commit) == "Proofcast"
    assert other.branches() == ["main"]
    assert other.git("status", "--porcelain") == ""


def test_its_own_repository_is_made_on_first_use(code_host: LocalGit, tmp_path: Path) -> None:
    own = GitSite(tmp_path / "data" / "own")
    proposal = a_proposal(str(own.folder))
    review = code_host.open(proposal, code_host.commit(proposal))
    assert own.branches() == ["main", review.branch]
    assert own.git("status", "--porcelain") == ""
    assert (own.folder / "README.md").is_file()
    own.merge(review.branch)
    assert code_host.status(review).review.state is ReviewState.MERGED
    second = a_proposal(str(own.folder), branch="transcript/show/2", files={"2.md": "2"})
    assert code_host.open(second, code_host.commit(second)).state is ReviewState.OPEN
    assert [path.name for path in own.folder.parent.iterdir()] == ["own"]


def test_two_workers_make_their_own_repository_at_once(tmp_path: Path) -> None:
    own = tmp_path / "data" / "own"
    together = Barrier(3)

    def propose(number: int) -> str:
        code_host = LocalGit(own)
        proposal = a_proposal(str(own), branch=f"b{number}", files={f"{number}.md": ""})
        together.wait()
        return code_host.open(proposal, code_host.commit(proposal)).branch

    with ThreadPoolExecutor(3) as threads:
        branches = list(threads.map(propose, range(3)))
    assert GitSite(own).branches() == [*branches, "main"]
    assert [path.name for path in own.parent.iterdir()] == ["own"]


def test_a_folder_that_is_no_repository_is_said(code_host: LocalGit, site: GitSite, tmp_path: Path) -> None:
    plain, within = tmp_path / "plain", site.folder / "content"
    for folder in (plain, within):
        folder.mkdir()
        with pytest.raises(CodeHostError, match="not a git repository"):
            code_host.commit(a_proposal(str(folder)))
        assert list(folder.iterdir()) == []
    with pytest.raises(CodeHostError, match="there is no folder"):
        code_host.commit(a_proposal(str(tmp_path / "nothing")))
    assert site.branches() == ["main"]


def test_a_folder_of_files_does_not_become_its_own_repository(code_host: LocalGit, tmp_path: Path) -> None:
    own = tmp_path / "data" / "own"
    own.mkdir(parents=True)
    (own / "notes.txt").write_text("mine")
    with pytest.raises(CodeHostError, match="can't become a git repository"):
        code_host.commit(a_proposal(str(own)))
    assert [path.name for path in own.iterdir()] == ["notes.txt"]


def test_a_bare_repository_will_do(code_host: LocalGit, site: GitSite, tmp_path: Path) -> None:
    bare = GitSite(tmp_path / "bare.git")
    site.git("clone", "--quiet", "--bare", os.fspath(site.folder), os.fspath(bare.folder))
    proposal = a_proposal(str(bare.folder))
    review = code_host.open(proposal, code_host.commit(proposal))
    assert bare.branches() == ["main", review.branch]


def test_a_branch_s_name_is_never_taken_for_a_commit_s(code_host: LocalGit, site: GitSite) -> None:
    branch = "transcript/show/".ljust(40, "a")
    site.git("tag", branch)
    proposal = a_proposal(str(site.folder), branch=branch)
    commit = code_host.commit(proposal)
    review = code_host.open(proposal, commit)
    assert code_host.status(review).head == commit
    assert code_host.open(replace(proposal, body="again"), commit) == review


def test_where_git_is_missing_it_says_so(
    code_host: LocalGit, site: GitSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(CodeHostError, match="git is not installed"):
        code_host.commit(a_proposal(str(site.folder)))


def opened(code_host: LocalGit, site: GitSite, branch: str = "", **files: str) -> Review:
    proposal = a_proposal(str(site.folder))
    proposal = replace(proposal, branch=branch or proposal.branch, files=files or proposal.files)
    return code_host.open(proposal, code_host.commit(proposal))


def state(code_host: LocalGit, review: Review) -> ReviewState:
    return code_host.status(review).review.state


def test_another_text_under_the_same_name_is_no_merge(code_host: LocalGit, site: GitSite) -> None:
    one = opened(code_host, site, "transcript/one", **{"1.json": "season one\n"})
    two = opened(code_host, site, "transcript/two", **{"1.json": "season two\n"})
    site.merge(one.branch)
    assert (state(code_host, one), state(code_host, two)) == (ReviewState.MERGED, ReviewState.OPEN)


def test_a_squash_is_noticed_though_it_was_edited_and_cut(code_host: LocalGit, site: GitSite) -> None:
    review = opened(code_host, site, **{"a.json": "one\n", "b.md": "two\n"})
    site.squash(review.branch)
    site.git("rm", "-q", "b.md")
    site.git("commit", "-q", "-m", "not this one")
    site.commit("main", {"a.json": "one, corrected\n"})
    assert state(code_host, review) is ReviewState.MERGED
    site.delete(review.branch)
    assert state(code_host, review) is ReviewState.MERGED


def test_an_amended_and_renamed_change_is_noticed_after_its_branch_is_gone(
    code_host: LocalGit, site: GitSite
) -> None:
    review = opened(code_host, site, **{"a.json": "one\n"})
    site.git("checkout", "-q", review.branch)
    site.git("mv", "a.json", "b.json")
    (site.folder / "b.json").write_text("one, corrected\n")
    site.git("commit", "-q", "-a", "--amend", "-m", "mine now")
    site.git("checkout", "-q", "main")
    assert code_host.status(review).edited
    site.merge(review.branch)
    site.delete(review.branch)
    assert state(code_host, review) is ReviewState.MERGED


def test_our_commit_outlives_its_branch(code_host: LocalGit, site: GitSite) -> None:
    review = opened(code_host, site)
    site.squash(review.branch)
    site.delete(review.branch)
    site.git("reflog", "expire", "--expire=now", "--all")
    site.git("gc", "-q", "--prune=now")
    assert state(code_host, review) is ReviewState.MERGED


def test_another_clone_is_not_taken_for_a_rejection(
    code_host: LocalGit, site: GitSite, tmp_path: Path
) -> None:
    review = opened(code_host, site)
    site.git("clone", "-q", str(site.folder), str(tmp_path / "clone"))
    with pytest.raises(CodeHostError, match="is not the repository in which"):
        code_host.status(replace(review, repository=str(tmp_path / "clone")))
