"""Checks of a set-up; each says what it found and, where something is wrong, how to mend it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Literal

from pipeline import layouts
from pipeline.config import Feed
from pipeline.errors import ProofcastError
from pipeline.feeds import parse_feed
from pipeline.model import FeedState
from pipeline.wiring import Engine

_PLENTY = 2_000_000_000  #: bytes free that a few episodes and a model need


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check; `warning` is worth a look and no failure."""

    check: str
    state: Literal["ok", "warning", "failed"]
    found: str
    mend: str = ""


Check = Callable[[Engine], Iterator[Finding]]

CHECKS = (
    "pipeline.doctor:data_folder",
    "pipeline.doctor:git",
    "worker.doctor:model",
    "pipeline.doctor:feeds",
    "pipeline.doctor:dead_letters",
)
"""Named as strings: each program built on the pipeline brings checks of its own."""


def examine(engine: Engine) -> Iterator[Finding]:
    """Run every check, one after another; what one trips over is its finding."""
    for name in CHECKS:
        check: Check = resolve_name(name)
        try:
            yield from check(engine)
        except ProofcastError as error:
            yield Finding(check=name.rpartition(":")[2], state="failed", found=error.message, mend=error.hint)


def data_folder(engine: Engine) -> Iterator[Finding]:
    """Can be written, has room, and its database opens."""
    folder = engine.config.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        mend = "set 'data' in the config to a folder that can be written"
        yield Finding(check="data folder", state="failed", found=f"{folder}: {error.strerror}", mend=mend)
        return
    free = shutil.disk_usage(folder).free
    found = f"{folder}, {free / 1e9:.1f} GB free"
    if not os.access(folder, os.W_OK):
        yield Finding(
            check="data folder", state="failed", found=f"{folder} can't be written", mend="chown it"
        )
    elif free < _PLENTY:
        yield Finding(check="data folder", state="warning", found=found, mend="make room: audio and models")
    else:
        yield Finding(check="data folder", state="ok", found=found)
    episodes = sum(engine.ledger.counts().values())
    yield Finding(check="database", state="ok", found=f"{episodes} episodes")


def git(engine: Engine) -> Iterator[Finding]:
    """Installed, and every show's repository is one with its base branch."""
    if shutil.which("git") is None:
        yield Finding(check="git", state="failed", found="not installed", mend="install git")
        return
    version = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False)
    yield Finding(check="git", state="ok", found=version.stdout.strip())
    for feed in engine.config.feed:
        layouts.check_layout(feed.layout, layouts.layout_named(feed.layout, engine.config.layout))
        if feed.repository:
            yield _repository(feed, engine.config.repository_of(feed))


def _repository(feed: Feed, path: Path) -> Finding:
    check = f"repository of {feed.name}"
    command = ["git", "-C", os.fspath(path), "rev-parse", "--verify", "--quiet", f"refs/heads/{feed.base}"]
    if not path.is_dir():
        return Finding(check=check, state="failed", found=f"there is no {path}", mend="clone the site there")
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        mend = "set the feed's 'repository' to a git repository and its 'base' to the main branch"
        return Finding(check=check, state="failed", found=f"{path} has no branch '{feed.base}'", mend=mend)
    return Finding(check=check, state="ok", found=f"{path}, branch {feed.base}")


def feeds(engine: Engine) -> Iterator[Finding]:
    """Each feed answers with something that can be read."""
    if not engine.config.feed:
        yield Finding(check="feeds", state="warning", found="none", mend="add a [[feed]] to the config")
    for feed in engine.config.feed:
        if not feed.url:
            continue
        try:
            fetched = engine.fetch_feed(FeedState(name=feed.name, url=feed.url))
            document = parse_feed(fetched.body, fetched.headers)
        except ProofcastError as error:
            yield Finding(
                check=f"feed {feed.name}",
                state="failed",
                found=error.message,
                mend=error.hint or "see its url",
            )
        else:
            found = f"{document.title}: {len(document.items)} items"
            yield Finding(check=f"feed {feed.name}", state="ok", found=found)


def dead_letters(engine: Engine) -> Iterator[Finding]:
    """Jobs that were given up want a person."""
    dead = engine.queue.depth().dead
    if dead:
        mend = "'proofcast episodes --state failed' says why, 'proofcast retry --dead' tries again"
        yield Finding(check="dead letters", state="warning", found=f"{dead} jobs were given up", mend=mend)
    else:
        yield Finding(check="dead letters", state="ok", found="none")
