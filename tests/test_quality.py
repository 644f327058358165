"""The quality report: what it counts, what it finds, and how near the truth its one number is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline.sample
from pipeline.formats import read_transcript, transcript_json
from pipeline.model import Doubt, Segment, Transcript, Word
from pipeline.scoring import words_of
from tests.bench.calibrate import Recogniser, aligned, conversations, measured, weights_of
from worker.quality import BELOW, MOST, Span, report, wrongness
from worker.repeats import Loop, loops, said_before

PACE_S = 0.4
TEXT = "We talked about servers for an hour today. Then Ann asked what it costs, and Bob knew the price. "


def said(text: str, start: float = 0.0, speaker: str = "spk_0", probability: float = 0.99) -> Segment:
    words = tuple(
        Word(token, start + at * PACE_S, start + (at + 1) * PACE_S, probability)
        for at, token in enumerate(text.split())
    )
    return Segment(speaker, start, words[-1].end, text, words)


def different(count: int) -> str:
    """Words of which none comes twice."""
    return " ".join(f"Word{at}" for at in range(count))


def talk(*segments: Segment, **speakers: str) -> Transcript:
    end_s = segments[-1].end if segments else 0.0
    return Transcript(
        episode={"id": "show-1"},
        language="en",
        duration_s=end_s,
        model={},
        speakers=speakers,
        segments=segments,
    )


def reported(
    *segments: Segment, speech: Sequence[Span] | None = None, doubts: Sequence[Doubt] = ()
) -> dict[str, Any]:
    spans = [(s.start, s.end) for s in segments] if speech is None else speech
    return report(talk(*segments), spans, doubts, None)


def doubting(segment: Segment, at: int, probability: float = 0.1) -> Segment:
    words = list(segment.words)
    words[at] = replace(words[at], probability=probability)
    return replace(segment, words=tuple(words))


def test_a_clean_transcript_has_nothing_to_listen_to() -> None:
    made = reported(said(different(300)))
    assert made["expected_wer"] < 0.01
    assert made["coverage"] == 1.0
    assert made["words"] == 300
    assert made["doubtful_words"] == {"count": 0, "below": BELOW}
    assert made["passages"] == []
    assert made["repeated"] == {"share": 0.0, "loops": 0, "tail": False}
    assert made["lower_case"] == 0.0


def test_nothing_said_is_reported_too() -> None:
    silent = reported(speech=[])
    assert (silent["expected_wer"], silent["coverage"], silent["words"]) == (0.0, 1.0, 0)
    missed = reported(speech=[(0.0, 60.0)])
    assert (missed["expected_wer"], missed["coverage"]) == (1.0, 0.0)
    assert [p["kind"] for p in missed["passages"]] == ["dropped"]


def test_the_report_is_part_of_the_document() -> None:
    made = talk(doubting(said(TEXT), 3), spk_0="Ann")
    made = replace(made, quality=report(made, [(0.0, 20.0)], [Doubt("damaged", 1.0, 2.0, "a hole")], 90.0))
    assert json.loads(json.dumps(made.quality)) == made.quality
    assert read_transcript(transcript_json(made)).quality == made.quality


# ----- the one number

shares = st.floats(0, 1)


@given(st.lists(shares, min_size=1, max_size=60), st.data())
def test_a_smaller_probability_never_means_fewer_corrections(
    probabilities: list[float], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(probabilities) - 1))
    lower = data.draw(st.floats(0, probabilities[at]))
    words = said(different(len(probabilities)))
    before = replace(
        words, words=tuple(replace(w, probability=p) for w, p in zip(words.words, probabilities, strict=True))
    )
    expected = [reported(each)["expected_wer"] for each in (before, doubting(before, at, lower))]
    assert 0 <= expected[0] <= expected[1] <= 1


def test_text_in_a_loop_is_wrong_however_sure_the_model_is() -> None:
    sure = said(different(100) + " and so we go on" * 20, probability=1.0)
    assert reported(sure)["expected_wer"] == pytest.approx(95 / 200, abs=0.01)


def test_speech_without_words_is_missing_words() -> None:
    before = said(different(100))
    after = said(different(100), before.end + 20)
    made = reported(before, after, speech=[(0.0, after.end)])
    assert made["coverage"] == pytest.approx(80 / 100, abs=0.001)
    assert made["expected_wer"] == pytest.approx(20 / 100, abs=0.02)
    assert [(p["kind"], p["start"], p["end"]) for p in made["passages"]] == [
        ("dropped", before.end, after.start)
    ]
    assert made["passages"][0]["detail"] == "speech for 20 s, no words"


def test_a_word_stretched_over_what_was_not_heard_covers_little() -> None:
    stretched = said(different(10))
    long = replace(stretched.words[-1], end=stretched.words[-1].end + 30)
    stretched = replace(stretched, words=(*stretched.words[:-1], long))
    assert reported(stretched, speech=[(0.0, long.end)])["coverage"] < 0.25


def test_pauses_are_not_missing_speech() -> None:
    made = reported(said(TEXT), said(TEXT, 60.0), speech=[(0.0, 7.6), (59.0, 67.6)])
    assert made["coverage"] == 1.0


@pytest.fixture(scope="module")
def heard() -> tuple[Transcript, list[Span], list[str]]:
    """The sample's first episode as it is recognised, where speech is, and what is truly said."""
    path = Path(pipeline.sample.__file__).with_name("episode-1.mp3")
    turns = conversations(path.parent)[path]
    return *Recogniser().hear(path), turns


def test_the_expected_share_is_near_the_true_one(heard: tuple[Transcript, list[Span], list[str]]) -> None:
    transcript, speech, turns = heard
    made = report(transcript, speech, (), 50.0)
    true = measured("episode-1", "clean", transcript, turns).wer
    assert 0.01 < true < 0.12
    assert made["expected_wer"] == pytest.approx(true, abs=0.05)
    assert made["coverage"] > 0.97
    assert made["repeated"]["loops"] == 0
    assert "note" not in made["duration"]


def test_wrong_words_are_doubted_more_than_right_ones(
    heard: tuple[Transcript, list[Span], list[str]],
) -> None:
    transcript, _, turns = heard
    file = measured("episode-1", "clean", transcript, turns)
    doubts = wrongness(file.probabilities)
    wrong = np.array(file.edits) > 0
    assert doubts[wrong].mean() > 2 * doubts[~wrong].mean()


# ----- passages


def test_passages_are_ordered_by_what_is_to_correct() -> None:
    segment = said(different(400))
    for at in (5, 100, 101, 102, 103, 300, 301):
        segment = doubting(segment, at)
    made = reported(segment, doubts=[Doubt("cut off", 158.0, 160.0, "the last word")])
    assert [(p["kind"], p["doubtful"]) for p in made["passages"]] == [
        ("cut off", []),
        ("doubtful", ["Word100", "Word101", "Word102", "Word103"]),
        ("doubtful", ["Word300", "Word301"]),
        ("doubtful", ["Word5"]),
    ]
    assert made["passages"][0]["detail"] == "the last word"
    assert made["passages"][2]["text"] == ("Word297 Word298 Word299 Word300 Word301 Word302 Word303 Word304")
    assert made["doubtful_words"]["count"] == 7


def test_findings_of_one_kind_close_together_are_one() -> None:
    doubts = [
        Doubt("repeated", 30.0, 31.0, "again"),
        Doubt("repeated", 10.0, 12.0),
        Doubt("repeated", 32.5, 35.0),
    ]
    made = reported(said(different(100)), doubts=doubts)
    assert sorted((p["start"], p["end"], p["detail"]) for p in made["passages"]) == [
        (10.0, 12.0, ""),
        (30.0, 35.0, "again"),
    ]


def test_doubtful_words_within_a_finding_are_told_with_it() -> None:
    made = reported(doubting(said(different(100)), 20), doubts=[Doubt("damaged", 7.0, 10.0, "a hole")])
    assert [(p["kind"], p["doubtful"]) for p in made["passages"]] == [("damaged", ["Word20"])]


moments = st.floats(0, 200)
findings = st.builds(
    Doubt, st.sampled_from(["invented", "language", "cut off"]), moments, moments, st.just("because")
)
speech_spans = st.lists(moments, max_size=10, unique=True).map(
    lambda times: [(a, b) for a, b in list(pairwise(sorted(times)))[::2]]
)


@given(st.lists(shares, max_size=80), st.lists(findings, max_size=30), speech_spans)
def test_any_report_keeps_to_its_bounds(
    probabilities: list[float], doubts: list[Doubt], speech: list[Span]
) -> None:
    words = tuple(
        Word(f"w{at % 7}", at * 2.0, at * 2.0 + 1, probability)
        for at, probability in enumerate(probabilities)
    )
    segments = [Segment("a", words[0].start, words[-1].end, "", words)] if words else []
    made = reported(*segments, speech=speech, doubts=doubts)
    assert made == reported(*segments, speech=speech, doubts=doubts)
    assert 0 <= made["expected_wer"] <= 1
    assert 0 <= made["coverage"] <= 1
    assert len(made["passages"]) <= MOST
    assert len(json.dumps(made)) < 20_000


# ----- repeated text


def test_loops_are_found_where_they_begin() -> None:
    ids = [*range(10), *[20, 21, 22, 23] * 5, *range(30, 40)]
    assert loops(ids) == [Loop(10, 30, 4)]
    assert loops(ids)[0].rounds == 5
    assert loops([1] * 8) == [Loop(0, 8, 1)]
    assert loops([1, 1, 1, 1, 2, 3, 4]) == []  # "No, no, no, no."
    assert loops([1]) == loops([]) == []


def test_an_outro_said_twice_is_a_loop() -> None:
    outro = " Thanks for listening and see you next time."
    made = reported(said(different(50) + outro * 2))
    assert made["repeated"]["loops"] == 1
    assert made["repeated"]["tail"] is True
    assert [p["kind"] for p in made["passages"]] == ["repeated"]
    assert made["passages"][0]["detail"] == "the same 2 times in a row"
    assert reported(said(f"{outro * 2} {different(50)}"))["repeated"]["loops"] == 0


def test_sentences_that_come_back_are_counted() -> None:
    assert said_before([*range(20), *range(20), *range(60)]) == 0.4
    assert said_before(list(range(100))) == 0.0


# ----- the rest


def test_lower_case_stretches_are_counted() -> None:
    good = said(TEXT * 4)
    bad = said("and then i'm sure I said so " * 20, good.end)
    assert reported(good)["lower_case"] == 0.0
    assert reported(good, bad)["lower_case"] == pytest.approx(140 / 212, abs=0.2)
    assert reported(said("字 " * 100))["lower_case"] == 0.0


def test_speakers_and_their_shares() -> None:
    made = report(
        talk(
            said(different(30)),
            said(different(20), 20.0, "spk_1"),
            said(different(30), 40.0),
            said(different(20), 60.0),
            spk_0="Ann",
            spk_1="Bob",
            spk_2="Nobody",
        ),
        [(0.0, 70.0)],
        (),
        None,
    )
    assert made["speakers"] == {
        "spk_0": {"share": 0.8, "words": 80, "turns": 2},
        "spk_1": {"share": 0.2, "words": 20, "turns": 1},
    }


@pytest.mark.parametrize(
    ("feed_s", "note"),
    [
        (None, None),
        (1000.0, None),
        (985.0, None),
        (1100.0, "the audio is 100 s shorter than the feed says: is it whole?"),
        (900.0, "the audio is 100 s longer than the feed says"),
    ],
)
def test_the_length_is_set_beside_the_feeds(feed_s: float | None, note: str | None) -> None:
    made = report(replace(talk(said(TEXT)), duration_s=1000.0), [(0.0, 7.6)], (), feed_s)
    assert made["duration"].get("note") == note
    assert made["duration"]["audio_s"] == 1000.0
    assert made["duration"]["difference_s"] == (None if feed_s is None else 1000.0 - feed_s)


# ----- learning the weights


def test_corrections_are_charged_to_the_words_heard() -> None:
    truth = list("abcdef")
    assert aligned(truth, truth) == ([0.0] * 6, 0)
    assert aligned(truth, list("abxdef")) == ([0, 0, 1, 0, 0, 0], 0)
    assert aligned(truth, list("abde")) == ([0, 0, 1, 1], 0)
    assert aligned(truth, ["a"]) == ([0], 5)
    assert aligned(truth, []) == ([], 6)


def test_numbers_in_digits_are_no_corrections() -> None:
    for said_so, written, edits in (
        ("about forty thousand files", "about 40,000 files", [0, 0, 0, 0]),
        ("rule 7 holds", "rule seven holds", [0, 0, 0]),
        ("about ten files", "about tin files", [0, 1, 0]),
    ):
        assert aligned(words_of(said_so), words_of(written)) == (edits, 0)


def test_the_weights_are_those_of_the_words_that_were_wrong() -> None:
    sure, unsure = [0.95] * 50, [0.3] * 50
    segments = [said(different(100), probability=0.5)]
    words = tuple(replace(w, probability=p) for w, p in zip(segments[0].words, sure + unsure, strict=True))
    turn = " ".join([different(50), *(f"other{at}" if at % 2 else f"Word{50 + at}" for at in range(50))])
    file = measured("made", "clean", talk(replace(segments[0], words=words)), [turn])
    assert file.wer == pytest.approx(0.25)
    guessed = wrongness(file.probabilities, weights_of([file]))
    assert guessed[:50].mean() == pytest.approx(0.0, abs=0.05)
    assert guessed[50:].mean() == pytest.approx(0.5, abs=0.05)
