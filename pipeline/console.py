"""What commands share: finding the config, printing tables and JSON, telling times."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from pipeline import config as configs
from pipeline.wiring import Engine, build

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])


def config_option(command: AnyCommand) -> AnyCommand:
    """`-c` after the command's name, as well as before it."""

    def keep(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value:
            ctx.meta["config"] = value

    return click.option(
        "-c",
        "--config",
        metavar="FILE",
        expose_value=False,
        callback=keep,
        help="The config file (default: ./proofcast.toml).",
    )(command)


def json_option(command: AnyCommand) -> AnyCommand:
    """`--json`: one document on standard output, nothing else."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def config_path(ctx: click.Context) -> Path:
    """The config file that this run is about. Raises ConfigError."""
    return configs.find(ctx.meta.get("config"))


def engine(ctx: click.Context) -> Engine:
    """The engine of the config. Raises ConfigError."""
    path = config_path(ctx)
    return build(configs.load(path), path.resolve())


def print_json(value: Any) -> None:
    """A value of ours as indented JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]], long: Collection[str] = ()) -> None:
    """A plain table, one line a row; where a terminal is too narrow, the `long` columns are cut."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 200, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = [["" if cell is None else one_line(str(cell)) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(headers, *cells, strict=True)]
    cut = [number for number, header in enumerate(headers) if header in long]
    while cut and sum(widths) + 2 * len(widths) > console.width and max(widths[n] for n in cut) > 8:
        widths[max(cut, key=widths.__getitem__)] -= 1
    for header, width in zip(headers, widths, strict=True):
        table.add_column(header, no_wrap=True, overflow="ellipsis", width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table)


def one_line(text: str) -> str:
    """Text with nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)


def nearby(path: str | Path) -> str:
    """A path as a person standing here would write it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def say(text: str) -> None:
    """A line of narration."""
    click.echo(one_line(text), err=True)


def clock(seconds: float | None) -> str:
    """A length of audio or work: 1:02:03 or 2:03."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def when(at: float | None) -> str:
    """A time of day, in the user's own zone."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ago(at: float) -> str:
    """How long ago, in the largest unit."""
    seconds = max(0.0, time.time() - at)
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name} ago"
    return f"{seconds:.0f} s ago"
