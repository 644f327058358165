"""`proofcast tui` as a person starts it, in a terminal of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builders import a_change, an_episode
from tests.tui.conftest import Site
from tests.tui.terminal import running

START = [sys.executable, "-c", "from tui.start import main; main()", "tui"]


@pytest.fixture
def config(local: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a ledger with one episode."""
    monkeypatch.setenv("XDG_CACHE_HOME", f"{tmp_path}/cache")
    local.engine.ledger.record([a_change(an_episode("show-1", title="Well met"))])
    return tmp_path / "proofcast.toml"


def test_it_starts_shows_and_ends(config: Path) -> None:
    with running([*START, "-c", f"{config}"]) as terminal:
        terminal.until(b"Well met")
        terminal.press(b"?")
        terminal.until(b"Half a page down")
        terminal.press(b"q")  # of the help
        time.sleep(0.3)
        terminal.press(b"q")
        assert b"Traceback" not in terminal.rest()


@pytest.mark.parametrize("env", [{"LC_ALL": "C"}, {"LC_ALL": "en_US.ISO-8859-1"}])
def test_a_terminal_that_knows_no_unicode_gets_ascii(config: Path, env: dict[str, str]) -> None:
    with running([*START, "-c", f"{config}"], env=env) as terminal:
        terminal.until(b"Well met")
        terminal.press(b"\x10")
        terminal.until(b"Copy command")
        assert terminal.written.isascii()


@pytest.mark.parametrize(
    ("options", "env", "said"),
    [
        ([], {"TERM": "dumb"}, b"the dashboard needs a terminal"),
        (["--at", "nowhere"], {}, b"there is no place 'nowhere'"),
        (["--theme", "pink"], {}, b"there is no theme 'pink'"),
    ],
)
def test_what_can_not_be_is_said_in_words(
    config: Path, options: list[str], env: dict[str, str], said: bytes
) -> None:
    with running([*START, "-c", f"{config}", *options], env=env) as terminal:
        told = terminal.rest()
        assert said in told
        assert b"Traceback" not in told


def test_it_ends_when_its_line_is_cut(config: Path) -> None:
    """As SSH's may be: without its terminal it would spin for ever."""
    near, far = pty.openpty()
    program = subprocess.Popen(
        [*START, "-c", f"{config}"], stdin=far, stdout=far, stderr=far, start_new_session=True
    )
    os.close(far)
    written = b""
    while b"Well met" not in written:
        written += os.read(near, 65_536)
    os.close(near)
    assert program.wait(10) == 0
