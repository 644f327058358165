"""Hints: the worthiest words, and never more than Whisper heeds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.hints import LIMIT, TERMS, hints_for


def count(text: str) -> int:
    return len(text.split())


def test_names_come_first_then_what_nobody_can_guess() -> None:
    hints = hints_for(["queue", "Fargate", "DynamoDB", "fargate", "ada moss"], ["Ada Moss"], "", "", count)
    assert hints.hotwords == "Ada Moss, DynamoDB, Fargate, queue"


def test_title_and_notes_are_whole_sentences_without_links() -> None:
    notes = "We talk. See https://example.org/notes for more.\nBye!"
    hints = hints_for([], [], "Queues at night", notes, count)
    assert hints.initial_prompt == "Queues at night. We talk. See for more. Bye!"
    assert hints.hotwords is None


def test_nothing_to_say_is_no_hint() -> None:
    assert not hints_for([], [" "], "", " \n", count)


@given(
    st.lists(st.text(max_size=30), max_size=60),
    st.lists(st.text(max_size=30), max_size=5),
    st.text(max_size=200),
    st.text(),
)
def test_hints_never_pass_the_limit(terms: list[str], names: list[str], title: str, notes: str) -> None:
    def letters(text: str) -> int:
        return len(text)

    hints = hints_for(terms, names, title, notes, letters)
    said = [" " + text for text in (hints.hotwords, hints.initial_prompt) if text]
    assert sum(map(letters, said)) <= LIMIT
    assert (hints.hotwords or "").count(", ") <= sum(text.count(", ") for text in terms + names) + TERMS


def test_one_that_does_not_fit_leaves_room_for_those_after_it() -> None:
    found = hints_for(["x" * 500, "Fargate"], [], "Title", "", len)
    assert found.hotwords == "Fargate"


def test_whispers_own_marks_are_no_hints() -> None:
    found = hints_for([], [], "Hello <|startoftranscript|> there", "See <|en|> you.", len)
    assert found.initial_prompt == "Hello there. See you."
