from __future__ import annotations

import html
import json
import math
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipeline.config import Captions
from pipeline.errors import StorageError
from pipeline.formats import (
    FORMATS,
    Cue,
    awsbites_json,
    awsbites_vtt,
    cues,
    escape_markdown,
    markdown,
    podcast_json,
    read_transcript,
    srt,
    transcript_json,
    txt,
    vtt,
    written,
)
from pipeline.model import Segment, Transcript, Word


def make(*segments: Segment, title: str = "A title", **speakers: str) -> Transcript:
    return Transcript(
        episode={"id": "show-1", "title": title},
        language="en",
        duration_s=60.0,
        model={"name": "tiny"},
        speakers=speakers,
        segments=segments,
    )


def said(text: str, start: float = 0.0, pace: float = 0.3, speaker: str = "spk_0") -> Segment:
    """A segment whose words follow each other evenly, with the spaces that Whisper puts before them."""
    tokens = text.split()
    words = tuple(
        Word(f" {token}", start + at * pace, start + (at + 1) * pace, 0.9) for at, token in enumerate(tokens)
    )
    return Segment(speaker, start, start + len(tokens) * pace, f" {text}", words)


TALK = make(
    said("Welcome to the show. My name is Ann.", 0.0),
    said("And mine is Bob & Co.", 3.0, speaker="spk_1"),
    said("Let's begin.", 6.5),
    spk_0="Ann",
    spk_1="Bob",
)

# ----- our own document


def test_the_document_has_one_segment_a_line() -> None:
    talk = make(
        Segment("spk_0", 0, 1.23456, "Hé!", (Word("Hé!", 0.1, 1.2, 0.98765),)),
        Segment("spk_0", 1.23456, 2, "Yes."),
        title="Écoute",
        spk_0="Ann",
    )
    assert transcript_json(talk) == (
        "{\n"
        '"version": 1,\n'
        '"episode": {"id": "show-1", "title": "Écoute"},\n'
        '"language": "en",\n'
        '"duration_s": 60.0,\n'
        '"model": {"name": "tiny"},\n'
        '"speakers": {"spk_0": "Ann"},\n'
        '"segments": [\n'
        '{"speaker": "spk_0", "start": 0.0, "end": 1.235, "text": "Hé!", '
        '"words": [{"text": "Hé!", "start": 0.1, "end": 1.2, "probability": 0.988}]},\n'
        '{"speaker": "spk_0", "start": 1.235, "end": 2.0, "text": "Yes.", "words": []}\n'
        "],\n"
        '"quality": {},\n'
        '"vocabulary_applied": []\n'
        "}\n"
    )


def test_times_never_run_backwards() -> None:
    talk = make(
        Segment("a", -1.0, 2.0, "one two", (Word("one", -0.5, 0.9, 1.0), Word("two", 0.5, 0.2, 1.0))),
        Segment("a", 0.0, 0.0, "three", (Word("three", 0.0, 0.0, math.nan),)),
        Segment("a", math.nan, math.inf, "four"),
        Segment("a", 5.0, 4.0, "five"),
    )
    read = read_transcript(transcript_json(talk))
    assert [(s.start, s.end) for s in read.segments] == [(0.0, 2.0), (2.0, 2.0), (2.0, 2.0), (5.0, 5.0)]
    assert [(w.start, w.end) for w in read.segments[0].words] == [(0.0, 0.9), (0.9, 0.9)]
    assert read.segments[1].words == (Word("three", 2.0, 2.0, 0.0),)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("", "truncated"),
        ("[1]", "Expected `object`, got `array`"),
        ("{}", "version None"),
        ('{"version": 2}', "version 2"),
        ('{"version": 1}', "required field"),
        (transcript_json(TALK).replace('"end": 2.4,', '"end": "x",', 1), r"\$\.segments\[0\]"),
        (transcript_json(TALK)[:-9], "truncated"),
        (b'{"version": 1, "language": "\xff"}', "utf-8"),
        ("[" * 100_000, "recursion|array"),
        ("\ud800", "surrogates"),
    ],
)
def test_a_malformed_document_is_refused(data: str | bytes, complaint: str) -> None:
    with pytest.raises(StorageError, match=complaint):
        read_transcript(data)


texts = st.text(max_size=30)
times = st.floats(-5, 10_000) | st.sampled_from([0.0, math.nan, math.inf])
plain_words = st.builds(Word, texts, times, times, st.floats(0, 1))
json_values = st.dictionaries(texts, texts | st.integers(-9, 9) | st.booleans() | st.none(), max_size=3)
transcripts = st.builds(
    Transcript,
    episode=json_values,
    language=texts,
    duration_s=times,
    model=json_values,
    speakers=st.dictionaries(texts, texts, max_size=3),
    segments=st.lists(
        st.builds(Segment, texts, times, times, texts, st.lists(plain_words, max_size=4).map(tuple)),
        max_size=5,
    ).map(tuple),
    quality=json_values,
    vocabulary_applied=st.lists(json_values, max_size=2).map(tuple),
    version=st.just(1),
)


@given(transcripts)
def test_the_document_is_read_back_as_written(talk: Transcript) -> None:
    written = transcript_json(talk)
    read = read_transcript(written)
    assert transcript_json(read) == written
    assert read_transcript(written.encode()) == read
    assert len(json.loads(written)["segments"]) == len(talk.segments)
    assert [s.text for s in read.segments] == [s.text for s in talk.segments]
    assert replace(read, segments=(), duration_s=0) == replace(talk, segments=(), duration_s=0)
    clock = [time for s in read.segments for time in (s.start, *_times_of(s), s.end)]
    assert clock == sorted(clock)
    assert all(time >= 0 and time == round(time, 3) for time in clock)


def _times_of(segment: Segment) -> list[float]:
    return [time for word in segment.words for time in (word.start, word.end)]


@given(transcripts)
def test_any_transcript_can_be_written_in_any_format(talk: Transcript) -> None:
    for write in FORMATS.values():
        assert write(talk).encode() == write(talk).encode()


# ----- captions


def test_cues_end_at_speakers_sentences_and_pauses() -> None:
    talk = make(
        said(
            "This is a first sentence of some length. And here a second one goes on and on without an end", 0
        ),
        said("until it stops here.", 5.7),
        said("After a pause.", 15.0),
        said("Yes.", 16.0, speaker="spk_1"),
    )
    assert cues(talk) == (
        Cue(0, 2400, "spk_0", ("This is a first sentence of some length.",)),
        Cue(
            2400,
            6900,
            "spk_0",
            ("And here a second one goes on and on", "without an end until it stops here."),
        ),
        Cue(15000, 16000, "spk_0", ("After a pause.",)),
        Cue(16000, 16300, "spk_1", ("Yes.",)),
    )


def test_a_changed_text_counts_and_its_times_are_spread_evenly() -> None:
    heard = said("four theorem", 10.0, pace=1.0)
    assert cues(make(replace(heard, text="fourTheorem!"))) == (
        Cue(10_000, 12_000, "spk_0", ("fourTheorem!",)),
    )


def test_words_keep_the_spaces_of_the_text() -> None:
    bare = Segment("a", 0, 1, "re:Invent, New York", (Word("re:", 0, 0.2, 1), Word("Invent,", 0.2, 0.5, 1)))
    bare = replace(bare, words=(*bare.words, Word("New York", 0.5, 1, 1)))
    assert [cue.lines for cue in cues(make(bare))] == [("re:Invent, New York",)]


def test_text_without_spaces_is_cut_too() -> None:
    found = cues(make(Segment("a", 0, 20, "字" * 200)))
    assert [len(line) for cue in found for line in cue.lines] == [42] * 4 + [32]
    assert "".join(line for cue in found for line in cue.lines) == "字" * 200


def test_a_word_that_lasts_too_long_does_not_stay() -> None:
    assert cues(make(Segment("a", 1, 31, "Hm."))) == (Cue(1000, 8000, "a", ("Hm.",)),)


def test_vtt() -> None:
    assert vtt(TALK) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:02.400\n<v Ann>Welcome to the show. My name is Ann.\n\n"
        "00:00:03.000 --> 00:00:04.800\n<v Bob>And mine is Bob &amp; Co.\n\n"
        "00:00:06.500 --> 00:00:07.100\n<v Ann>Let's begin.\n"
    )


def test_vtt_of_one_speaker_has_no_names() -> None:
    assert "<v" not in vtt(make(said("Hello there."), spk_0="Ann"))


def test_srt() -> None:
    assert srt(make(said("Hello there.", 3599.0), said("<b>{x} C:\\new --> y", 3602.0))) == (
        "1\n00:59:59,000 --> 01:00:00,000\nHello there.\n\n"
        "2\n01:00:02,000 --> 01:00:03,200\n\u2039b\u203a{x} C:\uff3cnew --\u203a y\n\n"
    )


def test_nothing_said_makes_empty_captions() -> None:
    for empty in (make(), make(Segment("a", 0, 1, " \n\x00"))):
        assert cues(empty) == ()
        assert vtt(empty) == "WEBVTT\n"
        assert srt(empty) == ""
        assert txt(empty) == ""
        assert markdown(empty) == "# A title\n"


hostile = st.sampled_from(
    [
        "-->",
        "00:00:01.000",
        "00:00:01,500",
        "1:02:03,004",
        "WEBVTT",
        "NOTE",
        "<i>x</i>",
        "<v",
        "&lt;",
        "&amp;amp;",
        "{\\an8}",
        "{x}",
        "C:\\new\\home\\Name",
        "<script>alert(1)</script>",
        "a\n\nb",
        "\r\n7\r\n",
        "\u2028",
        "\x00\x1b[31m",
        "end.",
        "so,",
        "字字字。",
        "x" * 90,
    ]
)
tokens = hostile | st.text(min_size=1, max_size=12)
spoken = st.builds(
    said,
    st.lists(tokens, max_size=25).map(" ".join),
    start=st.floats(0, 500),
    pace=st.floats(0, 3),
    speaker=st.sampled_from(["a", "b", "<c>"]),
)
edited = st.tuples(spoken, tokens).map(lambda pair: replace(pair[0], text=pair[1]))
talks = st.lists(spoken | edited, max_size=6).map(lambda segments: make(*segments, a="Ann", b="B>\n-->"))


def squeezed(text: str) -> str:
    """What is left of a text for comparing: its letters, without white space and controls."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f\u202a-\u202e\u2060\u2066-\u2069\ufeff]", "", text)


def ends_in_digits(cue: Cue) -> bool:
    return cue.lines[-1].isdecimal()


@given(talks)
def test_cues_are_in_order_and_fit(talk: Transcript) -> None:
    found = cues(talk)
    for before, cue in pairwise(found):
        assert before.end_ms <= cue.start_ms
    for cue in found:
        assert cue.start_ms >= 0
        assert 20 <= cue.end_ms - cue.start_ms <= 7000
        assert 1 <= len(cue.lines) <= 2
        assert all(0 < len(line) <= 42 and line == line.strip() for line in cue.lines)


@given(talks)
def test_cues_hold_every_word_in_order(talk: Transcript) -> None:
    found = cues(talk)
    assert squeezed("".join("".join(cue.lines) for cue in found)) == squeezed(
        "".join(segment.text for segment in talk.segments)
    )


@given(talks)
def test_no_text_breaks_the_structure_of_vtt(talk: Transcript) -> None:
    written = vtt(talk)
    head, *blocks = written.split("\n\n")
    assert head.strip() == "WEBVTT"
    assert len(blocks) == len(cues(talk))
    for block, cue in zip(blocks, cues(talk), strict=True):
        timing, *lines = block.rstrip("\n").split("\n")
        assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} --> \d\d:\d\d:\d\d\.\d{3}", timing)
        assert written.count("-->") == len(blocks)
        text = "\n".join(lines)
        bare = re.sub(r"^<v [^<>\n]+>", "", text)
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", bare)
        assert html.unescape(bare).replace("\u2060", "") == "\n".join(cue.lines).replace("\u2060", "")


@given(talks)
def test_readers_find_the_same_cues(talk: Transcript) -> None:
    found = cues(talk)
    for shown, form in ((vtt(talk), "vtt"), (srt(talk), "srt")):
        read = pysubs2.SSAFile.from_string(shown, format_=form, keep_html_tags=True)
        assert [(event.start, event.end) for event in read] == [(cue.start_ms, cue.end_ms) for cue in found]
        for event, cue in zip(read, found, strict=True):
            if not ends_in_digits(cue):  # pysubs2 takes a last line of digits for the next cue's number
                assert squeezed(_shown(event.text, form)) == squeezed(_shown_of(cue, form))


def _shown(text: str, form: str) -> str:
    text = text.replace("\\N", "\n")
    return html.unescape(re.sub(r"^<v [^<>]+>", "", text)) if form == "vtt" else text


def _shown_of(cue: Cue, form: str) -> str:
    text = "\n".join(cue.lines)
    if form == "vtt":
        return text.replace("\\N", "\n")
    return text.translate(str.maketrans({"<": "\u2039", ">": "\u203a", "\\": "\uff3c"}))


# ----- captions as the config wants them

NAMED = Captions(speakers="when-changes")


def test_names_stand_where_the_speaker_changes() -> None:
    talk = replace(TALK, segments=(*TALK.segments, said("And that was all.", 10.0)))
    assert vtt(talk, NAMED) == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:02.400\nAnn: Welcome to the show. My name is Ann.\n\n"
        "00:00:03.000 --> 00:00:04.800\nBob: And mine is Bob &amp; Co.\n\n"
        "00:00:06.500 --> 00:00:07.500\nAnn: Let's begin.\n\n"
        "00:00:10.000 --> 00:00:11.200\nAnd that was all.\n"
    )
    assert "Ann: Let's begin.\n\n4\n00:00:10,000 --> 00:00:11,200\nAnd that" in srt(talk, NAMED)


def test_names_in_each_cue_or_in_none() -> None:
    always, never = (vtt(TALK, Captions(speakers=speakers)) for speakers in ("always", "never"))
    assert re.findall(r"\n(\w+): ", always) == ["Ann", "Bob", "Ann"]
    assert "Ann: Let's begin." in always
    assert "<v" not in always + never
    assert "Bob: " not in never
    alone = make(said("Hello there."), spk_0="Ann")
    assert "Ann: Hello there." in vtt(alone, Captions(speakers="always"))
    assert "Ann" not in vtt(alone, NAMED)


def test_a_long_name_leaves_room_for_the_text() -> None:
    talk = make(
        said("One two three four."), said("Yes.", 5.0, speaker="b"), spk_0="Wilhelmina Konstantinopolous"
    )
    found = cues(talk, Captions(line_chars=24, lines=1, speakers="when-changes"))
    assert [cue.lines for cue in found] == [("Wilhelmina\u2026: One two",), ("three four.",), ("b: Yes.",)]


def test_lines_are_as_long_and_as_many_as_wanted() -> None:
    text = "one two three four five six seven eight nine ten eleven twelve"
    assert [cue.lines for cue in cues(make(said(text)), Captions(line_chars=24, lines=3))] == [
        ("one two three four", "five six seven eight", "nine ten eleven twelve")
    ]
    assert len(cues(make(said(text)), Captions(line_chars=120, lines=1))) == 1
    assert [cue.end_ms - cue.start_ms for cue in cues(make(said(text)), Captions(max_s=2))] == [1800, 1800]


def test_the_word_being_said_is_marked() -> None:
    talk = make(said("Ready <or> not?", 1.0), spk_0="Ann")
    assert vtt(talk, Captions(highlight="underline")) == (
        "WEBVTT\n\n"
        "00:00:01.000 --> 00:00:01.300\n<u>Ready</u> &lt;or&gt; not?\n\n"
        "00:00:01.300 --> 00:00:01.600\nReady <u>&lt;or&gt;</u> not?\n\n"
        "00:00:01.600 --> 00:00:01.900\nReady &lt;or&gt; <u>not?</u>\n"
    )
    assert srt(talk, Captions(highlight="bold")).startswith(
        "1\n00:00:01,000 --> 00:00:01,300\n<b>Ready</b> \u2039or\u203a not?\n"
    )
    assert "<i>Ready</i>" in srt(talk, Captions(highlight="italic"))


def test_words_too_short_to_see_are_marked_together() -> None:
    quick = said("It all went too fast.", 1.0, pace=0.01)
    marked = re.findall("<u>.*?</u>", vtt(make(quick), Captions(highlight="underline")))
    assert marked == ["<u>It all</u>", "<u>went too fast.</u>"]


def test_options_are_for_captions_only() -> None:
    options = Captions(line_chars=20, speakers="always", highlight="bold")
    for kind, write in FORMATS.items():
        assert written(kind, TALK) == write(TALK)
        assert (written(kind, TALK, options) != write(TALK)) == (kind in {"vtt", "srt"})


wishes = st.builds(
    Captions,
    line_chars=st.integers(20, 120),
    lines=st.integers(1, 4),
    max_s=st.floats(1, 60),
    speakers=st.sampled_from(["voices", "when-changes", "always", "never"]),
    highlight=st.sampled_from(["none", "underline", "bold", "italic"]),
)


def unnamed(cue: Cue, options: Captions) -> str:
    """A cue's text without the name that may stand in front."""
    text = " ".join(cue.lines)
    if options.speakers in {"voices", "never"}:
        return text
    return re.sub(r"^(Ann|B>|b|<c>|-->|B> -->|Speaker): ?", "", text)


@given(talks, wishes)
def test_any_cues_are_in_order_and_fit(talk: Transcript, options: Captions) -> None:
    found = cues(talk, options)
    for before, cue in pairwise(found):
        assert before.end_ms <= cue.start_ms
    for cue in found:
        assert 20 <= cue.end_ms - cue.start_ms <= max(20, round(options.max_s * 1000))
        assert 1 <= len(cue.lines) <= options.lines
        assert all(0 < len(line) <= options.line_chars and line == line.strip() for line in cue.lines)
    assert squeezed("".join(unnamed(cue, options) for cue in found)) == squeezed(
        "".join(segment.text for segment in talk.segments)
    )


@given(talks, wishes)
def test_marked_words_stay_within_their_cues(talk: Transcript, options: Captions) -> None:
    tag = {"underline": "u", "bold": "b", "italic": "i", "none": "x"}[options.highlight]
    plainly = msgspec.structs.replace(options, highlight="none")
    head, *blocks = vtt(talk, options).split("\n\n")
    assert head.strip() == "WEBVTT"
    shown = [block.rstrip("\n").split("\n", 1) for block in blocks]
    times = [re.findall(r"\d\d:\d\d:\d\d\.\d{3}", timing) for timing, _ in shown]
    assert all(start < end for start, end in times)
    assert all(before[1] <= after[0] for before, after in pairwise(times))
    bare = [re.sub(f"</?{tag}>", "", text) for _, text in shown]
    assert all(not re.search(r"[<>]", re.sub(r"^<v [^<>\n]+>", "", text)) for text in bare)
    # Each cue begins and ends when it would unmarked, and says the same all along.
    whole = [block.rstrip("\n").split("\n", 1) for block in vtt(talk, plainly).split("\n\n")[1:]]
    joined: list[list[str]] = []
    for (start, end), text in zip(times, bare, strict=True):
        if joined and joined[-1] == [joined[-1][0], start, text] and start not in {w[0][:12] for w in whole}:
            joined[-1][1] = end
        else:
            joined.append([start, end, text])
    assert [[f"{start} --> {end}", text] for start, end, text in joined] == whole


@given(talks, wishes)
def test_readers_find_the_marked_cues(talk: Transcript, options: Captions) -> None:
    tag = {"underline": "u", "bold": "b", "italic": "i", "none": "x"}[options.highlight]
    read = pysubs2.SSAFile.from_string(srt(talk, options), format_="srt", keep_html_tags=True)
    assert len(read) == vtt(talk, options).count(" --> ")
    for event in read:
        assert set(re.findall("<[^>]*>", event.text)) <= {f"<{tag}>", f"</{tag}>"}


# ----- for reading


def test_txt() -> None:
    long = said("word " * 20 + "end.", 10.0, speaker="spk_1")
    assert txt(replace(TALK, segments=(*TALK.segments, long))) == (
        "Ann: Welcome to the show. My name is Ann.\n\n"
        "Bob: And mine is Bob & Co.\n\n"
        "Ann: Let's begin.\n\n"
        "Bob: word word word word word word word word word word word word word word word\n"
        "word word word word word end.\n"
    )


def test_markdown() -> None:
    assert markdown(TALK) == (
        "# A title\n\n"
        "**Ann** [00:00] Welcome to the show.\nMy name is Ann.\n\n"
        "**Bob** [00:03] And mine is Bob & Co.\n\n"
        "**Ann** [00:06] Let's begin.\n"
    )


def test_one_speaker_needs_no_name() -> None:
    talk = make(said("Hello there.", 3725.0), spk_0="Ann", spk_1="Silent")
    assert txt(talk) == "Hello there.\n"
    assert markdown(talk) == "# A title\n\n[1:02:05] Hello there.\n"


def test_long_turns_become_paragraphs() -> None:
    sentence = "This sentence has exactly fifty characters in all."
    talk = make(*(said(sentence, 10.0 * at) for at in range(20)))
    paragraphs = markdown(talk).split("\n\n")[1:]
    assert [len(paragraph.splitlines()) for paragraph in paragraphs] == [8, 8, 4]
    assert [paragraph[:7] for paragraph in paragraphs] == ["[00:00]", "[01:20]", "[02:40]"]


def test_a_turn_without_punctuation_is_cut_all_the_same() -> None:
    blocks = markdown(make(said("word " * 300))).split("\n\n")[1:]
    assert len(blocks) == 4
    assert all(len(block) < 420 for block in blocks)


def reader() -> MarkdownIt:
    """Markdown as GitHub reads it; bare domains, which it leaves alone, may be links elsewhere."""
    markdown_it = MarkdownIt("commonmark", {"linkify": True}).enable(["table", "strikethrough", "linkify"])
    assert markdown_it.linkify is not None
    markdown_it.linkify.set({"fuzzy_link": False})  # pyright: ignore[reportUnknownMemberType]
    return markdown_it


MARKDOWN = reader()
nasty = st.sampled_from(
    [
        "# x",
        "#12",
        "- x",
        "+ x",
        "1. x",
        "2) x",
        "===",
        "---",
        ":-",
        "> x",
        "*x*",
        "__x__",
        "~~x~~",
        "`x`",
        "```",
        "![x](http://x.y)",
        "[x]:",
        "http://x.y/z",
        "https://x.y",
        "me@x.org",
        "@someone",
        "www.x.org",
        "<b>",
        "<!--",
        "</script>",
        "&lt;",
        "&#64;you",
        "|a|b|",
        "\\",
        "\\*",
        "x\n\n# y",
        "    code",
        "so.",
        "what?",
        "{{x}}",
        "$x$",
    ]
)
nasty_text = st.lists(nasty | st.text(max_size=8), min_size=1, max_size=12).map(" ".join)
ALLOWED = {"heading", "paragraph", "text", "text_special", "softbreak", "inline", "strong"}


@given(st.lists(nasty_text, max_size=4), nasty_text, nasty_text)
def test_no_text_becomes_markdown_structure(lines: list[str], title: str, name: str) -> None:
    talk = make(
        *(said(text, 9.0 * at, speaker="ab"[at % 2]) for at, text in enumerate(lines)), title=title, a=name
    )
    written = markdown(talk)
    flat = [token for top in MARKDOWN.parse(written) for token in (top, *(top.children or []))]
    assert {re.sub(r"_(open|close)$", "", token.type) for token in flat} <= ALLOWED
    assert sum(token.type == "heading_open" for token in flat) == 1
    assert not re.search(r"@\w", written)


@given(nasty_text)
def test_escaped_text_reads_as_before(text: str) -> None:
    rendered = MARKDOWN.renderInline(f"x {escape_markdown(text)} x")
    assert squeezed(html.unescape(rendered)) == squeezed(f"x{text}x")


# ----- the formats of sites

SITE = make(
    Segment("spk_1", 0.0, 11.66, " Hello, “everyone” & welcome."),
    Segment("spk_0", 11.66, 3599.9996, " Ciao\n<tutti> --> è qui. "),
    Segment("spk_0", 3600.0, 3601.5, "  "),
    Segment("spk_1", 3602.25, 3661.0, " Bye."),
    spk_0="Luciano",
    spk_1="Eoin",
    spk_2="Nobody",
)


def test_awsbites_json_to_the_byte() -> None:
    assert awsbites_json(SITE) == (
        "{\n"
        '  "speakers": {\n'
        '    "spk_0": "Luciano",\n'
        '    "spk_1": "Eoin"\n'
        "  },\n"
        '  "segments": [\n'
        "    {\n"
        '      "speakerLabel": "spk_1",\n'
        '      "start": 0,\n'
        '      "end": 11.66,\n'
        '      "text": "Hello, “everyone” & welcome."\n'
        "    },\n"
        "    {\n"
        '      "speakerLabel": "spk_0",\n'
        '      "start": 11.66,\n'
        '      "end": 3600,\n'
        '      "text": "Ciao <tutti> --> è qui."\n'
        "    },\n"
        "    {\n"
        '      "speakerLabel": "spk_1",\n'
        '      "start": 3602.25,\n'
        '      "end": 3661,\n'
        '      "text": "Bye."\n'
        "    }\n"
        "  ]\n"
        "}"
    )


def test_awsbites_vtt_to_the_byte() -> None:
    assert awsbites_vtt(SITE) == (
        "WEBVTT\n"
        "\n"
        "1\n"
        "00:00:00.000 --> 00:00:11.660\n"
        "Hello, “everyone” & welcome.\n"
        "\n"
        "2\n"
        "00:00:11.660 --> 01:00:00.000\n"
        "Ciao <tutti> --&gt; è qui.\n"
        "\n"
        "3\n"
        "01:00:02.250 --> 01:01:01.000\n"
        "Bye.\n"
    )


def test_a_speaker_without_a_name_is_named_by_the_label() -> None:
    talk = make(said("Hi."), said("Ho.", 1.0, speaker="spk_7"), spk_0="Ann")
    assert json.loads(awsbites_json(talk))["speakers"] == {"spk_0": "Ann", "spk_7": "spk_7"}


def test_podcast_json() -> None:
    document: dict[str, Any] = json.loads(podcast_json(SITE))
    assert document["version"] == "1.0.0"
    assert document["segments"][0] == {
        "speaker": "Eoin",
        "startTime": 0.0,
        "endTime": 11.66,
        "body": "Hello, “everyone” & welcome.",
    }
    assert len(document["segments"]) == 3
    assert podcast_json(SITE).endswith("}\n")
