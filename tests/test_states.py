from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import states
from pipeline.errors import IllegalMove
from pipeline.model import Change, Episode, ReviewState, State, Step
from pipeline.states import MOVES, Delivery
from tests.builders import NOW, a_claim, a_failure, a_lease, a_review, an_episode, some_progress

S = State
LATER = NOW + 10

Move = Callable[[Episode], Change]

#: Each function: what it does here, the state it leads to, and the states that it may start from.
TO_ONE: dict[str, tuple[Move, State, set[State]]] = {
    "queued": (
        lambda e: states.queued(e, LATER),
        S.QUEUED,
        {S.DISCOVERED, S.HELD, S.QUEUED, S.TRANSCRIBING, S.REJECTED, S.SKIPPED, S.FAILED},
    ),
    "held": (lambda e: states.held(e, LATER, "many"), S.HELD, {S.DISCOVERED, S.HELD}),
    "skipped": (
        lambda e: states.skipped(e, LATER, "old"),
        S.SKIPPED,
        {S.DISCOVERED, S.HELD, S.QUEUED, S.TRANSCRIBING, S.TRANSCRIBED, S.IN_REVIEW, S.FAILED, S.SKIPPED},
    ),
    "failed": (
        lambda e: states.failed(e, Step.DECODE, "a picture", LATER),
        S.FAILED,
        {S.DISCOVERED, S.QUEUED, S.TRANSCRIBING, S.TRANSCRIBED, S.FAILED},
    ),
    "transcribed": (
        lambda e: states.transcribed(e, {"transcript": "k"}, 61.5, LATER),
        S.TRANSCRIBED,
        {S.TRANSCRIBING, S.TRANSCRIBED},
    ),
    "done": (lambda e: states.done(e, LATER), S.PUBLISHED, {S.TRANSCRIBED, S.IN_REVIEW, S.PUBLISHED}),
    "in_review": (
        lambda e: states.in_review(e, a_review(url="u"), {"diff": "d"}, LATER),
        S.IN_REVIEW,
        {S.TRANSCRIBED, S.IN_REVIEW},
    ),
    "merged": (
        lambda e: states.concluded(e, a_review(state=ReviewState.MERGED), LATER),
        S.PUBLISHED,
        {S.TRANSCRIBED, S.IN_REVIEW, S.PUBLISHED},
    ),
    "closed": (
        lambda e: states.concluded(e, a_review(state=ReviewState.CLOSED), LATER),
        S.REJECTED,
        {S.TRANSCRIBED, S.IN_REVIEW, S.REJECTED},
    ),
}

#: Those that leave an episode's state as it is.
IN_PLACE: dict[str, Move] = {
    "at_step": lambda e: states.at_step(e, Step.STORE, LATER),
    "proposed": lambda e: states.proposed(e, a_review(), LATER),
}


def anything(state: State) -> Episode:
    """An episode with every field set that a move may have to clear."""
    return an_episode(
        state=state,
        version=7,
        step=Step.TRANSCRIBE,
        attempts=2,
        reason="because",
        failure=a_failure(),
        claim=a_claim(),
        progress=some_progress(),
        review=a_review(),
        artifacts={"audio": "a", "transcript": "t"},
    )


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", TO_ONE)
def test_every_move_from_every_state(name: str, state: State) -> None:
    move, to, allowed = TO_ONE[name]
    episode = anything(state)
    if state not in allowed:
        with pytest.raises(IllegalMove, match=f"show-1 is {state}: it can't become {to}"):
            move(episode)
        return
    changed = move(episode).episode
    assert (changed.state, changed.version, changed.updated_at) == (to, 8, LATER)
    assert episode == anything(state)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", IN_PLACE)
def test_steps_leave_the_state(name: str, state: State) -> None:
    changed = IN_PLACE[name](anything(state)).episode
    assert (changed.state, changed.version, changed.claim) == (state, 8, a_claim())


def test_the_table_names_every_state_and_no_way_out_of_published() -> None:
    assert set(MOVES) == set(State)
    assert MOVES[S.PUBLISHED] == frozenset()
    reached = {S.DISCOVERED}
    while more := {to for state in reached for to in MOVES[state]} - reached:
        reached |= more
    assert reached == set(State)


def test_only_queueing_asks_for_the_outbox() -> None:
    for name, (move, _, allowed) in TO_ONE.items():
        assert move(anything(min(allowed))).enqueue is (name == "queued")


@pytest.mark.parametrize("name", ["skipped", "failed", "done", "in_review", "merged", "closed"])
def test_where_the_work_ends_no_claim_and_no_progress_stay(name: str) -> None:
    changed = TO_ONE[name][0](anything(S.TRANSCRIBED)).episode
    assert (changed.claim, changed.progress) == (None, None)


def test_a_queued_episode_starts_anew() -> None:
    changed = states.queued(anything(S.FAILED), LATER, "by hand")
    episode = changed.episode
    assert (episode.step, episode.attempts, episode.reason) == (None, 0, None)
    assert (episode.failure, episode.claim) == (None, None)
    assert (changed.detail, changed.enqueue) == ("by hand", True)


def test_a_failure_says_where_why_and_when() -> None:
    episode = states.failed(anything(S.TRANSCRIBING), Step.DECODE, "a picture", LATER).episode
    assert episode.failure
    assert (episode.failure.step, episode.failure.reason, episode.failure.at) == (
        Step.DECODE,
        "a picture",
        LATER,
    )
    assert episode.step is Step.DECODE


def test_success_ends_a_failure_and_giving_back_keeps_or_replaces_it() -> None:
    working = anything(S.TRANSCRIBING)
    assert states.transcribed(working, {}, 1.0, LATER).episode.failure is None
    assert states.given_back(working, LATER, "stopped").episode.failure == a_failure()
    other = a_failure(Step.REVIEW, "no git")
    assert states.given_back(working, LATER, "no git", other).episode.failure == other


@pytest.mark.parametrize("state", [S.QUEUED, S.TRANSCRIBING, S.TRANSCRIBED])
def test_a_worker_takes_an_episode_and_gives_it_back(state: State) -> None:
    taken = states.claimed(replace(anything(state), claim=None), "worker-2", a_lease(token="t2"), LATER)
    done = state is S.TRANSCRIBED
    assert taken.episode.state is (S.TRANSCRIBED if done else S.TRANSCRIBING)
    assert taken.episode.claim == a_claim("t2", "worker-2", LATER)
    assert taken.episode.attempts == 3
    back = states.given_back(taken.episode, LATER, "stopped").episode
    assert back.state is (S.TRANSCRIBED if done else S.QUEUED)
    assert (back.claim, back.progress, back.step) == (None, None, None)


@pytest.mark.parametrize("state", sorted(set(State) - {S.QUEUED, S.TRANSCRIBING, S.TRANSCRIBED}))
def test_a_worker_takes_nothing_else(state: State) -> None:
    with pytest.raises(IllegalMove):
        states.claimed(anything(state), "worker-2", a_lease(), LATER)


@pytest.mark.parametrize("state", State)
def test_what_a_delivered_job_means(state: State) -> None:
    workable = state in {S.QUEUED, S.TRANSCRIBING, S.TRANSCRIBED}
    claimed = replace(anything(state), claim=a_claim(until=NOW + 5))
    assert states.delivery(claimed, NOW + 4) is (Delivery.WAIT if workable else Delivery.DROP)
    assert states.delivery(claimed, NOW + 5) is (Delivery.TAKE if workable else Delivery.DROP)
    free = replace(claimed, claim=None)
    assert states.delivery(free, NOW) is (Delivery.TAKE if workable else Delivery.DROP)


def test_a_job_of_no_episode_is_dropped() -> None:
    assert states.delivery(None, NOW) is Delivery.DROP


@pytest.mark.parametrize("state", State)
def test_what_may_be_retried(state: State) -> None:
    assert states.may_retry(anything(state)) is (state in {S.FAILED, S.SKIPPED, S.REJECTED})


@pytest.mark.parametrize(
    ("state", "step", "fetchable", "stale"),
    [
        (S.REJECTED, Step.REVIEW, True, {"transcript", "vtt"}),
        (S.FAILED, Step.DECODE, True, {"audio"}),
        (S.FAILED, Step.DECODE, False, set[str]()),
        (S.FAILED, Step.REVIEW, True, set[str]()),
        (S.SKIPPED, None, True, {"transcript", "vtt"}),
    ],
)
def test_what_a_retry_makes_anew(state: State, step: Step | None, fetchable: bool, stale: set[str]) -> None:
    episode = an_episode(
        state=state,
        failure=a_failure(step) if step else None,
        artifacts={"audio": "a", "transcript": "t", "vtt": "v"},
    )
    episode = episode if fetchable else replace(episode, enclosure=None)
    assert states.stale_artifacts(episode) == stale
    assert states.queued(episode, LATER).episode.artifacts.keys() == episode.artifacts.keys() - stale


def test_a_retry_knows_the_review_it_prepared_but_not_the_one_that_was_closed() -> None:
    assert states.queued(anything(S.FAILED), LATER).episode.review == a_review()
    assert states.queued(anything(S.REJECTED), LATER).episode.review is None


@given(st.lists(st.sampled_from([*TO_ONE, "claimed", "given_back", *IN_PLACE]), max_size=30))
def test_no_way_through_the_moves_breaks_what_holds_of_every_episode(names: list[str]) -> None:
    moves: dict[str, Move] = {
        **{name: move for name, (move, _, _) in TO_ONE.items()},
        **IN_PLACE,
        "claimed": lambda e: states.claimed(e, "worker-1", a_lease(), LATER),
        "given_back": lambda e: states.given_back(e, LATER, "stopped"),
    }
    episode = an_episode()
    for name in names:
        try:
            changed = moves[name](episode).episode
        except IllegalMove:
            continue
        assert changed.version == episode.version + 1
        assert changed.state is episode.state or changed.state in MOVES[episode.state]
        assert changed.claim is None or changed.state in {S.TRANSCRIBING, S.TRANSCRIBED}
        assert changed.state is not S.FAILED or changed.failure
        unreviewed = name == "done" or (episode.state is S.PUBLISHED and not episode.review)
        assert changed.state not in {S.IN_REVIEW, S.PUBLISHED, S.REJECTED} or changed.review or unreviewed
        episode = changed
