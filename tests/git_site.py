"""A site's repository in the hands of its people: what they do to branches, done with git itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class GitSite:
    """A clone with a work tree, somewhere on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def made(cls, folder: Path) -> GitSite:
        """A new one with a commit on main."""
        folder.mkdir(parents=True)
        site = cls(folder)
        site.git("init", "--quiet", "--initial-branch=main")
        site.commit("main", {"README.md": "# The site\n"})
        return site

    @property
    def repository(self) -> str:
        """As a proposal names it."""
        return os.fspath(self.folder)

    def git(self, *arguments: str) -> str:
        ours = {
            "PATH": os.environ["PATH"],
            "HOME": os.fspath(self.folder.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Ann" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "ann@site.example" for who in ("AUTHOR", "COMMITTER")},
        }
        command = ["git", "-C", os.fspath(self.folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, env=ours).stdout.decode().strip()

    def commit(self, branch: str, files: dict[str, str]) -> str:
        """A person's commit of these files; the checkout ends on that branch."""
        if branch in self.branches() and branch != self.git("branch", "--show-current"):
            self.git("checkout", "--quiet", branch)
        elif branch not in self.branches() and self.branches():
            self.git("checkout", "--quiet", "-b", branch)
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "By hand")
        return self.head(branch)

    def merge(self, branch: str) -> None:
        self.git("checkout", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "--no-edit", branch)

    def squash(self, branch: str) -> None:
        self.git("checkout", "--quiet", "main")
        self.git("merge", "--quiet", "--squash", branch)
        self.git("commit", "--quiet", "--message", "Squashed")

    def rebase(self, branch: str) -> None:
        """Onto main, which goes along."""
        self.git("rebase", "--quiet", "main", branch)
        self.git("checkout", "--quiet", "main")
        self.git("merge", "--quiet", "--ff-only", branch)

    def delete(self, branch: str) -> None:
        self.git("checkout", "--quiet", "main")
        self.git("branch", "--quiet", "-D", branch)

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def head(self, branch: str) -> str:
        return self.git("rev-parse", branch)

    def files(self, name: str) -> dict[str, bytes]:
        """Of a branch or commit, exact to the byte."""
        names = self.git("ls-tree", "-r", "--name-only", "-z", name).split("\0")
        show = ["git", "-C", os.fspath(self.folder), "cat-file", "blob"]
        return {
            path: subprocess.run([*show, f"{name}:{path}"], check=True, capture_output=True).stdout
            for path in names
            if path
        }
