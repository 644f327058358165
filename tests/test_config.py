from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.config import FILE_NAME, Config, Feed, find, load
from pipeline.errors import ConfigError


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
        hosts = ["Ann"]
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
    assert config.feed[0] == Feed(name="show", url="https://show.example/rss", backfill=3, hosts=["Ann"])
    assert (config.feed[1].backfill, config.feed[1].layout) == ("all", "plain")
    assert config.layout == {"mine": {"txt": "{number}.txt"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dat = 1", ["dat", "did you mean 'data'?"]),
        ('[[feed]]\nname = "a"\nurll = "x"', ["urll", "$.feed", "did you mean 'url'?"]),
        ("[worker]\nlease = 3", ["lease", "$.worker", "did you mean 'lease_s'?"]),
        ("[transcribe]\nqwertz = 3", ["qwertz", "known: model, device"]),
        ("[[feed]]", ["name", "$.feed"]),
        ('[[feed]]\nname = "No Spaces"', ["$.feed[0].name"]),
        ('[[feed]]\nname = "a"\nbackfill = "some"', ["backfill"]),
        ('[[feed]]\nname = "a"\nbackfill = -1', ["backfill"]),
        ("[worker]\nmax_attempts = 0", ["$.worker.max_attempts"]),
        ('[worker]\nlease_s = "long"', ["$.worker.lease_s"]),
        ('engine = "cloud"', ["$.engine"]),
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
    assert config.repository_of(Feed(name="a")) == Path("/home/ann/proofcast/site")
    assert config.repository_of(Feed(name="a", repository="../site")) == tmp_path / "../site"
    assert config.repository_of(Feed(name="a", repository="~/site")) == Path("/home/ann/site")
    assert config.repository_of(Feed(name="a", repository="/srv/site")) == Path("/srv/site")


def test_a_feed_by_its_name() -> None:
    config = Config(feed=[Feed(name="ferry-hour"), Feed(name="other")])
    assert config.feed_named("other").name == "other"
    with pytest.raises(ConfigError, match="did you mean 'ferry-hour'"):
        config.feed_named("fery-hour")
    with pytest.raises(ConfigError, match="known: ferry-hour, other"):
        config.feed_named("zzz")
    with pytest.raises(ConfigError, match="no feed named 'x'"):
        Config().feed_named("x")
