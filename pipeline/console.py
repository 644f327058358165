"""What commands share: finding the config, printing tables and JSON, telling times."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from pipeline import config as configs
from pipeline.config import Config
from pipeline.errors import ConfigError, ProofcastError, one_line
from pipeline.scaling import Hold
from pipeline.wiring import Engine, build

AnyCommand = TypeVar("AnyCommand", bound=Callable[..., Any])

_FIGURE = re.compile(r"[-+<]?[\d.,:]+( ?(%|s|min|h|days))?")


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


def engine(ctx: click.Context, *, acting: bool = False) -> Engine:
    """The engine of the config. Raises ConfigError.

    What the config says of sites is looked at only for commands that act on it: that takes its time.
    """
    path = config_path(ctx)
    config = configs.load(path)
    if acting:
        check_layouts(config)
    return build(config, path.resolve())


def check_layouts(config: Config) -> None:
    """See that every show's transcripts have a place in its site. Raises ConfigError."""
    from pipeline.layouts import check_layout, layout_named

    for feed in config.feed:
        try:
            layout_named(feed.layout, config.layout)
        except ConfigError as error:
            raise ConfigError(f"feed '{feed.name}': {error.message}", error.hint) from None
    for name, layout in config.layout.items():
        check_layout(name, layout)


def start_workers(at: Engine) -> bool:
    """Have the engine start what is needed now, and say so; False where it could not.

    What was queued stays so: the next poll, or the clock on AWS, tries again.
    """
    try:
        done = at.dispatch()
    except ProofcastError as error:
        say(f"proofcast: workers could not be started: {error}")
        return False
    if done and done.started:
        say(f"workers asked for: {len(done.started)}")
    if done and done.warning:
        say(done.warning)
    for hold in done.holds if done else ():
        say(held(hold))
    return True


def held(hold: Hold) -> str:
    """Why no workers are started, and until when."""
    where = f" on {hold.market}" if hold.market else ""
    return f"no workers{where} until {when(hold.until)}: {hold.why}"


def queued_hint(at: Engine) -> str:
    """What happens next to what was just queued."""
    return "queued" if at.linger_s is not None else "queued: 'proofcast work --drain' transcribes it"


def print_json(value: Any) -> None:
    """A value of ours as indented JSON, which is UTF-8 wherever it goes."""
    encoder = msgspec.json.Encoder(decimal_format="number")
    click.echo(msgspec.json.format(encoder.encode(value), indent=2))


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]], long: Collection[str] = ()) -> None:
    """A plain table, one line a row, figures to the right; where a terminal is too narrow, the `long` columns
    are cut."""
    from rich.cells import cell_len, set_cell_size

    cells = [["" if cell is None else one_line(str(cell)) for cell in row] for row in rows]
    columns = list(zip(headers, *cells, strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    figures = [_are_figures(column[1:]) for column in columns]
    if sys.stdout.isatty():
        _narrow(widths, [number for number, header in enumerate(headers) if header in long])

    def line(row: Sequence[str]) -> str:
        fitting = (
            cell if cell_len(cell) <= width else set_cell_size(cell, width - 1) + "…"
            for cell, width in zip(row, widths, strict=True)
        )
        padded = (
            cell.rjust(width) if right else set_cell_size(cell, width)
            for cell, width, right in zip(fitting, widths, figures, strict=True)
        )
        return "  ".join(padded).rstrip()

    click.echo(click.style(line(headers), bold=True))
    for row in cells:
        click.echo(line(row))


def _are_figures(cells: Iterable[str]) -> bool:
    told = [cell for cell in cells if cell]
    return bool(told) and all(map(_FIGURE.fullmatch, told))


def _narrow(widths: list[int], cut: Sequence[int]) -> None:
    """Take from the widest of the columns that may be cut until all fit the terminal."""
    room = shutil.get_terminal_size().columns - 2 * (len(widths) - 1)
    while cut and sum(widths) > room and max(widths[number] for number in cut) > 8:
        widths[max(cut, key=widths.__getitem__)] -= 1


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


def lasting(seconds: float) -> str:
    """A time that people wait or machines take, to two digits."""
    for unit_s, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{float(f'{seconds / unit_s:.2g}'):,g} {name}"
    return f"{seconds:.0f} s"


def counted(number: int, noun: str) -> str:
    """As 1 episode, 2 episodes."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def dollars(amount: Decimal, digits: int = 2) -> str:
    """With so many digits, and not as nothing where there is something."""
    least = Decimal(1).scaleb(-digits)
    return f"<{least}" if 0 < amount < least / 2 else f"{amount:,.{digits}f}"


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
