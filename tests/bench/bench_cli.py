"""How long the command line takes to start.

    python tests/bench/bench_cli.py

Prints the median of several runs, and the ratio to an empty Python program.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 15
COMMAND = str(Path(sys.executable).with_name("proofcast"))


def once(command: list[str], folder: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return time.perf_counter() - start


def main() -> None:
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "proofcast --help": [COMMAND, "--help"],
        "proofcast status --json": [COMMAND, "status", "--json"],
    }
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([COMMAND, "init"], cwd=folder, capture_output=True, check=True)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(RUNS):  # in turn, so that a slow moment of the machine meets all of them
            for name, command in commands.items():
                times[name].append(once(command, folder))
    base = statistics.median(times["python -c pass"])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:25} {median * 1e3:6.0f} ms   {median / base:4.1f} x python")


if __name__ == "__main__":
    main()
