"""Each way in which Whisper fails: noticed, mended where it can be, and told where it can't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Doubt
from tests.decoders import passage, sentence
from worker.faults import (
    Suspect,
    endless,
    failed,
    loops,
    nobody_there,
    small,
    surely_invented,
    suspects,
    unheard,
)
from worker.heard import Span
from worker.mending import mended
from worker.passages import Passage
from worker.shards import merged

TALK = [(0.0, 60.0)]  #: a minute in which somebody speaks


def good(*spans: Span) -> list[Passage]:
    """Different sentences at an ordinary pace."""
    return [
        passage(sentence(100 * int(start), max(1, round(2.5 * (end - start)))), start, end)
        for start, end in spans
    ]


def settled(
    passages: Sequence[Passage],
    again: Sequence[Sequence[Passage]] = (),
    speech: Sequence[Span] = TALK,
    share: float = 0.5,
) -> tuple[list[str], list[Doubt], list[Suspect]]:
    """The texts, the doubts, and what was decoded again."""
    asked: list[Suspect] = []

    def second(found: Sequence[Suspect]) -> list[Sequence[Passage]]:
        asked.extend(found)
        nothing: list[Sequence[Passage]] = [[] for _ in found]
        return [*again, *nothing][: len(found)]

    result, doubts = mended(passages, speech, 60.0, share, second)
    return [each.text for each in result], doubts, asked


def texts(text: str) -> list[str]:
    return text.split()


def kinds(doubts: Sequence[Doubt]) -> set[str]:
    return {doubt.kind for doubt in doubts}


def test_good_passages_are_left_alone() -> None:
    passages = good((0, 20), (20, 40), (40, 60))
    assert settled(passages) == ([each.text for each in passages], [], [])


@st.composite
def talks(draw: st.DrawFn) -> tuple[list[Passage], list[Span]]:
    """Passages good and bad, and speech that need not be where they are."""
    edges = sorted(draw(st.sets(st.integers(0, 59), max_size=12)))
    passages: list[Passage] = []
    for start, end in pairwise(edges):
        steady = sentence(start * 100, 3 * (end - start))
        text = draw(st.sampled_from([steady, "See you soon. " * 6, "so it goes", ""]))
        if text:
            passages.append(passage(text, start, end, logprob=draw(st.sampled_from([-0.2, -1.3]))))
    spans = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=5))
    return passages, merged((float(min(span)), float(max(span))) for span in spans if span[0] != span[1])


@given(talks())
def test_whatever_is_decoded_again_stays_in_its_place(talk: tuple[list[Passage], list[Span]]) -> None:
    passages, speech = talk
    for again in (True, False):
        found = suspects(passages, speech, 0.5, 60.0)
        second = [good(suspect.span) if again else [] for suspect in found]
        result, doubts = mended(passages, speech, 60.0, 0.5, lambda _, second=second: second)
        starts = [each.start for each in result]
        assert starts == sorted(starts)
        assert all(before.span[1] <= after.span[0] for before, after in pairwise(found))
        assert all(0 <= doubt.start < doubt.end <= 60 for doubt in doubts)
        assert again or {each.text for each in result} <= {each.text for each in passages} | {"See you soon."}


# Invented


@pytest.mark.parametrize("text", ["Thanks for watching!", "you", ".", "Subtitles by the community"])
def test_stock_words_where_nobody_speaks_go(text: str) -> None:
    kept, doubts, _ = settled([*good((0, 20)), passage(text, 30, 32)], speech=[(0.0, 20.0)])
    assert len(kept) == 1
    assert doubts == []


def test_improbable_words_where_nobody_speaks_go() -> None:
    for words in (passage("La la land", 30, 34, silence=0.9), passage("La la land", 30, 34, logprob=-1.5)):
        assert surely_invented(words, [(0.0, 20.0)])


def test_other_words_where_nobody_speaks_are_doubted() -> None:
    kept, doubts, _ = settled([*good((0, 20)), passage("Buy this soap.", 30, 34)], speech=[(0.0, 20.0)])
    assert kept[-1] == "Buy this soap."
    assert [(doubt.kind, doubt.start, doubt.end) for doubt in doubts] == [("invented", 30, 34)]


def test_thanks_that_somebody_says_stay() -> None:
    assert not nobody_there(passage("Thanks for listening!", 30, 32), TALK)
    assert settled([*good((0, 58)), passage("Thanks for listening!", 58, 60)])[1] == []


def test_stock_words_that_the_model_does_not_believe_go() -> None:
    heard = passage("You", 40, 41)
    for probability, stays in ((0.05, False), (0.6, True)):
        each = replace(heard, words=tuple(replace(word, probability=probability) for word in heard.words))
        assert surely_invented(each, TALK) != stays


def test_few_unlikely_words_over_music_are_doubted() -> None:
    sung = passage("Oh my", 40, 50)
    sung = replace(sung, words=tuple(replace(word, probability=0.2) for word in sung.words))
    assert "invented" in kinds(settled([*good((0, 40)), sung, *good((50, 60))])[1])


# Repeated


def test_a_phrase_again_and_again_is_a_loop() -> None:
    assert loops(texts("so very good very good very good very good and so on")) == [(1, 9, 2)]
    assert loops(texts("See you soon at the fair. see you, soon at the fair! See you soon at the fair")) == [
        (0, 18, 6)
    ]


def test_what_people_say_is_no_loop() -> None:
    assert loops(texts("no no no no it is very very very good and one two one two")) == []


def test_a_loop_is_heard_again() -> None:
    stuck = passage("See you soon at the fair. " * 4, 20, 40)
    new = good((20, 40))
    kept, doubts, asked = settled([*good((0, 20)), stuck, *good((40, 60))], [new])
    assert [(each.kind, each.span) for each in asked] == [("repeated", (20, 40))]
    assert kept[1] == new[0].text
    assert doubts == []


def test_a_loop_that_stays_is_told() -> None:
    stuck = passage("See you soon at the fair. " * 7, 20, 40)
    kept, doubts, _ = settled([*good((0, 20)), stuck, *good((40, 60))], [[stuck]])
    assert kept[1] == stuck.text
    assert kinds(doubts) == {"repeated"}
    assert "'See you soon at the fair.' comes 7 times" in doubts[0].detail


def test_a_loop_faster_than_anybody_speaks_is_cut_to_one() -> None:
    stuck = passage("See you soon at the fair. " * 8, 57, 60)
    assert settled([*good((0, 57)), stuck])[0][-1] == "See you soon at the fair."


def test_a_loop_over_several_passages_is_seen_whole() -> None:
    outro = [passage("See you soon at the fair.", 20 + 4 * i, 23 + 4 * i) for i in range(8)]
    _, doubts, asked = settled([*good((0, 20)), *outro, *good((52, 60))])
    assert [(each.first, each.after) for each in asked] == [(1, 9)]
    assert [(doubt.kind, doubt.start, round(doubt.end)) for doubt in doubts] == [("repeated", 20, 51)]


def test_a_sentence_in_place_of_another_is_heard_again() -> None:
    echo = passage(sentence(0, 50), 40, 60)
    passages = [*good((0, 20), (20, 40)), echo]
    new = passage(sentence(700, 56), 40, 60)
    assert settled(passages, [[new]])[0][-1] == new.text
    _, doubts, asked = settled(passages)
    assert [(each.kind, each.span) for each in asked] == [("dropped", (40, 60))]
    assert [(doubt.kind, doubt.start, doubt.end) for doubt in doubts] == [("repeated", 40, 60)]


# Dropped, and cut off


def test_speech_between_passages_without_words_is_heard_again() -> None:
    new = good((20, 30))
    kept, doubts, asked = settled([*good((0, 20), (30, 60))], [new])
    assert [(each.kind, each.first, each.after) for each in asked] == [("dropped", 1, 1)]
    assert 20 <= asked[0].span[0] <= 20.5
    assert 29.5 <= asked[0].span[1] <= 30
    assert len(kept) == 3
    assert doubts == []


def test_speech_that_nothing_is_heard_of_is_told() -> None:
    _, doubts, _ = settled([*good((0, 20), (30, 60))])
    assert [(doubt.kind, round(doubt.start), round(doubt.end)) for doubt in doubts] == [("dropped", 20, 30)]


def test_a_tail_without_words_is_heard_again_and_told() -> None:
    passages = good((0, 40))
    _, doubts, asked = settled(passages)
    assert [each.first for each in asked] == [1]
    assert [doubt.kind for doubt in doubts] == ["cut off"]
    assert "the last 20 s" in doubts[0].detail or "the last 19 s" in doubts[0].detail
    assert settled(passages, [good((40, 60))])[1] == []


def test_too_few_words_for_so_much_speech_are_heard_again() -> None:
    few = passage(sentence(9500, 24), 20, 40)
    for share, looked_at in ((0.5, 1), (0.4, 0)):
        found = suspects([*good((0, 20)), few, *good((40, 60))], TALK, share, 60.0)
        assert len(found) == looked_at
    kept, _, _ = settled([*good((0, 20)), few, *good((40, 60))], [good((20, 40))])
    assert len(kept[1].split()) == 50


def test_fewer_words_are_never_taken_for_more() -> None:
    few = passage(sentence(9500, 24), 20, 40)
    kept, doubts, _ = settled([*good((0, 20)), few, *good((40, 60))], [[passage("Hm.", 20, 40)]])
    assert kept[1] == few.text
    assert kinds(doubts) == {"dropped"}


def test_a_word_stretched_over_speech_covers_little_of_it() -> None:
    stretched = passage("Well", 20, 40)
    assert unheard([*good((0, 20)), stretched, *good((40, 60))], TALK, 1.0) == [(22.5, 39.5)]


def test_guesses_are_heard_again_but_never_taken() -> None:
    assert failed(-1.2, 1.0, 0.1)
    assert failed(-0.2, 3.0, 0.1)
    assert not failed(-1.2, 3.0, 0.9)  # nobody speaks there
    guess = replace(good((20, 40))[0], logprob=-1.2)
    worse = [passage(sentence(900, 80), 20, 40, logprob=-1.4)]
    assert settled([*good((0, 20)), guess, *good((40, 60))], [worse])[0][1] == guess.text


# Lower case


def test_long_runs_without_capitals_or_full_stops_are_heard_again() -> None:
    flat = [passage(sentence(100 * i, 25)[:-1].lower(), 10 * i, 10 * i + 10) for i in range(6)]
    _, doubts, asked = settled(flat)
    assert [(each.kind, each.span) for each in asked] == [("lower case", (0, 60))]
    assert kinds(doubts) == {"lower case"}
    assert settled(flat, [good((0, 30), (30, 60))])[1] == []


def test_long_sentences_in_several_passages_are_nothing_strange() -> None:
    halves = [passage(sentence(100 * i, 20)[:-1] + ",."[i % 2], 8 * i, 8 * i + 8) for i in range(6)]
    assert settled(halves, speech=[(0.0, 48.0)])[2] == []


def test_part_of_a_sentence_is_nothing_strange() -> None:
    assert settled([passage(sentence(0, 20)[:-1], 0, 8), *good((8, 60))])[2] == []


@pytest.mark.parametrize(
    ("text", "is_dull"),
    [
        ("so I think i said it.", True),
        ("So it goes on and on", True),
        ("So it goes.", False),
        ("这是一个很长的句子", False),
        ("これは文です。", False),
    ],
)
def test_scripts_without_capitals_are_not_judged_by_them(text: str, is_dull: bool) -> None:
    assert (small(text) or endless(text)) == is_dull


# Times


def test_words_without_times_are_told() -> None:
    guessed = replace(good((20, 40))[0], guessed=50)
    assert kinds(settled([*good((0, 20)), guessed, *good((40, 60))])[1]) == {"times"}
