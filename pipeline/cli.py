"""The command line's front: which commands there are, and what becomes of errors.

Commands are named here as strings and imported when they run, so that `--help` costs next to nothing
and `pipeline` depends on none of the programs built on it.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from pkgutil import resolve_name

import click

from pipeline import __version__
from pipeline.errors import ProofcastError, one_line

COMMANDS = {
    "demo": ("pipeline.commands.demo:demo", "Show the whole way on a bundled sample show, offline."),
    "init": ("pipeline.commands.setup:init", "Write a commented proofcast.toml."),
    "doctor": ("pipeline.commands.setup:doctor", "Check the set-up and say how to mend it."),
    "poll": ("pipeline.commands.feeds:poll", "Look for new episodes and queue them."),
    "add": ("pipeline.commands.feeds:add", "Queue an audio file before it is published."),
    "transcribe": ("worker.commands:transcribe", "Transcribe one file, to try it out."),
    "work": ("worker.commands:work", "Work on the queue."),
    "status": ("pipeline.commands.episodes:status", "Say what is going on."),
    "episodes": ("pipeline.commands.episodes:episodes", "List episodes."),
    "show": ("pipeline.commands.episodes:show", "Tell everything about an episode."),
    "retry": ("pipeline.commands.episodes:retry", "Bring back what failed, was skipped or rejected."),
    "skip": ("pipeline.commands.episodes:skip", "Leave episodes out."),
    "release": ("pipeline.commands.episodes:release", "Queue what a poll held back."),
    "review": ("pipeline.commands.reviews:review", "List, open and follow reviews."),
    "costs": ("pipeline.commands.costs:costs", "Say what transcripts cost, and what would cost less."),
    "plan": ("pipeline.commands.plan:plan", "Say what transcripts would cost, by every way there is."),
    "tui": ("tui.commands:tui", "The dashboard: watch all of it, and see to it."),
    "deploy": ("infra.commands:deploy", "Put the AWS engine into an account."),
    "destroy": ("infra.commands:destroy", "Take the AWS engine out of an account again."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is called by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return resolve_name(COMMANDS[cmd_name][0]) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-c", "--config", metavar="FILE", help="The config file (default: ./proofcast.toml).")
@click.version_option(__version__, prog_name="proofcast")
@click.pass_context
def cli(ctx: click.Context, config: str | None) -> None:
    """Podcast transcripts that people review like code.

    'proofcast demo' shows the whole way in a minute or two, with nothing to set up. Results go to
    standard output, progress and complaints to standard error.

    Exit codes: 0 all well, 1 something failed (and the rest went on), 2 wrong usage or config,
    75 try again later.
    """
    ctx.meta["config"] = config
    ctx.color = _colour()


def main() -> None:
    """Run the command line and end the process with its exit code."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # there may be no standard output at all
    if reconfigure:
        reconfigure(errors="replace")  # whatever a title holds is printed somehow
    code = _run()
    _give_up_unwritten()
    sys.exit(code)


def _run() -> int:
    # Not `cli.main`: of a closed pipe it makes an exit code of its own.
    try:
        with cli.make_context("proofcast", sys.argv[1:]) as ctx:
            cli.invoke(ctx)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except ProofcastError as error:
        complain(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("proofcast: interrupted", err=True)
        return 130
    except OSError as error:
        return _os_error(error)
    except Exception as error:  # noqa: BLE001 - the last resort: nobody can use a traceback
        return _unexpected(error)
    return 0


def complain(error: ProofcastError) -> None:
    """What happened on one line, what to do next on another."""
    click.echo(f"{click.style('proofcast:', fg='red')} {one_line(error.message)}", err=True, color=_colour())
    if error.hint:
        click.echo(f"  {one_line(error.hint)}", err=True)


def _colour() -> bool | None:
    """Never where NO_COLOR is set, else where there is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def _os_error(error: OSError) -> int:
    if isinstance(error, BrokenPipeError):  # `proofcast episodes | head`
        return 0
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    where = f" ({error.filename})" if error.filename else ""
    complain(ProofcastError(f"{error.strerror or error}{where}"))
    return 75 if full else 1


def _unexpected(error: Exception) -> int:
    from traceback import extract_tb

    last = extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    message = f"unexpected {type(error).__name__}: {error} ({where})"
    complain(ProofcastError(message, "this is a fault of proofcast: please report it, with what you ran"))
    return 1


def _give_up_unwritten() -> None:
    """What a closed pipe or a full disk did not take: the interpreter would complain of it at its end."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
