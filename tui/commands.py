"""`proofcast tui`: the dashboard. `tui.start` has painted the last frame when this is imported."""

from __future__ import annotations

import gc
import os
import shlex
import sys
import threading
from pathlib import Path

import click

from pipeline import config as configs
from pipeline.console import config_option, config_path
from pipeline.errors import ConfigError
from pipeline.wiring import build
from tui import frame, places
from tui.backend import Backend
from tui.keys import remapped

_SETTLED_S = 5.0  #: by when all episodes are read, on most machines
_SWITCH_S = 0.001  #: for which a thread may keep the others from running; Python's own is 5 ms
_SERVED = "TEXTUAL_DRIVER" in os.environ  #: by a page of ours, through pipes


@click.command()
@click.argument("profiles", nargs=-1, metavar="[CONFIG]...", type=click.Path(path_type=Path))
@click.option("--at", "place", metavar="PLACE", default="", help="As episodes?state:failed, or costs/show.")
@click.option(
    "--write/--read-only",
    "write",
    default=None,
    help="Whether keys may change anything (default: unless the config says production).",
)
@click.option("--theme", metavar="NAME", help="Instead of the config's; 'T' goes through all.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Nothing but ASCII, but for names.")
@click.option("--serve", type=click.IntRange(1, 65535), metavar="PORT", help="In a browser on this machine.")
@config_option
@click.pass_context
def tui(
    ctx: click.Context,
    profiles: tuple[Path, ...],
    place: str,
    write: bool | None,
    theme: str | None,
    ascii_only: bool,
    serve: int | None,
) -> None:
    """Watch episodes, workers, costs and reviews, and see to them; '?' shows the keys.

    Each CONFIG is a profile; 'P' goes from one to the next.
    """
    paths = list(profiles) or [config_path(ctx)]
    loaded = [configs.load(path) for path in paths]
    config = loaded[0]
    remapped(config.tui.keys)
    wanted = places.parse(place) if place else None
    if serve is not None:
        from tui.serve import serve as serve_it

        serve_it(_again(serve), port=serve)
        return
    if not _SERVED and not _is_terminal():
        raise ConfigError("the dashboard needs a terminal", "'proofcast status --json' is for scripts")
    _stay_quick()
    from tui.app import Dashboard
    from tui.themes import NAMES

    look = theme or config.tui.theme
    if look and look not in NAMES:
        raise ConfigError(f"there is no theme '{look}'", f"known: {', '.join(NAMES)}")

    def opened(number: int) -> Backend:
        from tui.engine import backend

        return backend(build(loaded[number], paths[number].resolve()), paths[number])

    app = Dashboard(
        opened,
        profiles=len(paths),
        place=wanted,
        read_only=None if write is None else not write,
        keys=config.tui.keys,
        theme=look,
        ascii_only=ascii_only or not _can_draw(),
        frame_file=frame.place(paths[0]),
        gone=lambda: not _SERVED and not os.isatty(0),  # the line was cut: without its terminal it would spin
    )
    app.run()
    ctx.exit(app.return_code or 0)


def _stay_quick() -> None:
    """Have keys wait for neither the collector of garbage nor a thread that reads.

    What is loaded while it starts is there to stay: to look through all of it takes up to 70 ms each time.
    """
    gc.disable()
    sys.setswitchinterval(_SWITCH_S)
    settled = threading.Timer(_SETTLED_S, _settle)
    settled.daemon = True
    settled.start()


def _settle() -> None:
    gc.freeze()
    gc.enable()


def _is_terminal() -> bool:
    """Whether a screen can be painted here; a dumb one only writes on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _can_draw() -> bool:
    """Whether the terminal is likely to know more than ASCII; Python writes UTF-8 in the C locale too."""
    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), sys.stdout.encoding)
    return "utf" in locale.lower()


def _again(port: int) -> str:
    """The command that a page runs: this one, but for where it is shown."""
    arguments = [each for each in sys.argv[1:] if each not in ("--serve", f"{port}", f"--serve={port}")]
    program = [sys.executable, "-P", "-c", "from tui.start import main; main()"]
    return shlex.join([*program, *(os.fspath(each) for each in arguments)])
