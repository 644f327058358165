"""Site layouts: which formats of a transcript a site keeps, and under which paths."""

from __future__ import annotations

import difflib
import re
import string
import unicodedata

import msgspec

from pipeline.captions import USUAL
from pipeline.config import Captions, Layout
from pipeline.errors import ConfigError
from pipeline.formats import FORMATS, written
from pipeline.model import Transcript

LAYOUTS: dict[str, Layout] = {
    "awsbites": {
        "awsbites-json": "src/_transcripts/{number}.json",
        "awsbites-vtt": "src/_transcripts/{number}.vtt",
    },
    "plain": {
        "json": "transcripts/{slug}.json",
        "vtt": "transcripts/{slug}.vtt",
        "md": "transcripts/{slug}.md",
    },
    "podcast-namespace": {
        "podcast-json": "transcripts/{slug}.json",
        "vtt": "transcripts/{slug}.vtt",
        "srt": "transcripts/{slug}.srt",
    },
}

SLUG_LENGTH = 60

_SAMPLE: dict[str, object] = {"number": 1, "slug": "a", "id": "a", "feed": "a", "season": 1}
_OWN = {"number", "slug", "id"}  #: the fields that tell the episodes of a site apart


def slugify(text: str) -> str:
    """Lower-case ASCII words joined by '-', at most 60 characters; 'episode' where none are left.

    Titles in other scripts leave nothing, so that a layout for them is better made of {number} or {id}.
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = "-".join(re.findall(r"[a-z0-9]+", ascii_text.replace("'", "")))
    if len(slug) > SLUG_LENGTH:
        cut = slug[: SLUG_LENGTH + 1]
        slug = cut.rpartition("-")[0] or cut[:SLUG_LENGTH]
    return slug or "episode"


def layout_named(name: str, custom: dict[str, Layout]) -> Layout:
    """A layout of the config, or a built-in one. Raises ConfigError, naming the nearest."""
    if name in custom:
        check_layout(name, custom[name])
        return custom[name]
    if name in LAYOUTS:
        return LAYOUTS[name]
    raise ConfigError(f"there is no layout named '{name}'", _nearest(name, [*LAYOUTS, *custom]))


def check_layout(name: str, layout: Layout) -> None:
    """See that a layout could be used. Raises ConfigError, saying what is wrong with it."""
    where = f"layout '{name}'"
    if not layout:
        raise ConfigError(f"{where} is empty", 'it needs a line like: json = "transcripts/{slug}.json"')
    taken: dict[str, str] = {}
    for kind, template in layout.items():
        if kind not in FORMATS:
            raise ConfigError(f"{where}: unknown format '{kind}'", _nearest(kind, list(FORMATS)))
        path = _filled(template, _SAMPLE, where)
        if not _OWN.intersection(_fields(template, where)):
            raise ConfigError(
                f"{where}: all episodes would have the one path '{template}'",
                "put {number}, {slug} or {id} into it",
            )
        if path.casefold() in taken:
            raise ConfigError(f"{where}: '{kind}' and '{taken[path.casefold()]}' have the same path")
        taken[path.casefold()] = kind


def site_files(
    layout: Layout, t: Transcript, fields: dict[str, object], options: Captions = USUAL
) -> dict[str, str]:
    """What the site keeps of a transcript: path in its repository -> text. Raises as `site_paths`.

    Captions have no word marked there, whatever the options: people review them, and a cue for each
    word would be a diff that nobody reads.
    """
    options = msgspec.structs.replace(options, highlight="none")
    return {path: written(kind, t, options) for path, kind in site_paths(layout, fields).items()}


def site_paths(layout: Layout, fields: dict[str, object]) -> dict[str, str]:
    """Where the site keeps a transcript: path in its repository -> format.

    Raises ConfigError where a path needs a field that the episode lacks, or would not be safe.
    """
    episode = f"episode '{fields.get('id') or '?'}'"
    paths: dict[str, str] = {}
    for kind, template in layout.items():
        if kind not in FORMATS:
            raise ConfigError(f"{episode}: unknown format '{kind}'", _nearest(kind, list(FORMATS)))
        path = _filled(template, fields, episode)
        if path in paths:
            raise ConfigError(f"{episode}: two files of its layout have the path '{path}'")
        paths[path] = kind
    return paths


def _filled(template: str, fields: dict[str, object], where: str) -> str:
    values: dict[str, str] = {}
    for field in _fields(template, where):
        values[field] = _word(fields.get(field))
        if not values[field]:
            others = " or ".join(f"{{{name}}}" for name in ("slug", "id") if name != field)
            raise ConfigError(
                f"{where} has no {field}, which its path '{template}' needs",
                f"give it one, or use {others} in the layout instead",
            )
    path = template.format_map(values)
    _check_path(path, where)
    return path


def _fields(template: str, where: str) -> list[str]:
    """The names in braces. Raises ConfigError for one we don't know, and for stray braces."""
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError:
        raise ConfigError(f"{where}: the braces in '{template}' don't match") from None
    fields: list[str] = []
    for _, name, form, conversion in parsed:
        if name is None:
            continue
        if name not in _SAMPLE or form or conversion:
            known = ", ".join(f"{{{field}}}" for field in _SAMPLE)
            raise ConfigError(f"{where}: unknown field in the path '{template}'", f"known: {known}")
        fields.append(name)
    return fields


def _word(value: object) -> str:
    """A field's value as part of a path; empty where there is none."""
    if isinstance(value, int):
        return str(value) if value >= 0 else ""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", value).strip("-.") if isinstance(value, str) else ""


def _check_path(path: str, where: str) -> None:
    for part in path.split("/"):
        sane = re.fullmatch(r"[\w .,@+=()-]{1,200}", part) and part == part.strip().rstrip(".")
        if not sane or part.casefold() == ".git":
            raise ConfigError(
                f"{where}: '{path}' is not a path that can be used in a repository",
                "it must be relative, without '..' or '.git', of letters, digits and a few signs",
            )


def _nearest(word: str, words: list[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(words)}"
