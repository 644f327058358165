"""Two episodes of one show, by real Whisper: its words are put right, its voices known the second time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import pipeline.sample
from pipeline import config as configs
from pipeline.adding import AudioFile, add
from pipeline.config import Config
from pipeline.console import say
from pipeline.model import FeedItem, State
from pipeline.queueing import relay
from pipeline.vocabulary import read_vocabulary
from pipeline.wiring import Engine, build
from tests.git_site import GitSite
from worker.handlers import WHISPER, handler_named
from worker.run import work
from worker.watching import LogWatch
from worker.whisper_handler import Speech

SAMPLE = Path(pipeline.sample.__file__).parent

CONFIG = """
[[feed]]
name = "tape"
language = "en"
repository = "site"
speakers = ["Maren", "Otis"]
max_speakers = 4
voice_profiles = true
vocabulary = "words/tape.toml"

[transcribe]
model = "packaged"
device = "cpu"
beam_size = 1

[captions]
speakers = "when-changes"
"""

WORDS = """
terms = ["Tapewright", "WebVTT", "FFmpeg"]
[[rule]]
wrong = "tape right"
right = "Tapewright"
near = ["podcast", "captions"]
[[rule]]
wrong = "machine"
right = "robot"
"""


@dataclass
class Made:
    document: dict[str, Any]
    captions: str

    @property
    def text(self) -> str:
        return " ".join(segment["text"] for segment in self.document["segments"])

    @property
    def how(self) -> dict[str, str]:
        """By name, how it was found."""
        names, speakers = self.document["quality"]["names"], self.document["speakers"]
        return {speakers[label]: name["how"] for label, name in names.items()}


def worked(engine: Engine, number: int) -> None:
    item = FeedItem(title=f"{number}. Episode")
    add(
        AudioFile(SAMPLE / f"episode-{number}.mp3", engine.artifacts),
        engine.config.feed[0],
        item,
        engine.ledger,
        engine.clock,
    )
    relay(engine.ledger, engine.queue)
    with engine.working():
        handler = handler_named(WHISPER, engine, say, LogWatch())
        assert work(engine, handler, task_id=None, drain=True, watch=LogWatch()).well


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("show")
    site = GitSite.made(folder / "site")
    site.commit("main", {"words/tape.toml": WORDS})
    (folder / "proofcast.toml").write_text(CONFIG)
    for number in (1, 2):
        worked(_engine(folder), number)
    return folder


def _engine(folder: Path) -> Engine:
    path = folder / "proofcast.toml"
    config: Config = configs.load(path)
    return build(config, path)


@pytest.fixture(scope="module")
def episodes(folder: Path) -> Sequence[Made]:
    engine = _engine(folder)
    found = sorted(engine.ledger.episodes(), key=lambda episode: episode.title)
    assert [episode.state for episode in found] == [State.IN_REVIEW] * 2
    return [
        Made(
            json.loads(engine.artifacts.get(episode.artifacts["transcript"]) or b""),
            (engine.artifacts.get(episode.artifacts["vtt"]) or b"").decode(),
        )
        for episode in found
    ]


def test_speakers_are_named_by_what_they_say_and_then_by_how_they_sound(episodes: Sequence[Made]) -> None:
    assert episodes[0].how == {"Maren": "introduction", "Otis": "introduction"}
    assert episodes[1].how.keys() == {"Maren", "Otis"}
    assert episodes[1].how["Maren"] == "voice"  # her introduction was not heard well


def test_what_is_said_is_by_whom_the_truth_says(episodes: Sequence[Made]) -> None:
    for number, made in enumerate(episodes, 1):
        turns = json.loads((SAMPLE / f"episode-{number}.json").read_text())["turns"]
        document = made.document
        for segment in document["segments"]:
            middle = (segment["start"] + segment["end"]) / 2
            speaker = [turn["speaker"] for turn in turns if turn["start"] <= middle]
            assert document["speakers"][segment["speaker"]] == speaker[-1], segment["text"]


def test_the_shows_words_are_put_right_on_record(episodes: Sequence[Made]) -> None:
    for made in episodes:
        assert "Tapewright" in made.text
        assert "tape right" not in made.text.lower()
    applied = [entry for made in episodes for entry in made.document["vocabulary_applied"]]
    done = {entry["right"] for entry in applied if entry["status"] == "applied"}
    assert "Tapewright" in done


def test_a_rule_that_would_change_what_people_say_is_only_suggested(episodes: Sequence[Made]) -> None:
    applied = episodes[0].document["vocabulary_applied"]
    assert {entry["status"] for entry in applied if entry["right"] == "robot"} == {"suggested"}
    assert "robot" not in episodes[0].text


def test_captions_are_as_the_config_wants_them(episodes: Sequence[Made]) -> None:
    assert "\nOtis: " in episodes[0].captions
    assert "<v " not in episodes[0].captions


def test_the_review_has_the_report(folder: Path, episodes: Sequence[Made]) -> None:
    for made in episodes:
        quality = made.document["quality"]
        assert 0 < quality["expected_wer"] < 0.2
        assert quality["coverage"] > 0.95


def test_no_windows_are_left(folder: Path, episodes: Sequence[Made]) -> None:
    artifacts = folder / "proofcast-data" / "artifacts" / "tape"
    assert not list(artifacts.glob("*/windows/*"))
    assert (artifacts / "voices.json").is_file()


def test_a_vocabulary_that_cannot_be_read_keeps_no_transcript_back(folder: Path, tmp_path: Path) -> None:
    site = GitSite.made(tmp_path / "site")
    site.commit("main", {"words/tape.toml": 'terms = ["unfinished'})
    (tmp_path / "proofcast.toml").write_text(CONFIG)
    engine = _engine(tmp_path)
    worked(engine, 1)
    (episode,) = engine.ledger.episodes()
    document = json.loads(engine.artifacts.get(episode.artifacts["transcript"]) or b"")
    assert "words/tape.toml is not TOML" in document["quality"]["notes"][0]


def test_where_the_site_cannot_be_read_the_words_of_last_time_do(folder: Path) -> None:
    engine = _engine(folder)
    (folder / "site").rename(folder / "moved")
    try:
        speech = Speech(engine, say, LogWatch())
        show = speech.show(engine.ledger.episodes()[0])
    finally:
        (folder / "moved").rename(folder / "site")
    assert show.vocabulary == read_vocabulary(WORDS, "words/tape.toml")
    assert "vocabulary of last time" in show.notes[0]
