"""One job, from the queue to the review, and every way in which it can fail."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from pipeline.config import Feed
from pipeline.errors import AudioError, DownloadError, RecognitionError, StorageError
from pipeline.model import State, Step
from tests.builders import FakeClock, an_enclosure
from tests.git_site import GitSite
from tests.scenes import after, now
from tests.studio import Studio, Watcher, nothing, publisher_of, publishing_with, raising
from worker.desk import Desk, Outcome
from worker.loop import work_one
from worker.watching import PLAIN, Lines


def test_nothing_to_do(desk: Desk) -> None:
    assert work_one(desk) is Outcome.DONE
    assert work_one(desk) is None


def test_an_episode_goes_all_the_way(desk: Desk, studio: Studio, watcher: Watcher, tmp_path: Path) -> None:
    assert work_one(desk) is Outcome.DONE
    episode = now(desk.ledger)
    assert (episode.state, episode.claim, episode.attempts) == (State.IN_REVIEW, None, 1)
    assert episode.duration_s == 62.0
    assert studio.did == [an_enclosure("show-1").url, "transcribe"]
    assert episode.artifacts.keys() == {"audio", "transcript", "vtt", "srt", "txt", "md", "diff"}
    stored = {name: desk.artifacts.get(key) for name, key in episode.artifacts.items()}
    assert stored["audio"] == b"audio"
    assert b"Hello there." in (stored["vtt"] or b"")
    assert b'"title":' in (stored["transcript"] or b"")
    assert watcher.seen == [
        *(Step.DOWNLOAD, Step.TRANSCRIBE, Step.STORE, Step.REVIEW),
        (State.IN_REVIEW, Outcome.DONE),
    ]
    depth = desk.queue.depth()
    assert (depth.waiting, depth.leased, depth.dead) == (0, 0, 0)
    assert list(desk.scratch.iterdir()) == []
    assert len(GitSite(tmp_path / "data" / "site").branches()) == 2


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (AudioError("a picture"), Step.DECODE),
        (DownloadError("404", permanent=True), Step.DOWNLOAD),
    ],
)
def test_what_will_never_work_fails_at_once(
    desk: Desk, studio: Studio, watcher: Watcher, error: Exception, step: Step
) -> None:
    studio.on_transcribe = raising(error)
    assert work_one(desk) is Outcome.FAILED
    episode = now(desk.ledger)
    assert episode.failure
    assert (episode.state, episode.failure.step, episode.failure.reason) == (State.FAILED, step, str(error))
    assert watcher.seen[-1] == (State.FAILED, Outcome.FAILED)
    assert work_one(desk) is None
    assert desk.queue.depth().dead == 0


def test_audio_that_nobody_has_fails_at_once(desk: Desk) -> None:
    desk.ledger.record([after(now(desk.ledger), enclosure=None)])
    assert work_one(desk) is Outcome.FAILED
    failure = now(desk.ledger).failure
    assert failure
    assert failure.step is Step.DOWNLOAD


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DownloadError("no answer"), "no answer"),
        (StorageError("busy"), "busy"),
        (RecognitionError("the model failed"), "the model failed"),
        (ValueError("a bug"), "unexpected ValueError('a bug')"),
    ],
)
def test_what_may_pass_is_tried_again_and_then_given_up(
    desk: Desk, studio: Studio, clock: FakeClock, error: Exception, reason: str
) -> None:
    studio.on_download = raising(error)
    for wait in (30, 60):
        assert work_one(desk) is Outcome.RETRY
        episode = now(desk.ledger)
        assert episode.failure
        assert (episode.state, episode.failure.reason) == (State.QUEUED, reason)
        clock.go_on(wait - 1)
        assert work_one(desk) is None
        clock.go_on(1)
    assert work_one(desk) is Outcome.FAILED
    failure = now(desk.ledger).failure
    assert failure
    assert (failure.step, failure.reason) == (Step.DOWNLOAD, reason)
    assert [letter.reason for letter in desk.queue.dead_letters()] == [reason]
    clock.go_on(3600)
    assert work_one(desk) is None


def test_a_success_after_failures_forgets_them(desk: Desk, studio: Studio, clock: FakeClock) -> None:
    studio.on_download = raising(DownloadError("no answer"))
    assert work_one(desk) is Outcome.RETRY
    studio.on_download = nothing
    clock.go_on(30)
    assert work_one(desk) is Outcome.DONE
    assert now(desk.ledger).failure is None


def test_an_unexpected_error_is_logged_for_whoever_mends_it(
    desk: Desk, studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    studio.on_transcribe = raising(ZeroDivisionError("a bug"))
    caplog.handler.setFormatter(Lines(PLAIN))
    with caplog.at_level(logging.ERROR):
        assert work_one(desk) is Outcome.RETRY
    assert "show-1: transcribe: unexpected\n" in caplog.text
    assert "show-1: transcribe: ZeroDivisionError: a bug\n" in caplog.text


def test_what_the_site_could_not_take_is_not_transcribed(desk: Desk, studio: Studio) -> None:
    feed = Feed(name="show", layout="awsbites")  # which needs a number
    publisher = publisher_of(desk)
    config = msgspec.structs.replace(publisher.config, feed=[feed])
    strict = publishing_with(desk, replace(publisher, config=config))
    assert work_one(strict) is Outcome.FAILED
    failure = now(desk.ledger).failure
    assert failure
    assert (failure.step, "{number}" in failure.reason) == (Step.REVIEW, True)
    assert studio.did == []
