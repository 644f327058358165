"""Checks of a set-up; each says what it found and, where something is wrong, how to mend it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Literal

from pipeline import layouts
from pipeline.config import Feed
from pipeline.errors import CodeHostError, ConfigError, ProofcastError
from pipeline.feeds import parse_feed
from pipeline.model import FeedState
from pipeline.vocabulary import read_vocabulary
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

HERE = (
    "pipeline.doctor:data_folder",
    "pipeline.doctor:git",
    "pipeline.doctor:site_layouts",
    "worker.doctor:model",
    "pipeline.doctor:vocabularies",
    "pipeline.doctor:feeds",
    "pipeline.doctor:dead_letters",
)
"""The checks of the engine on this machine.

Named as strings: each program built on the pipeline brings checks of its own.
"""

ON_AWS = (
    (
        "pipeline.doctor_aws:credentials",
        (
            "pipeline.doctor_aws:instance_types",
            "pipeline.doctor_aws:quotas",
            "pipeline.doctor_aws:spot_role",
            "pipeline.doctor_aws:prices",
        ),
    ),
    (
        "pipeline.doctor_aws:deployment",
        (
            "pipeline.doctor_aws:capacity_providers",
            "pipeline.doctor_aws:zones",
            "infra.doctor:config_in_use",
            "infra.doctor:image",
            "infra.doctor:code",
            "infra.doctor:model",
            "pipeline.doctor_aws:github",
            "pipeline.doctor:vocabularies",
            "pipeline.doctor_aws:poller",
            "pipeline.doctor:dead_letters",
            "pipeline.doctor_aws:holds",
            "pipeline.doctor_aws:budget",
        ),
    ),
)
"""The checks of the engine on AWS: one that has to be sound, and what would fail with it; and so on."""

ON_EITHER = ("pipeline.doctor:site_layouts", "pipeline.doctor:feeds")
"""What needs nothing of AWS."""


def examine(engine: Engine) -> Iterator[Finding]:
    """Run every check, one after another; what one trips over is its finding."""
    if engine.config.engine == "aws":
        yield from _on_aws(engine)
        yield from _run(engine, ON_EITHER)
    else:
        yield from _run(engine, HERE)


def _on_aws(engine: Engine) -> Iterator[Finding]:
    """What can't be looked at is named, so that its absence is not taken for a good sign."""
    for number, (first, others) in enumerate(ON_AWS):
        found = list(_run(engine, [first]))
        yield from found
        if any(finding.state == "failed" for finding in found):
            left = [*others, *(name for _, names in ON_AWS[number + 1 :] for name in names)]
            unseen = f"not looked at: {', '.join(map(_title, left))}"
            mend = "mend what failed before this, then run it again"
            yield Finding(check="all else on AWS", state="warning", found=unseen, mend=mend)
            return
        yield from _run(engine, others)


def _run(engine: Engine, names: Iterable[str]) -> Iterator[Finding]:
    for name in names:
        check: Check = resolve_name(name)
        try:
            yield from check(engine)
        except ProofcastError as error:
            yield Finding(check=_title(name), state="failed", found=error.message, mend=_mend(error))


def _title(name: str) -> str:
    return name.rpartition(":")[2].replace("_", " ")


def _mend(error: ProofcastError) -> str:
    """The error's own hint, unless it leads here."""
    if "proofcast doctor" in error.hint:
        return "see that it is yours to write and its disk is sound; else put a backup in its place"
    return error.hint or "put right what it says, then run it again"


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
        mend = "make it yours, or set 'data' in the config to a folder that you can write"
        yield Finding(check="data folder", state="failed", found=f"{folder} can't be written", mend=mend)
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
        yield repository(engine, feed)


def repository(engine: Engine, feed: Feed) -> Finding:
    """Reviews of a show could be opened."""
    check = f"repository of {feed.name}"
    place = engine.config.repository_of(feed)
    try:
        engine.code_host.check(place, feed.base)
    except CodeHostError as error:
        return Finding(
            check=check, state="failed", found=error.message, mend=error.hint or "see docs/config.md"
        )
    return Finding(check=check, state="ok", found=f"{place}, branch {feed.base}")


def site_layouts(engine: Engine) -> Iterator[Finding]:
    """Every layout of the config could be used, and every show has one."""
    for name, layout in engine.config.layout.items():
        try:
            layouts.check_layout(name, layout)
        except ConfigError as error:
            yield Finding(check=f"layout {name}", state="failed", found=error.message, mend=error.hint)
    for feed in engine.config.feed:
        if feed.layout in engine.config.layout:
            continue
        try:
            layouts.layout_named(feed.layout, engine.config.layout)
        except ConfigError as error:
            yield Finding(
                check=f"layout of {feed.name}", state="failed", found=error.message, mend=error.hint
            )


def vocabularies(engine: Engine) -> Iterator[Finding]:
    """The file of each show that has one can be read: without it, transcripts are made all the same."""
    for feed in engine.config.feed:
        try:
            text = engine.code_host.read(engine.config.repository_of(feed), feed.base, feed.vocabulary)
        except CodeHostError:  # which the repository's own check tells of
            continue
        check = f"vocabulary of {feed.name}"
        try:
            words = read_vocabulary(text or "", feed.vocabulary)
        except ConfigError as error:
            yield Finding(check=check, state="failed", found=error.message, mend=_mend(error))
        else:
            if text is not None:
                found = f"{feed.vocabulary}: {len(words.terms)} terms, {len(words.rules)} rules"
                yield Finding(check=check, state="ok", found=found)


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
