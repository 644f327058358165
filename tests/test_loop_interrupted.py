"""Workers that are stopped or overtaken, and jobs that somebody else saw to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from pipeline import queueing, states
from pipeline.config import Transcribe
from pipeline.errors import CodeHostError, Conflict, ModelError, StorageError, StorageFull
from pipeline.formats import transcript_json
from pipeline.model import Job, QueueDepth, State, Step
from tests.builders import FakeClock, a_transcript
from tests.decoders import FakeDecoder
from tests.faulty import Crash, Outage, failing
from tests.git_site import GitSite
from tests.scenes import after, now, queued
from tests.studio import (
    Stores,
    Studio,
    Watcher,
    a_desk,
    nothing,
    publisher_of,
    publishing_with,
    raising,
)
from worker.audio import RATE
from worker.desk import Desk, Outcome, Stopped
from worker.handling import Item
from worker.hints import NONE
from worker.lent import Lent
from worker.loop import give_up, work_one
from worker.models import ModelChoice
from worker.passages import Passage
from worker.whisper import Whisper
from worker.windows import Samples, Window

AUDIO, TRANSCRIPT = "show/show-1/audio", "show/show-1/transcript.json"
EMPTY = QueueDepth(waiting=0, leased=0, dead=0)


def taken_over(desk: Desk, clock: FakeClock) -> Callable[[], None]:
    """The lease lapses, and worker-2 takes the job."""

    def take_over() -> None:
        clock.go_on(61)
        lease = desk.queue.lease(60)
        assert lease
        change = states.claimed(now(desk.ledger), "worker-2", lease, clock())
        desk.ledger.record([change])

    return take_over


def waiting(desk: Desk) -> bool:
    """Whether the one job can be taken again at once."""
    return desk.queue.depth() == QueueDepth(waiting=1, leased=0, dead=0) and desk.queue.lease(60) is not None


def test_told_to_end_a_worker_gives_its_job_back_at_once(desk: Desk, studio: Studio) -> None:
    stop = Event()
    studio.on_transcribe = stop.set
    with pytest.raises(Stopped):
        work_one(replace(desk, stopping=stop.is_set))
    episode = now(desk.ledger)
    assert (episode.state, episode.claim, episode.failure) == (State.QUEUED, None, None)
    assert desk.ledger.events("show-1")[-1].detail == "the worker was stopped"
    assert waiting(desk)


def test_however_often_a_worker_is_told_to_end_its_episode_does_not_fail(desk: Desk, studio: Studio) -> None:
    studio.on_transcribe = raising(Stopped())
    for _ in range(desk.max_attempts + 2):
        with pytest.raises(Stopped):
            work_one(desk)
    studio.on_transcribe = nothing
    assert work_one(desk) is Outcome.DONE


def given_up_in_its_work(desk: Desk, meanwhile: Callable[[], object] = nothing) -> list[bool]:
    """Whether the job could be given back for a handler that did not hear of the worker's end."""
    answers: list[bool] = []

    def deaf(item: Item) -> None:
        meanwhile()
        assert desk.hand.job
        answers.append(give_up(desk, desk.hand.job))
        item.step(Step.STORE)
        raise AssertionError("it could go on")

    assert work_one(replace(desk, handler=deaf)) is Outcome.NOTHING
    assert desk.hand.job is None
    return answers


def test_a_handler_that_hears_nothing_has_its_job_taken_from_it(desk: Desk) -> None:
    assert given_up_in_its_work(desk) == [True]
    episode = now(desk.ledger)
    assert (episode.state, episode.claim, episode.failure) == (State.QUEUED, None, None)
    assert waiting(desk)


def test_but_not_one_that_somebody_else_has_by_now(desk: Desk, clock: FakeClock) -> None:
    assert given_up_in_its_work(desk, taken_over(desk, clock)) == [False]
    claim = now(desk.ledger).claim
    assert claim
    assert claim.worker == "worker-2"
    assert desk.queue.depth().leased == 1


def test_nor_one_that_is_done(desk: Desk) -> None:
    def done(item: Item) -> None:
        at = desk.clock()
        item.handle.write(lambda episode: states.transcribed(episode, {}, 1.0, at))
        item.handle.write(lambda episode: states.done(episode, at))
        assert desk.hand.job
        assert not give_up(desk, desk.hand.job)

    assert work_one(replace(desk, handler=done)) is Outcome.DONE
    assert now(desk.ledger).state is State.PUBLISHED
    assert desk.queue.depth() == EMPTY


def test_nor_where_nothing_can_be_written(desk: Desk, clock: FakeClock) -> None:
    taken = 1
    broken = failing(desk.ledger, "record", StorageError("no answer"), times=99, after=taken)

    def deaf(item: Item) -> None:
        assert unlucky.hand.job
        assert not give_up(unlucky, unlucky.hand.job)
        raise Stopped

    unlucky = replace(desk, ledger=broken, handler=deaf)
    with pytest.raises(StorageError):
        work_one(unlucky)
    clock.go_on(60)
    assert work_one(desk) is Outcome.DONE


@pytest.mark.parametrize("error", [StorageFull("the disk is full"), ModelError("no such model")])
def test_what_is_not_the_episode_s_fault_ends_the_worker(
    desk: Desk, studio: Studio, error: Exception
) -> None:
    studio.on_transcribe = raising(error)
    with pytest.raises(type(error)):
        work_one(desk)
    assert now(desk.ledger).state is State.QUEUED
    assert waiting(desk)


def test_an_outage_never_gives_an_episode_up_and_its_cause_is_told(desk: Desk, studio: Studio) -> None:
    studio.on_transcribe = raising(ModelError("no such model"))
    for _ in range(30):
        with pytest.raises(ModelError):
            work_one(desk)
    episode = now(desk.ledger)
    assert episode.failure
    assert (episode.state, episode.failure.reason) == (State.QUEUED, "no such model")
    studio.on_transcribe = nothing
    assert work_one(desk) is Outcome.DONE


def hearing_with(device: str, error: RuntimeError) -> Callable[[Item], None]:
    """A handler whose model works, but fails at this episode's audio."""

    def failing(samples: Samples) -> list[Passage]:
        raise error

    decoder = FakeDecoder([(0.0, 60.0)], first=failing)
    choice = ModelChoice(name="some", path=Path("some"), device=device, compute_type="int8", threads=1)
    whisper = Whisper(choice, Transcribe(batch_size=1), load=lambda _: decoder)

    def hear(item: Item) -> None:
        item.step(Step.TRANSCRIBE)
        whisper.window(Window(0.0, np.zeros(60 * RATE, np.float32)), "en", NONE, lambda done_s: None)

    return hear


def test_audio_that_a_model_fails_at_is_given_up_in_the_end(desk: Desk, clock: FakeClock) -> None:
    tripped = replace(desk, handler=hearing_with("cpu", RuntimeError("no position encodings")))
    for wait in (30, 60):
        assert work_one(tripped) is Outcome.RETRY
        clock.go_on(wait)
    assert work_one(tripped) is Outcome.FAILED
    failure = now(desk.ledger).failure
    assert failure
    assert (failure.step, "no position encodings" in failure.reason) == (Step.TRANSCRIBE, True)
    assert desk.queue.depth().dead == 1


def test_audio_that_breaks_a_gpu_ends_only_so_many_workers(desk: Desk, clock: FakeClock) -> None:
    """A GPU that failed once may fail at everything, until the process ends."""
    fault = RuntimeError("CUDA failed with error an illegal memory access was encountered")
    tripped = replace(desk, handler=hearing_with("cuda", fault))
    for wait in (30, 60, 0):
        with pytest.raises(ModelError, match="illegal memory access"):
            work_one(tripped)
        assert work_one(desk) is None
        clock.go_on(wait)
    assert now(desk.ledger).state is State.FAILED
    assert desk.queue.depth().dead == 1


def test_the_first_transcript_stored_is_the_one_that_everybody_goes_on_from(
    desk: Desk, studio: Studio
) -> None:
    first = transcript_json(a_transcript("From another worker.")).encode()
    studio.on_transcribe = lambda: desk.artifacts.put(TRANSCRIPT, first)
    assert work_one(desk) is Outcome.DONE
    assert desk.artifacts.get(TRANSCRIPT) == first
    assert desk.artifacts.get(now(desk.ledger).artifacts["txt"]) == b"From another worker.\n"


def test_a_full_disk_that_takes_no_word_either_lets_the_lease_lapse(desk: Desk, clock: FakeClock) -> None:
    taken_and_downloading = 2
    full = failing(desk.ledger, "record", StorageFull("full"), times=99, after=taken_and_downloading)
    with pytest.raises(StorageFull):
        work_one(replace(desk, ledger=full))
    assert now(desk.ledger).state is State.TRANSCRIBING
    assert work_one(desk) is None
    clock.go_on(60)
    assert work_one(desk) is Outcome.DONE


def test_a_worker_that_was_overtaken_writes_nothing_more(
    desk: Desk, studio: Studio, watcher: Watcher, clock: FakeClock
) -> None:
    overtake = taken_over(desk, clock)
    seen: list[object] = []

    def note() -> None:
        overtake()
        seen.append(now(desk.ledger))

    studio.on_transcribe = note
    assert work_one(desk) is Outcome.NOTHING
    assert seen == [now(desk.ledger)]
    assert desk.artifacts.get(TRANSCRIPT) is None
    assert desk.queue.depth().leased == 1
    assert watcher.seen == [Step.DOWNLOAD, Step.TRANSCRIBE]


@pytest.mark.parametrize("error", [ValueError("a bug"), Stopped(), ModelError("no such model")])
def test_nor_does_it_where_its_work_fails_besides(
    desk: Desk, studio: Studio, clock: FakeClock, error: Exception
) -> None:
    overtake = taken_over(desk, clock)

    def fail() -> None:
        overtake()
        raise error

    studio.on_transcribe = fail
    if isinstance(error, ValueError):
        assert work_one(desk) is Outcome.RETRY  # by whoever has it now
    else:
        with pytest.raises(type(error)):
            work_one(desk)
    claim = now(desk.ledger).claim
    assert claim
    assert claim.worker == "worker-2"
    assert desk.queue.depth().leased == 1


def test_an_episode_skipped_meanwhile_stays_skipped(desk: Desk, studio: Studio, clock: FakeClock) -> None:
    def skip() -> None:
        queueing.skip(desk.ledger, desk.queue, clock, now(desk.ledger))

    studio.on_transcribe = skip
    assert work_one(desk) is Outcome.NOTHING
    assert now(desk.ledger).state is State.SKIPPED
    clock.go_on(60)
    assert work_one(desk) is Outcome.NOTHING
    assert desk.queue.depth() == EMPTY


def test_a_lost_lease_ends_the_work_at_the_next_sign_of_progress(desk: Desk, clock: FakeClock) -> None:
    def going_on(item: Item) -> None:
        queueing.skip(desk.ledger, desk.queue, clock, now(desk.ledger))
        patience = Event()
        for _ in range(3000):
            item.progress(1.0, 2.0, 1.0)
            patience.wait(0.01)
        raise AssertionError("nobody noticed")

    assert work_one(replace(desk, handler=going_on, lease_s=0.03)) is Outcome.NOTHING
    assert now(desk.ledger).state is State.SKIPPED


def test_whoever_waits_hears_that_the_worker_shall_end(desk: Desk) -> None:
    with pytest.raises(Stopped):
        work_one(replace(desk, handler=Lent.go_on, stopping=lambda: True))
    assert waiting(desk)


def test_to_wait_is_no_sign_of_life(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.heartbeat._STUCK_S", 0.2)
    ended = Event()

    def hanging(job: Lent) -> None:
        job.heart._end = ended.set  # pyright: ignore[reportPrivateUsage] - it would end the tests
        for _ in range(2000):
            job.go_on()
            if ended.wait(0.01):
                raise Stopped
        raise AssertionError("nobody noticed")

    with pytest.raises(Stopped):
        work_one(replace(desk, handler=hanging, lease_s=0.03))


def test_what_a_poll_corrects_meanwhile_is_kept(desk: Desk, studio: Studio) -> None:
    studio.on_transcribe = lambda: desk.ledger.record([after(now(desk.ledger), title="Corrected")])
    assert work_one(desk) is Outcome.DONE
    assert (now(desk.ledger).title, now(desk.ledger).state) == ("Corrected", State.IN_REVIEW)


@pytest.mark.parametrize("state", sorted(set(State) - states.WORKABLE))
def test_a_job_with_nothing_left_to_do_is_dropped(desk: Desk, studio: Studio, state: State) -> None:
    desk.ledger.record([after(now(desk.ledger), state=state)])
    assert work_one(desk) is Outcome.NOTHING
    assert desk.queue.depth() == EMPTY
    assert studio.did == []


def test_a_job_of_an_unknown_episode_is_dropped(desk: Desk) -> None:
    desk.queue.send(Job(episode_id="show-9"))
    assert {work_one(desk), work_one(desk)} == {Outcome.NOTHING, Outcome.DONE}
    assert desk.queue.depth() == EMPTY


def test_a_second_job_waits_while_somebody_has_the_episode(desk: Desk, studio: Studio) -> None:
    outcomes: list[Outcome | None] = []

    def another_worker() -> None:
        desk.queue.send(Job(episode_id="show-1"))
        outcomes.extend(work_one(replace(desk, worker="worker-2")) for _ in range(2))

    studio.on_transcribe = another_worker
    assert work_one(desk) is Outcome.DONE
    assert outcomes == [Outcome.NOTHING, None]
    assert studio.did.count("transcribe") == 1


def test_somebody_who_was_faster_is_let_go_first(desk: Desk, clock: FakeClock) -> None:
    late = replace(desk, ledger=failing(desk.ledger, "record", Conflict("changed meanwhile")))
    assert work_one(late) is Outcome.NOTHING
    assert work_one(desk) is None
    clock.go_on(1)
    assert work_one(desk) is Outcome.DONE


def test_what_was_stored_is_not_made_again(desk: Desk, studio: Studio) -> None:
    desk.artifacts.put(AUDIO, b"audio")
    desk.artifacts.put(TRANSCRIPT, transcript_json(a_transcript("From before.")).encode())
    assert work_one(desk) is Outcome.DONE
    assert studio.did == []
    assert desk.artifacts.get(now(desk.ledger).artifacts["txt"]) == b"From before.\n"


def test_a_review_that_could_not_be_opened_costs_no_second_transcription(
    desk: Desk, studio: Studio, clock: FakeClock
) -> None:
    publisher = publisher_of(desk)
    host = failing(publisher.code_host, "commit", CodeHostError("no git here"))
    broken = publishing_with(desk, replace(publisher, code_host=host))
    assert work_one(broken) is Outcome.RETRY
    episode = now(desk.ledger)
    assert episode.failure
    assert (episode.state, episode.failure.step) == (State.TRANSCRIBED, Step.REVIEW)
    clock.go_on(30)
    assert work_one(desk) is Outcome.DONE
    assert studio.did.count("transcribe") == 1


def cut_off(desk: Desk, call: int) -> bool:
    """Work until the process is killed at a call; whether it was."""
    outage = Outage(call)
    ledger, artifacts = outage.guard(desk.ledger), outage.guard(desk.artifacts)
    publisher = publisher_of(desk)
    host = outage.guard(publisher.code_host)
    publisher = replace(publisher, ledger=ledger, artifacts=artifacts, code_host=host)
    queue = outage.guard(desk.queue)
    try:
        guarded = replace(desk, ledger=ledger, artifacts=artifacts, queue=queue)
        work_one(publishing_with(guarded, publisher))
    except Crash:
        return True
    return False


def a_fresh_desk(folder: Path, stores: Stores, studio: Studio, clock: FakeClock) -> Desk:
    """With one episode on the queue."""
    desk = a_desk(folder, stores, clock, studio, Watcher())
    queued(desk.ledger)
    queueing.relay(desk.ledger, desk.queue)
    return desk


def test_killed_at_any_call_it_is_done_once_in_the_end(
    tmp_path: Path, stores: Stores, clock: FakeClock
) -> None:
    call = 0
    while cut_off(desk := a_fresh_desk(tmp_path / str(call), stores, studio := Studio(), clock), call):
        before, stored = studio.did.count("transcribe"), desk.artifacts.get(TRANSCRIPT) is not None
        clock.go_on(60)
        work_one(desk)
        assert now(desk.ledger).state is State.IN_REVIEW
        assert work_one(desk) is None
        assert desk.queue.depth() == EMPTY
        assert studio.did.count("transcribe") == before + (not stored)
        assert len(GitSite(tmp_path / str(call) / "data" / "site").branches()) == 2
        call += 1
    assert call > 20
