"""How fast the worker recognises speech, beside faster-whisper by itself on the same settings.

    python -m tests.bench.bench_worker [AUDIO] [--runs N] [--threads N] [--beam N]

Runs alternate, so that a busy machine slows both. The last line is what counts: the median of the
pairs' ratios, by wall time and by processor time (steadier where others use the machine).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel

import pipeline.sample
from pipeline.config import Transcribe
from worker.audio import RATE, decode
from worker.models import choose
from worker.whisper import Whisper

MINUTES = 10


def ten_minutes(folder: Path) -> Path:
    """The sample show over and over, as one WAV: of MP3 files that follow each other, faster-whisper
    by itself hears only the first."""
    episodes = sorted(Path(pipeline.sample.__file__).parent.glob("episode-*.mp3"))
    once = np.concatenate([block for path in episodes for block in decode(path)])
    path = folder / "ten-minutes.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for _ in range(round(MINUTES * 60 * RATE / len(once))):
            file.writeframes((once * 32767).astype(np.int16).tobytes())
    return path


def quiet(done_s: float, total_s: float, speed: float) -> None:
    """Nobody watches."""


def measured(work: Callable[[], float]) -> tuple[float, float]:
    """Seconds of audio per second, by wall time and by processor time."""
    # Passages that fail at first are sampled again at random; both must have the same luck.
    ctranslate2.set_random_seed(7)  # pyright: ignore[reportUnknownMemberType]
    wall, cpu = time.perf_counter(), time.process_time()
    audio_s = work()
    return audio_s / (time.perf_counter() - wall), audio_s / (time.process_time() - cpu)


def compare(path: Path, runs: int, threads: int, beam: int) -> None:
    choice = choose(Transcribe(model="packaged", device="cpu", threads=threads), "en", print)
    whisper = Whisper(choice, beam)
    model = WhisperModel(
        str(choice.path), device="cpu", compute_type=choice.compute_type, cpu_threads=choice.threads
    )

    def ours() -> float:
        return whisper.transcribe(path, {"id": "bench"}, "en", quiet).duration_s

    def bare() -> float:
        segments, info = model.transcribe(  # pyright: ignore[reportUnknownMemberType] - in other options
            str(path), language="en", beam_size=beam, word_timestamps=True, vad_filter=True
        )
        for _ in segments:
            pass
        return info.duration

    whisper.transcribe(Path(pipeline.sample.__file__).with_name("episode-1.mp3"), {}, "en", quiet)  # loads
    pairs: list[tuple[float, float]] = []
    for run in range(runs):
        order = (bare, ours) if run % 2 == 0 else (ours, bare)
        speeds = {work.__name__: measured(work) for work in order}
        pairs.append((speeds["ours"][0] / speeds["bare"][0], speeds["ours"][1] / speeds["bare"][1]))
        for name, (wall, cpu) in sorted(speeds.items()):
            print(f"run {run + 1} {name}: {wall:.2f}x, {cpu:.2f}x by processor time")
    wall, cpu = (statistics.median(ratios) for ratios in zip(*pairs, strict=True))
    print(f"ours / bare: {wall:.3f}, {cpu:.3f} by processor time (median of {runs})")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("audio", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--beam", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(given.audio or ten_minutes(Path(folder)), given.runs, given.threads, given.beam)


if __name__ == "__main__":
    main()
