"""What the import linter cannot see: what is loaded at run time, who owns our names, what is documented."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest

from pipeline.cli import COMMANDS, cli
from pipeline.commands.setup import FEED, TEMPLATE
from pipeline.config import Config, Feed, load
from pipeline.layouts import check_layout

ROOT = Path(__file__).parent.parent
HEAVY = {"boto3", "textual", "ctranslate2", "faster_whisper", "numpy", "av", "feedparser", "httpx2", "rich"}


def loaded_by(*arguments: str) -> set[str]:
    """The modules in memory after a command."""
    script = (
        "import sys\nfrom pipeline.cli import main\n"
        f"sys.argv = ['proofcast', *{arguments!r}]\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    modules = loaded_by(*arguments)
    assert modules & (HEAVY | {"sqlite3", "msgspec", "pipeline.wiring"}) == set()
    assert "click" in modules


def test_status_loads_no_speech_recognition_and_no_network(tmp_path: Path) -> None:
    config = tmp_path / "proofcast.toml"
    config.write_text("")
    modules = loaded_by("-c", str(config), "status", "--json")
    assert modules & HEAVY == set()
    assert "sqlite3" in modules


@pytest.mark.parametrize("name", ["tui", "pipeline", "infra", "worker"])
def test_nobody_else_installs_a_package_of_our_names(name: str) -> None:
    assert set(packages_distributions().get(name, ())) <= {"proofcast"}


def test_every_command_has_help_and_stands_in_the_documentation() -> None:
    documented = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    context = click.Context(cli)
    for name, (_, short) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help
        assert short.endswith(".")
        assert f"`proofcast {name}" in documented


def test_the_documented_config_is_valid(tmp_path: Path) -> None:
    documented = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in documented.split("```toml\n")[1:]]
    path = tmp_path / "proofcast.toml"
    path.write_text("\n".join(blocks))
    config = load(path)
    assert config.feed_named("my-show").layout == "plain"
    for name, layout in config.layout.items():
        check_layout(name, layout)


def test_the_config_that_init_writes_shows_the_defaults(tmp_path: Path) -> None:
    text = TEMPLATE.format(feed=FEED.format(url="https://example.com/feed.xml"))
    settings = text.partition("# A layout")[0].splitlines()
    shown = [line.removeprefix("# ") for line in settings if " = " in line or line.endswith("]")]
    path = tmp_path / "proofcast.toml"
    path.write_text("\n".join(line for line in shown if not line.startswith(("language", "repository"))))
    feed = Feed(name="my-show", url="https://example.com/feed.xml")
    assert load(path) == Config(feed=[feed], root=str(tmp_path.resolve()))
