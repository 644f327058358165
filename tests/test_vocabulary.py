"""The file of a show's own words: what may stand in it, what people read when it can't be right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.vocabulary import Rule, Vocabulary, read_vocabulary, written

WHERE = "vocabulary.toml"

FULL = """terms = [
    "fourTheorem",
    "Step Functions",
]

[[rule]]
wrong = ["4th theorem", "for theorem"]
right = "fourTheorem"
near = ["AWS", "consulting"]
case = true

[[rule]]
wrong = "v ?c ?p ?u(s?)"
right = "vCPU\\\\1"
regex = true
suggest = true
"""


def rule(text: str) -> str:
    return f"[[rule]]\n{text}\n"


def test_a_whole_file_is_read_and_written_the_same() -> None:
    vocabulary = read_vocabulary(FULL, WHERE)
    assert vocabulary.terms == ("fourTheorem", "Step Functions")
    assert vocabulary.rules[0] == Rule(
        wrong=("4th theorem", "for theorem"), right="fourTheorem", near=("AWS", "consulting"), case=True
    )
    assert vocabulary.rules[1].regex
    assert written(vocabulary) == FULL


def test_an_empty_file_is_an_empty_vocabulary() -> None:
    assert read_vocabulary("", WHERE) == Vocabulary()
    assert written(Vocabulary()) == ""


texts = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)


@given(st.lists(texts, max_size=4, unique=True), st.lists(st.tuples(texts, texts), max_size=4))
def test_what_can_be_read_is_written_and_read_the_same(
    terms: list[str], pairs: list[tuple[str, str]]
) -> None:
    vocabulary = Vocabulary(tuple(terms), tuple(Rule(wrong=(a,), right=b) for a, b in pairs))
    try:
        read = read_vocabulary(written(vocabulary), WHERE)
    except ConfigError:
        return  # rules that fight each other, or have no letter
    assert read == vocabulary


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("terms = [", "vocabulary.toml is not TOML", ""),
        ("a = " + "[" * 5000, "nested too deeply", ""),
        (f"a = {'1' * 5000}", "vocabulary.toml is not TOML", ""),
        ('terms = ["caf\N{REPLACEMENT CHARACTER}"]', "the file is not UTF-8", "save it"),
        (rule('wrong = "a"\nright = "b  c"'), "right has two spaces in a row: 'b  c'", "leave"),
        (
            rule('wrong = "(zork)"\nright = "blah blah"\nregex = true') + rule('wrong = "blah"\nright = "b"'),
            "number 2: it would change 'blah blah', which number 1 writes",
            "delete one",
        ),
        ('term = ["a"]', "unknown key 'term'", "did you mean 'terms'?"),
        ('terms = "AWS"', "terms must be a list", 'as: ["EventBridge"'),
        ("terms = [3]", "terms must be text in quotes", ""),
        ('terms = [" a"]', "begins or ends with a space", ""),
        ('terms = ["a\\nb"]', "must be one line", ""),
        ('[rule]\nwrong = "a"\nright = "b"', "[rule] must be a list", "[[rule]]"),
        ("rule = [3]", "[[rule]] number 1 must be a table", "[[rule]]"),
        (rule('right = "b"'), "[[rule]] number 1 has no wrong", ""),
        (rule('wrong = "a"'), "[[rule]] number 1 has no right", ""),
        (rule('wrong = ""\nright = "b"'), "number 1: wrong is empty", ""),
        (rule('wrong = []\nright = "b"'), "wrong names nothing", ""),
        (rule('wrong = "!"\nright = "b"'), "no letter in '!'", "regex = true"),
        (rule('wrong = "a"\nright = "a"'), "are the same: 'a'", "delete"),
        (rule('wrong = "a"\nright = "b"\nnaer = ["c"]'), "unknown key 'naer'", "did you mean 'near'?"),
        (rule('wrong = "a"\nright = "b"\nnear = "c"'), "near must be a list", ""),
        (rule('wrong = "a"\nright = "b"\ncase = "yes"'), "case must be true or false", ""),
        (rule('wrong = "Amp"\nright = "an Amp"'), "would change 'an Amp', which it writes itself", "exact"),
        (rule('wrong = "(a"\nright = "b"\nregex = true'), "'(a' can't be used: missing )", "RE2"),
        (rule('wrong = "(?<=a)b"\nright = "c"\nregex = true'), "can't be used", "look-around"),
        (rule('wrong = "a*"\nright = "b"\nregex = true'), "matches even where there is nothing", "+"),
        (rule('wrong = "(a)"\nright = "\\\\2"\nregex = true'), "names a group", "first"),
        (
            rule('wrong = "a"\nright = "b"') + rule('wrong = "A"\nright = "c"'),
            "[[rule]] number 2: number 1 is for 'A', too",
            "keep one",
        ),
        (
            rule('wrong = "app runner"\nright = "AppRunner"')
            + rule('wrong = "AppRunner"\nright = "App Runner"'),
            "number 1: it would change 'App Runner', which number 2 writes",
            "delete one",
        ),
    ],
)
def test_what_cannot_be_right_is_said_with_its_place(text: str, message: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_vocabulary(text, WHERE)
    assert error.value.message.startswith(WHERE)
    assert message in error.value.message
    assert hint in error.value.hint


def test_an_expression_that_would_run_for_ever_elsewhere_does_not_here() -> None:
    text = rule('wrong = "(x+x+)+y"\nright = "z"\nregex = true')
    (made,) = read_vocabulary(text, WHERE).rules
    assert list(made.found("x" * 20_000)) == []


def test_people_are_terms_by_each_part_of_their_names() -> None:
    known = Vocabulary(("AWS", "Bo")).knowing(["Ann van Berg", "Ann", "Bo"])
    assert (known.terms, known.names) == (("AWS", "Bo"), ("Ann", "Berg"))


def test_an_expression_that_leaves_nothing_or_grows_is_not_applied() -> None:
    empty = Rule(wrong=("(foo)?bar",), right="\\1", regex=True)
    assert list(empty.found("bar and foobar")) == [(8, 14, "foo")]
    growing = Rule(wrong=("zork(s?)",), right="\\0 " * 11 + "\\0", regex=True)
    assert list(growing.found("a zork")) == []


def test_a_vocabulary_has_so_many_wrong_forms_at_most() -> None:
    rules = "".join(rule(f'wrong = ["a{n}", "b{n}"]\nright = "c{n}"') for n in range(1001))
    with pytest.raises(ConfigError, match="2002 wrong forms, and may have 2000"):
        read_vocabulary(rules, WHERE)
