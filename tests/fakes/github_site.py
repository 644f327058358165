"""What GitHub knows of one repository: its git objects in a real bare repository, its pull requests.

The person's checkout is a work tree of the bare repository, so that whatever is done there with git is
pushed at once; `follow` then does to pull requests what GitHub does upon a push.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.git_site import GitSite

NAME = "ann/site"
AT = "2026-05-28T20:00:00Z"


class Refusal(Exception):
    """Answered with this status and message."""

    def __init__(self, status: int, message: str, *errors: object) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


def _invalid(**error: str) -> Refusal:
    return Refusal(422, "Validation Failed", {"resource": "PullRequest", **error})


@dataclass
class PullRequest:
    """As GitHub keeps it: the head is remembered when its branch is gone."""

    number: int
    title: str
    body: str
    branch: str
    base: str
    head: str
    state: str = "open"
    merged_at: str | None = None


class GitHubSite(GitSite):
    """See `GitSite`; `repository` is owner/name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.name = NAME
        self.pulls: list[PullRequest] = []

    @classmethod
    def hosted(cls, folder: Path) -> GitHubSite:
        """A new one in hub.git of that folder, and a checkout beside it."""
        seed = GitSite.made(folder / "seed")
        seed.git("clone", "--quiet", "--bare", ".", os.fspath(folder / "hub.git"))
        GitSite(folder / "hub.git").git("worktree", "add", "--quiet", os.fspath(folder / "site"), "main")
        return cls(folder / "site")

    @property
    def repository(self) -> str:
        return self.name

    # What people do, with git or with a button

    def commit(self, branch: str, files: dict[str, str]) -> str:
        head = super().commit(branch, files)
        self.follow()
        return head

    def merge(self, branch: str) -> None:
        super().merge(branch)
        self.follow()

    def squash(self, branch: str) -> None:
        """By the button: nothing in git tells that the pull request was merged."""
        super().squash(branch)
        self._press(branch)

    def rebase(self, branch: str) -> None:
        super().rebase(branch)
        self.follow()

    def delete(self, branch: str) -> None:
        super().delete(branch)
        self.follow()

    def close(self, branch: str) -> None:
        """By the button; the branch stays."""
        for pull in self._open_from(branch):
            pull.state = "closed"

    def _press(self, branch: str) -> None:
        for pull in self._open_from(branch):
            pull.state, pull.merged_at = "closed", AT

    def _open_from(self, branch: str) -> list[PullRequest]:
        return [pull for pull in self.pulls if pull.state == "open" and pull.branch == branch]

    def follow(self) -> None:
        """A pull request's head follows its branch; what the base holds is merged, what is gone closed."""
        for pull in self.pulls:
            if pull.state != "open":
                continue
            there = self._sha(f"refs/heads/{pull.branch}")
            pull.head = there or pull.head
            if self._holds(pull.base, pull.head):
                pull.state, pull.merged_at = "closed", AT
            elif there is None:
                pull.state = "closed"

    # What is asked over HTTP

    def ref(self, name: str) -> dict[str, Any]:
        sha = self._sha(f"refs/{name}")
        if not self.branches():
            raise Refusal(409, "Git Repository is empty.")
        if sha is None:
            raise Refusal(404, "Not Found")
        return {"ref": f"refs/{name}", "node_id": "R", "object": {"sha": sha, "type": "commit"}}

    def commit_object(self, sha: str) -> dict[str, Any]:
        found = self._sha(f"{sha}^{{commit}}")
        if found is None:
            raise Refusal(404, "Not Found")
        return {"sha": found, "tree": {"sha": self.git("rev-parse", f"{found}^{{tree}}")}}

    def tree(self, sha: str) -> dict[str, Any]:
        if self._sha(f"{sha}^{{tree}}") is None:
            raise Refusal(404, "Not Found")
        entries: list[dict[str, str]] = []
        for line in self.git("ls-tree", "-z", sha).split("\0"):
            if line:
                facts, path = line.split("\t", 1)
                mode, kind, blob = facts.split()
                entries.append({"path": path, "mode": mode, "type": kind, "sha": blob})
        return {"sha": sha, "tree": entries, "truncated": False}

    def file(self, branch: str, path: str) -> str:
        commit = self._sha(f"refs/heads/{branch}")
        there = self._sha(f"{commit}:{path}") if commit else None
        if there is None:
            raise Refusal(404, "Not Found")
        return self._run("cat-file", "blob", there).stdout

    def make_tree(self, base: str, entries: list[dict[str, str]]) -> dict[str, Any]:
        if self._sha(f"{base}^{{tree}}") is None:
            raise Refusal(422, "base_tree is not a valid tree oid")
        index = {"GIT_INDEX_FILE": os.fspath(self.folder.parent / "index")}
        self._plumb("read-tree", base, env=index)
        for entry in entries:
            assert (entry["mode"], entry["type"]) == ("100644", "blob")
            blob = self._plumb("hash-object", "-w", "--stdin", stdin=entry["content"])
            place = f"{entry['mode']},{blob},{entry['path']}"
            self._plumb("update-index", "--add", "--cacheinfo", place, env=index)
        return {"sha": self._plumb("write-tree", env=index)}

    def make_commit(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if self._sha(f"{body['tree']}^{{tree}}") is None:
            raise Refusal(422, "Tree SHA does not exist")
        people: dict[str, str] = {}
        for who in ("author", "committer"):
            person = body[who]
            seconds = datetime.fromisoformat(person["date"]).timestamp()
            people[f"GIT_{who.upper()}_NAME"] = person["name"]
            people[f"GIT_{who.upper()}_EMAIL"] = person["email"]
            people[f"GIT_{who.upper()}_DATE"] = f"@{seconds:.0f} +0000"
        parents = [word for parent in body["parents"] for word in ("-p", parent)]
        return {"sha": self._plumb("commit-tree", body["tree"], *parents, stdin=body["message"], env=people)}

    def make_ref(self, ref: str, sha: str) -> dict[str, Any]:
        if self._run("check-ref-format", ref).returncode:
            raise Refusal(422, f"{ref} is not a valid ref name.")
        if self._sha(f"{sha}^{{commit}}") is None:
            raise Refusal(422, "Object does not exist")
        if self._run("update-ref", ref, sha, "0" * 40).returncode:
            raise Refusal(422, "Reference already exists")
        return self.ref(ref.removeprefix("refs/"))

    def make_pull(self, body: Mapping[str, str]) -> dict[str, Any]:
        branch, base = body["head"], body["base"]
        head = self._sha(f"refs/heads/{branch}")
        if head is None:
            raise _invalid(field="head", code="invalid")
        if self._sha(f"refs/heads/{base}") is None:
            raise _invalid(field="base", code="invalid")
        if any(pull.base == base for pull in self._open_from(branch)):
            owner = self.name.partition("/")[0]
            raise _invalid(code="custom", message=f"A pull request already exists for {owner}:{branch}.")
        if self._holds(base, head):
            raise _invalid(code="custom", message=f"No commits between {base} and {branch}")
        number = len(self.pulls) + 1
        pull = PullRequest(number, body["title"], body["body"], branch, base, head)
        self.pulls.append(pull)
        return self.pull(number)

    def pull(self, number: int) -> dict[str, Any]:
        pull = next((pull for pull in self.pulls if pull.number == number), None)
        if pull is None:
            raise Refusal(404, "Not Found")
        owner = self.name.partition("/")[0]
        return {
            "number": pull.number,
            "html_url": f"https://github.com/{self.name}/pull/{number}",
            "state": pull.state,
            "title": pull.title,
            "body": pull.body,
            "draft": False,
            "merged_at": pull.merged_at,
            "head": {"label": f"{owner}:{pull.branch}", "ref": pull.branch, "sha": pull.head},
            "base": {"label": f"{owner}:{pull.base}", "ref": pull.base},
        }

    def pulls_from(self, head: str, state: str) -> list[dict[str, Any]]:
        """Newest first. As at GitHub, a head that is not owner:branch filters nothing."""
        owner, colon, branch = head.partition(":")
        return [
            self.pull(pull.number)
            for pull in reversed(self.pulls)
            if state in ("all", pull.state)
            and (not colon or (owner, branch) == (self.name.partition("/")[0], pull.branch))
        ]

    def compared(self, base: str, head: str) -> dict[str, Any]:
        behind, ahead = map(int, self._between("rev-list", "--count", "--left-right", base, head).split())
        statuses = ["identical", "ahead", "behind", "diverged"]
        status = statuses[2 * (behind > 0) + (ahead > 0)]
        return {"status": status, "ahead_by": ahead, "behind_by": behind, "total_commits": ahead}

    def compared_diff(self, base: str, head: str) -> str:
        return self._between("diff", "--no-color", base, head) + "\n"

    def _between(self, command: str, *arguments: str) -> str:
        *options, base, head = arguments
        ends = [self._sha(f"{name}^{{commit}}") for name in (base, head)]
        if None in ends:
            raise Refusal(404, "Not Found")
        return self.git(command, *options, "...".join(map(str, ends)))

    def _sha(self, name: str) -> str | None:
        found = self._run("rev-parse", "--verify", "--quiet", name)
        return found.stdout.strip() if found.returncode == 0 else None

    def _holds(self, head: str, commit: str) -> bool:
        return self._run("merge-base", "--is-ancestor", commit, head).returncode == 0

    def _plumb(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        done = self._run(*arguments, stdin=stdin, env=env)
        if done.returncode:
            raise Refusal(422, done.stderr.strip())
        return done.stdout.strip()

    def _run(
        self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = ["git", "--git-dir", os.fspath(self.folder.parent / "hub.git"), *arguments]
        own = {"PATH": os.environ["PATH"], "HOME": os.fspath(self.folder.parent), "GIT_CONFIG_NOSYSTEM": "1"}
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            check=False,
            env={**own, **(env or {})},
        )
