"""Which speaker said each word."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Segment, Word
from tests.speaking import heard, said, sample, segment, spoken, truth, words_wrong
from worker.assigning import SOMEBODY, assigned
from worker.diarizing import Turn, turns_of


def told(segments: Sequence[Segment]) -> list[tuple[str, str]]:
    return [(each.speaker, each.text) for each in segments]


def test_a_segment_is_split_where_the_speaker_changes() -> None:
    words = [*said("Is it done? Yes, it is.")]
    whole = Segment("", 0.0, 2.0, "Is it done?  Yes, it is.", tuple(words))
    turns = [Turn(0.0, 0.9, "spk_0"), Turn(0.92, 1.9, "spk_1")]
    first, second = assigned([whole], turns)
    assert told([first, second]) == [("spk_0", "Is it done?"), ("spk_1", "Yes, it is.")]
    assert (first.start, first.end, second.start, second.end) == (0.0, words[2].end, words[3].start, 2.0)
    assert first.words + second.words == whole.words


def test_a_segment_of_one_speaker_stays_as_it_is() -> None:
    whole = Segment("", 0.0, 3.0, "Not,  quite ,spaced", tuple(said("Not, quite ,spaced")))
    assert assigned([whole], [Turn(0.0, 3.0, "spk_0")]) == (
        Segment("spk_0", 0.0, 3.0, "Not,  quite ,spaced", whole.words),
    )


def test_text_without_spaces_is_cut_without_spaces() -> None:
    words = tuple(Word(text, at, at + 0.9, 0.9) for at, text in enumerate(["你好", "。", "再见", "。"]))
    found = assigned([Segment("", 0, 4, "你好。再见。", words)], [Turn(0, 2, "spk_0"), Turn(2, 4, "spk_1")])
    assert told(found) == [("spk_0", "你好。"), ("spk_1", "再见。")]


def test_a_text_that_is_not_made_of_its_words_is_made_anew() -> None:
    whole = Segment("", 0, 2, "Something else", tuple(said("Is it? Yes.", pace=0.5)))
    found = assigned([whole], [Turn(0, 1, "spk_0"), Turn(1.0, 1.5, "spk_1")])
    assert told(found) == [("spk_0", "Is it?"), ("spk_1", "Yes.")]


@pytest.mark.parametrize("change", [1.0, 1.25, 1.5, 1.75, 2.0])
def test_speakers_change_where_a_sentence_ends(change: float) -> None:
    """Turns are some tenths of a second off; nobody starts with the last words of another's sentence."""
    words = said("we do it every month. From here on I know.")
    turns = [Turn(0.0, change, "spk_0"), Turn(change, 3.0, "spk_1")]
    assert told(assigned([segment(words)], turns)) == [
        ("spk_0", "we do it every month."),
        ("spk_1", "From here on I know."),
    ]


def test_a_change_is_not_moved_far() -> None:
    words = said("one two three four five six seven. Eight nine ten")
    found = assigned([segment(words)], [Turn(0, 0.9, "spk_0"), Turn(0.9, 3.0, "spk_1")])
    assert told(found) == [("spk_0", "one two three"), ("spk_1", "four five six seven. Eight nine ten")]


def test_a_silence_between_turns_counts_as_much_as_a_full_stop() -> None:
    """A recogniser without punctuation runs two people's sentences into one."""
    words = [*said("on your mind. I'm Marin"), *said("and I'm Otis", start=1.9)]
    found = assigned([segment(words)], [Turn(0.0, 1.45, "spk_0"), Turn(1.9, 3.0, "spk_1")])
    assert told(found) == [("spk_0", "on your mind. I'm Marin"), ("spk_1", "and I'm Otis")]


def test_words_outside_all_turns_go_to_the_nearest() -> None:
    words = [*said("Before. After.", start=0.0), *said("Long after.", start=50)]
    turns = [Turn(10, 20, "spk_0"), Turn(30, 40, "spk_1")]
    assert told(assigned([segment(words[:2]), segment(words[2:])], turns)) == [
        ("spk_0", "Before. After."),
        ("spk_1", "Long after."),
    ]


def test_a_word_or_two_amid_a_sentence_stay_with_it() -> None:
    words = said("it is a very long sentence about one thing only.", pace=0.5)
    turns = [Turn(0, 1.5, "spk_0"), Turn(1.5, 2.4, "spk_1"), Turn(2.4, 5, "spk_0")]
    assert {each.speaker for each in assigned([segment(words)], turns)} == {"spk_0"}


def test_an_interjection_with_a_turn_of_its_own_stays() -> None:
    words = said("so I told them not to Right. and they did it all the same.", pace=0.5)
    turns = [Turn(0, 3.0, "spk_0"), Turn(3.0, 3.5, "spk_1"), Turn(3.5, 7, "spk_0")]
    assert told(assigned([segment(words)], turns))[1] == ("spk_1", "Right.")
    answer = said("Did it work? Yes. Then all is well.", pace=0.5)
    turns = [Turn(0, 1.5, "spk_0"), Turn(1.6, 1.9, "spk_1"), Turn(2, 5, "spk_0")]
    assert [who for who, _ in told(assigned([segment(answer)], turns))] == ["spk_0", "spk_1", "spk_0"]


def test_phantoms_vanish_and_quiet_people_do_not() -> None:
    talk = [*said("word " * 200), *said("is that a cough. Or not?", start=61), *said("word " * 200, start=64)]
    turns = [Turn(0, 60, "spk_0"), Turn(61, 62.5, "spk_1"), Turn(64, 124, "spk_0")]
    assert {each.speaker for each in assigned([segment(talk)], turns)} == {"spk_0"}
    guest = [*said("word " * 200), *said("I say many things here. " * 4, start=61)]
    turns = [Turn(0, 60, "spk_0"), Turn(61, 67, "spk_1")]
    assert [each.speaker for each in assigned([segment(guest)], turns)] == ["spk_0", "spk_1"]


@pytest.mark.parametrize("line", ["is that a cough. Or not?", "of course", "Right."])
def test_as_many_as_were_asked_for_keep_what_they_say(line: str) -> None:
    talk = [*said("word " * 200), *said(line, start=61), *said("word " * 200, start=64)]
    cough = [Turn(130, 130.2, "spk_2")]
    turns = [Turn(0, 60, "spk_0"), Turn(61, 62.0, "spk_1"), Turn(64, 124, "spk_0"), *cough]
    assert {each.speaker for each in assigned([segment(talk)], turns)} == {"spk_0"}
    found = assigned([segment(talk)], turns, fewest=2)
    assert [each.speaker for each in found] == ["spk_0", "spk_1", "spk_0"]


def test_without_turns_somebody_speaks() -> None:
    assert told(assigned([segment(said("Who is it?"))], [])) == [(SOMEBODY, "Who is it?")]
    assert assigned([], [Turn(0, 1, "spk_0")]) == ()


def test_a_segment_without_words_gets_a_speaker() -> None:
    bare = Segment("", 11, 12, "Hm.")
    assert assigned([bare], [Turn(0, 10, "spk_0"), Turn(10, 20, "spk_1")]) == (
        Segment("spk_1", 11, 12, "Hm."),
    )


@pytest.mark.parametrize("number", [1, 2])
def test_the_sample_shows_words_are_given_to_who_said_them(number: int) -> None:
    found = assigned(spoken(truth(sample(number))), turns_of([heard(number)]).turns)
    wrong, words = words_wrong(truth(sample(number)), found)
    assert words > 100
    assert wrong == 0


TOKENS = st.sampled_from(["I", "know", "that.", "Really?", "one", "Two,", "…", "yes", "。"])
SPANS = st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1)), max_size=20)


@given(
    tokens=st.lists(st.lists(st.tuples(TOKENS, st.floats(0, 1), st.floats(0, 1)), min_size=1), max_size=6),
    spans=SPANS,
    people=st.lists(st.integers(0, 3), min_size=20, max_size=20),
)
def test_words_stay_what_and_when_they_are(
    tokens: list[list[tuple[str, float, float]]], spans: list[tuple[float, float]], people: list[int]
) -> None:
    at, segments = 0.0, list[Segment]()
    for line in tokens:
        words: list[Word] = []
        for text, pause, length in line:
            words.append(Word(text, at + pause, at + pause + length, 0.5))
            at = words[-1].end
        segments.append(segment(words))
    at, turns = 0.0, list[Turn]()
    for (length, pause), person in zip(spans, people, strict=False):
        turns.append(Turn(at, at + length, f"spk_{person}"))
        at += length + pause
    found = assigned(segments, turns)
    assert [word for each in found for word in each.words] == [w for each in segments for w in each.words]
    assert " ".join(each.text for each in found).split() == " ".join(s.text for s in segments).split()
    assert all(each.words and each.speaker and each.start <= each.end for each in found)
    assert {each.speaker for each in found} <= ({turn.speaker for turn in turns} or {SOMEBODY})
    assert all(before.start <= after.start for before, after in pairwise(found))
    assert found == assigned(segments, turns)
