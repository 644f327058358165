"""Conversations for tests and benchmarks: what is truly said, voices made up, and how wrong turns are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

import pipeline.sample
from pipeline.model import Segment, Word
from worker.audio import decode
from worker.diarizing import Turn
from worker.voices import STEP_S, Chunk, Floats, Voice, Voiced, Voices

FRAME_S = 0.01  #: how finely errors are counted


@dataclass(frozen=True)
class Truth:
    """What is said in a recording, and by whom."""

    turns: tuple[Turn, ...]
    texts: tuple[str, ...]  #: of the turns


def truth(path: Path) -> Truth:
    """From the JSON beside a recording."""
    turns = json.loads(path.with_suffix(".json").read_text("utf-8"))["turns"]
    return Truth(
        tuple(Turn(turn["start"], turn["end"], turn["speaker"]) for turn in turns),
        tuple(turn["text"] for turn in turns),
    )


def sample(number: int) -> Path:
    return Path(pipeline.sample.__file__).with_name(f"episode-{number}.mp3")


def samples_of(path: Path) -> Floats:
    return np.concatenate(list(decode(path)))


def go_on() -> None:
    """Nobody stops."""


@cache
def heard(number: int) -> Voiced:
    """The voices of one episode of the sample show."""
    return Voices().listen(samples_of(sample(number)), 0.0, go_on)


def spoken(known: Truth) -> tuple[Segment, ...]:
    """The true text as a recogniser might give it: two turns a segment, words evenly in their turns."""
    words: list[Word] = []
    segments: list[Segment] = []
    for number, (turn, text) in enumerate(zip(known.turns, known.texts, strict=True)):
        tokens = text.split()
        pace = (turn.end - turn.start) / len(tokens)
        words += [
            Word(token, round(turn.start + at * pace, 3), round(turn.start + (at + 1) * pace, 3), 0.9)
            for at, token in enumerate(tokens)
        ]
        if number % 2 or number == len(known.turns) - 1:
            segments.append(segment(words))
            words = []
    return tuple(segments)


def segment(words: Sequence[Word], speaker: str = "") -> Segment:
    text = " ".join(word.text for word in words)
    return Segment(speaker, words[0].start, words[-1].end, text, tuple(words))


def said(text: str, start: float = 0.0, pace: float = 0.3) -> list[Word]:
    """The words of a text, one each `pace` seconds."""
    return [
        Word(token, round(start + at * pace, 3), round(start + (at + 0.9) * pace, 3), 0.9)
        for at, token in enumerate(text.split())
    ]


def voice(person: int, spread: float = 0.0, seed: int = 0) -> Floats:
    """A made-up embedding: people are at right angles to each other, `spread` apart from themselves."""
    vector = np.zeros(192, dtype=np.float32)
    vector[person] = 1
    vector += np.random.default_rng(seed).normal(0, spread / np.sqrt(192), 192).astype(np.float32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def voiced(turns: Sequence[tuple[float, float, int]], spread: float = 0.3) -> Voiced:
    """What `Voices` would hear of turns (from, until, person): each in the chunks that it touches."""
    end_s = max(end for _, end, _ in turns)
    chunks: list[Chunk] = []
    for start in np.arange(0.0, max(end_s - STEP_S, STEP_S), STEP_S).tolist():
        stop = start + 2 * STEP_S
        voices: list[Voice] = []
        for person in sorted({person for _, _, person in turns}):
            spans = [
                (max(a, start), min(b, stop))
                for a, b, who in turns
                if who == person and a < stop and b > start
            ]
            if spans:
                vector = voice(person, spread, seed=1000 * person + len(chunks))
                solo = sum(b - a for a, b in spans)
                voices.append(Voice(tuple(spans), solo, vector.astype("<f2").tobytes()))
        chunks.append(Chunk(start, min(stop, end_s), tuple(voices)))
    return Voiced(0.0, end_s, tuple(chunks))


# How wrong it is


def error_rate(true: Sequence[Turn], found: Sequence[Turn], collar_s: float = 0.25) -> float:
    """The diarization error rate: missed, invented and mistaken speech as a share of the true speech.

    Overlapping speech counts for each who speaks. Around each true boundary `collar_s` in all are left
    out, half before and half after, as in pyannote.metrics.
    """
    frames = round(max(turn.end for turn in (*true, *found)) / FRAME_S) + 1
    counted = np.ones(frames, dtype=np.bool_)
    for moment in (moment for turn in true for moment in (turn.start, turn.end)):
        counted[max(0, _frame(moment - collar_s / 2)) : _frame(moment + collar_s / 2)] = False
    ours, theirs = _table(found, frames)[:, counted], _table(true, frames)[:, counted]
    right = int(_agreed(theirs @ ours.T))
    speaking, heard = theirs.sum(axis=0), ours.sum(axis=0)
    return float((np.maximum(speaking, heard).sum() - right) / speaking.sum())


def words_wrong(known: Truth, segments: Sequence[Segment]) -> tuple[int, int]:
    """How many words have the wrong speaker, and how many there are, of those heard that were said."""
    heard = [(_plain(word.text), each.speaker) for each in segments for word in each.words]
    true = [
        (_plain(token), turn.speaker)
        for turn, text in zip(known.turns, known.texts, strict=True)
        for token in text.split()
    ]
    pairs: list[tuple[str, str]] = []
    for step in Levenshtein.opcodes([word for word, _ in heard], [word for word, _ in true]):
        if step.tag in ("equal", "replace"):
            ours, theirs = heard[step.src_start : step.src_end], true[step.dest_start : step.dest_end]
            pairs += [(speaker, name) for (_, speaker), (_, name) in zip(ours, theirs, strict=True)]
    speakers, names = sorted({pair[0] for pair in pairs}), sorted({pair[1] for pair in pairs})
    table = np.array([[pairs.count((speaker, name)) for name in names] for speaker in speakers])
    return len(pairs) - int(_agreed(table)), len(pairs)


def _frame(seconds: float) -> int:
    return round(seconds / FRAME_S)


def _table(turns: Sequence[Turn], frames: int) -> NDArray[np.int64]:
    speakers = sorted({turn.speaker for turn in turns})
    table = np.zeros((len(speakers), frames), dtype=np.int64)
    for turn in turns:
        table[speakers.index(turn.speaker), _frame(turn.start) : _frame(turn.end)] = 1
    return table


def _agreed(table: NDArray[np.int64]) -> int:
    """What is right if each of ours is the one of theirs with whom that is most."""
    from scipy import optimize

    solve = cast("Callable[..., Any]", cast("Any", optimize).linear_sum_assignment)
    return int(table[solve(table, maximize=True)].sum())


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9']", "", word.lower())
