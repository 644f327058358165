"""Charts of commands, where a person wants them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.plots import Chart

_LINES = 18  #: of a curve on the terminal

plot_option = click.option(
    "--plot", is_flag=False, flag_value="", metavar="[FILE]", help="Draw it, here or to .svg or .png."
)


def check(to: str | None, *, as_json: bool = False, as_csv: bool = False) -> None:
    """Before anything is worked out, whether `show` will be able to. Raises ConfigError."""
    if to == "" and (as_json or as_csv):
        raise ConfigError("--plot beside --json or --csv needs a file", "as: --plot=FILE.svg")
    if to:
        from pipeline.plots import kind_of

        kind_of(Path(to))


def show(charts: Sequence[Chart], to: str) -> None:
    """In a picture file or, where none is named, on the terminal. Raises ConfigError."""
    from pipeline.plots import in_terminal, save

    if to:
        save(charts, Path(to))
        return
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size().columns
    for chart in charts:
        click.echo(f"\n{in_terminal(chart, width, _LINES, colour)}")
