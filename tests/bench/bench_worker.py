"""How fast the worker recognises speech, beside faster-whisper by itself on the same machine and audio.

    python -m tests.bench.bench_worker [AUDIO] [--runs N] [--threads N] [--beam N]

Three times faster-whisper: with our settings (voice detector, times of words), with its defaults, and
its batched pipeline, which is fast but loses words (bench_engines counts them). Runs alternate, so that
a busy machine slows all. The last lines are what counts: the median of the ratios within each run, by
wall time and by processor time (steadier where others use the machine).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

import pipeline.sample
from pipeline.config import Transcribe
from worker.audio import RATE, decode
from worker.hints import NONE
from worker.models import choose
from worker.whisper import Whisper
from worker.windows import windows

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


def quiet(done_s: float) -> None:
    """Nobody watches."""


def measured(work: Callable[[], float]) -> tuple[float, float]:
    """Seconds of audio per second, by wall time and by processor time."""
    # Passages that fail at first are sampled again at random; both must have the same luck.
    ctranslate2.set_random_seed(7)  # pyright: ignore[reportUnknownMemberType]
    wall, cpu = time.perf_counter(), time.process_time()
    audio_s = work()
    return audio_s / (time.perf_counter() - wall), audio_s / (time.process_time() - cpu)


def compare(path: Path, runs: int, threads: int, beam: int) -> None:
    settings = Transcribe(model="packaged", device="cpu", threads=threads, beam_size=beam)
    choice = choose(settings, "en", print)
    whisper = Whisper(choice, settings)
    model: Any = WhisperModel(
        str(choice.path), device="cpu", compute_type=choice.compute_type, cpu_threads=choice.threads
    )
    batched: Any = BatchedInferencePipeline(model)

    def ours() -> float:
        end_s = 0.0
        for window in windows(decode(path)):
            end_s = whisper.window(window, "en", NONE, quiet).end_s
        return end_s

    def bare(model: Any, **options: Any) -> float:
        segments, info = model.transcribe(str(path), language="en", beam_size=beam, **options)
        for _ in segments:
            pass
        return info.duration

    with_ours = partial(bare, model, word_timestamps=True, vad_filter=True)
    with_batches = partial(bare, batched, word_timestamps=True, batch_size=8)
    works: dict[str, Callable[[], float]] = {
        "ours": ours,
        "bare, our settings": with_ours,
        "bare, its defaults": partial(bare, model),
        "bare, batched": with_batches,
    }
    whisper.supported("en")  # loads it
    ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for run in range(runs):
        order = list(works) if run % 2 == 0 else list(works)[::-1]
        speeds = {name: measured(works[name]) for name in order}
        for name, (wall, cpu) in speeds.items():
            print(f"run {run + 1} {name}: {wall:.2f}x, {cpu:.2f}x by processor time", flush=True)
            ratios[name].append((speeds["ours"][0] / wall, speeds["ours"][1] / cpu))
    for name in list(works)[1:]:
        wall, cpu = (statistics.median(each) for each in zip(*ratios[name], strict=True))
        print(f"ours / {name}: {wall:.3f}, {cpu:.3f} by processor time (median of {runs})")


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
