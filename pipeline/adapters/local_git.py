"""Reviews as branches of a git repository on this machine.

Everything is plumbing: no checkout, index or work tree of the repository's owner is touched, and a
commit made twice from the same proposal on the same base is the same commit.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.errors import CodeHostError, StorageFull
from pipeline.model import Proposal, Review, ReviewState
from pipeline.ports import ReviewStatus

IDENTITY = ("Proofcast", "proofcast@localhost")
_MUST_BE_NEW = ""  #: to `update-ref`: whoever has that branch already keeps it
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class LocalGit:
    """See `ports.CodeHost`. `own` is the one repository that is made if it isn't there."""

    def __init__(self, own: Path) -> None:
        self._own = own

    def check(self, repository: str, base: str) -> None:
        path = Path(repository)
        if path == self._own and not (path / ".git").exists():
            return  # made when it is first needed
        if not path.is_dir():
            raise CodeHostError(f"there is no folder {path}", "clone the site there")
        if _commit_of(path, base) is None:
            raise CodeHostError(
                f"{path} has no branch '{base}'", "set the feed's 'base' to the site's main branch"
            )

    def read(self, repository: str, base: str, path: str) -> str | None:
        folder = Path(repository)
        if folder == self._own and not (folder / ".git").exists():
            return None
        commit = _commit_of(folder, base)
        blob = _blob(folder, commit, path) if commit else None
        return _git(folder, "cat-file", "blob", blob, raw=True) if blob else None

    def commit(self, proposal: Proposal) -> str:
        repository = self._repository(proposal.repository, proposal.base)
        base = _commit_of(repository, proposal.base)
        if base is None:
            raise CodeHostError(
                f"{repository} has no branch '{proposal.base}'",
                "set the feed's 'base' to the site's main branch",
            )
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": os.fspath(Path(folder, "index"))}
            _git(repository, "read-tree", base, env=index)
            for path, text in proposal.files.items():
                blob = _git(repository, "hash-object", "-w", "--stdin", stdin=text)
                _refuse_other(repository, base, path, blob, proposal.base)
                _git(repository, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=index)
            tree = _git(repository, "write-tree", env=index)
        identity = _identity(proposal.at)
        commit = _git(repository, "commit-tree", tree, "-p", base, stdin=_message(proposal), env=identity)
        _git(repository, "update-ref", _memory(commit, "ours"), commit)
        return commit

    def open(self, proposal: Proposal, commit: str) -> Review:
        repository = Path(proposal.repository)
        head = _commit_of(repository, proposal.branch)
        if head is None:
            _git(repository, "update-ref", f"refs/heads/{proposal.branch}", commit, _MUST_BE_NEW)
        elif head != commit:
            raise CodeHostError(
                f"the branch {proposal.branch} of {repository} holds a commit that is not Proofcast's",
                "merge or delete it, then 'proofcast retry' the episode",
            )
        return Review(
            repository=proposal.repository,
            branch=proposal.branch,
            base=proposal.base,
            commit=commit,
            state=ReviewState.OPEN,
            url=_url(proposal.repository, proposal.branch),
        )

    def status(self, review: Review) -> ReviewStatus:
        repository = Path(review.repository)
        opened = review.state is ReviewState.OPEN
        base = _commit_of(repository, review.base)
        head = _commit_of(repository, review.branch)
        ours = head is not None and _is_ours(repository, review, head)
        made_here = _commit_of(repository, _memory(review.commit, "ours"))
        if head is not None and ours and made_here:  # for when it was merged and the branch deleted
            _git(repository, "update-ref", _memory(review.commit, "last"), head)
        known = made_here or _commit_of(repository, review.commit)
        if base and known and _is_merged(repository, review, base):
            state = ReviewState.MERGED
        elif ours:
            state = ReviewState.OPEN
        elif not opened:  # we were stopped before it was made
            state = ReviewState.ABSENT
        elif base and made_here:  # given up by a person
            state = ReviewState.CLOSED
        else:
            raise CodeHostError(
                f"{repository} is not the repository in which {review.branch} was proposed",
                "set the feed's 'repository' to that one; or 'proofcast skip' and 'retry' the episode",
            )
        url = "" if state is ReviewState.ABSENT else _url(review.repository, review.branch)
        edited = head is not None and head != review.commit
        return ReviewStatus(review=replace(review, state=state, url=url), head=head, edited=edited)

    def diff(self, review: Review) -> str:
        head = _commit_of(Path(review.repository), review.branch) or review.commit
        return _git(
            Path(review.repository),
            "diff",
            "--no-color",
            "--no-ext-diff",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            f"refs/heads/{review.base}...{head}",
            raw=True,
        )

    def _repository(self, path: str, base: str) -> Path:
        repository = Path(path)
        if repository == self._own and not (repository / ".git").exists():
            self._make_own(base)
        if not repository.is_dir():
            raise CodeHostError(
                f"there is no folder {repository}", "set the feed's 'repository' to a git repository"
            )
        return repository

    def _make_own(self, base: str) -> None:
        """Made elsewhere and moved here whole, so that two workers may begin at once."""
        try:
            self._own.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", dir=self._own.parent) as folder:
                made = Path(folder, self._own.name)
                made.mkdir()
                _first_commit(made, base)
                made.rename(self._own)
        except OSError as error:
            if not (self._own / ".git").exists():
                raise CodeHostError(
                    f"{self._own} can't become a git repository: {error.strerror}", "move it away"
                ) from None


def _first_commit(repository: Path, base: str) -> None:
    """A repository with something to branch from, checked out for whoever looks into the folder."""
    readme = "# Transcripts\n\nProofcast proposes one branch for each episode; merge it to publish.\n"
    _git(repository, "init", "--quiet", f"--initial-branch={base}")
    blob = _git(repository, "hash-object", "-w", "--stdin", stdin=readme)
    tree = _git(repository, "mktree", stdin=f"100644 blob {blob}\tREADME.md\n")
    commit = _git(repository, "commit-tree", tree, stdin="Start the site\n", env=_identity(0))
    _git(repository, "update-ref", f"refs/heads/{base}", commit, _MUST_BE_NEW)
    _git(repository, "reset", "--quiet", "--hard", base)


def _url(repository: str, branch: str) -> str:
    return f"{repository}#{branch}"


def _message(proposal: Proposal) -> str:
    trailers = "".join(f"{key}: {value}\n" for key, value in proposal.trailers.items())
    return f"{proposal.title}\n\n{trailers}"


def _identity(at: float) -> dict[str, str]:
    name, email = IDENTITY
    date = f"@{int(at)} +0000"
    return {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", name), ("EMAIL", email), ("DATE", date))
    }


def _refuse_other(repository: Path, commit: str, path: str, blob: str, base: str) -> None:
    """A file that is there already may hold people's corrections: never propose to undo them."""
    there = _blob(repository, commit, path)
    if there not in (None, blob):
        raise CodeHostError(
            f"{path} is on '{base}' of {repository} already, with another text",
            "remove it there to have it proposed anew, or 'proofcast skip' the episode",
        )


def _is_ours(repository: Path, review: Review, head: str) -> bool:
    """Whether the branch is the one we made, or would have: a person may have taken its name before."""
    opened = review.state is not ReviewState.ABSENT
    return opened or _succeeds(repository, "merge-base", "--is-ancestor", review.commit, head)


def _is_merged(repository: Path, review: Review, base: str) -> bool:
    """Whether the base took the change, as it was made or as the branch was last seen."""
    commits = {review.commit, _commit_of(repository, _memory(review.commit, "last")) or review.commit}
    if any(_succeeds(repository, "merge-base", "--is-ancestor", commit, base) for commit in commits):
        return True
    # A squash or rebase leaves no ancestry, but texts that the branch had: under whatever name, even if
    # they were edited on the base since, even if some files were left out. A transcript's text is its own.
    since = f"^{review.commit}^"
    return bool(_blobs(repository, base, since) & _blobs(repository, *commits, since))


def _blobs(repository: Path, *commits: str) -> set[str]:
    """Every file content that these commits brought."""
    raw = _git(repository, "log", "-m", "--raw", "--no-abbrev", "--no-renames", "--format=", *commits)
    changes = (line.split() for line in raw.splitlines() if line.startswith(":"))
    return {blob for _, _, _, blob, *_ in changes if set(blob) != {"0"}}


def _memory(commit: str, which: str) -> str:
    """A ref that keeps a review's commits from being cleared away, whatever becomes of its branch."""
    return f"refs/proofcast/{commit}/{which}"


def _commit_of(repository: Path, name: str) -> str | None:
    full = _HASH.fullmatch(name) or name.startswith("refs/")
    reference = name if full else f"refs/heads/{name}"
    found = _run(repository, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
    if found.returncode == 0:
        return found.stdout.strip()
    if found.stderr.strip():  # not a repository, not ours to read…
        raise CodeHostError(f"git can't read {repository}: {found.stderr.strip()}")
    return None


def _blob(repository: Path, commit: str, path: str) -> str | None:
    found = _run(repository, "rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    return found.stdout.strip() if found.returncode == 0 else None


def _succeeds(repository: Path, *arguments: str) -> bool:
    return _run(repository, *arguments).returncode == 0


def _git(
    repository: Path,
    *arguments: str,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    raw: bool = False,
) -> str:
    """What git prints. Raises CodeHostError with git's own words."""
    done = _run(repository, *arguments, stdin=stdin, env=env)
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit {done.returncode}"
        if "No space left on device" in said:
            raise StorageFull(f"the disk of {repository} is full", "make room, then run again")
        raise CodeHostError(f"git {arguments[0]} failed in {repository}: {said}")
    return done.stdout if raw else done.stdout.strip()


def _run(
    repository: Path, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    # A git hook or alias that runs us exports where *its* repository is: that must not lead us there.
    # Nor may a folder that is no repository lead to the one around it.
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    own |= {"GIT_CEILING_DIRECTORIES": os.fspath(repository.resolve().parent), "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(
            ["git", "-C", os.fspath(repository), *arguments],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            env={**own, "LC_ALL": "C", **(env or {})},
        )
    except FileNotFoundError:
        raise CodeHostError("git is not installed", "install git, then run this again") from None
