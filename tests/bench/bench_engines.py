"""Speech recognisers side by side: errors, speed, memory and start-up, each in a process of its own.

    python -m tests.bench.bench_engines FOLDER [--only NAME...] [--ggml FILE] [--beam N] [--threads N]

FOLDER holds audio with the true text beside it: talk.mp3 and talk.json with {"turns": [{"text"}...]}.
The packaged model is used. whisper.cpp takes part where pywhispercpp is installed and --ggml names the
same model in its format. The first engine is what the others are compared with; all run one after
another on the same machine, so that the ratios say more than the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import Transcribe
from pipeline.scoring import word_error_rate, words_of
from worker.audio import RATE, decode
from worker.models import ModelChoice, choose
from worker.windows import Samples, windows

BARE, BARE_VAD, BATCHED, OURS, OURS_BATCHED = (
    "bare",
    "bare, vad, words",
    "bare batched",
    "ours",
    "ours batched",
)
CPP = "whisper.cpp"
ENGINES = (BARE, BARE_VAD, BATCHED, OURS, OURS_BATCHED, CPP)

Hear = Callable[[Samples], str]


@dataclass(frozen=True)
class Measured:
    """Of one engine, over all files."""

    errors: float
    words: int
    audio_s: float
    wall_s: float
    cpu_s: float
    start_s: float  #: until the model is loaded, imports included
    peak_mb: float  #: decoded audio included, which all engines are given
    each: dict[str, float]  #: word error rate by file


def loaded(engine: str, choice: ModelChoice, settings: Transcribe, ggml: Path | None) -> Hear:
    if engine.startswith("ours"):
        return ours(choice, settings)
    return cpp(ggml, settings) if engine == CPP else bare(engine, choice, settings)


def ours(choice: ModelChoice, settings: Transcribe) -> Hear:
    from worker.hints import NONE
    from worker.whisper import Whisper

    whisper = Whisper(choice, settings)
    whisper.supported("en")  # loads it

    def quiet(done_s: float) -> None:
        """Nobody watches."""

    def hear(samples: Samples) -> str:
        heard = (whisper.window(window, "en", NONE, quiet) for window in windows([samples]))
        return " ".join(segment.text for each in heard for segment in each.segments)

    return hear


def bare(engine: str, choice: ModelChoice, settings: Transcribe) -> Hear:
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    model: Any = WhisperModel(
        str(choice.path), device="cpu", compute_type=choice.compute_type, cpu_threads=choice.threads
    )
    options: dict[str, Any] = {"language": "en", "beam_size": settings.beam_size}
    if engine == BATCHED:
        model = BatchedInferencePipeline(model)
        options |= {"batch_size": 8, "word_timestamps": True}
    elif engine == BARE_VAD:
        options |= {"vad_filter": True, "word_timestamps": True}

    def hear(samples: Samples) -> str:
        return " ".join(segment.text.strip() for segment in model.transcribe(samples, **options)[0])

    return hear


def cpp(ggml: Path | None, settings: Transcribe) -> Hear:
    Model: Any = import_module("pywhispercpp.model").Model  # not among our dependencies
    beam = {"beam_search": {"beam_size": settings.beam_size, "patience": -1.0}}
    model = Model(
        str(ggml),
        n_threads=settings.threads,
        print_progress=False,
        redirect_whispercpp_logs_to=None,
        params_sampling_strategy=int(settings.beam_size > 1),
    )

    def hear(samples: Samples) -> str:
        how = beam if settings.beam_size > 1 else {"greedy": {"best_of": 1}}
        return " ".join(segment.text for segment in model.transcribe(samples, **how))

    return hear


def talks(folder: Path) -> Iterator[tuple[str, Path, str]]:
    """Name, audio and what is said in it."""
    for path in sorted(folder.glob("*.json")):
        turns = json.loads(path.read_text(encoding="utf-8")).get("turns")
        audio = path.with_suffix(".mp3")
        if turns and audio.exists():
            yield path.stem, audio, " ".join(turn["text"] for turn in turns)


def measured(engine: str, options: argparse.Namespace) -> Measured:
    settings = Transcribe(
        model="packaged",
        device="cpu",
        beam_size=options.beam,
        threads=options.threads,
        batch_size=8 if engine == OURS_BATCHED else 0,
    )
    began = time.perf_counter()
    hear = loaded(engine, choose(settings, "en", print), settings, options.ggml)
    start_s = time.perf_counter() - began
    errors = audio_s = wall_s = cpu_s = 0.0
    words, each = 0, dict[str, float]()
    for name, path, truth in talks(options.folder):
        if options.only and name not in options.only:
            continue
        samples = np.concatenate(list(decode(path)))
        wall, cpu = time.perf_counter(), time.process_time()
        heard = hear(samples)
        wall_s, cpu_s = wall_s + time.perf_counter() - wall, cpu_s + time.process_time() - cpu
        audio_s += len(samples) / RATE
        each[name] = word_error_rate(truth, heard)
        words += len(words_of(truth))
        errors += each[name] * len(words_of(truth))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(errors, words, audio_s, wall_s, cpu_s, start_s, peak_mb, each)


def in_a_process_of_its_own(engine: str) -> Measured | None:
    """None where the engine can't run here."""
    command = [sys.executable, "-m", "tests.bench.bench_engines", *sys.argv[1:], "--engine", engine]
    done = subprocess.run(command, stdout=subprocess.PIPE, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    return Measured(**json.loads(done.stdout.splitlines()[-1])) if not done.returncode else None


def show(results: dict[str, Measured]) -> None:
    first = next(iter(results.values()))
    columns = ("WER %", "x real", "x cpu", "peak MB", "start s", "speed", "by cpu")
    print(f"{'engine':17}" + "".join(f"{column:>9}" for column in columns))
    for name, each in results.items():
        speed, by_cpu = each.audio_s / each.wall_s, each.audio_s / each.cpu_s
        base, base_cpu = first.audio_s / first.wall_s, first.audio_s / first.cpu_s
        print(
            f"{name:17}{100 * each.errors / each.words:9.2f}{speed:9.1f}{by_cpu:9.1f}{each.peak_mb:9.0f}"
            f"{each.start_s:9.2f}{speed / base:8.2f}x{by_cpu / base_cpu:8.2f}x"
        )
    for name, each in results.items():
        print(name, ", ".join(f"{file} {100 * rate:.2f}" for file, rate in each.each.items()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--ggml", type=Path)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        print(json.dumps(asdict(measured(options.engine, options))))
        return
    engines = ENGINES if options.ggml else ENGINES[:-1]
    found = {engine: in_a_process_of_its_own(engine) for engine in engines}
    show({engine: each for engine, each in found.items() if each})


if __name__ == "__main__":
    main()
