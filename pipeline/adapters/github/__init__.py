"""Reviews as pull requests on GitHub.

Everything is done through the REST API, in steps that can be run again: a branch is made once and never
moved, a pull request that is there already is found. A repository is known as owner/name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Self

from pipeline.adapters.github.answers import Entry, Pull
from pipeline.adapters.github.refusals import Refused
from pipeline.adapters.github.repository import Repository
from pipeline.errors import CodeHostError
from pipeline.model import Proposal, Review, ReviewState
from pipeline.ports import ReviewStatus

if TYPE_CHECKING:
    from pipeline.adapters.github.api import Api

IDENTITY = ("Proofcast", "proofcast@localhost")
_NAME = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
_NUMBER = re.compile(r"/pull/(\d+)$")
_NOT_VALID = 422


class GitHub:
    """See `ports.CodeHost`; threads may share one. Nothing is loaded or asked before it is used."""

    def __init__(
        self,
        token: Callable[[], str],
        api: str = "https://api.github.com",
        agent: str = "proofcast",
        place: str = "GITHUB_TOKEN",
    ) -> None:
        """`place` is where people put the token."""
        self._new_api = lambda: _new_api(token, api, agent, place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if "_api" in vars(self):
            self._api.close()

    def check(self, repository: str, base: str) -> None:
        """See that it can be read; whether it can be written shows only then."""
        _base(self._repository(repository), base)

    def read(self, repository: str, base: str, path: str) -> str | None:
        return self._repository(repository).file(base, path)

    def commit(self, proposal: Proposal) -> str:
        repository = self._repository(proposal.repository)
        base = _base(repository, proposal.base)
        tree = repository.tree_of(base)
        _refuse_other(repository, tree, proposal)
        made = repository.make_tree(tree, proposal.files)
        return repository.make_commit(made, base, _message(proposal), _identity(proposal.at))

    def open(self, proposal: Proposal, commit: str) -> Review:
        repository = self._repository(proposal.repository)
        _make_branch(repository, proposal, commit)
        pull = _adopted(repository, proposal, commit) or _made(repository, proposal, commit)
        return Review(
            repository=proposal.repository,
            branch=proposal.branch,
            base=proposal.base,
            commit=commit,
            state=_state(pull),
            url=pull.html_url,
        )

    def status(self, review: Review) -> ReviewStatus:
        """A branch of ours without a pull request is absent still: `open` then makes the request."""
        repository = self._repository(review.repository)
        head = repository.head(review.branch)
        pull = _pull_of(repository, review)
        if pull:
            now = replace(review, state=_state(pull), url=pull.html_url)
        elif repository.holds(review.base, review.commit):  # merged by hand, before it was asked for
            url = f"{repository.page}/commit/{review.commit}"
            now = replace(review, state=ReviewState.MERGED, url=url)
        elif review.state is ReviewState.OPEN:  # GitHub forgets no pull request
            raise CodeHostError(
                f"{review.repository} is not the repository in which {review.branch} was proposed",
                "set the feed's 'repository' to that one; or 'proofcast skip' and 'retry' the episode",
            )
        else:
            now = replace(review, state=ReviewState.ABSENT, url="")
        return ReviewStatus(review=now, head=head, edited=head not in (None, review.commit))

    def diff(self, review: Review) -> str:
        repository = self._repository(review.repository)
        return repository.diff(review.base, repository.head(review.branch) or review.commit)

    def _repository(self, name: str) -> Repository:
        if not _NAME.fullmatch(name):
            raise CodeHostError(
                f"'{name}' is no repository on GitHub",
                "set the feed's 'repository' to https://github.com/owner/name",
            )
        return Repository(self._api, name)

    @cached_property
    def _api(self) -> Api:
        return self._new_api()


def _new_api(token: Callable[[], str], api: str, agent: str, place: str) -> Api:
    from pipeline.adapters.github.api import Api  # its HTTP client: 100 ms that `status` need not spend

    return Api(token, api, agent, place)


def _base(repository: Repository, branch: str) -> str:
    head = repository.head(branch)
    if head is None:
        raise CodeHostError(
            f"{repository.name} has no branch '{branch}'", "set the feed's 'base' to the site's main branch"
        )
    return head


def _make_branch(repository: Repository, proposal: Proposal, commit: str) -> None:
    """Unless it is there already, with our commit and nothing else."""
    head = repository.head(proposal.branch)
    if head is None:
        try:
            repository.make_branch(proposal.branch, commit)
            return
        except Refused as refused:
            head = repository.head(proposal.branch) if refused.status == _NOT_VALID else None
            if head is None:
                raise
    if head != commit:
        raise CodeHostError(
            f"the branch {proposal.branch} of {proposal.repository} holds a commit that is not Proofcast's",
            "merge or delete it, then 'proofcast retry' the episode",
        )


def _adopted(repository: Repository, proposal: Proposal, commit: str) -> Pull | None:
    """The pull request that was made before. One that people closed is not asked for again by `publish`;
    when they want another try, it gets a pull request of its own."""
    for pull in repository.pulls(proposal.branch):
        if pull.is_open or (pull.merged_at and pull.head.sha == commit):
            return pull
    return None


def _made(repository: Repository, proposal: Proposal, commit: str) -> Pull:
    try:
        return repository.make_pull(proposal.branch, proposal.base, proposal.title, proposal.body)
    except Refused as refused:  # somebody was faster
        pull = _adopted(repository, proposal, commit) if refused.status == _NOT_VALID else None
        if pull is None:
            raise
        return pull


def _pull_of(repository: Repository, review: Review) -> Pull | None:
    """By its number where that is known, else the one that holds our commit: others may have been asked
    for from a branch of that name."""
    number = _NUMBER.search(review.url)
    pull = repository.pull(int(number[1])) if number else None
    if pull and pull.head.ref == review.branch:
        return pull
    ours = [
        pull
        for pull in repository.pulls(review.branch)
        if pull.head.sha == review.commit or repository.holds(pull.head.sha, review.commit)
    ]
    return next((pull for pull in ours if pull.is_open), ours[0] if ours else None)


def _state(pull: Pull) -> ReviewState:
    if pull.merged_at:
        return ReviewState.MERGED
    return ReviewState.OPEN if pull.is_open else ReviewState.CLOSED


def _refuse_other(repository: Repository, tree: str, proposal: Proposal) -> None:
    """A file that is there already may hold people's corrections: never propose to undo them."""
    folders: dict[str, dict[str, Entry]] = {}

    def entries(folder: str) -> dict[str, Entry]:
        if folder not in folders:
            folders[folder] = repository.entries(folder)
        return folders[folder]

    for path, text in proposal.files.items():
        there = _entry(entries, tree, path)
        if there and there.sha != _blob(text):
            raise CodeHostError(
                f"{path} is on '{proposal.base}' of {proposal.repository} already, with another text",
                "remove it there to have it proposed anew, or 'proofcast skip' the episode",
            )


def _entry(entries: Callable[[str], dict[str, Entry]], tree: str, path: str) -> Entry | None:
    """What is in the way of a file: itself, or something that is not the folder it wants to lie in."""
    names: Iterator[str] = iter(path.split("/"))
    entry = entries(tree).get(next(names))
    for name in names:
        if entry is None or entry.type != "tree":
            break
        entry = entries(entry.sha).get(name)
    return entry


def _blob(text: str) -> str:
    """The hash that git knows this text by."""
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _message(proposal: Proposal) -> str:
    trailers = "".join(f"{key}: {value}\n" for key, value in proposal.trailers.items())
    return f"{proposal.title}\n\n{trailers}"


def _identity(at: float) -> dict[str, str]:
    """Named, and dated, by us: the same proposal on the same base is then the same commit."""
    name, email = IDENTITY
    return {
        "name": name,
        "email": email,
        "date": f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
