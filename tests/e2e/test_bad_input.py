"""Whatever is wrong is said where it belongs, and everything else goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import COMMAND, Project, silence


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!doctype html><html><title>Our show</title></html>", "web page"),
        (b'{"error": "not found"}', "feed"),
        (b"", "empty"),
        (b"<rss><channel><title>Broken</ti", "XML"),
    ],
)
def test_a_url_that_is_no_feed(project: Project, body: bytes, said: str) -> None:
    project.serve("feed.xml", body)
    ran = project.run("poll", "--json", code=1)
    error = ran.json["feeds"][0]["error"]
    assert said in error
    assert error in " ".join(ran.err.split())


def test_a_server_that_is_not_there_and_one_that_has_no_feed(project: Project) -> None:
    project.configure(rest='[[feed]]\nname = "gone"\nurl = "http://127.0.0.1:9/feed.xml"')
    feeds = project.run("poll", "--json", code=1).json["feeds"]
    assert [feed["http_status"] for feed in feeds] == [404, None]
    assert "404" in feeds[0]["error"]
    assert "refuses connections" in feeds[1]["error"]


def test_broken_xml_gives_the_episodes_that_it_has(project: Project, speech: bytes) -> None:
    project.serve("one.mp3", speech)
    item = project.item(1, "one.mp3")
    project.serve("feed.xml", f"<rss><channel><title>AT&T & co</title>{item}".encode())
    assert project.run("poll", "--json").json["queued"] == 1


def test_one_bad_episode_does_not_keep_the_others(project: Project, speech: bytes, tmp_path: Path) -> None:
    project.serve("good.mp3", speech)
    project.serve("page.mp3", b"<!DOCTYPE html><html><body>Log in to listen</body></html>")
    project.serve("short.mp3", speech[: len(speech) // 3])
    project.serve("empty.mp3", b"")
    project.serve("text.mp3", b"This is no audio at all. " * 500)
    project.serve("nothing.wav", silence(tmp_path / "nothing.wav", 0).read_bytes())
    project.serve("silent.wav", silence(tmp_path / "silent.wav", 20).read_bytes())
    files = ["page.mp3", "short.mp3", "empty.mp3", "text.mp3", "nothing.wav", "silent.wav", "missing.mp3"]
    items = [project.item(number, name) for number, name in enumerate(files, 1)]
    project.publish(project.item(8), *items, project.item(9, "good.mp3"))
    project.run("poll")
    ran = project.run("work", "--drain", code=1)
    episodes = project.episodes()
    assert {number for number, row in episodes.items() if row["state"] == "failed"} == set(range(1, 9))
    assert episodes[9]["state"] == "in_review"
    said = {number: row["error"] for number, row in episodes.items()}
    assert "web page" in said[1]
    assert "header promises" in said[2]
    assert "0 bytes" in said[3]
    assert "not audio" in said[4]
    assert "no audio" in said[5]
    assert "no speech" in said[6]
    assert "404" in said[7]
    assert "no audio enclosure" in said[8]
    assert "not everything worked out" in ran.err
    assert project.run("work", "--drain").err == ""


def test_what_was_mended_is_brought_back(project: Project, speech: bytes) -> None:
    project.serve("one.mp3", speech[:20_000])
    project.publish(project.item(1, "one.mp3"))
    project.run("poll")
    project.run("work", "--drain", code=1)
    project.serve("one.mp3", speech)
    assert "queued" in project.run("retry", "show#1").out
    project.run("work", "--drain")
    assert project.episodes()[1]["state"] == "in_review"
    refused = project.run("retry", "show#1", code=1)
    assert "in_review" in refused.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[feed]]\nname = "show"\nulr = "x"\n', "did you mean 'url'"),
        ('[worker]\nlease_s = "long"\n', "lease_s"),
        ('[[feed]]\nname = "My Show"\n', "name"),
        ("feed = [\n", "not TOML"),
        ('[[feed]]\nname = "a"\n[[feed]]\nname = "a"\n', "two feeds are named 'a'"),
    ],
)
def test_a_config_that_is_wrong(project: Project, text: str, said: str) -> None:
    project.config.write_text(text)
    for command in ("poll", "status", "work"):
        ran = project.run(command, code=2)
        assert said in ran.err
        assert "proofcast.toml" in ran.err


def test_no_config_at_all_and_words_that_are_no_command(project: Project) -> None:
    project.config.unlink()
    assert "proofcast init" in project.run("poll", code=2).err
    assert "No such command" in project.run("pol", code=2).err
    assert "no episode" in project.run("init", code=0).err + project.run("show", "x", code=2).err


def test_a_review_that_cannot_be_opened_is_opened_later(project: Project, speech: bytes) -> None:
    project.configure(feed='repository = "site"')
    project.serve("one.mp3", speech)
    project.publish(project.item(1, "one.mp3"))
    project.run("poll")
    project.run("work", "--drain", code=1)
    episode = project.episodes()[1]
    assert episode["state"] == "transcribed"
    assert "site" in episode["error"]
    site = project.folder / "site"
    subprocess.run(["git", "init", "-q", "-b", "main", str(site)], check=True)
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    commit = [*identity, "commit", "-q", "--allow-empty", "-m", "start"]
    subprocess.run(["git", "-C", str(site), *commit], check=True)
    project.run("review", "open")
    assert project.episodes()[1]["state"] == "in_review"


def _can_mount() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    command = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_mount(), reason="needs a mount of its own to fill")
@pytest.mark.parametrize("size", ["120k", "400k", "600k"])
def test_a_full_disk_is_said_and_nothing_is_lost(project: Project, speech: bytes, size: str) -> None:
    """At each size the disk is full at another step; with room again, everything is made up for."""
    project.serve("one.mp3", speech)
    project.publish(project.item(1, "one.mp3"))
    data = project.folder / "proofcast-data"
    kept = project.folder / "kept"
    data.mkdir()
    script = (
        f"mount -t tmpfs -o size={size} none {data} && "
        f"{COMMAND} poll; echo poll $?; {COMMAND} work --drain; echo work $?; cp -a {data} {kept}"
    )
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "full" in done.stderr or "no room" in done.stderr
    assert "75" in done.stdout
    data.rmdir()
    kept.rename(data)
    project.run("poll")
    project.run("work", "--drain")
    episode = project.episodes()[1]
    assert episode["state"] == "in_review", episode
