"""A worker over a config's queue whose windows are short, to be killed at any time.

python -m tests.faults.killable CONFIG WINDOW_SECONDS
"""

from __future__ import annotations

import sys

from pipeline.console import say
from pipeline.wiring import open_engine
from worker import hearing
from worker.handlers import WHISPER, handler_named
from worker.run import work
from worker.watching import PLAIN, LogWatch, log_to_stderr


def main(config: str, window_s: str) -> None:
    hearing.WINDOW_S = float(window_s)
    log_to_stderr(PLAIN)
    engine, watch = open_engine(config), LogWatch()
    with engine.working():
        engine.tend()
        work(engine, handler_named(WHISPER, engine, say, watch), task_id=None, drain=True, watch=watch)


if __name__ == "__main__":
    main(*sys.argv[1:])
