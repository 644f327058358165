"""`proofcast.toml`: what may stand in it, with every default in one place.

Reading it is strict: an unknown key or a wrong type names its place and the nearest right word.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs

from pipeline.errors import ConfigError

FILE_NAME = "proofcast.toml"

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Layout = dict[str, str]  #: format -> path template


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every table of the file."""


class Feed(Section, frozen=True):
    """One show."""

    name: Name
    url: str = ""  #: empty for a show that is only fed by `proofcast add`
    language: str | None = None
    backfill: Literal["latest", "all"] | Annotated[int, msgspec.Meta(ge=0)] = "latest"
    repository: str = ""  #: empty: a repository of our own, in the data folder
    base: str = "main"
    layout: str = "plain"
    hosts: list[str] = []


class Transcribe(Section, frozen=True):
    """How speech is recognised."""

    model: str = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "auto"
    beam_size: Positive = 5
    threads: Annotated[int, msgspec.Meta(ge=0)] = 0  #: 0: one a core, at most 4


class Worker(Section, frozen=True):
    """How jobs are worked on."""

    lease_s: Annotated[float, msgspec.Meta(ge=1)] = 60
    max_attempts: Positive = 3
    max_download_mb: Positive = 2048


class Config(Section, frozen=True):
    """The whole file. Paths in it are relative to it; `root` is its folder."""

    engine: Literal["local"] = "local"
    data: str = "proofcast-data"
    feed: list[Feed] = []
    transcribe: Transcribe = Transcribe()
    worker: Worker = Worker()
    layout: dict[Name, Layout] = {}
    root: str = ""

    @property
    def data_dir(self) -> Path:
        return Path(self.root, Path(self.data).expanduser())

    def feed_named(self, name: str) -> Feed:
        """Raises ConfigError, naming the nearest."""
        for feed in self.feed:
            if feed.name == name:
                return feed
        names = [feed.name for feed in self.feed]
        raise ConfigError(f"there is no feed named '{name}' in the config", _nearest(name, names))

    def repository_of(self, feed: Feed) -> Path:
        """The site's repository: a path on this machine."""
        if feed.repository:
            return Path(self.root, Path(feed.repository).expanduser())
        return self.data_dir / "site"


def find(given: str | None) -> Path:
    """The config file to use: the one given, `./proofcast.toml`, or the user's. Raises ConfigError."""
    if given:
        return Path(given)
    places = [Path(FILE_NAME), platformdirs.user_config_path("proofcast") / FILE_NAME]
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(
        f"no {FILE_NAME} here nor in {places[1].parent}",
        "'proofcast init' writes one; 'proofcast demo' shows the whole way without",
    )


def load(path: Path) -> Config:
    """Read and check a config file. Raises ConfigError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}", "'proofcast init' writes one") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    if "root" in document:
        raise ConfigError(f"{path}: unknown key 'root'")
    document["root"] = os.fspath(path.resolve().parent)
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}", _mend(str(error))) from None
    _check_names(path, config)
    return config


def _check_names(path: Path, config: Config) -> None:
    names = [feed.name for feed in config.feed]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path}: two feeds are named '{name}'", "a feed's name must be its own")


def _mend(message: str) -> str:
    """A hint for msgspec's complaint, where one can be had."""
    unknown = re.search(r"unknown field `(.+?)`(?: - at `\$\.?(\w*))?", message)
    if not unknown:
        return ""
    sections: dict[str | Any, type[Section]] = {"feed": Feed, "transcribe": Transcribe, "worker": Worker}
    section = sections.get(unknown[2], Config)
    keys = [field.name for field in msgspec.structs.fields(section) if field.name != "root"]
    return _nearest(unknown[1], keys)


def _nearest(word: str, words: list[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known: {', '.join(words)}" if words else ""
