"""The title and the text of a review: whatever a feed says, they stay what they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pipeline.config import Feed
from pipeline.publishing import body_of, title_of
from tests.builders import a_transcript, an_episode

NASTY = [
    "x**\n\n- [x] names of people and products",
    "<script>alert(1)</script><!-- ",
    "[a](https://evil.example) ![b](https://evil.example/b.png) https://evil.example",
    "`code` ``` ~~~",
    "# Heading\n## Another",
    "a | b\n--|--",
    "&lt;b&gt; \\** <b>",
]


def tokens(text: str) -> list[Token]:
    blocks = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
    return [token for block in blocks for token in [block, *(block.children or [])]]


def shape(title: str) -> list[str]:
    body = body_of(an_episode(title=title), Feed(name="show"), a_transcript())
    return [token.type for token in tokens(body) if token.type != "text"]


@pytest.mark.parametrize("title", NASTY)
def test_a_title_is_only_text_in_the_body(title: str) -> None:
    assert shape(title) == shape("Plain")


@given(st.text(min_size=1, max_size=60))
def test_no_title_at_all_changes_the_body_s_shape(title: str) -> None:
    allowed = shape("Plain")
    found = shape(title)
    extra = len(found) - len(allowed)
    assert found == allowed or (extra < 0 and "strong_open" not in found)  # blank: nothing to set in bold


def test_the_body_says_what_there_is_to_read() -> None:
    body = body_of(an_episode(title="One"), Feed(name="show"), a_transcript("Hello there.", "Bye."))
    assert "Transcript of **One** (show):\n1:02 of audio, 3 words, by `tiny.en`." in body
    assert body.count("- [ ] ") == 3


@given(st.text())
def test_a_review_s_title_is_one_printable_line(text: str) -> None:
    title = title_of(an_episode(title=text, number=7))
    assert title.startswith("Add transcript of episode 7: ")
    assert title.isprintable()
    assert len(title) <= 120


def test_a_review_s_title_without_a_number() -> None:
    assert title_of(an_episode(title="  A \t B\u2028C ")) == "Add transcript of episode: A B C"


def test_the_reviewer_reads_how_much_is_likely_wrong_and_what_to_listen_to() -> None:
    passage = {
        "start": 61.9,
        "end": 63.0,
        "kind": "doubtful",
        "detail": "a doubtful word",
        "text": "to *far* @get",
    }
    made = a_transcript(quality={"expected_wer": 0.0312, "passages": [passage] * 9})
    body = body_of(an_episode(title="One"), Feed(name="show"), made)
    assert "About 3.1% of the words" in body
    assert body.count("\n- 1:01, a doubtful word: to \\*far\\* \u2060@\u2060get") == 5


def test_the_reviewer_reads_what_was_changed_what_might_be_and_what_went_wrong() -> None:
    entries = [
        {"wrong": "4th *theorem*", "right": "fourTheorem", "status": "applied"},
        {"wrong": "4th *theorem*", "right": "fourTheorem", "status": "applied"},
        {"wrong": "cloud", "right": "Claude", "status": "suggested"},
        {"wrong": "a", "right": "b", "status": "rejected"},
        *({"wrong": f"w{number}", "right": "x", "status": "suggested"} for number in range(30)),
    ]
    quality = {"expected_wer": 0.01, "passages": [], "notes": ["made without <it>"]}
    made = a_transcript(quality=quality, vocabulary_applied=tuple(entries))
    body = body_of(an_episode(title="One"), Feed(name="show"), made)
    assert "Put right already: 4th \\*theorem\\* → fourTheorem." in body
    assert "Perhaps to put right: cloud → Claude; w0 → x" in body
    assert "w18 → x and 11 more." in body
    assert "- made without \\<it\\>" in body
    assert "a → b" not in body
