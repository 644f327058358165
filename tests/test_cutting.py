"""Segments cut for reading: sentences, whole where they fit, with every word in its place."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cutting import LONGEST, cut
from pipeline.model import Segment, Word
from pipeline.spoken import plain

PACE_S = 0.3


def heard(text: str, start: float = 0.0, speaker: str = "a", pause_s: float = 0.0) -> Segment:
    """A segment whose words follow each other; `pause_s` comes after every clause."""
    words: list[Word] = []
    for token in text.split():
        words.append(Word(token, round(start, 3), round(start + PACE_S, 3), 0.9))
        start += PACE_S + (pause_s if token[-1] in ",.|" else 0)
    return Segment(speaker, words[0].start, words[-1].end, text, tuple(words))


def texts(*segments: Segment) -> list[str]:
    return [segment.text for segment in cut(segments)]


def test_a_sentence_is_a_segment_however_the_recogniser_cut_it() -> None:
    first = heard("Hello and welcome to another episode of the show. Today we want to talk")
    second = heard("about running containers without any servers. That is a topic", first.end)
    third = heard("which we are asked about a lot.", second.end)
    found = cut([first, second, third])
    assert [segment.text for segment in found] == [
        "Hello and welcome to another episode of the show.",
        "Today we want to talk about running containers without any servers.",
        "That is a topic which we are asked about a lot.",
    ]
    assert [segment.start for segment in found] == pytest.approx([0.0, 9 * PACE_S, 20 * PACE_S])
    assert [segment.end for segment in found] == pytest.approx([9 * PACE_S, 20 * PACE_S, 31 * PACE_S])


def test_speakers_and_pauses_always_cut() -> None:
    first = heard("So I was")
    second = heard("Yes.", first.end, "b")
    third = heard("saying that", second.end)
    assert texts(first, second, third, heard("it works.", third.end + 1.6)) == [
        "So I was",
        "Yes.",
        "saying that",
        "it works.",
    ]
    assert texts(third, heard("it works.", third.end + 1.4)) == ["saying that it works."]


def test_short_sentences_share_a_segment() -> None:
    assert texts(
        heard("Right. Yes. So let us start with the basics of it. This one stands on its own feet.")
    ) == [
        "Right. Yes. So let us start with the basics of it.",
        "This one stands on its own feet.",
    ]
    long = "This sentence alone has nearly as many letters as may be shared by several others."
    assert texts(heard(f"Right. {long} Yes.")) == ["Right.", long, "Yes."]


@pytest.mark.parametrize(
    "text",
    [
        "We asked Dr. Smith and J. Doe of the U.S. Office about it that day.",
        "It runs on Node.js 22.3 and costs about $3.50 for each of them.",
        "There are many, e.g. those that we spoke about the last time.",
        "They wait for re:Invent... and then nothing comes of it at all.",
    ],
)
def test_not_every_full_stop_ends_a_sentence(text: str) -> None:
    assert texts(heard(text)) == [text]


def test_long_sentences_break_at_the_clause_nearest_the_middle() -> None:
    first = "well " * 15 + "now,"
    second = "then " * 20 + "here,"
    third = "more " * 14 + "words."
    assert texts(heard(f"{first} {second} {third}")) == [first, f"{second} {third}"]


def test_without_a_clause_they_break_at_a_pause() -> None:
    long = heard("word " * 30 + "word| " + "word " * 29 + "word", pause_s=0.6)
    assert texts(long) == [("word " * 30 + "word|"), ("word " * 29 + "word")]
    assert [len(text) for text in texts(heard("word " * 80))] == [199, 199]


def test_a_corrected_word_moves_no_cut() -> None:
    text = "One sentence stands here. Well, another follows it, said a man called Jason. " * 8
    before = cut([heard(text)])
    after = cut([heard(text.replace("Jason", "JSON", 3))])
    assert [len(segment.words) for segment in before] == [len(segment.words) for segment in after]


def test_scripts_without_spaces() -> None:
    signs = "大家好,我们今天谈谈容器。" + "它们不需要服务器来运行也很便宜。" * 2
    words = tuple(Word(sign, at * 0.2, at * 0.2 + 0.2, 0.9) for at, sign in enumerate(signs))
    one = Segment("a", 0.0, words[-1].end, signs, words)
    found = cut([one])
    assert [segment.text for segment in found] == [signs]  # short ones, together
    later = replace(one, words=tuple(replace(w, start=w.start + 20, end=w.end + 20) for w in words))
    assert "".join(segment.text for segment in cut([one, later])) == signs * 2


def test_what_somebody_changed_stays_as_it_is() -> None:
    changed = replace(heard("four theorem is", 3.0), text="fourTheorem is")
    bare = Segment("a", 9.0, 9.5, "Typed. By hand.")
    assert cut([heard("We are"), changed, bare, Segment("a", 10.0, 11.0, " ")]) == (
        heard("We are"),
        changed,
        bare,
    )


tokens = st.sampled_from(["Yes.", "no,", "word", "Word", "Dr.", "字", "字。", "“So?”", "a" * 70, "9", "--"])
spoken = st.builds(
    heard,
    st.lists(tokens | st.text("ab.,。 é", min_size=1, max_size=9), min_size=1, max_size=60)
    .map(" ".join)
    .filter(str.split),
    start=st.floats(0, 50),
    speaker=st.sampled_from(["a", "b"]),
    pause_s=st.sampled_from([0.0, 0.3, 2.0]),
)


def unspaced(segment: Segment) -> Segment:
    """As scripts without spaces are written."""
    return replace(segment, text="".join(word.text for word in segment.words))


talks = st.lists(spoken | spoken.map(unspaced) | spoken.map(lambda s: replace(s, text="changed")), max_size=6)


@given(talks)
def test_every_word_is_there_once_and_in_order(talk: list[Segment]) -> None:
    found = cut(talk)
    assert [(s.speaker, w) for s in found for w in s.words] == [(s.speaker, w) for s in talk for w in s.words]
    letters = ["".join(s.text for s in segments).replace(" ", "") for segments in (talk, found)]
    assert letters[0] == letters[1]
    for segment in found:
        assert plain(segment.text) == segment.text != ""
        assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)


@given(talks)
def test_segments_keep_to_their_limits(talk: list[Segment]) -> None:
    for segment in cut(talk):
        if segment.text == "changed":
            continue
        breakable = " " in segment.text or any(word.text.endswith("。") for word in segment.words[:-1])
        assert len(segment.text) <= LONGEST or not breakable
        for before, after in pairwise(segment.words):
            assert after.start - before.end <= 1.5


@given(talks)
def test_cutting_again_changes_nothing(talk: list[Segment]) -> None:
    once = cut(talk)
    assert cut(once) == once


@pytest.mark.parametrize(
    ("before", "term", "after", "pause_s"),
    [
        ("state " * 20, "Step, Functions", " state" * 20, 0.5),
        ("The numbers that we have read are from ", "Yahoo! Finance", " and they are right", 0.0),
        ("It is an ", "Event, Bridge", "", 2.0),
    ],
)
def test_a_term_is_never_parted(before: str, term: str, after: str, pause_s: float) -> None:
    """Neither where a long sentence is broken, nor at what looks like a sentence's end, nor at a pause."""
    segment = heard(before + term + after, pause_s=pause_s)
    first = len(before.split())
    span = (segment.words[first].start, segment.words[first + 1].end)
    assert not any(term in text for text in texts(segment))
    parts = cut([segment], [span, (span[0], span[0] + 0.1), (0.0, 0.1)])
    assert any(term in part.text for part in parts)
    assert cut(parts, [span]) == parts
