from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pipeline.config import FILE_NAME, Config, Feed, find, load
from pipeline.errors import ConfigError
from pipeline.model import Market


def written(folder: Path, text: str) -> Path:
    path = folder / FILE_NAME
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(written(folder, text))
    assert error.value.exit_code == 2
    assert error.value.message.startswith(str(folder / FILE_NAME))
    return str(error.value)


def test_an_empty_file_is_a_whole_config(tmp_path: Path) -> None:
    config = load(written(tmp_path, ""))
    assert config == Config(root=str(tmp_path))
    assert config.data_dir == tmp_path / "proofcast-data"


def test_what_is_said_counts_and_the_rest_has_defaults(tmp_path: Path) -> None:
    text = """
        data = "elsewhere"
        [worker]
        lease_s = 2.5
        [transcribe]
        model = "tiny.en"
        [[feed]]
        name = "show"
        url = "https://show.example/rss"
        backfill = 3
        [[feed]]
        name = "other"
        backfill = "all"
        [layout.mine]
        txt = "{number}.txt"
    """
    config = load(written(tmp_path, text))
    assert config.data_dir == tmp_path / "elsewhere"
    assert (config.worker.lease_s, config.worker.max_attempts) == (2.5, 3)
    assert (config.transcribe.model, config.transcribe.device) == ("tiny.en", "auto")
    assert config.feed[0] == Feed(name="show", url="https://show.example/rss", backfill=3)
    assert (config.feed[1].backfill, config.feed[1].layout) == ("all", "plain")
    assert config.layout == {"mine": {"txt": "{number}.txt"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dat = 1", ["unknown key 'dat'", "did you mean 'data'?"]),
        ('[[feed]]\nname = "a"\nurll = "x"', ["'urll' in [[feed]] number 1", "did you mean 'url'?"]),
        ('[[feed]]\nname = "a"\nhosts = []', ["unknown key 'hosts'"]),
        ("[worker]\nlease = 3", ["'lease' in [worker]", "did you mean 'lease_s'?"]),
        ("[transcribe]\nqwertz = 3", ["qwertz", "known: model, device"]),
        ("[[feed]]", ["[[feed]] number 1 has no name"]),
        ('[feed]\nname = "a"', ["two brackets: [[feed]]"]),
        ('feed = ["a"]', ["[[feed]] number 1 must be a table, not text in quotes"]),
        ('[[feed]]\nname = "No Spaces"', ["[[feed]] number 1: name must be made of a-z, 0-9 and '-'"]),
        ('[layout."My site"]', ["a name in layout must be made of a-z, 0-9 and '-'"]),
        ("[layout.mine]\nvtt = 3", ["a line of [layout] must be text in quotes"]),
        ('[[feed]]\nname = "a"\nbackfill = "some"', ['backfill must be "latest", "all" or a number']),
        ('[[feed]]\nname = "a"\nbackfill = -1', ['backfill must be "latest", "all" or a number']),
        ('[[feed]]\nname = "a"\nbackfill = 1.5', ['backfill must be "latest", "all" or a number']),
        ("[worker]\nmax_attempts = 0", ["[worker]: max_attempts must be a whole number of at least 1"]),
        ("[worker]\nmax_attempts = 101", ["[worker]: max_attempts must be a whole number of at most 100"]),
        ("[worker]\nmax_attempts = true", ["must be a whole number, not true or false"]),
        ('[worker]\nlease_s = "long"', ["lease_s must be a number, not text in quotes"]),
        ("[worker]\nlease_s = 43201", ["lease_s must be a number of at most 43200"]),
        ("[worker]\nlease_s = inf", ["lease_s must be a number of at most 43200"]),
        ("[worker]\nlease_s = nan", ["lease_s must be a number"]),
        ("[worker]\nmax_download_mb = 2020-01-01", ["max_download_mb must be a whole number, not date"]),
        ('engine = "cloud"', ["engine can't be 'cloud'", "known: local"]),
        ('[transcribe]\ndevice = "gpu"', ["[transcribe]: device can't be 'gpu'", "known: auto, cpu, cuda"]),
        ('root = "/"', ["root"]),
        ('[[feed]]\nname = "a"\n[[feed]]\nname = "a"', ["two feeds are named 'a'"]),
        ("data = \n", ["not TOML", "line 1"]),
        ("[[feed]]\nname = 'a'\n[feed]\n", ["not TOML"]),
    ],
)
def test_what_can_not_be_right_is_said_with_its_place(tmp_path: Path, text: str, words: list[str]) -> None:
    said = refused(tmp_path, text)
    for word in words:
        assert word in said


def test_a_file_that_can_not_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "nothing.toml")
    with pytest.raises(ConfigError, match="can't be read"):
        load(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'data = "caf\xe9"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "latin.toml")


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are always UTF-8 elsewhere")
def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(written(folder, ""))


def test_the_config_is_the_one_given_or_here_or_the_user_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", os.fspath(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", os.fspath(home / "config"))
    assert find("given.toml") == Path("given.toml")
    with pytest.raises(ConfigError, match="proofcast init"):
        find(None)
    mine = home / "config" / "proofcast" / FILE_NAME
    if os.uname().sysname == "Linux":
        mine.parent.mkdir(parents=True)
        mine.touch()
        assert find(None) == mine
    written(here, "")
    assert find(None) == Path(FILE_NAME)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    config = load(written(tmp_path, 'data = "~/proofcast"'))
    assert config.data_dir == Path("/home/ann/proofcast")
    assert config.repository_of(Feed(name="a")) == "/home/ann/proofcast/site"
    assert config.repository_of(Feed(name="a", repository="../site")) == str(tmp_path / "../site")
    assert config.repository_of(Feed(name="a", repository="~/site")) == "/home/ann/site"
    assert config.repository_of(Feed(name="a", repository="/srv/site")) == "/srv/site"


def test_a_feed_by_its_name() -> None:
    config = Config(feed=[Feed(name="ferry-hour"), Feed(name="other")])
    assert config.feed_named("other").name == "other"
    with pytest.raises(ConfigError, match="did you mean 'ferry-hour'"):
        config.feed_named("fery-hour")
    with pytest.raises(ConfigError, match="known: ferry-hour, other"):
        config.feed_named("zzz")
    with pytest.raises(ConfigError, match="no feed named 'x'"):
        Config().feed_named("x")


AWS = 'engine = "aws"\n[aws]\nregion = "eu-west-1"\n'
SITE = '[[feed]]\nname = "show"\nrepository = "https://github.com/ann/site"\n'


def test_the_engine_on_aws_needs_no_more_than_a_region(tmp_path: Path) -> None:
    config = load(written(tmp_path, AWS + SITE))
    assert config.aws
    assert (config.aws.name, config.aws.markets) == ("proofcast", (Market.SPOT, Market.ON_DEMAND))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('engine = "aws"', "needs an [aws] section"),
        ('engine = "aws"\n[aws]', "[aws] has no region"),
        ('engine = "aws"\n[aws]\nregion = "Frankfurt"', "as eu-west-1"),
        (AWS + 'name = "Show"', "[aws]: name must be made of"),
        (AWS + 'name = "pod\\n"', "[aws]: name must be made of"),
        (AWS + f'name = "{"x" * 25}"', "at most 24"),
        (AWS + 'name = "ecs-show"', "not begin with"),
        (AWS + 'instance_types = ["large"]', "as g6.xlarge"),
        (AWS + "instance_types = []", "names none"),
        (AWS + 'instance_types = ["g6.xlarge", "g6.xlarge", "g6.xlarge"]', "3 or more"),
        (AWS + 'notify = "me"', "must be an e-mail address"),
        (AWS + "[aws.savings]\ndiscount = 30", "at most 1"),
        (AWS + "budget_usd = inf", "at most 1000000"),
        (AWS + 'image = "my image"', "without spaces"),
        (AWS + '[aws.tags]\n"aws:x" = "1"', "not for people to set"),
        (AWS + "max_workers = 0", "at least 1"),
        (AWS + 'markets = "spot"', "did you mean 'market'?"),
        (AWS + '[[feed]]\nname = "show"\nrepository = "../site"', "needs a repository on GitHub"),
    ],
)
def test_what_the_engine_on_aws_can_not_be_told(tmp_path: Path, text: str, words: str) -> None:
    assert words in refused(tmp_path, text)


def test_one_instance_type_will_do_where_no_spot_is_bought(tmp_path: Path) -> None:
    on_demand = AWS + 'market = "on-demand"\ninstance_types = ["g6.xlarge"]\n'
    config = load(written(tmp_path, on_demand + SITE))
    assert config.aws
    assert config.aws.markets == (Market.ON_DEMAND,)
