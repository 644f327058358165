"""Audio files in, 16 kHz mono samples out; the only module that knows PyAV (FFmpeg).

Files come from strangers: they may be damaged, cut short, or not audio at all. What can be decoded
is decoded; a file that holds clearly less than its header promises is refused, since half a
transcript that looks like a whole one is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import AudioError
from pipeline.spoken import clock

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

RATE = 16_000  #: samples per second of everything decoded here: what Whisper wants
BLOCK_S = 10  #: seconds per decoded block, about
FAULTS = 100  #: unreadable packets in a row after which the rest of a file is given up

#: Containers whose length is stored and reported as stored. Ogg and ADTS store none (FFmpeg takes it
#: from what is there, or guesses from the bit rate); MP3 and WAV are looked at below.
STORED_LENGTH = frozenset({"mov", "matroska", "flac"})

REFETCH = "the file is cut short or damaged: fetch it again, or replace it, and retry"


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file's header says; `duration_s` may be an estimate."""

    duration_s: float | None
    codec: str
    channels: int


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open file, and how many seconds of audio its header promises, if it does."""

    container: InputContainer
    stream: AudioStream
    promised_s: float | None


def probe(path: Path) -> AudioInfo:
    """Read a file's header only. Raises AudioError."""
    with _open(path) as opened:
        # The longer of the two: what one part of a stitched file promises is not the whole.
        duration = max(opened.promised_s or 0, (opened.container.duration or 0) / 1_000_000)
        return AudioInfo(duration or None, opened.stream.codec_context.name, opened.stream.channels)


def decode(path: Path) -> Iterator[NDArray[np.float32]]:
    """Blocks of mono samples at `RATE`, between -1 and 1, read as they are asked for.

    Damaged places are left out. Raises AudioError: at once where the file is no audio, at the end
    where it held none, or less than its header promises.
    """
    done = 0
    with _open(path) as opened:
        for block in _resampled(_frames(_packets(opened))):
            done += len(block)
            yield block
        promised_s = opened.promised_s
    _check_length(path, done / RATE, promised_s)


def _check_length(path: Path, held_s: float, promised_s: float | None) -> None:
    if held_s == 0:
        raise AudioError("the file holds no audio", REFETCH)
    # A quarter of a second is the padding that encoders add and decoders take away again.
    if promised_s and promised_s - held_s > max(0.02 * promised_s, 0.25):
        ends, promise = clock(held_s), clock(round(promised_s))
        raise AudioError(f"the audio ends at {ends}, but its header promises {promise}", REFETCH)


@contextmanager
def _open(path: Path) -> Generator[_Opened]:
    import av
    from av.error import FFmpegError

    try:
        # An open file and no protocols: a playlist that calls itself an episode must not make
        # FFmpeg read other files, nor the network.
        with (
            path.open("rb") as file,
            _nonempty(path, file),
            av.open(file, "r", options={"protocol_whitelist": "none"}, metadata_errors="ignore") as container,
        ):
            if not container.streams.audio:
                raise AudioError(f"the file holds no audio, only {_kinds(container)}")
            stream = container.streams.audio[0]
            yield _Opened(container, stream, _promise(path, container, stream))
    except FFmpegError as error:
        raise AudioError(
            f"the file is not audio, or its header is damaged ({error.strerror})", REFETCH
        ) from None
    except OSError as error:
        raise AudioError(f"{path} can't be read: {error.strerror}") from None


@contextmanager
def _nonempty(path: Path, file: IO[bytes]) -> Generator[None]:
    if not file.read(1):
        raise AudioError("the file is empty (0 bytes)", REFETCH)
    file.seek(0)
    yield


def _kinds(container: InputContainer) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "a header"


def _promise(path: Path, container: InputContainer, stream: AudioStream) -> float | None:
    """Seconds of audio as stored in the header; None where it stores no length."""
    if container.format.name == "mp3":
        return _xing_seconds(path, stream.sample_rate)
    if container.format.name == "wav":
        return _riff_seconds(path, container)
    if container.format.name.split(",")[0] not in STORED_LENGTH:
        return None
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # Matroska stores one length for all tracks; a picture may well go on after the sound.
    alone = len(container.streams) == 1
    return container.duration / 1_000_000 if alone and container.duration else None


def _xing_seconds(path: Path, rate: int) -> float | None:
    """The length that an encoder noted in an MP3's first frame.

    FFmpeg reads it too, but reports a guess from the bit rate in its place where the file's size
    does not fit, and does not say which of the two it reports.
    """
    with path.open("rb") as file:
        tag = file.read(10)
        if tag.startswith(b"ID3") and len(tag) == 10:
            size = sum(byte << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
            file.seek(10 + size)
        else:
            file.seek(0)
        noted = re.search(rb"(?:Xing|Info)(.{4})(.{4})", file.read(64), re.DOTALL)
    if not noted or not noted[1][3] & 1:  # bit 0: the number of frames follows
        return None
    return int.from_bytes(noted[2], "big") * (1152 if rate >= 32_000 else 576) / rate


def _riff_seconds(path: Path, container: InputContainer) -> float | None:
    """What a WAV's header promises; FFmpeg reports what the file's size leaves of it."""
    with path.open("rb") as file:
        riff = file.read(8)
    promised, held = int.from_bytes(riff[4:], "little") + 8, path.stat().st_size
    # Writers that could not know the size say 0 or about the most that fits, signed or not.
    if not held < promised < 0x7FFF_0000 or not container.duration:
        return None
    return container.duration / 1_000_000 * promised / held


def _packets(opened: _Opened) -> Iterator[Packet[AudioStream]]:
    """Every packet that can be read; the demuxer goes on behind a damaged place when asked again."""
    from av.error import FFmpegError

    faults = 0
    while faults < FAULTS:
        try:
            for packet in opened.container.demux(opened.stream):
                faults = 0
                yield packet
        except FFmpegError:
            faults += 1
        else:
            return


def _frames(packets: Iterable[Packet[AudioStream]]) -> Iterator[AudioFrame]:
    from av.error import FFmpegError

    for packet in packets:
        try:
            frames = packet.decode()
        except FFmpegError:  # this packet is damaged; the next one may not be
            continue
        yield from (frame for frame in frames if frame.samples)


def _shape(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _resampled(frames: Iterable[AudioFrame]) -> Iterator[NDArray[np.float32]]:
    """Mono samples at `RATE`. Shows stitch adverts in, so rate and channels may change on the way."""
    from av.audio.resampler import AudioResampler

    for _, run in groupby(frames, key=_shape):
        # 16-bit as in faster-whisper, so that both hear the same; FFmpeg also keeps the sum of two
        # channels within bounds for integers only.
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in chain(_gathered(run), [None]):
            for out in resampler.resample(frame):
                yield out.to_ndarray()[0].astype(np.float32) / 32768


def _gathered(frames: Iterable[AudioFrame]) -> Iterator[AudioFrame]:
    """Frames of about `BLOCK_S`: resampling each of the file's small ones costs several times as much."""
    from av.audio.fifo import AudioFifo

    fifo = AudioFifo()
    for frame in frames:
        frame.pts = None  # times have holes where packets were damaged; the fifo would complain
        fifo.write(frame)
        if fifo.samples >= BLOCK_S * frame.sample_rate and (block := fifo.read()):
            yield block
    if fifo.samples and (rest := fifo.read()):
        yield rest
