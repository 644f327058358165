"""What a person types to filter, and which lines that means."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.query import parse, suggest
from tui.values import Column, Line

COLUMNS = (
    Column(key="state", title="ST", width=6),
    Column(key="episode", title="EPISODE", width=20, grows=True),
    Column(key="show", title="SHOW", width=10),
    Column(key="dur", title="DUR", width=6, right=True),
    Column(key="cost", title="$", width=6, right=True),
    Column(key="day", title="DAY", width=10),
)
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def a_line(
    id: str, sign: str, state: str, title: str, show: str, dur: float | None, cost: float | None, day: str
) -> Line:
    cells = (
        sign,
        title,
        show,
        "" if dur is None else f"{dur / 60:.0f}m",
        "" if cost is None else f"{cost:.2f}",
    )
    return Line(id=id, cells=(*cells, day), values=(state, title, show, dur, cost, day))


LINES = (
    a_line("1", "! fail", "failed", "Lambda durable functions", "aws-bites", 48 * MINUTE, 0.38, "2026-11-02"),
    a_line("2", "? held", "held", "ECS managed", "aws-bites", 31 * MINUTE, 0.11, "2026-11-03"),
    a_line("3", "+ done", "published", "Über Lambda", "radio", 90 * MINUTE, 1.5, "2026-10-30"),
    a_line("4", ". queue", "queued", "What 12:30 means, a-b", "radio", None, None, "2026-10-29"),
)


def ids(text: str) -> str:
    query = parse(text, COLUMNS)
    return "".join(line.id for line in LINES if query.matches(line))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1234"),
        ("   ", "1234"),
        ("lambda", "13"),
        ("LAMBDA durable", "1"),
        ("durable lambda", "1"),
        ('"lambda durable"', "1"),
        ('"durable lambda"', ""),
        ("über", "3"),
        ('"12:30"', "4"),
        ("a-b", "4"),
        ("state:fail", "1"),
        ("st:fail", "1"),
        ("STATE:Fail", "1"),
        ("state:failed,held", "12"),
        ('episode:"means, a"', "4"),
        ("show:radio lambda", "3"),
        ("state=fail", ""),
        ("state=failed", "1"),
        ("state=!fail", ""),
        ('state="! fail"', "1"),
        ("cost=0.38", "1"),
        ("dur=48m", "1"),
        ("dur=1h30m", "3"),
        ("cost>0.38", "3"),
        ("cost>=0.38", "13"),
        ("$<0.38", "2"),
        ("$<=0.38", "12"),
        ("cost>$1", "3"),
        ("dur<45m", "2"),
        ("dur>=1.5h", "3"),
        ("dur>1h29min59s", "3"),
        ("dur<1d", "123"),
        ("day>=2026-11", "12"),
        ("day<2026-10-30", "4"),
        ("!lambda", "24"),
        ("-lambda", "24"),
        ("!state:failed,held", "34"),
        ("!cost>0.38", "124"),
        ("failed|held", "2"),  # "failed" is a value, and plain words look at what is shown
        ("fail|held", "12"),
        ("|lambda", "13"),
        ("fail | held radio|ecs", "2"),
        ("!fail|lambda", "1234"),
        ("state:fail|show:radio lambda", "13"),
    ],
)
def test_what_is_meant(text: str, expected: str) -> None:
    assert (ids(text), parse(text, COLUMNS).trouble) == (expected, "")


@pytest.mark.parametrize("text", ["!", "-", '"', "state:", "state:,", "|", "cost:", 'state:"', "!state:"])
def test_half_typed_says_nothing_and_hides_nothing(text: str) -> None:
    assert parse(text, COLUMNS).trouble == ""
    assert ids(text) == "1234"
    assert ids(f"show:radio {text}") == "34"
    assert ids("fail|") == "1"


@pytest.mark.parametrize(
    ("text", "trouble", "expected"),
    [
        ("stat:fail", "no column 'stat': did you mean 'state'?", "1234"),
        ("stat:fail lambda", "no column 'stat': did you mean 'state'?", "13"),
        ("stat:fail|held", "no column 'stat': did you mean 'state'?", "2"),
        ("!stat:fail", "no column 'stat': did you mean 'state'?", "1234"),
        ("x9>1", "no column 'x9': there are state, episode, show, dur, cost, day", "1234"),
        ("cost> held", "cost>: of what? (as 0.5, 45m, 1h30m, 2d)", "2"),
        ("dur<=45x", "dur<=: '45x' is no number (as 0.5, 45m, 1h30m, 2d)", "1234"),
        ("cost>a $<", "cost>: 'a' is no number (as 0.5, 45m, 1h30m, 2d); $<: of what?", "1234"),
    ],
)
def test_what_is_wrong_is_said_and_left_out(text: str, trouble: str, expected: str) -> None:
    assert parse(text, COLUMNS).trouble.startswith(trouble)
    assert ids(text) == expected


def test_a_key_goes_before_a_title() -> None:
    columns = (Column(key="cost", title="GPU", width=5), Column(key="gpu", title="COST", width=5))
    line = Line(id="1", cells=("one", "two"), values=("one", "two"))
    assert parse("gpu:two cost:one $:one", columns).matches(line)


def test_keys_are_completed() -> None:
    assert suggest("lambda s", COLUMNS) == ["lambda state:", "lambda show:"]
    assert suggest("fail|!d", COLUMNS) == ["fail|!dur:", "fail|!day:"]
    assert suggest("", COLUMNS) == suggest("show:", COLUMNS) == suggest("lambda ", COLUMNS) == []


TYPED = st.text(alphabet=st.sampled_from('ab1.:><=!-|," $%hm\\\x00é') | st.characters(), max_size=40)


@given(TYPED)
def test_whatever_is_typed_is_a_filter(text: str) -> None:
    query = parse(text, COLUMNS)
    assert query.text == text
    assert {query.matches(line) for line in LINES} <= {True, False}


@given(st.sampled_from(["lambda", "state:held", "cost>0.2", "!radio", "a|b"]), TYPED)
def test_more_words_never_show_more(first: str, more: str) -> None:
    if not more.lstrip().startswith("|"):
        assert set(ids(f"{first} {more}")) <= set(ids(first))


@given(st.from_regex(r"[a-z]{1,8}(:[a-z]{1,4})?", fullmatch=True).filter(lambda text: ":" not in text))
def test_a_word_and_its_denial_share_the_lines(word: str) -> None:
    assert sorted(ids(word) + ids(f"!{word}")) == ["1", "2", "3", "4"]


def test_ten_thousand_lines_are_a_matter_of_milliseconds() -> None:
    query = parse("lambda|ecs cost>0.2 !state:held", COLUMNS)
    many = [
        a_line(f"{n}", "+ done", "published", f"Lambda {n}", "aws", 60.0 * n, n / 100, "2026-11-02")
        for n in range(10_000)
    ]
    times: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        assert sum(map(query.matches, many)) == 9_979
        times.append(time.perf_counter() - start)
    assert min(times) < 0.04
