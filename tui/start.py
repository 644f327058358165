"""The `proofcast` program: it begins with the dashboard's last frame, where the dashboard is asked for.

The command line and Textual take some 300 ms to load. Nobody should look at an empty screen meanwhile.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

_FILE = "proofcast.toml"
_WITH_VALUE = ("-c", "--config", "--at", "--theme")
_OTHER_ENDS = ("-h", "--help", "--serve")  #: of the command than a dashboard in this terminal


def main() -> None:
    """Run the command line, behind the last frame where there is one to show."""
    with _last_frame(sys.argv[1:]):
        from pipeline.cli import main as command_line

        command_line()


def _last_frame(arguments: Sequence[str]) -> AbstractContextManager[None]:
    config = dashboard_of(arguments)
    if config is None or not sys.stdout.isatty():
        return nullcontext()
    from tui import frame

    colour = not os.environ.get("NO_COLOR")
    return frame.covering(frame.place(config), sys.stdout, time.time(), colour=colour)


def dashboard_of(arguments: Sequence[str]) -> Path | None:
    """The config whose dashboard a command line opens; None where it does something else."""
    values: dict[str, str] = {}
    words: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        name, _, value = argument.partition("=")
        if name.startswith(_OTHER_ENDS):
            return None
        if name in _WITH_VALUE:
            values[name] = value or next(rest, "")
        elif not name.startswith("-"):
            words.append(argument)
    if words[:1] != ["tui"]:
        return None
    return _config([*words[1:], values.get("--config"), values.get("-c")])


def _config(given: Sequence[str | None]) -> Path:
    """See `pipeline.config.find`, which takes longer to load than all this takes."""
    named = next(filter(None, given), None)
    if named or Path(_FILE).is_file():
        return Path(named or _FILE)
    import platformdirs

    return platformdirs.user_config_path("proofcast") / _FILE


if __name__ == "__main__":
    main()
