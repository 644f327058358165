"""A long job whose worker is killed at random times: is the transcript the same, and what did it cost?

    python -m tests.bench.bench_kills AUDIO [--jobs N] [--kills N] [--window SECONDS]

A queue gives a job up whose worker died 20 times, so several jobs are killed a few times each. What counts:
the same transcript, no window heard twice, and all that was worked beside one run without a kill.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.faults.long_job import killed, queued


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audio", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10, help="of each job, at most 19")
    parser.add_argument("--window", type=float, default=120.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole = queued(Path(folder, "whole"), given.audio, given.window)
        whole_s = whole.finish()
        print(f"without a kill: {whole_s:.1f} s")
        for number in range(given.jobs):
            job = queued(Path(folder, f"killed-{number}"), given.audio, given.window)
            began = time.monotonic()
            killed(job, given.kills, whole_s, seed=number)
            killed_s = time.monotonic() - began
            same = job.transcript == whole.transcript
            print(
                f"kills: {job.kills}; heard twice: {len(job.redone)}; the same transcript: {same}; ", end=""
            )
            print(f"{killed_s:.1f} s, {killed_s / whole_s:.2f} times one run", flush=True)


if __name__ == "__main__":
    main()
