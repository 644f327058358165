from __future__ import annotations

import os
import stat
import webbrowser
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tui.desk import copy, open_url

Installed = Callable[[str, str], Mapping[str, str]]
OSC = f"\x1b]52;c;{b64encode('Größe'.encode()).decode()}\x07"


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    """Puts a program of that name and doing on the path; returns the variables of a desk that has it."""

    def install(name: str, script: str) -> Mapping[str, str]:
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return {"PATH": f"{program.parent}{os.pathsep}{os.defpath}", "CLIPBOARD": str(tmp_path / "clipboard")}

    return install


@pytest.mark.parametrize(
    ("program", "desk"),
    [("pbcopy", {}), ("wl-copy", {"WAYLAND_DISPLAY": "w-0"}), ("xclip", {"DISPLAY": ":0"})],
)
def test_the_desks_own_clipboard_is_asked_first(
    tmp_path: Path, installed: Installed, program: str, desk: dict[str, str]
) -> None:
    env = {**installed(program, 'cat > "$CLIPBOARD"; echo "$@" >> "$CLIPBOARD"'), **desk}
    sent: list[str] = []
    assert copy("Größe", sent.append, env) == f"copied with {program}"
    options = "-selection clipboard" if program == "xclip" else ""
    assert (tmp_path / "clipboard").read_text(encoding="utf-8") == f"Größe{options}\n"
    assert sent == []


@pytest.mark.parametrize("script", ["exit 1", "exec sleep 60"])
def test_a_clipboard_that_fails_leaves_it_to_the_terminal(
    installed: Installed, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.desk._PATIENCE_S", 0.1)
    sent: list[str] = []
    env = {**installed("xclip", script), "DISPLAY": ":0"}
    assert "terminal's clipboard" in copy("Größe", sent.append, env)
    assert sent == [OSC]


def test_without_a_desk_its_programs_are_not_asked(installed: Installed) -> None:
    sent: list[str] = []
    assert "OSC 52" in copy("Größe", sent.append, installed("xclip", "exit 0"))
    assert sent == [OSC]


def test_over_ssh_it_is_the_terminals_clipboard(installed: Installed) -> None:
    env = {**installed("pbcopy", "exit 0"), "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}
    sent: list[str] = []
    assert "OSC 52" in copy("Größe", sent.append, env)


def test_tmux_hands_it_on() -> None:
    sent: list[str] = []
    copy("Größe", sent.append, {"PATH": "", "TMUX": "/tmp/tmux-0/default,1,0"})
    assert sent == [OSC, f"\x1bPtmux;\x1b{OSC}\x1b\\"]


def test_a_page_is_opened_at_a_desk_and_copied_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def browser(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", browser)
    sent: list[str] = []
    page = "https://example.com/pull/1"
    assert open_url(page, sent.append, {"DISPLAY": ":0", "PATH": ""}) == f"opened {page}"
    assert (opened, sent) == ([page], [])
    far = {"DISPLAY": ":10", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "PATH": ""}
    assert page in open_url(page, sent.append, far)
    assert (opened, len(sent)) == ([page], 1)
