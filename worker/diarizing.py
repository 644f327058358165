"""Who spoke when in a whole episode, from the voices heard in its windows.

Voices that are alike become one speaker: average-linkage clustering of their embeddings by cosine
distance. Each moment then goes to the speaker whom most chunks hear in it; chunks overlap, so most
moments are heard twice. Nothing here is random: the same voices always give the same turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from worker.voices import Chunk, Floats, Voiced

Labels = NDArray[np.intp]

DISTANCE = 0.4  #: voices further apart are different people's (measured: from 0.3 to 0.45 all is the same)
CLEAR_S = 1.0  #: a voice heard for less is told too badly to found a speaker
LEAST_S = 2.0  #: a speaker is heard for at least this long...
AT_LEAST = 0.02  #: ...and for this share of all that is heard...
ENOUGH_S = 30.0  #: ...or this many seconds (chunks overlap: 15 s of the audio)
CLUSTERED = 2000  #: voices that are compared each with each, in 16 MB; an hour has about 1,000
TRIED = 60  #: numbers of clusters that are tried to get the number of speakers asked for

FRAME_S = 0.02  #: how finely moments are told apart
GAP_S = 0.5  #: a shorter silence within a turn does not end it
SHORTEST_S = 0.2  #: a shorter turn is none


@dataclass(frozen=True, slots=True)
class Turn:
    """From and until when one speaker is the one who speaks; seconds."""

    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True, eq=False)
class Diarization:
    """Turns in order, none overlapping another; speakers are `spk_0`, `spk_1`… by their first words."""

    turns: tuple[Turn, ...]
    voices: dict[str, Floats]  #: label -> embedding of length 1, where one could be taken
    seconds: dict[str, float]  #: label -> how long they speak


def turns_of(voiced: Sequence[Voiced], fewest: int = 1, most: int = 12) -> Diarization:
    """The speakers of an episode: `fewest` to `most` of them.

    Three hours take a second and 40 MB. Where fewer can be told apart than asked for, there are fewer.
    """
    chunks = [chunk for window in voiced for chunk in window.chunks]
    heard = [(chunk.start_s, voice) for chunk in chunks for voice in chunk.voices if voice.embedding]
    if not heard:
        return Diarization((), {}, {})
    vectors = np.stack([voice.vector for _, voice in heard])
    weights = np.array([voice.solo_s for _, voice in heard], dtype=np.float32)
    centroids = _centroids(vectors, weights, np.array([at for at, _ in heard]), fewest, most)
    labels = cast("Labels", (vectors @ centroids.T).argmax(axis=1))
    runs = _turns(_speaking(chunks, iter(labels.tolist()), len(centroids)))
    voices = _means(vectors, weights, labels, len(centroids))
    return labelled(runs, {str(number): voice for number, voice in enumerate(voices)})


def _centroids(vectors: Floats, weights: Floats, starts: Floats, fewest: int, most: int) -> Floats:
    """One embedding for each speaker."""
    clear = weights >= CLEAR_S
    if clear.sum() < 2:
        clear[:] = True
    # Of a very long episode every 2nd, 3rd… chunk has to do: it is heard from beginning to end all the same.
    stride = -(-int(clear.sum()) // CLUSTERED)
    clear &= np.unique(starts, return_inverse=True)[1] % stride == 0
    labels = _clusters(vectors[clear], weights[clear], fewest, most)
    return _means(vectors[clear], weights[clear], labels, int(labels.max()) + 1)


def _clusters(vectors: Floats, weights: Floats, fewest: int, most: int) -> Labels:
    """A speaker's number for each voice; -1 for the voices that are like nobody's who counts."""
    if len(vectors) == 1:
        return np.zeros(1, dtype=np.intp)
    from scipy.cluster import hierarchy

    cluster = cast("Any", hierarchy)  # scipy has no types
    tree = cluster.linkage(vectors.astype(np.float64), "average", metric="cosine")
    near: Labels = cluster.fcluster(tree, DISTANCE, "distance")
    sizes = _sizes(near, weights)
    count = _counting(sizes)
    if fewest <= count <= most:
        return _largest(near, sizes, count)
    wanted = min(max(count, fewest), most)
    for clusters in range(wanted, TRIED + 1):
        cut: Labels = cluster.fcluster(tree, clusters, "maxclust")
        sizes = _sizes(cut, weights)
        if _counting(sizes) == wanted:
            return _largest(cut, sizes, wanted)
    return _largest(near, _sizes(near, weights), wanted)


def _sizes(labels: Labels, weights: Floats) -> Floats:
    return np.bincount(labels, weights).astype(np.float32)


def _counting(sizes: Floats) -> int:
    """How many clusters are large enough to be somebody."""
    return int((sizes >= max(LEAST_S, min(AT_LEAST * float(sizes.sum()), ENOUGH_S))).sum())


def _largest(labels: Labels, sizes: Floats, count: int) -> Labels:
    """The largest clusters numbered from 0, of the same size the earlier; -1 for all others."""
    numbers = np.full(len(sizes), -1)
    best = np.argsort(-sizes, kind="stable")[:count]
    best = best[sizes[best] > 0]
    numbers[best] = np.arange(len(best))
    return numbers[labels]


def _means(vectors: Floats, weights: Floats, labels: Labels, count: int) -> Floats:
    """(count, numbers of an embedding): each speaker's voices by their seconds, of length 1."""
    shares = np.where(labels == np.arange(count)[:, None], weights, 0).astype(np.float32)
    means = shares @ vectors
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)


def _speaking(chunks: Sequence[Chunk], labels: Iterator[int], count: int) -> Labels:
    """Who speaks in each frame of `FRAME_S`: a speaker's number, or -1."""
    frames = _frame(max(chunk.end_s for chunk in chunks))
    votes = np.zeros((frames, count), dtype=np.uint8)
    heard, listened = np.zeros(frames, dtype=np.uint8), np.zeros(frames, dtype=np.uint8)
    for chunk in chunks:
        listened[_frame(chunk.start_s) : _frame(chunk.end_s)] += 1
        for voice in chunk.voices:
            label = next(labels) if voice.embedding else None
            for start, end in voice.spans:
                span = slice(_frame(start), _frame(end))
                heard[span] += 1
                if label is not None:
                    votes[span, label] += 1
    speech = (2 * heard > listened) & votes.any(axis=1)
    return np.where(speech, votes.argmax(axis=1), -1)


def _frame(seconds: float) -> int:
    return round(seconds / FRAME_S)


def _turns(speaking: Labels) -> list[Turn]:
    edges = np.flatnonzero(np.diff(speaking, prepend=-2, append=-2)).tolist()
    runs = [
        Turn(start * FRAME_S, end * FRAME_S, str(speaking[start]))
        for start, end in pairwise(edges)
        if speaking[start] >= 0
    ]
    return _joined([run for run in _joined(runs) if run.end - run.start > SHORTEST_S - FRAME_S / 2])


def _joined(runs: Sequence[Turn]) -> list[Turn]:
    """Runs of one speaker with a short silence between them, and nobody else, are one."""
    joined: list[Turn] = []
    for run in runs:
        if joined and joined[-1].speaker == run.speaker and run.start - joined[-1].end < GAP_S:
            joined[-1] = replace(joined[-1], end=run.end)
        else:
            joined.append(run)
    return joined


def labelled(runs: Sequence[Turn], voices: Mapping[str, Floats]) -> Diarization:
    """Turns in order with speakers by any names, renamed to `spk_0`, `spk_1`…; and their voices."""
    ordered = sorted(runs, key=lambda run: (run.start, run.end))
    labels = {
        own: f"spk_{number}" for number, own in enumerate(dict.fromkeys(run.speaker for run in ordered))
    }
    turns = tuple(Turn(round(run.start, 3), round(run.end, 3), labels[run.speaker]) for run in ordered)
    heard = {labels[own]: voices[own] for own in labels if own in voices}
    return Diarization(turns, heard, seconds_of(turns))


def seconds_of(turns: Sequence[Turn]) -> dict[str, float]:
    """How long each speaker speaks."""
    seconds: dict[str, float] = {}
    for turn in turns:
        seconds[turn.speaker] = round(seconds.get(turn.speaker, 0.0) + turn.end - turn.start, 3)
    return seconds
