"""The person's own desk: its clipboard and its browser, which may be at the other end of an SSH session."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping

_PATIENCE_S = 2.0
_CLIPBOARDS = {
    # program: the variable without which it has no clipboard to copy to, and how it is called
    "pbcopy": ("", ()),
    "wl-copy": ("WAYLAND_DISPLAY", ()),
    "xclip": ("DISPLAY", ("-selection", "clipboard")),
}


def copy(text: str, write: Callable[[str], None], env: Mapping[str, str] = os.environ) -> str:
    """Copy, and say how; `write` sends codes to the terminal. Takes up to some seconds."""
    for program, (needs, options) in _CLIPBOARDS.items():
        if not _remote(env) and (not needs or env.get(needs)) and _copied_by([program, *options], text, env):
            return f"copied with {program}"
    code = f"\x1b]52;c;{b64encode(text.encode()).decode()}\x07"
    write(code)
    if env.get("TMUX"):  # which takes the plain one or this one, by its settings
        doubled = code.replace("\x1b", "\x1b\x1b")
        write(f"\x1bPtmux;{doubled}\x1b\\")
    return "sent to the terminal's clipboard (OSC 52)"


def open_url(url: str, write: Callable[[str], None], env: Mapping[str, str] = os.environ) -> str:
    """Show a page or a folder in the browser, or copy its address where there is none; say which.

    Takes up to some seconds.
    """
    import webbrowser

    seen = sys.platform == "darwin" or env.get("DISPLAY") or env.get("WAYLAND_DISPLAY")
    if not _remote(env) and seen and webbrowser.open(url):
        return f"opened {url}"
    return f"no browser here: {copy(url, write, env)}: {url}"


def _remote(env: Mapping[str, str]) -> bool:
    return "SSH_CONNECTION" in env


def _copied_by(command: list[str], text: str, env: Mapping[str, str]) -> bool:
    program = shutil.which(command[0], path=env.get("PATH"))
    if program is None:
        return False
    quiet = subprocess.DEVNULL  # these stay behind to serve the clipboard, and would hold a pipe open
    try:
        done = subprocess.run(
            [program, *command[1:]],
            input=text.encode(),
            stdout=quiet,
            stderr=quiet,
            timeout=_PATIENCE_S,
            env=dict(env),
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
