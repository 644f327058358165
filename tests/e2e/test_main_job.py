"""From a feed to a merged review, with real speech, HTTP, SQLite and git."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from pipeline.scoring import word_error_rate

from .conftest import SAMPLE, Project


def git(project: Project, *arguments: str) -> str:
    site = project.folder / "proofcast-data" / "site"
    done = subprocess.run(["git", "-C", str(site), *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def true_text(number: int) -> str:
    turns = json.loads((SAMPLE / f"episode-{number}.json").read_text())["turns"]
    return " ".join(turn["text"] for turn in turns)


def test_a_feed_becomes_a_review_and_a_merge_is_noticed(project: Project, speech: bytes) -> None:
    project.serve("one.mp3", speech)
    project.publish(project.item(1, "one.mp3"))
    polled = project.run("poll", "--json").json
    assert polled["queued"] == 1
    assert {key: polled["feeds"][0][key] for key in ("name", "http_status", "new", "held", "error")} == {
        "name": "show",
        "http_status": 200,
        "new": 1,
        "held": 0,
        "error": None,
    }
    assert project.run("status", "--json").json["queue"] == {"waiting": 1, "leased": 0, "dead": 0}

    project.run("work", "--drain")
    episode = project.episodes()[1]
    assert episode["state"] == "in_review"
    document = json.loads(Path(episode["artifacts"]["transcript"]).read_text())
    heard = " ".join(segment["text"] for segment in document["segments"])
    assert word_error_rate(true_text(1), heard) < 0.15
    words = [word for segment in document["segments"] for word in segment["words"]]
    assert all(0 <= word["probability"] <= 1 and word["end"] >= word["start"] >= 0 for word in words)
    assert Path(episode["artifacts"]["vtt"]).read_text().startswith("WEBVTT\n")

    branch = episode["review_url"].partition("#")[2]
    assert git(project, "diff", "--name-only", f"main...{branch}").split() == [
        "transcripts/001-1-about-one-mp3.json",
        "transcripts/001-1-about-one-mp3.md",
        "transcripts/001-1-about-one-mp3.vtt",
    ]
    git(
        project, "-c", "user.name=A", "-c", "user.email=a@example.com", "merge", "--no-ff", "-m", "ok", branch
    )
    assert [row["state"] for row in project.run("review", "sync", "--json").json] == ["published"]
    assert project.run("review", "list", "--json").json == []


def test_again_there_is_nothing_to_do(project: Project, speech: bytes) -> None:
    project.serve("one.mp3", speech)
    project.publish(project.item(1, "one.mp3"))
    project.run("poll")
    project.run("work", "--drain")
    before = git(project, "log", "--all", "--format=%H")
    again = project.run("poll", "--json").json
    assert again["queued"] == again["feeds"][0]["new"] == 0
    assert project.run("poll").err == ""
    project.run("work", "--drain")
    assert git(project, "log", "--all", "--format=%H") == before


def test_a_file_added_before_publication_is_not_transcribed_again(project: Project) -> None:
    audio = SAMPLE / "episode-1.mp3"
    first = project.run("add", str(audio), "--feed", "show", "--number", "7", "--title", "Soon")
    again = project.run("add", str(audio), "--feed", "show", "--number", "7", "--title", "Soon")
    assert first.out == again.out
    project.run("work", "--drain")
    project.publish(project.item(7, "seven.mp3"))
    polled = project.run("poll", "--json").json
    assert (polled["queued"], polled["feeds"][0]["new"], polled["feeds"][0]["updated"]) == (0, 0, 1)
    episodes: list[dict[str, Any]] = project.run("episodes", "--json").json
    assert [(e["number"], e["guid"], e["state"]) for e in episodes] == [(7, "guid-7", "in_review")]


def test_a_worker_that_is_killed_or_told_to_end_loses_nothing(project: Project, speech: bytes) -> None:
    project.serve("one.mp3", speech)
    project.publish(project.item(1, "one.mp3"))
    project.run("poll")
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        worker = project.start("work", "--drain")
        while [task["step"] for task in project.run("status", "--json").json["tasks"]] != ["transcribe"]:
            time.sleep(0.05)
        worker.send_signal(number)
        _, err = worker.communicate(timeout=30)
        assert "Traceback" not in err
        assert worker.returncode == (-number if number == signal.SIGKILL else 0)
    project.run("work", "--drain")
    assert project.episodes()[1]["state"] == "in_review"
    states = [event["state"] for event in project.run("show", "show#1", "--json").json["events"]]
    assert states.count("in_review") == 1
    assert len(git(project, "branch", "--list", "transcript/*").splitlines()) == 1


def test_a_second_worker_says_so_and_leaves(project: Project, speech: bytes) -> None:
    project.serve("one.mp3", speech)
    project.publish(project.item(1, "one.mp3"))
    project.run("poll")
    first = project.start("work", "--drain")
    while not project.run("status", "--json").json["tasks"]:
        time.sleep(0.05)
    second = project.run("work", "--drain", code=75)
    assert "a worker is running already" in second.err
    _, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
    assert project.episodes()[1]["state"] == "in_review"


def test_several_workers_share_the_queue(project: Project, speech: bytes) -> None:
    project.serve("a.mp3", speech)
    project.publish(project.item(1, "a.mp3"), project.item(2, "a.mp3?again"))
    project.run("poll")
    project.run("work", "--drain", "--jobs", "2")
    assert {row["state"] for row in project.episodes().values()} == {"in_review"}
