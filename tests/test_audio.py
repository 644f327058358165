"""Decoding whatever strangers serve as audio: whole files, damaged ones, and no audio at all."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import AudioError
from pipeline.spoken import clock
from worker.audio import RATE, AudioInfo, decode, probe

SECONDS = 20
SOURCE = 44_100


def hum(seconds: float = SECONDS, rate: int = SOURCE) -> NDArray[np.int16]:
    """A tone that swells and fades: never silent, never the same."""
    t = np.arange(int(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * 220 * t) * (1.2 + np.sin(2 * np.pi * t / 3)) / 2.2).astype(np.int16)


def opened(path: Path, **options: str) -> Any:
    """PyAV's types for writing are too loose to check."""
    return av.open(path, "w", options=options)


def write(container: Any, codec: str, samples: NDArray[np.int16], rate: int, **settings: Any) -> None:
    stream = container.add_stream(codec, rate=rate, layout="mono", **settings)
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = rate
    context = stream.codec_context
    resampler = av.AudioResampler(context.format, "mono", rate, frame_size=context.frame_size or 1024)
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


def encode(path: Path, codec: str, *, rate: int = SOURCE, seconds: float = SECONDS, xing: str = "1") -> Path:
    """A file with the hum in it, in the container that the name asks for."""
    with opened(path, **({} if xing == "1" else {"write_xing": xing})) as container:
        write(container, codec, hum(seconds, rate), rate)
    return path


def film(path: Path, picture_s: int, *, silent: bool = False) -> Path:
    """A film whose picture goes on after its sound, which lasts as long as the hum."""
    with opened(path) as container:
        picture = container.add_stream("mpeg4", rate=1, width=64, height=64, pix_fmt="yuv420p")
        if not silent:
            write(container, "aac", hum(), SOURCE)
        for second in range(picture_s):
            still = av.VideoFrame(64, 64, "yuv420p")
            still.pts, still.time_base = second, Fraction(1)
            container.mux(picture.encode(still))
        container.mux(picture.encode(None))
    return path


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def damage(path: Path, size: int) -> Path:
    """Noise over `size` bytes in the middle."""
    data = path.read_bytes()
    noise = np.random.default_rng(7).bytes(size)
    middle = len(data) // 2
    path.write_bytes(data[:middle] + noise + data[middle + size :])
    return path


def seconds(path: Path) -> float:
    return sum(len(block) for block in decode(path)) / RATE


WHOLE = {
    "show.mp3": "libmp3lame",
    "show.m4a": "aac",
    "show.ogg": "libopus",
    "show.flac": "flac",
    "show.wav": "pcm_s16le",
    "show.mka": "aac",
    "show.aac": "aac",
}


@pytest.mark.parametrize(("name", "codec"), WHOLE.items())
def test_whole_files_give_what_was_put_in(tmp_path: Path, name: str, codec: str) -> None:
    rate = 48_000 if codec == "libopus" else SOURCE
    path = encode(tmp_path / name, codec, rate=rate)
    samples = np.concatenate(list(decode(path)))
    assert samples.dtype == np.float32
    assert len(samples) / RATE == pytest.approx(SECONDS, abs=0.1)
    loudness = np.sqrt(np.mean(np.square(samples)))  # LAME takes 5 % off, so that nothing clips
    assert loudness == pytest.approx(np.sqrt(np.mean(np.square(hum() / 32768))), rel=0.06)


@pytest.mark.parametrize("name", ["show.mp3", "show.m4a", "show.flac"])
def test_damage_in_the_middle_costs_only_itself(tmp_path: Path, name: str) -> None:
    path = damage(encode(tmp_path / name, WHOLE[name], seconds=60), 1500)
    assert 58.8 < seconds(path) < 60.1


@pytest.mark.parametrize("name", ["show.mp3", "show.flac", "show.wav", "show.mka"])
def test_a_file_cut_short_is_refused_and_says_where(tmp_path: Path, name: str) -> None:
    path = cut(encode(tmp_path / name, WHOLE[name], seconds=90), 0.75)
    with pytest.raises(AudioError, match=r"the audio ends at 1:0\d, but its header promises 1:30") as caught:
        seconds(path)
    assert "fetch it again" in caught.value.hint


def test_a_missing_second_in_a_minute_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = cut(encode(tmp_path / "show.mp3", "libmp3lame", seconds=60), 0.985)
    assert seconds(path) == pytest.approx(59.1, abs=0.2)


def test_lengths_that_ffmpeg_guesses_refuse_nothing(tmp_path: Path) -> None:
    """It starts with five thin seconds, and from their bit rate the file looks far longer than it is."""
    quiet = tmp_path / "quiet.mp3"
    with opened(quiet, write_xing="0") as container:
        write(container, "libmp3lame", np.zeros(SOURCE * 5, np.int16), SOURCE, bit_rate=32_000)
    loud = encode(tmp_path / "loud.mp3", "libmp3lame", xing="0")
    show = tmp_path / "show.mp3"
    show.write_bytes(quiet.read_bytes() + loud.read_bytes())
    guess = probe(show).duration_s
    assert guess is not None
    assert guess > 1.2 * (SECONDS + 5)
    assert seconds(show) == pytest.approx(SECONDS + 5, abs=0.2)


def test_stitched_files_of_different_rates_are_heard_to_the_end(tmp_path: Path) -> None:
    """As advert servers make them: the first part's header speaks only of itself."""
    parts = [
        encode(tmp_path / "a.mp3", "libmp3lame", rate=44_100),
        encode(tmp_path / "b.mp3", "libmp3lame", rate=22_050),
    ]
    show = tmp_path / "show.mp3"
    show.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert seconds(show) == pytest.approx(2 * SECONDS, abs=0.3)


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_a_picture_may_go_on_after_the_sound(tmp_path: Path, name: str) -> None:
    assert seconds(film(tmp_path / name, SECONDS + 10)) == pytest.approx(SECONDS, abs=0.1)


def test_a_wav_written_to_a_pipe_does_not_know_its_length(tmp_path: Path) -> None:
    path = encode(tmp_path / "show.wav", "pcm_s16le")
    data = bytearray(path.read_bytes())
    data[4:8] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert seconds(path) == pytest.approx(SECONDS, abs=0.01)


def test_two_channels_become_one_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    loud = np.full((RATE, 2), 32_000, np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(loud.tobytes())
    samples = np.concatenate(list(decode(path)))
    assert len(samples) == RATE
    assert float(np.abs(samples).max()) <= 1
    assert probe(path) == AudioInfo(1.0, "pcm_s16le", 2)


def test_blocks_come_as_they_are_asked_for(tmp_path: Path) -> None:
    blocks = decode(encode(tmp_path / "show.mp3", "libmp3lame", seconds=60))
    assert 5 < len(next(blocks)) / RATE < 15


def test_probe_reads_the_header(tmp_path: Path) -> None:
    info = probe(encode(tmp_path / "show.m4a", "aac"))
    assert info.duration_s == pytest.approx(SECONDS, abs=0.1)
    assert (info.codec, info.channels) == ("aac", 1)


REFUSED = {
    "nothing.mp3": (b"", "the file is empty"),
    "page.mp3": (b"<html><title>404</title></html>" * 300, "the file is not audio"),
    "cut.mp3": (b"ID3\x04\x00\x00\x00\x00\x00\x23" + b"\x00" * 150 + b"\xff\xfb\x50", "is not audio"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_audio_is_refused_at_once(tmp_path: Path, name: str) -> None:
    content, message = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AudioError, match=message):
        next(decode(path))
    with pytest.raises(AudioError, match=message):
        probe(path)


def test_an_m4a_without_its_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="is not audio, or its header is damaged"):
        seconds(cut(encode(tmp_path / "show.m4a", "aac"), 0.6))


def test_a_header_without_samples_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "show.flac", "flac")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\xff\xf8") + 16])  # the start of the first frame
    assert probe(path).codec == "flac"
    with pytest.raises(AudioError, match="the file holds no audio"):
        seconds(path)


def test_a_picture_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "cover.mkv", 1, silent=True)
    with pytest.raises(AudioError, match="holds no audio, only video"):
        seconds(path)


def test_a_playlist_in_disguise_reads_no_other_file(tmp_path: Path) -> None:
    encode(tmp_path / "secret.m4a", "aac")
    path = tmp_path / "show.mp3"
    path.write_text("ffconcat version 1.0\nfile secret.m4a\n")
    with pytest.raises(AudioError, match="is not audio"):
        seconds(path)


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.mp3 can't be read: No such file"):
        probe(tmp_path / "gone.mp3")


@pytest.mark.parametrize(("position", "text"), [(0, "0:00"), (69.9, "1:09"), (3723, "1:02:03")])
def test_clock(position: float, text: str) -> None:
    assert clock(position) == text
