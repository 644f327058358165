"""One repository on GitHub: the few things that are asked of it, and done to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from pipeline.adapters.github import answers
from pipeline.adapters.github.refusals import Refused
from pipeline.errors import CodeHostError

if TYPE_CHECKING:
    from pipeline.adapters.github.api import Api

_DIFF = "application/vnd.github.diff"
_RAW = "application/vnd.github.raw+json"
_NOT_FOUND = 404
_IS_EMPTY = 409
_TOO_LARGE = 406

T = TypeVar("T")


class Repository:
    """Raises CodeHostError where GitHub can't be asked, Refused where it won't do what it is asked."""

    def __init__(self, api: Api, name: str) -> None:
        """`name` is owner/name. Where that is a former name, everything is done under the new one:
        GitHub redirects questions, but nothing that changes something, and no filters."""
        found = _resolved(api, name)
        self.name = name
        self.page = found.html_url
        self._api = api
        self._full_name = found.full_name

    def head(self, branch: str) -> str | None:
        """The commit that a branch points to."""
        found = self._found(f"git/ref/heads/{quote(branch)}", answers.Reference)
        return found.object.sha if found else None

    def tree_of(self, commit: str) -> str:
        return self._get(f"git/commits/{commit}", answers.Commit).tree.sha

    def entries(self, tree: str) -> dict[str, answers.Entry]:
        """What lies directly in a tree, by name."""
        found = self._get(f"git/trees/{tree}", answers.Tree)
        if found.truncated:
            raise CodeHostError(f"{self.name} on GitHub: a folder holds too many files to look through")
        return {entry.path: entry for entry in found.tree}

    def file(self, branch: str, path: str) -> str | None:
        """A text file as it is on a branch now; None where there is none."""
        place = f"repos/{self._full_name}/contents/{quote(path)}"
        try:
            return self._api.get_text(self.name, place, _RAW, {"ref": branch})
        except Refused as refused:
            if refused.status == _NOT_FOUND:
                return None
            raise

    def holds(self, head: str, commit: str) -> bool:
        """Whether a branch, or the history of a commit, holds that commit."""
        compared = self._found(f"compare/{commit}...{quote(head)}", answers.Comparison)
        return compared is not None and compared.status in ("ahead", "identical")

    def diff(self, base: str, commit: str) -> str:
        """The unified diff since the branch left the base, or where it is to be seen if that is long."""
        compared = f"compare/{quote(base)}...{commit}"
        try:
            return self._api.get_text(self.name, f"repos/{self._full_name}/{compared}", _DIFF)
        except Refused as refused:
            if refused.status == _TOO_LARGE:
                return f"GitHub hands out no diff as long as this one: see {self.page}/{compared}\n"
            raise

    def pull(self, number: int) -> answers.Pull | None:
        return self._found(f"pulls/{number}", answers.Pull)

    def pulls(self, branch: str) -> list[answers.Pull]:
        """The pull requests from a branch of that name in this repository, newest first."""
        owner = self._full_name.partition("/")[0]
        query = {"head": f"{owner}:{branch}", "state": "all"}
        found = self._api.get_all(self.name, f"repos/{self._full_name}/pulls", answers.Pull, query)
        return [pull for pull in found if pull.head.ref == branch]

    def make_tree(self, base: str, files: Mapping[str, str]) -> str:
        tree = [
            {"path": path, "mode": "100644", "type": "blob", "content": text} for path, text in files.items()
        ]
        return self._post("git/trees", {"base_tree": base, "tree": tree}, answers.Named).sha

    def make_commit(self, tree: str, parent: str, message: str, person: Mapping[str, str]) -> str:
        body = {"message": message, "tree": tree, "parents": [parent], "author": person, "committer": person}
        return self._post("git/commits", body, answers.Named).sha

    def make_branch(self, branch: str, commit: str) -> None:
        self._post("git/refs", {"ref": f"refs/heads/{branch}", "sha": commit}, answers.Reference)

    def make_pull(self, branch: str, base: str, title: str, body: str) -> answers.Pull:
        words = {"title": title, "body": body, "head": branch, "base": base}
        return self._post("pulls", words, answers.Pull)

    def _get(self, path: str, answer: type[T]) -> T:
        return self._api.get(self.name, f"repos/{self._full_name}/{path}", answer)

    def _found(self, path: str, answer: type[T]) -> T | None:
        """None where there is no such thing, or nothing at all yet."""
        try:
            return self._get(path, answer)
        except Refused as refused:
            if refused.status in (_NOT_FOUND, _IS_EMPTY):
                return None
            raise

    def _post(self, path: str, body: Mapping[str, object], answer: type[T]) -> T:
        return self._api.post(self.name, f"repos/{self._full_name}/{path}", body, answer)


def _resolved(api: Api, name: str) -> answers.Repository:
    try:
        return api.get(name, f"repos/{quote(name)}", answers.Repository)
    except Refused as refused:
        if refused.status == _NOT_FOUND:
            raise CodeHostError(
                f"there is no repository {name} on GitHub, or the token can't see it",
                "check the feed's 'repository', and that the token was made for it",
            ) from None
        raise
