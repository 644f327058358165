"""A show whose site is on GitHub: the command line, a real worker, and pull requests over HTTP."""

from __future__ import annotations

import pytest

from tests.fakes.github import TOKEN, FakeGitHub

from .conftest import Project

SITE = 'repository = "https://github.com/ann/site"'


def test_an_episode_becomes_a_pull_request_and_its_merge_is_noticed(
    project: Project, hub: FakeGitHub, speech: bytes
) -> None:
    project.configure(feed=SITE)
    project.serve("one.mp3", speech)
    project.publish(project.item(1, "one.mp3"))
    assert "repository of show: ann/site" in project.run("doctor").out
    project.run("poll")
    project.run("work", "--drain")
    (pull,) = hub.site.pulls
    assert "/pull/" in project.episodes()[1]["review_url"]
    assert pull.title == "Add transcript of episode 1: 1. About one.mp3"
    project.run("work", "--drain")
    assert len(hub.site.pulls) == 1
    hub.site.squash(pull.branch)
    assert [row["state"] for row in project.run("review", "sync", "--json").json] == ["published"]


def test_a_token_that_is_missing_is_said_and_the_transcript_kept(
    project: Project, hub: FakeGitHub, speech: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.configure(feed=SITE)
    project.serve("one.mp3", speech)
    project.publish(project.item(1, "one.mp3"))
    project.run("poll")
    monkeypatch.delenv("GITHUB_TOKEN")
    project.run("work", "--drain", code=1)
    episode = project.episodes()[1]
    assert (episode["state"], "GITHUB_TOKEN" in episode["error"]) == ("transcribed", True)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    project.run("review", "open")
    assert len(hub.site.pulls) == 1
