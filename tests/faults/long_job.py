"""A long job whose worker is killed again and again: what both the test and the benchmark do."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import config as configs
from pipeline.adding import AudioFile, add
from pipeline.model import Episode, FeedItem, State
from pipeline.queueing import relay
from pipeline.wiring import Engine, build

CONFIG = """
[[feed]]
name = "show"
language = "en"
[transcribe]
model = "packaged"
device = "cpu"
beam_size = 1
[worker]
lease_s = 1
"""


@dataclass
class LongJob:
    """One episode in a data folder of its own."""

    config: Path
    window_s: float
    kills: int = 0
    redone: list[str] = field(default_factory=list[str])  #: windows that were heard though they were stored

    @property
    def engine(self) -> Engine:
        return build(configs.load(self.config), self.config)

    @property
    def episode(self) -> Episode:
        (episode,) = self.engine.ledger.episodes()
        return episode

    @property
    def windows(self) -> dict[str, int]:
        """When each of the windows that are stored was written."""
        folder = self.engine.config.data_dir / "artifacts" / "show"
        return {path.name: path.stat().st_mtime_ns for path in folder.glob("*/windows/*.json")}

    @property
    def transcript(self) -> bytes:
        return self.engine.artifacts.get(self.episode.artifacts["transcript"]) or b""

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.faults.killable", str(self.config), str(self.window_s)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def finish(self) -> float:
        """Without a kill; how many seconds it took."""
        began = time.monotonic()
        assert self.start().wait() == 0
        assert self.episode.state is State.IN_REVIEW
        return time.monotonic() - began

    def kill(self, after_s: float) -> None:
        """Let it run for so long, then SIGKILL."""
        before = self.windows
        worker = self.start()
        try:
            worker.wait(after_s)
        except subprocess.TimeoutExpired:
            self.kills += 1
        worker.kill()
        worker.wait()
        after = self.windows
        self.redone += [name for name, at in before.items() if after.get(name, at) != at]


def queued(folder: Path, audio: Path, window_s: float) -> LongJob:
    folder.mkdir()
    config = folder / "proofcast.toml"
    config.write_text(CONFIG)
    job = LongJob(config, window_s)
    engine = job.engine
    file = AudioFile(audio, engine.artifacts)
    add(file, engine.config.feed[0], FeedItem(title="1. Long"), engine.ledger, engine.clock)
    relay(engine.ledger, engine.queue)
    return job


def killed(job: LongJob, kills: int, whole_s: float, seed: int) -> None:
    """SIGKILL at random times, the last about when it would be done; then one run to the end."""
    chance = random.Random(seed)
    while job.kills < kills and job.episode.state is not State.IN_REVIEW:
        job.kill(1.0 + chance.uniform(0.2, 2.0) * whole_s / kills)
    job.finish()
