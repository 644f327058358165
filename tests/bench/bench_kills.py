"""A long job whose worker is killed at random times: is the transcript the same, and what did it cost?

    python -m tests.bench.bench_kills AUDIO [--kills N] [--window SECONDS] [--seed N]

The last line is what counts: all that was worked, kills included, beside one run without; each kill costs
less than one window.
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
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--window", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole = queued(Path(folder, "whole"), given.audio, given.window)
        whole_s = whole.finish()
        print(f"without a kill: {whole_s:.1f} s")
        job = queued(Path(folder, "killed"), given.audio, given.window)
        began = time.monotonic()
        killed(job, given.kills, whole_s, given.seed)
        killed_s = time.monotonic() - began
        ours, theirs = (each.transcript.replace(each.episode.id.encode(), b"") for each in (job, whole))
        print(f"kills: {job.kills}; heard twice: {len(job.redone)}; the same transcript: {ours == theirs}")
        print(f"{killed_s:.1f} s, {killed_s / whole_s:.2f} times one run")


if __name__ == "__main__":
    main()
