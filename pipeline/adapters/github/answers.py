"""What is read of GitHub's answers: the documented fields, and no others."""

from __future__ import annotations

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """Base of all; fields that are not named here are skipped."""


class Named(Answer, frozen=True):
    """Anything known by its hash."""

    sha: str


class Repository(Answer, frozen=True):
    """`GET /repos/{owner}/{repo}`: its name now, whatever it was called before."""

    full_name: str
    html_url: str


class Reference(Answer, frozen=True):
    """`GET /repos/…/git/ref/{ref}`"""

    object: Named


class Commit(Answer, frozen=True):
    """`GET /repos/…/git/commits/{sha}`"""

    tree: Named


class Entry(Answer, frozen=True):
    """One line of a tree."""

    path: str
    type: str
    sha: str


class Tree(Answer, frozen=True):
    """`GET /repos/…/git/trees/{sha}`"""

    tree: list[Entry]
    truncated: bool


class Comparison(Answer, frozen=True):
    """`GET /repos/…/compare/{base}...{head}`: ahead, behind, identical or diverged."""

    status: str


class Head(Answer, frozen=True):
    """The branch that a pull request asks to take."""

    ref: str
    sha: str


class Pull(Answer, frozen=True):
    """A pull request, as in lists and alone."""

    number: int
    html_url: str
    state: str  #: open or closed
    merged_at: str | None
    head: Head

    @property
    def is_open(self) -> bool:
        return self.state == "open"


class Complaint(Answer, frozen=True):
    """The body of a refusal; `errors` are objects, or plain strings."""

    message: str = ""
    errors: list[dict[str, object] | str] = []
