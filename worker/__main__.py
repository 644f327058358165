"""`python -m worker`: a worker as the fleet starts it, told what to do by its arguments alone."""

from __future__ import annotations

import os
import signal
import sys
import threading

import click

from pipeline.cli import complain
from pipeline.errors import ProofcastError
from pipeline.scaling import FOUND_NOTHING
from pipeline.wiring import open_engine
from worker.handlers import handler_named
from worker.run import Worked, work
from worker.watching import DATED, LogWatch, log_to_stderr, say


@click.command()
@click.option("--config", metavar="FILE|S3-URL", required=True)
@click.option("--id", "task_id", help="The name the fleet knows this worker by.")
@click.option("--drain/--stay", help="End when the queue is empty.")
@click.option("--with-parent", is_flag=True, help="End when standard input does.")
def main(config: str, task_id: str | None, drain: bool, with_parent: bool) -> None:
    """Work on the queue of a config."""
    log_to_stderr(DATED)
    if with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        engine = open_engine(config)
        watch = LogWatch()
        handler = handler_named(engine.config.worker.handler, engine, say, watch)
        done = work(engine, handler, task_id=task_id, drain=drain, watch=watch)
    except ProofcastError as error:
        complain(error)
        sys.exit(error.exit_code)
    sys.exit(_exit_code(done, started_by_dispatch=engine.linger_s is not None))


def _exit_code(done: Worked, *, started_by_dispatch: bool) -> int:
    """Dispatch asks whether workers come to anything; how episodes fared is in the ledger."""
    if not started_by_dispatch:
        return 0 if done.well else 1
    return 0 if done.jobs or done.told_to_end else FOUND_NOTHING


def _end_with_parent() -> None:
    while os.read(0, 1024):  # not sys.stdin: its lock would be held at the interpreter's end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
