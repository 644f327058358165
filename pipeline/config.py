"""`proofcast.toml`: what may stand in it, with every default in one place.

Reading it is strict: an unknown key or a wrong type names its place and the nearest right word.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
import platformdirs

from pipeline.errors import ConfigError
from pipeline.model import Market

FILE_NAME = "proofcast.toml"
_ON_GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")

_SPOT_TYPES = 3  #: one spot type was unfillable for 17 minutes; three were had in 42 seconds

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}\Z")]
Few = Annotated[int, msgspec.Meta(ge=1, le=100)]
Minutes = Annotated[int, msgspec.Meta(ge=1, le=1440)]
Deployment = Annotated[
    # Bucket names are short, and ECS keeps some beginnings of capacity providers' names to itself.
    str, msgspec.Meta(pattern=r"^(?!aws|ecs|fargate)[a-z][a-z0-9-]{0,23}\Z")
]
NoSpaces = Annotated[str, msgspec.Meta(pattern=r"^\S*\Z")]
Email = Annotated[str, msgspec.Meta(pattern=r"^([^@\s]+@[^@\s]+\.[^@\s]+)?\Z")]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Dollars = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]
InstanceType = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+\Z")]
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
    speakers: tuple[str, ...] = ()  #: who is heard in most episodes
    min_speakers: Few = 1
    max_speakers: Few = 12
    voice_profiles: bool = False  #: remember voices, to name them in later episodes
    vocabulary: str = "vocabulary.toml"  #: the show's own words, in the site's repository


class Transcribe(Section, frozen=True):
    """How speech is recognised."""

    model: str = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "auto"
    beam_size: Few = 5
    batch_size: Annotated[int, msgspec.Meta(ge=0, le=128)] = 0  #: 1: one after another; 0: by device
    vad: bool = True  #: hear only where somebody speaks
    hints: bool = True  #: tell the model the show's words, if it is one that they help
    threads: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0  #: 0: one a core, at most 8


class Speakers(Section, frozen=True):
    """How it is found out who speaks when."""

    method: Literal["built-in", "pyannote", "none"] = "built-in"
    model: str = "pyannote/speaker-diarization-community-1"  #: of pyannote: a name or a folder


class Refine(Section, frozen=True):
    """Corrections by a language model on Amazon Bedrock."""

    model: str = ""  #: a model's id or an inference profile's; empty: none is asked
    region: str = ""  #: empty: that of [aws], else that of the environment
    context: str = ""  #: what it should know of the show
    endpoint: str = ""  #: another address of the service


class Captions(Section, frozen=True):
    """How captions are cut and what they show."""

    line_chars: Annotated[int, msgspec.Meta(ge=20, le=120)] = 42
    lines: Annotated[int, msgspec.Meta(ge=1, le=4)] = 2
    max_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 7
    speakers: Literal["voices", "when-changes", "always", "never"] = "voices"
    highlight: Literal["none", "underline", "bold", "italic"] = "none"  #: the word that is being said


class Worker(Section, frozen=True):
    """How jobs are worked on."""

    lease_s: Annotated[float, msgspec.Meta(ge=1, le=43200)] = 60  #: what SQS allows
    max_attempts: Few = 3
    max_download_mb: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 2048
    idle_s: Annotated[int, msgspec.Meta(ge=0, le=86400)] = 0  #: a worker without work ends; 0: it stays
    handler: str = "whisper"  #: what is done with a job: docs/handlers.md


class Savings(Section, frozen=True):
    """What a savings plan or reserved instances take off the on-demand price, for the share of the time
    that they cover. The fee for managing instances is not lessened."""

    discount: Share = 0
    covered: Share = 1


class Aws(Section, frozen=True):
    """Where the AWS engine runs, and how much it may start. docs/deploy.md tells what each costs."""

    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d\Z")]
    name: Deployment = "proofcast"  #: of the deployment: several may live in one account and region
    market: Literal["spot-first", "on-demand-first", "spot", "on-demand"] = "spot-first"
    instance_types: tuple[InstanceType, ...] = ("g4dn.xlarge", "g5.xlarge", "g6.xlarge")
    max_workers: Few = 4
    drain_min: Minutes = 60  #: what waits shall be done in so many minutes
    patience_s: Annotated[int, msgspec.Meta(ge=60, le=3600)] = 180  #: for an instance, then the other market
    linger_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 20  #: an idle worker ends after so long
    dispatch: Literal["tasks", "service"] = "tasks"
    poll_min: Minutes = 5
    scale_in_after_s: Annotated[int, msgspec.Meta(ge=-1, le=3600)] = 0  #: an idle instance; -1: never
    storage_gib: Annotated[int, msgspec.Meta(ge=30, le=16384)] = 60
    local_storage: bool = False  #: the instance's own NVMe in place of a volume
    shared: bool = False  #: several workers on one instance, where it has several GPUs
    network: Literal["public", "nat", "endpoints"] = "public"
    image: NoSpaces = ""  #: of the worker; empty: built by `proofcast deploy`
    audio_days: Annotated[int, msgspec.Meta(ge=0, le=36500)] = 90  #: then audio is deleted; 0: never
    notify: Email = ""  #: an e-mail address for alarms
    budget_usd: Dollars = 0  #: a month's: no new work is begun beyond it; 0: none
    savings: Savings = Savings()
    tags: dict[str, str] = {}

    @property
    def markets(self) -> tuple[Market, ...]:
        """Where instances are bought, the preferred one first."""
        return {
            "spot-first": (Market.SPOT, Market.ON_DEMAND),
            "on-demand-first": (Market.ON_DEMAND, Market.SPOT),
            "spot": (Market.SPOT,),
            "on-demand": (Market.ON_DEMAND,),
        }[self.market]


class Tui(Section, frozen=True):
    """How the dashboard looks, and what its keys are."""

    theme: str = ""
    keys: dict[str, str] = {}  #: by what they do: `proofcast tui`, then '?'


class Config(Section, frozen=True):
    """The whole file. Paths in it are relative to it; `root` is its folder."""

    engine: Literal["local", "aws"] = "local"
    data: str = "proofcast-data"
    aws: Aws | None = None
    feed: list[Feed] = []
    transcribe: Transcribe = Transcribe()
    speakers: Speakers = Speakers()
    refine: Refine = Refine()
    captions: Captions = Captions()
    worker: Worker = Worker()
    tui: Tui = Tui()
    production: bool = False  #: the dashboard only reads, unless it is told otherwise
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

    def repository_of(self, feed: Feed) -> str:
        """The site's repository: a path on this machine, or owner/name on GitHub."""
        on_github = _ON_GITHUB.fullmatch(feed.repository)
        if on_github:
            return on_github[1]
        path = Path(self.root, Path(feed.repository).expanduser()) if feed.repository else self.own_site
        return os.fspath(path)

    @property
    def own_site(self) -> Path:
        """The repository of shows that name none."""
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
    document["root"] = _folder_of(path)
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        message, hint = _plain(str(error))
        raise ConfigError(f"{path}: {message}", hint) from None
    _check_names(path, config)
    _check_aws(path, config)
    return config


def _folder_of(path: Path) -> str:
    folder = os.fspath(path.resolve().parent)
    try:
        folder.encode()
    except UnicodeEncodeError:  # it would be in the ledger, in commits and in JSON
        raise ConfigError(f"the name of the folder of {path} is not UTF-8", "move it elsewhere") from None
    return folder


def _check_names(path: Path, config: Config) -> None:
    names = [feed.name for feed in config.feed]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path}: two feeds are named '{name}'", "a feed's name must be its own")


def _check_aws(path: Path, config: Config) -> None:
    if config.engine != "aws":
        return
    if config.aws is None:
        raise ConfigError(f'{path}: engine = "aws" needs an [aws] section', "at least: region = …")
    trouble = _trouble(config.aws)
    if trouble:
        raise ConfigError(f"{path}: {trouble[0]}", trouble[1])
    for feed in config.feed if config.worker.handler == Worker().handler else []:
        if not _ON_GITHUB.fullmatch(feed.repository):
            raise ConfigError(
                f"{path}: feed '{feed.name}' needs a repository on GitHub: its workers come and go on AWS",
                'repository = "https://github.com/owner/name"',
            )


def _trouble(aws: Aws) -> tuple[str, str] | None:
    """What can't be meant so, and what to write in its place."""
    types = set(aws.instance_types)
    if not types:
        return "[aws]: instance_types names none", 'as: ["g6.xlarge", "g5.xlarge"]'
    if Market.SPOT in aws.markets and len(types) < _SPOT_TYPES:
        return (
            f"[aws]: instance_types must name {_SPOT_TYPES} or more where spot is bought",
            'a single type is often not to be had; or set market = "on-demand"',
        )
    for name in aws.tags:
        if name.lower().startswith(("aws:", "proofcast:")):
            return f"[aws.tags]: '{name}' is not for people to set", "choose another name"
    return None


_SECTIONS: dict[str, type[Section]] = {
    "feed": Feed,
    "transcribe": Transcribe,
    "speakers": Speakers,
    "refine": Refine,
    "captions": Captions,
    "worker": Worker,
    "aws": Aws,
    "tui": Tui,
}
_AWS_FORMS = {
    "region": "must be a region of AWS, as eu-west-1",
    "name": "must be made of a-z, 0-9 and '-', at most 24, and not begin with a digit, aws, ecs or fargate",
    "image": "must be an image's address, without spaces",
    "notify": "must be an e-mail address",
    "instance_types": "must be a type of EC2 instance, as g6.xlarge",
}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "array": "a list",
    "object": "a table",
    "bool": "true or false",
}


def _plain(complaint: str) -> tuple[str, str]:
    """What msgspec complains about, in words of the file, and a hint where one can be had."""
    what, _, where = complaint.partition(" - at ")
    where = re.sub(r"`|\$\.?|\[\.\.\.\]", "", where.replace("`key` in `$.layout", "a name in `layout"))
    section = _SECTIONS.get(re.split(r"[.\[]", where)[0], Config)
    unknown = re.search(r"unknown field `(.+?)`", what)
    if unknown:
        place = f" in {_place(where)}" if where else ""
        return f"unknown key '{unknown[1]}'{place}", _nearest(unknown[1], _keys(section))
    missing = re.search(r"missing required field `(.+?)`", what)
    if missing:
        return f"{_place(where)} has no {missing[1]}", ""
    if where == "feed" and what.endswith("`object`"):
        return "[feed] must be a list, since there may be several", "write it with two brackets: [[feed]]"
    if what.startswith("Invalid enum value") and not where.endswith("backfill"):
        values = ", ".join(_choices(section, where.rpartition(".")[2]))
        return f"{_place(where)} can't be {what.removeprefix('Invalid enum value ')}", f"known: {values}"
    return f"{_place(where)} {_wanted(what, where)}", ""


def _place(where: str) -> str:
    """`feed[0].name` as one sees it in the file: `[[feed]] number 1: name`."""
    section, _, key = where.partition(".")
    name, _, number = section.partition("[")
    if number:
        section = f"[[{name}]] number {int(number[:-1]) + 1}"
    elif name == "layout":
        section = "a line of [layout]"
    elif name in _SECTIONS:
        section = f"[{name}]"
    return f"{section}: {key}" if key else section


def _wanted(what: str, where: str) -> str:
    if "regex" in what and where.startswith("aws"):
        return _AWS_FORMS[re.sub(r"^aws\.(\w+).*", r"\1", where)]
    if "regex" in what:
        return "must be made of a-z, 0-9 and '-', at most 40 of them, the first not '-'"
    if where.endswith("backfill"):
        return 'must be "latest", "all" or a number, 0 or more'
    kind = re.match(r"Expected `([a-z |]+)`(?: (.=) (\d+))?(?:.*got `(\w+)`)?", what)
    if not kind:
        return f"can't be used: {what}"
    kinds = " or ".join(_KINDS.get(each, each) for each in kind[1].split(" | ") if each != "null")
    limit = f" of at {'least' if kind[2] == '>=' else 'most'} {kind[3]}" if kind[2] else ""
    return f"must be {kinds}{limit}" + (f", not {_KINDS.get(kind[4], kind[4])}" if kind[4] else "")


def _choices(section: type[Section], key: str) -> list[str]:
    types = {field.name: field.type for field in msgspec.structs.fields(section)}
    return list(get_args(types[key]))


def _keys(section: type[Section]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(section) if field.name != "root"]


def _nearest(word: str, words: list[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known: {', '.join(words)}" if words else ""
