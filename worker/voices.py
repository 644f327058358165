"""What voices are heard in a window of audio: when each speaks, and what it sounds like.

Two small models, packaged with us, on the CPU (worker/voice_models/README.md). A window is heard in
chunks of ten seconds that overlap by half. Within a chunk the segmentation model tells up to three
speakers apart; each becomes a `Voice` with 192 numbers that are alike for the same person wherever
they speak. Which voices are one person is for `diarizing` to find, once all windows have been heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError
from worker.audio import RATE
from worker.heard import Span

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Model = Callable[[Floats], Floats]

PACKAGED = Path(__file__).parent / "voice_models"
SEGMENTATION, EMBEDDING = "segmentation.onnx", "embedding.onnx"

CHUNK_S, STEP_S = 10, 5
BATCH = 4  #: chunks that the segmentation model hears at once: faster than one, and still small

FRAME_S = 270 / RATE  #: from one frame of the segmentation model to the next
FIRST_S = (991 - 270) / 2 / RATE  #: where the first one begins: it hears 991 samples, tells of their middle

#: Who speaks in a frame, by the number that the model gives to it; three at once it doesn't know.
TOGETHER = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=np.bool_
)

PAUSE = round(0.5 / FRAME_S)  #: frames of silence after which it may be somebody else
PASSAGE = round(1.5 / FRAME_S)  #: frames from which a voice can be told well; less is not parted

ALONE_S = 0.5  #: a voice is taken from where it is alone if that is as long as this, else from all there is
SHORTEST_S = 0.4  #: of less, a voice can't be told


@dataclass(frozen=True, slots=True)
class Voice:
    """One speaker of one chunk; times in seconds from the audio's start."""

    spans: tuple[Span, ...]  #: when they speak, in order
    solo_s: float  #: seconds from which the embedding was taken
    embedding: bytes  #: 192 numbers of 16 bits, their length is 1; empty where too little was heard

    @property
    def vector(self) -> Floats:
        return np.frombuffer(self.embedding, dtype="<f2").astype(np.float32)


@dataclass(frozen=True, slots=True)
class Chunk:
    """From and until when was listened, and who was heard: nobody at all, or up to three."""

    start_s: float
    end_s: float
    voices: tuple[Voice, ...]


@dataclass(frozen=True, slots=True)
class Voiced:
    """All voices of a window."""

    start_s: float
    end_s: float
    chunks: tuple[Chunk, ...]


def to_bytes(voiced: Voiced) -> bytes:
    """For storing: about 1 kB for 5 s of audio. `from_bytes` gives exactly the same again."""
    return msgspec.msgpack.encode(voiced)


def from_bytes(data: bytes) -> Voiced:
    """Raises msgspec.DecodeError for what isn't from `to_bytes`."""
    return msgspec.msgpack.decode(data, type=Voiced)


class Voices:
    """The two models, loaded when first used and then kept; about 170 MB with what they need at work."""

    def __init__(self, threads: int = 1, folder: Path = PACKAGED) -> None:
        self._threads = threads
        self._folder = folder

    def listen(self, samples: Floats, start_s: float, go_on: Callable[[], None]) -> Voiced:
        """The voices of a window: mono samples at 16 kHz that begin at `start_s` in the audio.

        `go_on` is called some times for each ten seconds; what it raises ends the work. The same samples
        always give the same result. Raises ModelError where a model is missing or can't be used.
        """
        end_s = start_s + len(samples) / RATE
        if not len(samples):
            return Voiced(round(start_s, 3), round(end_s, 3), ())
        starts = _starts(len(samples))
        features = _features(samples)
        chunks: list[Chunk] = []
        for first in range(0, len(starts), BATCH):
            batch = starts[first : first + BATCH]
            go_on()
            for at, active in zip(batch, self._active(samples, batch), strict=True):
                chunks.append(self._chunk(features, at, active, (start_s, end_s), go_on))
        return Voiced(round(start_s, 3), round(end_s, 3), tuple(chunks))

    def _active(self, samples: Floats, starts: list[int]) -> Iterator[Mask]:
        """For each chunk, who speaks when: (589 frames, 3 speakers)."""
        size = CHUNK_S * RATE
        heard = [np.pad(part := samples[at : at + size], (0, size - len(part))) for at in starts]
        yield from TOGETHER[self._segmentation(np.stack(heard)[:, None]).argmax(axis=-1)]

    def _chunk(
        self, features: Floats, at: int, active: Mask, window: Span, go_on: Callable[[], None]
    ) -> Chunk:
        start_s, end_s = window[0] + at / RATE, window[1]
        voices: list[Voice] = []
        alone = active.sum(axis=1) == 1
        for own in (passage for speaker in active.T for passage in _passages(speaker)):
            spans = _spans(own, start_s, end_s)
            if not spans:
                continue
            go_on()
            solo = own & alone
            used = solo if solo.sum() * FRAME_S >= ALONE_S else own
            voices.append(Voice(spans, *self._sound(features, at, used)))
        return Chunk(round(start_s, 3), round(min(start_s + CHUNK_S, end_s), 3), tuple(voices))

    def _sound(self, features: Floats, at: int, used: Mask) -> tuple[float, bytes]:
        """How long the used frames are in seconds, and what they sound like."""
        seconds = round(float(used.sum()) * FRAME_S, 3)
        hops = _hops(used) + at // HOP
        hops = hops[hops < len(features)]
        if seconds < SHORTEST_S or len(hops) * HOP / RATE < SHORTEST_S:
            return seconds, b""
        heard = features[hops]
        heard = heard - heard.mean(axis=0)
        # One at a time: as fast as many on a CPU, and their lengths need not be the same.
        vector = self._embedding(heard[None])[0]
        return seconds, (vector / np.linalg.norm(vector)).astype("<f2").tobytes()

    @cached_property
    def _segmentation(self) -> Model:
        return _loaded(self._folder / SEGMENTATION, self._threads)

    @cached_property
    def _embedding(self) -> Model:
        return _loaded(self._folder / EMBEDDING, self._threads)


def _loaded(path: Path, threads: int) -> Model:
    import onnxruntime

    hint = "install proofcast again, or set method under [speakers] to 'none'"
    if not path.is_file():
        raise ModelError(f"the packaged model {path.name} is not there", hint)
    options = cast("Any", onnxruntime).SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # it would keep what the longest passage ever needed
    try:
        session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - its own exceptions have no common base but this
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"the packaged model {path.name} can't be used: {said}", hint) from None
    name: str = session.get_inputs()[0].name
    return lambda values: session.run(None, {name: values})[0]


def _starts(size: int) -> list[int]:
    """Where chunks begin, in samples: each `STEP_S`, and the last so that it ends where the window does."""
    last = max(0, size - CHUNK_S * RATE)
    return [*range(0, last, STEP_S * RATE), last]


def _passages(active: Mask) -> Iterator[Mask]:
    """What one speaker says, parted at pauses: the model may take two alike who take turns for one."""
    edges = np.flatnonzero(np.diff(active, prepend=False, append=False)).tolist()
    runs = list(zip(edges[::2], edges[1::2], strict=True))
    cuts = [0]
    for (_, end), (start, _) in pairwise(runs):
        long = active[cuts[-1] : end].sum() >= PASSAGE and active[start:].sum() >= PASSAGE
        if long and start - end >= PAUSE:
            cuts.append(start)
    for first, last in pairwise([*cuts, len(active)]):
        passage = np.zeros_like(active)
        passage[first:last] = active[first:last]
        yield passage


def _spans(active: Mask, start_s: float, end_s: float) -> tuple[Span, ...]:
    """Runs of frames as seconds of the audio, none past `end_s`."""
    edges = np.flatnonzero(np.diff(active, prepend=False, append=False)).tolist()
    times = [min(start_s + FIRST_S + edge * FRAME_S, end_s) for edge in edges]
    pairs = zip(times[::2], times[1::2], strict=True)
    return tuple((round(a, 3), round(b, 3)) for a, b in pairs if b > a)


# What follows is Kaldi's log mel filter bank, as CAM++ was trained on: frames of 25 ms each 10 ms, the
# mean taken away, pre-emphasis 0.97, Povey's window, power spectrum of 512 points, 80 mel bins from 20 Hz
# to 8 kHz. (kaldi-asr.org, feat/feature-fbank.cc and feature-window.cc, without dither.)

HOP, LENGTH, POINTS, BINS = 160, 400, 512, 80
BLOCK = 1000  #: frames of features computed at once
FLOOR = 1.1920929e-07  #: the smallest energy: float32's epsilon, as in Kaldi
POVEY = (np.hanning(LENGTH) ** 0.85).astype(np.float32)


def _mel_filters() -> Floats:
    """(256 frequencies, 80 bins): triangles on the mel scale, 1127 ln(1 + f / 700)."""
    frequencies = np.arange(POINTS // 2) * RATE / POINTS
    low, high, mels = (1127 * np.log1p(f / 700) for f in (np.float64(20), np.float64(8000), frequencies))
    edges = np.linspace(low, high, BINS + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (mels[:, None] - left) / (centre - left)
    falling = (right - mels[:, None]) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


MEL = _mel_filters()


def _features(samples: Floats) -> Floats:
    """(hops, 80) for all of a window; a last frame that samples don't fill is left out."""
    count = max(0, 1 + (len(samples) - LENGTH) // HOP)
    features = np.empty((count, BINS), dtype=np.float32)
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        part = samples[first * HOP : (last - 1) * HOP + LENGTH] * np.float32(32768)
        frames = np.lib.stride_tricks.sliding_window_view(part, LENGTH)[::HOP]
        frames = frames - frames.mean(axis=1, keepdims=True)
        before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        spectrum = np.fft.rfft((frames - np.float32(0.97) * before) * POVEY, POINTS)
        power = np.square(np.abs(spectrum[:, : POINTS // 2]))
        features[first:last] = np.log(np.maximum(power @ MEL, FLOOR))
    return features


def _hops(used: Mask) -> NDArray[np.intp]:
    """The feature frames within a chunk that begin in the used frames of the segmentation model."""
    edges = np.flatnonzero(np.diff(used, prepend=False, append=False))
    bounds = np.round((FIRST_S + edges * FRAME_S) * RATE / HOP).astype(np.intp).tolist()
    inside = np.zeros(CHUNK_S * RATE // HOP, dtype=np.bool_)
    for start, end in zip(bounds[::2], bounds[1::2], strict=True):
        inside[start:end] = True
    return np.flatnonzero(inside)
