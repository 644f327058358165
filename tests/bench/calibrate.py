"""How likely a word is wrong, by the probability it was heard with: the weights in worker/quality.py.

    python -m tests.bench.calibrate AUDIO-FOLDER

Transcribes every file of the folder, and of the sample show, that has its true text beside it (JSON with
`turns`), as it is and in two strengths of noise, and aligns what was heard with what was said. Prints the
weights, how many words are wrong by probability, and how far the expected share of corrections is from the
true one for each file with weights learnt from the others. Conversations of which most is in a longer file
are left out.

A number written in digits for one in words is no error here: nobody corrects it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

import pipeline.sample
from pipeline.model import Transcript
from pipeline.scoring import words_of
from tests.hearing import made_of, scribe
from worker.audio import RATE, decode
from worker.quality import features, wrongness

NOISE_DB: tuple[float | None, ...] = (None, 5.0, 0.0)  #: by which speech is louder; None: no noise
EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.01)  #: of the rows printed
LONG = 3  #: more missing words in a row are dropped speech, which no word's probability tells of

_NUMBERS = """
    zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million
    and point percent dollar dollars euro euros first second third
"""
NUMBERS = frozenset(_NUMBERS.split())


@dataclass(frozen=True)
class Heard:
    """One file as heard: each word's probability and the corrections that it needs."""

    name: str
    variant: str
    probabilities: list[float]
    edits: list[float]
    dropped: int  #: words of dropped speech
    true_words: int

    @property
    def wer(self) -> float:
        return (sum(self.edits) + self.dropped) / self.true_words


class Recogniser:
    """The one place that knows how a file becomes a transcript, and where speech is found in it."""

    def __init__(self) -> None:
        self._scribe = scribe(speakers=False)

    def hear(self, path: Path) -> tuple[Transcript, list[tuple[float, float]]]:
        from faster_whisper.vad import get_speech_timestamps  # pyright: ignore[reportUnknownVariableType]

        samples = np.concatenate(list(decode(path)))
        spans = cast(list[dict[str, int]], get_speech_timestamps(samples))
        speech = [(span["start"] / RATE, span["end"] / RATE) for span in spans]
        return made_of(path, self._scribe).transcript, speech


def conversations(folder: Path) -> dict[Path, list[str]]:
    """Audio files with what is said in them, turn by turn, the longest first, none told twice."""
    sample = Path(pipeline.sample.__file__).parent
    found: dict[Path, list[str]] = {}
    for path in sorted({*folder.glob("*.json"), *sample.glob("episode-*.json")}):
        turns: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")).get("turns") or []
        if turns and path.with_suffix(".mp3").exists():
            found[path.with_suffix(".mp3")] = [turn["text"] for turn in turns]
    told: set[str] = set()
    for path, said in sorted(found.items(), key=lambda pair: -len(pair[1])):
        if len(told.intersection(said)) > len(said) / 2:
            del found[path]
        told.update(said)
    return found


def noisy(path: Path, louder_db: float | None, folder: Path) -> Path:
    """The file as WAV, with noise in which each octave is equally loud."""
    samples = np.concatenate(list(decode(path)))
    if louder_db is not None:
        samples = samples + pink(len(samples)) * np.sqrt(np.square(samples).mean()) * 10 ** (-louder_db / 20)
    made = folder / "noisy.wav"
    with wave.open(str(made), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes())
    return made


def pink(count: int) -> NDArray[np.float32]:
    """Always the same noise, as loud as a sine of amplitude 1.4."""
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(count))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), count)
    return (noise / np.sqrt(np.square(noise).mean())).astype(np.float32)


def aligned(truth: Sequence[str], heard: Sequence[str]) -> tuple[list[float], int]:
    """Corrections needed at each word heard, and how many words of dropped speech there are besides.

    A few missing words are charged to the word that follows them.
    """
    edits = [0.0] * (len(heard) + 1)
    dropped = 0
    codes = Levenshtein.opcodes(truth, heard)
    for equal, run in groupby(codes, key=lambda code: code.tag == "equal"):
        block = list(run)
        said = truth[block[0].src_start : block[-1].src_end]
        if equal or same_number(said, heard[block[0].dest_start : block[-1].dest_end]):
            continue
        for code in block:
            missing = code.src_end - code.src_start if code.tag == "delete" else 0
            dropped += missing if missing > LONG else 0
            edits[code.dest_start] += missing if missing <= LONG else 0
            for at in range(code.dest_start, code.dest_end):
                edits[at] += 1
    after = edits.pop()  # what is missing behind the last word
    return ([*edits[:-1], edits[-1] + after], dropped) if edits else ([], dropped)


def same_number(said: Sequence[str], heard: Sequence[str]) -> bool:
    """Whether two stretches can be one number, once in words and once in digits."""
    return any(
        all(word.isdecimal() for word in digits) and {*words} <= NUMBERS and digits and words
        for digits, words in ((heard, said), (said, heard))
    )


def heard_in(recogniser: Recogniser, path: Path, turns: Sequence[str], louder_db: float | None) -> Heard:
    """What is heard in a file with so much noise."""
    with tempfile.TemporaryDirectory() as folder:
        transcript, _ = recogniser.hear(noisy(path, louder_db, Path(folder)))
    return measured(path.stem, "clean" if louder_db is None else f"{louder_db:g} dB", transcript, turns)


def measured(
    name: str,
    variant: str,
    transcript: Transcript,
    turns: Sequence[str],
) -> Heard:
    """What was heard, set beside what was said turn by turn."""
    words = [word for segment in transcript.segments for word in segment.words]
    tokens = [(token, at) for at, word in enumerate(words) for token in words_of(word.text)]
    truth = words_of(" ".join(turns))
    charged, dropped = aligned(truth, [token for token, _ in tokens])
    edits = [0.0] * len(words)
    for (_, at), edit in zip(tokens, charged, strict=True):
        edits[at] += edit
    probabilities = [word.probability for word in words]
    return Heard(name, variant, probabilities, edits, dropped, len(truth))


def weights_of(files: Sequence[Heard]) -> list[float]:
    """Logistic regression of "has to be corrected" on the words' features, by Newton's method."""
    rows = np.concatenate([features(file.probabilities) for file in files])
    wrong = np.concatenate([np.minimum(file.edits, 1.0) for file in files])
    weights = np.zeros(rows.shape[1])
    for _ in range(30):
        guess = 1 / (1 + np.exp(-rows @ weights))
        # The small diagonal keeps it solvable where files are few.
        curve = rows.T @ ((guess * (1 - guess))[:, None] * rows) + 1e-3 * np.eye(len(weights))
        weights += np.linalg.solve(curve, rows.T @ (wrong - guess))
    return [round(float(weight), 3) for weight in weights]


def lines(files: Sequence[Heard]) -> Iterator[str]:
    """The weights, what they come to for unknown files, and what probabilities are worth."""
    yield f"WEIGHTS = {tuple(weights_of(files))}"
    errors: list[float] = []
    for file in files:
        others = weights_of([other for other in files if other.name != file.name])
        guess = float(wrongness(file.probabilities, others).mean())
        errors.append(guess - file.wer)
        yield (
            f"{file.name:24} {file.variant:6} {file.true_words:5} words, {file.dropped:3} dropped"
            f"  true {file.wer:6.1%}  expected {guess:6.1%}  off by {guess - file.wer:+6.1%}"
        )
    yield f"off by {np.abs(errors).mean():.1%} on average, {np.median(np.abs(errors)):.1%} in the middle"
    yield from rows(files)


def rows(files: Sequence[Heard]) -> Iterator[str]:
    """Corrections by word for each range of probabilities; and which of the wrong words are below."""
    pairs = [pair for file in files for pair in zip(file.probabilities, file.edits, strict=True)]
    wrong = sum(edits > 0 for _, edits in pairs)
    low = 0.0
    for high in EDGES:
        own = [edits for probability, edits in pairs if low <= probability < high]
        below = [edits > 0 for probability, edits in pairs if probability < high]
        yield (
            f"{low:4} to {high:4}: {len(own):6} words, {sum(own) / max(1, len(own)):6.1%} corrections;"
            f" {len(below) / len(pairs):6.1%} of all words are below, {sum(below) / wrong:6.1%} of the wrong"
        )
        low = high


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    recogniser = Recogniser()
    files = [
        heard_in(recogniser, path, turns, louder_db)
        for path, turns in conversations(parser.parse_args().folder).items()
        for louder_db in NOISE_DB
    ]
    print("\n".join(lines(files)))


if __name__ == "__main__":
    main()
