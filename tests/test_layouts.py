from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Captions, Layout
from pipeline.errors import ConfigError
from pipeline.formats import FORMATS
from pipeline.layouts import LAYOUTS, check_layout, layout_named, site_files, slugify
from pipeline.model import Segment, Transcript

TALK = Transcript(
    episode={"id": "bites-0a1b", "title": "Hello"},
    language="en",
    duration_s=2.0,
    model={},
    speakers={"spk_0": "Ann"},
    segments=(Segment("spk_0", 0.0, 2.0, "Hello."),),
)
FIELDS: dict[str, object] = {
    "id": "bites-0a1b",
    "feed": "bites",
    "slug": "hello",
    "number": 7,
    "season": None,
}


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("awsbites", ["src/_transcripts/7.json", "src/_transcripts/7.vtt"]),
        ("plain", ["transcripts/hello.json", "transcripts/hello.vtt", "transcripts/hello.md"]),
        ("podcast-namespace", ["transcripts/hello.json", "transcripts/hello.vtt", "transcripts/hello.srt"]),
    ],
)
def test_built_in_layouts(name: str, paths: list[str]) -> None:
    check_layout(name, LAYOUTS[name])
    files = site_files(layout_named(name, {}), TALK, FIELDS)
    assert list(files) == paths
    assert list(files.values()) == [FORMATS[kind](TALK) for kind in LAYOUTS[name]]


def test_a_layout_of_the_config() -> None:
    mine: Layout = {"txt": "content/{feed}/S{season}/{number}-{slug}-{id}.txt"}
    layout = layout_named("mine", {"mine": mine})
    assert site_files(layout, TALK, {**FIELDS, "season": 2}) == {
        "content/bites/S2/7-hello-bites-0a1b.txt": "Hello.\n"
    }


def test_captions_are_as_the_config_wants_them_but_for_marked_words() -> None:
    wanted = Captions(speakers="always", highlight="underline")
    assert site_files({"vtt": "{slug}.vtt"}, TALK, FIELDS, wanted) == {
        "hello.vtt": "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nAnn: Hello.\n"
    }


def test_an_unknown_layout_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no layout named 'awsbite' \(did you mean 'awsbites'"):
        layout_named("awsbite", {})
    with pytest.raises(ConfigError, match="did you mean 'my-site'"):
        layout_named("mysite", {"my-site": {"txt": "{slug}"}})


def test_the_config_is_checked_when_its_layout_is_used() -> None:
    with pytest.raises(ConfigError, match=r"layout 'mine': unknown format 'jsn' \(did you mean 'json'"):
        layout_named("mine", {"mine": {"jsn": "{slug}.json"}})


@pytest.mark.parametrize("field", ["number", "season"])
def test_a_field_that_the_episode_lacks(field: str) -> None:
    layout = {"txt": f"t/{{{field}}}/{{id}}.txt"}
    complaint = f"episode 'bites-0a1b' has no {field}, which its path 't/{{{field}}}/{{id}}.txt' needs"
    with pytest.raises(ConfigError, match=re.escape(complaint)) as caught:
        site_files(layout, TALK, {**FIELDS, field: None})
    assert "{slug}" in caught.value.hint


def test_episode_zero_has_a_number() -> None:
    assert list(site_files({"txt": "{number}.txt"}, TALK, {**FIELDS, "number": 0})) == ["0.txt"]


@pytest.mark.parametrize("number", [-1, "", "..", 1.5, None, [1]])
def test_what_is_no_number_is_as_good_as_none(number: object) -> None:
    with pytest.raises(ConfigError, match="has no number"):
        site_files({"txt": "{number}.txt"}, TALK, {**FIELDS, "number": number})


@pytest.mark.parametrize(
    "template",
    [
        "/etc/{slug}",
        "../{slug}",
        "a/../../{slug}",
        "a//{slug}",
        "a/{slug}/",
        "./{slug}",
        ".git/{slug}",
        "a/.GIT/hooks/{slug}",
        ".git./{slug}",
        "a\\{slug}",
        "C:{slug}",
        "~/{slug}",
        "a\n{slug}",
        "a\x00{slug}",
        "{slug}. ",
        ".g\u200cit/{slug}",
        "x" * 201 + "/{slug}",
    ],
)
def test_unsafe_paths_are_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="not a path"):
        check_layout("mine", {"txt": template})
    with pytest.raises(ConfigError, match="not a path"):
        site_files({"txt": template}, TALK, FIELDS)


@pytest.mark.parametrize(
    ("layout", "complaint"),
    [
        ({}, "layout 'mine' is empty"),
        ({"pdf": "{slug}.pdf"}, "unknown format 'pdf'"),
        ({"txt": "{title}.txt"}, "unknown field"),
        ({"txt": "{}.txt"}, "unknown field"),
        ({"txt": "{slug.__class__}"}, "unknown field"),
        ({"txt": "{slug[0]}"}, "unknown field"),
        ({"txt": "{slug!r}"}, "unknown field"),
        ({"txt": "{number:>{season}}"}, "unknown field"),
        ({"txt": "{number:03}"}, "unknown field"),
        ({"txt": "{slug.txt"}, "braces"),
        ({"txt": "slug}.txt"}, "braces"),
        ({"txt": "transcript.txt"}, "all episodes would have the one path"),
        ({"txt": "{feed}/{season}.txt"}, "all episodes would have the one path"),
        ({"txt": "a/{slug}", "md": "A/{slug}"}, "'md' and 'txt' have the same path"),
    ],
)
def test_layouts_that_could_not_be_used(layout: Layout, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        check_layout("mine", layout)


def test_site_files_checks_by_itself() -> None:
    with pytest.raises(ConfigError, match="unknown format"):
        site_files({"pdf": "{slug}.pdf"}, TALK, FIELDS)
    with pytest.raises(ConfigError, match="two files"):
        site_files({"txt": "{slug}", "md": "{id}"}, TALK, {**FIELDS, "slug": "same", "id": "same"})


DATA = st.text(max_size=30) | st.sampled_from(
    ["../../x", "/etc/passwd", ".git", ".GIT/config", "C:\\x", "a\nb", "-rf"]
)


@given(DATA, DATA, DATA)
def test_no_data_leads_out_of_the_repository(slug: str, feed: str, episode_id: str) -> None:
    fields: dict[str, object] = {"slug": slug, "feed": feed, "id": episode_id}
    try:
        paths = list(site_files({"txt": "t/{feed}/{slug}/.{id}"}, TALK, fields))
    except ConfigError:
        return
    for path in paths:
        assert re.fullmatch(r"t(/\.?[A-Za-z0-9_][A-Za-z0-9._-]*){3}", path)
        assert not {"..", ".", ".git"} & set(path.lower().split("/"))


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Hello, World!", "hello-world"),
        ("152. What's new in Île-de-France?", "152-whats-new-in-ile-de-france"),
        ("  --a__b--  ", "a-b"),
        ("日本語", "episode"),
        ("", "episode"),
        ("../../.git", "git"),
        ("word " * 20, "word-word-word-word-word-word-word-word-word-word-word-word"),
        ("x" * 80, "x" * 60),
    ],
)
def test_slugify(title: str, slug: str) -> None:
    assert slugify(title) == slug


@given(st.text())
def test_a_slug_is_always_a_slug(title: str) -> None:
    slug = slugify(title)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
    assert len(slug) <= 60
    assert slugify(slug) == slug
