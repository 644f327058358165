"""`proofcast plan` as people call it: feeds, tables, JSON, pictures, mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.adapters.sqlite import Database, SqliteLedger
from pipeline.cli import cli
from pipeline.config import FILE_NAME
from pipeline.errors import ConfigError, FeedError
from pipeline.model import Change
from tests.builders import NOW, an_episode
from tests.web import serving_folder

Run = Callable[..., str]

FEED = """<?xml version="1.0"?>
<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>
<title>A show\u202e</title>
<item><title>2</title><pubDate>Mon, 12 Jan 2026 06:00:00 GMT</pubDate>
  <itunes:duration>1:00:00</itunes:duration><enclosure url="https://x.example/2.mp3" type="audio/mpeg"/>
</item>
<item><title>1</title><pubDate>Mon, 05 Jan 2026 06:00:00 GMT</pubDate>
  <itunes:duration>30:00</itunes:duration><enclosure url="https://x.example/1.mp3" type="audio/mpeg"/>
</item>
<item><title>no audio</title><pubDate>Mon, 19 Jan 2026 06:00:00 GMT</pubDate></item>
</channel></rss>"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """In a folder without a config, and with none of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["plan", *arguments])
        if done.exception:
            raise done.exception
        return done.stdout

    return run


def configure(folder: Path, text: str = "") -> None:
    feed = '[[feed]]\nname = "show"\nurl = "https://show.example/rss"\n'
    (folder / FILE_NAME).write_text(text + feed, encoding="utf-8")


def test_without_a_config_a_made_up_load_is_planned_in_tables(run: Run) -> None:
    told = run("--episodes", "4", "--set", "warm_s=31")
    assert "48 episodes in 12 months, 4 a month" in told
    assert "48.0 hours of audio; us-east-1, US$" in told
    for option in (
        "hosted groq-turbo",
        "Fargate 16 vCPU",
        "plain ECS g6.xlarge spot",
        "a machine of one's own",
    ):
        assert option in told
    assert "hosted groq-large-v3          from about" in told
    assert "the cheapest that Proofcast runs on by itself: managed g4dn.xlarge spot, US$ 0.506" in told
    assert "\nset: warm_s=31\nassumed: speed.g6.xlarge=20, " in told
    assert "counts fee, volume, address; a CPU: Whisper small" in told
    assert "shipped with Proofcast" in told
    assert len(told.splitlines()) < 110
    lines = [line.split() for line in run("--episodes", "4", "--set", "warm_s=31", "-v").splitlines()]
    assert ["warm_s", "31", "s", "set", "--set"] in lines
    assert any(line[:4] == ["fee", "g6.xlarge", "0.0628", "h"] for line in lines)


def test_what_is_next_to_nothing_is_not_told_as_nothing(run: Run) -> None:
    told = run("--episodes", "1", "--minutes", "0.1")
    assert "hosted groq-turbo                     <0.001      <0.01" in told


def test_json_is_as_documented(run: Run) -> None:
    told: dict[str, Any] = json.loads(run("--episodes", "4", "--json"))
    assert told["load"]["episodes"] == 48
    assert set(told["options"][0]) == {
        *("name", "usd", "usd_an_episode", "usd_an_audio_hour", "usd_a_month", "parts", "median_s", "p95_s"),
        *("billed_s", "includes", "prices", "assumptions"),
    }
    assert told["options"][0]["usd_an_episode"] == 0.04
    managed = next(each for each in told["options"] if each["name"] == "managed g6.xlarge on-demand")
    assert sum(managed["parts"].values()) == pytest.approx(managed["usd"])
    assert managed["prices"]["fee"]["usd"] == 0.0628
    assert told["break_even"][0]["option"] == next(iter(told["curves"]))
    assert told["savings"]["rows"][0]["discount"] == 0
    assert {each["origin"] for each in told["assumptions"]} == {"assumed"}
    assert told["crews"] == []
    page = (Path(__file__).parent.parent / "docs" / "cli.md").read_text(encoding="utf-8")
    shape = page.partition("`plan --json`")[2].partition("`transcribe --format json`")[0]
    for key in (*told, *told["load"], *told["options"][0], *told["savings"], *told["assumptions"][0]):
        assert f'"{key}"' in shape


def test_a_catalogue_says_how_many_workers_and_draws_its_options(run: Run) -> None:
    told = run("--catalogue", "20:10", "--plot")
    assert "how many workers at once" in told
    assert "is cheaper, of 1 to" not in told
    assert "What an episode costs" in told
    assert "What a month costs" not in told


@pytest.mark.parametrize("name", ["plan.svg", "plan.png"])
def test_a_picture_goes_to_a_file(run: Run, tmp_path: Path, name: str) -> None:
    run("--episodes", "1", f"--plot={name}")
    picture = (tmp_path / name).read_bytes()
    assert picture.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
    if name.endswith("svg"):
        assert "managed g4dn.xlarge spot" in picture.decode()


def test_a_feeds_past_is_planned_from_a_file_and_from_the_web(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "feed.xml").write_text(FEED, encoding="utf-8")
    from_file = json.loads(run(str(folder / "feed.xml"), "--json"))
    assert from_file["load"]["name"] == "A show"
    assert (from_file["load"]["episodes"], from_file["load"]["audio_s"]) == (2, 5400)
    assert from_file["load"]["months"] == pytest.approx(14 / 30.4375)
    with serving_folder(folder) as url:
        from_web = json.loads(run(f"{url}/feed.xml", "--json"))
    assert from_web == from_file


def test_the_ledgers_shows_are_planned_by_the_configs_deployment(run: Run, tmp_path: Path) -> None:
    aws = '[aws]\nregion = "eu-west-1"\ninstance_types = ["g5.2xlarge", "g4dn.xlarge", "g5.xlarge"]\n'
    configure(tmp_path, aws)
    with pytest.raises(ConfigError, match="no episode is known yet"):
        run()
    ledger = SqliteLedger(Database(tmp_path / "proofcast-data" / "proofcast.db"))
    ledger.record(
        [
            Change(episode=an_episode(f"show-{n}", published=NOW + n * 86_400, duration_s=1800.0))
            for n in range(3)
        ]
    )
    told = json.loads(run("--feed", "show", "--json"))
    assert (told["load"]["episodes"], told["region"]) == (3, "eu-west-1")
    names = {each["name"] for each in told["options"]}
    assert "managed g5.2xlarge on-demand" in names
    assert "g6.xlarge" in {each["name"] for each in told["unknown"]}
    assert json.loads(run("--json"))["load"] == told["load"]
    elsewhere = json.loads(run("--region", "us-east-1", "--json"))
    assert (elsewhere["region"], elsewhere["unknown"]) == ("us-east-1", [])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "nothing to plan for, and no config whose shows could be meant"),
        (["--feed", "show"], "nothing to plan for"),
        (["--episodes", "4", "--catalogue", "5:5"], "one load at a time"),
        (["nowhere.xml", "--feed", "x"], "one load at a time"),
        (["nowhere.xml"], "nowhere.xml can't be read: No such file"),
        (["."], ". can't be read: Is a directory"),
        (["--catalogue", "500"], "--catalogue 500: it must be episodes and hours"),
        (["--catalogue", "0:10"], "it must be episodes and hours"),
        (["--catalogue", "10:nan"], "it must be episodes and hours"),
        (["--catalogue", ""], "it must be episodes and hours"),
        (["--catalogue", "5:5", "--minutes", "30"], "of episodes that are made up"),
        (["--seed", "1"], "of episodes that are made up"),
        (["--episodes", "4", "--minutes", "nan"], "--minutes nan: it must be a number"),
        (["--episodes", "4", "--region", "mars"], "--region mars: no prices of it are shipped"),
        (["--episodes", "4", "--json", "--plot"], "needs a file"),
        (["--episodes", "4", "--set", "spot.shares=1"], "there is no assumption 'spot.shares'"),
        (["--catalogue", "5:5", "--plot=plan.gif"], "'plan.gif' can't be a picture"),
    ],
)
def test_what_can_not_be_meant_is_said(run: Run, arguments: list[str], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        run(*arguments)
    assert complaint in caught.value.message


def test_a_page_that_is_no_feed_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html><body>no feed</body></html>")
    with serving_folder(tmp_path) as url, pytest.raises(FeedError, match=r"page\.html: "):
        run(f"{url}/page.html")
    with pytest.raises(FeedError, match=r"page\.html: "):
        run("page.html")
    with pytest.raises(FeedError, match=r"^http://127\.0\.0\.1:9/feed\.xml: the server refuses") as caught:
        run("http://127.0.0.1:9/feed.xml")
    assert caught.value.message.count("http") == 1


def test_a_config_that_is_broken_is_not_taken_for_none(run: Run, tmp_path: Path) -> None:
    configure(tmp_path, "engines = 1\n")
    with pytest.raises(ConfigError, match="unknown key 'engines'"):
        run("--episodes", "1")
