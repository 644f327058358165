"""Recognising real speech with the packaged model, and failures that need a decoder made to fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

import pipeline.sample
from pipeline.config import Transcribe
from pipeline.errors import GpuFault, ModelError, RecognitionError
from pipeline.model import Word
from pipeline.scoring import word_error_rate, words_of
from tests.decoders import FakeDecoder, paced, passage, sentence
from worker.audio import RATE, decode
from worker.gpu import check_libraries, explained
from worker.heard import Heard, Span
from worker.hints import NONE, Hints
from worker.listening import How
from worker.models import ModelChoice, choose
from worker.passages import Passage
from worker.whisper import Whisper
from worker.windows import Samples, Window

SAMPLE = Path(pipeline.sample.__file__).with_name("episode-1.mp3")
TRUTH = json.loads(SAMPLE.with_suffix(".json").read_text(encoding="utf-8"))
SPOKEN = " ".join(turn["text"] for turn in TRUTH["turns"])
START_S = 1200.0  #: where the windows of these tests are in their episode

SETTINGS = Transcribe(model="packaged", device="cpu", compute_type="int8", threads=1, beam_size=1)
HINTS = Hints(hotwords="Tapewright")


def quiet(done_s: float) -> None:
    """Nobody watches."""


def window(samples: Samples) -> Window:
    return Window(START_S, samples)


def said(heard: Heard) -> str:
    return " ".join(segment.text for segment in heard.segments)


def words(heard: Heard) -> list[Word]:
    return [word for segment in heard.segments for word in segment.words]


@pytest.fixture(scope="module")
def choice() -> ModelChoice:
    return choose(SETTINGS, "en", lambda _: None)


@pytest.fixture(scope="module")
def whisper(choice: ModelChoice) -> Whisper:
    return Whisper(choice, SETTINGS)


@pytest.fixture(scope="module")
def sample() -> Samples:
    return np.concatenate(list(decode(SAMPLE)))


@pytest.fixture(scope="module")
def heard(whisper: Whisper, sample: Samples) -> Heard:
    return whisper.window(window(sample), "en-GB", NONE, quiet)


@pytest.fixture(scope="module")
def music() -> Samples:
    """Half a minute of chords."""
    t = np.arange(30 * RATE) / RATE
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * 2 * t)
    notes = np.sin(2 * np.pi * np.outer((220, 277, 330), t))
    return (0.1 * beat * notes.sum(axis=0)).astype(np.float32)


def with_settings(whisper: Whisper, choice: ModelChoice, settings: Transcribe) -> Whisper:
    """Other settings for the model that is in memory already."""
    return Whisper(choice, settings, load=lambda _: whisper._loaded())  # pyright: ignore[reportPrivateUsage]


# Real speech


def test_most_words_are_right(heard: Heard) -> None:
    assert word_error_rate(SPOKEN, said(heard)) < 0.12
    assert heard.language == "en"
    assert (heard.start_s, heard.end_s) == (START_S, pytest.approx(START_S + TRUTH["duration_s"], abs=0.1))
    assert heard.doubts == ()


def test_words_stand_where_they_were_said(heard: Heard) -> None:
    starts = [word.start - START_S for word in words(heard)]
    for turn in TRUTH["turns"]:
        assert min(abs(start - turn["start"]) for start in starts) < 0.6
    assert all(before.end <= after.start for before, after in pairwise(words(heard)))
    assert all(word.start < word.end for word in words(heard))


def test_speech_is_where_words_are(heard: Heard) -> None:
    assert all(before[1] <= after[0] for before, after in pairwise(heard.speech))
    middles = [(word.start + word.end) / 2 for word in words(heard)]
    inside = [any(start - 0.3 < at < end + 0.3 for start, end in heard.speech) for at in middles]
    assert sum(inside) > 0.98 * len(inside)


def test_each_word_is_clean(heard: Heard) -> None:
    for segment in heard.segments:
        assert segment.speaker == ""
        assert words_of(segment.text) == words_of(" ".join(word.text for word in segment.words))
        assert all(word.text == word.text.strip() != "" for word in segment.words)
        assert all(0 <= word.probability <= 1 for word in segment.words)


def test_shards_side_by_side_give_what_one_after_another_does(
    choice: ModelChoice, whisper: Whisper, sample: Samples, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.whisper.SHARD_S", 17.0)
    part = window(sample[: 34 * RATE])
    apart = whisper.window(part, "en", NONE, quiet)
    several = Whisper(
        ModelChoice(name="tiny.en", path=choice.path, device="cpu", compute_type="int8", threads=3), SETTINGS
    )
    assert several.window(part, "en", NONE, quiet) == apart
    whole = words_of(" ".join(word.text for word in words(heard) if word.start < START_S + 34))
    assert Levenshtein.distance(words_of(said(apart)), whole) <= 0.06 * len(whole)


def test_a_batch_hears_as_well(whisper: Whisper, choice: ModelChoice, sample: Samples) -> None:
    batched = with_settings(whisper, choice, Transcribe(batch_size=4, beam_size=1))
    heard = batched.window(window(sample), "en", NONE, quiet)
    assert word_error_rate(SPOKEN, said(heard)) < 0.12
    alone = with_settings(whisper, choice, Transcribe(batch_size=3, beam_size=1))
    assert alone.window(window(sample), "en", NONE, quiet) == heard


@pytest.mark.parametrize("vad", [True, False])
def test_nothing_is_made_up_over_silence_and_music(
    whisper: Whisper, choice: ModelChoice, music: Samples, vad: bool
) -> None:
    """Without the voice detector before it, the packaged model hears 'you' in silence."""
    settings = Transcribe(vad=vad, beam_size=1)
    samples = np.concatenate([np.zeros(40 * RATE, np.float32), music])
    heard = with_settings(whisper, choice, settings).window(window(samples), None, NONE, quiet)
    assert heard.segments == ()
    assert heard.language is None


def test_an_outro_that_repeats_itself_is_kept_and_told(whisper: Whisper, sample: Samples) -> None:
    outro = np.tile(sample[int(0.3 * RATE) : int(2.6 * RATE)], 9)
    heard = whisper.window(window(outro), "en", NONE, quiet)
    assert 4 <= said(heard).casefold().count("welcome") <= 18
    assert "repeated" in {doubt.kind for doubt in heard.doubts}
    assert all(START_S <= doubt.start < doubt.end <= heard.end_s for doubt in heard.doubts)


def test_a_tail_cut_in_a_word_is_heard_to_its_end(whisper: Whisper, sample: Samples) -> None:
    cut = sample[: int(33.0 * RATE)]
    heard = whisper.window(window(cut), "en", NONE, quiet)
    assert heard.end_s - words(heard)[-1].end < 1.0


def test_small_models_are_told_no_hints(whisper: Whisper, sample: Samples) -> None:
    hints, part = Hints("Fargate, " * 20, "so we talk and we talk"), window(sample[: 6 * RATE])
    assert whisper.window(part, "en", hints, quiet) == whisper.window(part, "en", NONE, quiet)


def test_tokens_are_counted_as_the_model_counts(whisper: Whisper) -> None:
    assert whisper.count_tokens(" hello world") == 2


def test_a_language_that_the_model_lacks_is_refused(whisper: Whisper) -> None:
    with pytest.raises(ModelError, match=r"'tiny\.en' doesn't know the language 'it-IT'") as caught:
        whisper.supported("it-IT")
    assert "English" in caught.value.hint
    assert whisper.supported("en-GB") == "en"
    assert whisper.supported(None) is None


def test_a_broken_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"not a model")
    broken = ModelChoice(name="mine", path=tmp_path, device="cpu", compute_type="int8", threads=1)
    with pytest.raises(ModelError, match=f"the model in {tmp_path} can't be used"):
        Whisper(broken, SETTINGS).supported("en")


# Failures, made to happen


def fake(decoder: FakeDecoder, device: str = "cpu", **settings: int | bool) -> Whisper:
    choice = ModelChoice(name="fake", path=Path("fake"), device=device, compute_type="int8", threads=2)
    return Whisper(choice, Transcribe(**settings), load=lambda _: decoder)  # pyright: ignore[reportArgumentType]


def numbered(seconds: int) -> Samples:
    """Each second has its own number, so that each has its own words."""
    return np.repeat(np.arange(seconds, dtype=np.float32) * 100, RATE)


TALK = [(float(at), at + 9.5) for at in range(0, 600, 10)]


@pytest.mark.parametrize(
    "no_room",
    ["CUDA failed with error out of memory", "cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"],
)
def test_less_at_once_where_the_gpu_has_little_room(no_room: str) -> None:
    roomy, tight = FakeDecoder(TALK), FakeDecoder(TALK, room=5, no_room=no_room)
    free, narrow = fake(roomy, "cuda"), fake(tight, "cuda")
    samples = window(numbered(600))
    assert narrow.window(samples, "en", NONE, quiet) == free.window(samples, "en", NONE, quiet)
    assert (set(roomy.batches), set(tight.batches)) <= ({16, 4, 14, 12, 8}, {4, 3, 2, 1})
    tight.batches.clear()
    narrow.window(samples, "en", NONE, quiet)
    assert max(tight.batches) == 4  # what did not fit is not tried again


def test_a_transcript_does_not_tell_how_much_room_there_was() -> None:
    """Else a killed worker's successor would make another."""
    narrow = fake(FakeDecoder(TALK, room=5), "cuda")
    narrow.window(window(numbered(600)), "en", NONE, quiet)
    assert narrow.card()["batch_size"] == 16


def test_half_a_batch_begins_where_the_words_before_it_end() -> None:
    """The end of the half minutes before it is not that of the last word in them."""

    class Brief(FakeDecoder):
        def at_once(self, samples: Samples, spans: Sequence[Span], how: How, after_s: float) -> list[Passage]:
            super().at_once(samples, spans, how, after_s)
            return [passage(sentence(int(start), 40), start, end - 2.0) for start, end in spans]

    decoder = Brief(TALK, room=2)
    fake(decoder, "cuda").window(window(numbered(200)), "en", NONE, quiet)
    assert len(decoder.afters) > 2
    assert {start - after_s for start, after_s in decoder.afters} == {0.0, 2.0}


def test_no_room_at_all_is_told() -> None:
    with pytest.raises(ModelError, match="too little memory"):
        fake(FakeDecoder(TALK, room=0), "cuda").window(window(numbered(60)), "en", NONE, quiet)


def test_who_watches_is_told_how_far_it_is() -> None:
    told: list[float] = []
    fake(FakeDecoder(TALK)).window(window(numbered(600)), "en", NONE, told.append)
    assert told == sorted(told)
    assert START_S <= told[0] <= told[-1] == START_S + 600


def test_who_watches_may_stop_the_work() -> None:
    def stop(done_s: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        fake(FakeDecoder(TALK)).window(window(numbered(600)), "en", NONE, stop)


class Stop(Exception):
    """A worker is told to end."""


def test_a_decoder_that_hangs_gives_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.team.PULSE_S", 0.001)
    let_go, told, asked = Event(), list[float](), list[None]()

    def hanging(samples: Samples) -> Iterator[Passage]:
        let_go.wait(30)
        yield from paced(samples)

    def go_on() -> None:
        asked.append(None)
        if len(asked) == 50:
            raise Stop

    with pytest.raises(Stop):
        fake(FakeDecoder(TALK, first=hanging)).window(window(numbered(60)), "en", NONE, told.append, go_on)
    let_go.set()
    assert told == [START_S]


def flat(samples: Samples) -> list[Passage]:
    return [passage(sentence(40 * at, 25).lower()[:-1], at, at + 10) for at in range(0, 60, 10)]


def test_what_is_decoded_again_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.team.PULSE_S", 0.001)
    heard_of = Event()

    def second(samples: Samples) -> Iterator[Passage]:
        """Goes on when the passage before was heard of."""
        for each in paced(samples):
            yield each
            assert heard_of.wait(10)
            heard_of.clear()

    def watch(done_s: float) -> None:
        heard_of.set()

    decoder = FakeDecoder([(0.0, 60.0)], first=flat, second=second)
    assert fake(decoder).window(window(numbered(60)), "en", NONE, watch).doubts == ()


def test_what_is_decoded_again_ends_when_told_to() -> None:
    begun, patience, before = Event(), Event(), set(threading.enumerate())
    passages = 0

    def endless(samples: Samples) -> Iterator[Passage]:
        nonlocal passages
        while passages < 1000:
            passages += 1
            yield passage(sentence(1, 3), 0.0, 1.0)
            begun.set()
            patience.wait(0.01)

    def go_on() -> None:
        if begun.is_set():
            raise Stop

    decoder = FakeDecoder([(0.0, 60.0)], first=flat, second=endless)
    with pytest.raises(Stop):
        fake(decoder).window(window(numbered(60)), "en", NONE, quiet, go_on)
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
    assert passages < 900


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("cuBLAS failed with status CUBLAS_STATUS_EXECUTION_FAILED"), GpuFault),
        (RuntimeError("CUDA failed with error an illegal memory access was encountered"), GpuFault),
        (ValueError("The length of the prompt is 300"), RecognitionError),
        (RuntimeError("No position encodings are defined for positions >= 448"), RecognitionError),
    ],
)
def test_a_model_that_works_may_fail_at_some_audio(error: Exception, kind: type[Exception]) -> None:
    def failing(samples: Samples) -> list[Passage]:
        raise error

    with pytest.raises(kind, match=str(error)):
        fake(FakeDecoder(TALK, first=failing)).window(window(numbered(60)), "en", NONE, quiet)


def test_hints_that_lose_words_are_left_out_the_second_time() -> None:
    def lossy(samples: Samples) -> list[Passage]:
        full = passage(sentence(1, 50), 0, 20)
        return [full, passage(sentence(100, 25), 40, 50), passage(sentence(200, 25), 50, 60)]

    decoder = FakeDecoder([(0.0, 60.0)], first=lossy)
    heard = fake(decoder).window(window(numbered(60)), "en", HINTS, quiet)
    assert decoder.hows[0].hints == HINTS
    assert decoder.hows[1].hints == NONE
    assert len(words(heard)) > 140
    assert heard.doubts == ()


@pytest.mark.parametrize(
    ("wide", "wanted", "given"), [(384, True, NONE), (512, False, NONE), (512, True, HINTS)]
)
def test_hints_are_for_models_that_they_help(wide: int, wanted: bool, given: Hints) -> None:
    decoder = FakeDecoder(TALK, wide=wide)
    fake(decoder, hints=wanted).window(window(numbered(60)), "en", HINTS, quiet)
    assert decoder.hows[0].hints == given


def test_flat_text_is_heard_again_with_a_prompt_that_has_sentences() -> None:
    decoder = FakeDecoder([(0.0, 60.0)], first=flat)
    heard = fake(decoder).window(window(numbered(60)), "en", NONE, quiet)
    assert "." in (decoder.hows[1].hints.initial_prompt or "")
    assert heard.segments[0].text[0].isupper()
    assert heard.doubts == ()


def test_the_language_is_that_of_the_first_minutes_together() -> None:
    class Mixed(FakeDecoder):
        """An English jingle, then Italian."""

        def spoken(self, samples: Samples) -> dict[str, float]:
            return {"en": 0.8, "it": 0.2} if samples[0] < 100 else {"en": 0.1, "it": 0.9}

    decoder = Mixed(TALK, languages=("en", "it"))
    heard = fake(decoder).window(window(numbered(600)), None, NONE, quiet)
    assert heard.language == "it"
    assert {how.language for how in decoder.hows} == {"it"}
    assert heard.doubts == ()


def test_another_language_than_the_feeds_is_told() -> None:
    decoder = FakeDecoder(TALK, languages=("en", "it"), sounds={"en": 0.05, "it": 0.95})
    heard = fake(decoder).window(window(numbered(600)), "en", NONE, quiet)
    assert [doubt.kind for doubt in heard.doubts] == ["language"]
    assert heard.language == "en"
    assert "as the feed says or the episode began" in heard.doubts[0].detail
    sure = FakeDecoder(TALK, languages=("en", "it"), sounds={"en": 0.4, "it": 0.6})
    assert fake(sure).window(window(numbered(600)), "en", NONE, quiet).doubts == ()


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        ("Library libcublas.so.12 is not found or cannot be loaded", "libcublas.so.12", "LD_LIBRARY_PATH"),
        ("Unable to load any of {libcudnn_ops.so.9.1.0, libcudnn_ops.so}", "libcudnn_ops.so.9", "cuDNN 9"),
        ("CUDA failed with error out of memory", "too little memory", "int8_float16"),
        ("cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED", "too little memory", "int8_float16"),
        ("CUDA failed with error no CUDA-capable device is detected", "the GPU can't be used", "nvidia-smi"),
        ("CUDA driver version is insufficient for CUDA runtime version", "driver is older", "525"),
        ("CUDA failed with error no kernel image is available", "no code for this GPU", "ctranslate2"),
    ],
)
def test_what_a_gpu_lacks_is_named(choice: ModelChoice, error: str, message: str, hint: str) -> None:
    found = explained(RuntimeError(error), choice, loaded=False)
    assert message in found.message
    assert hint in found.hint


def test_a_missing_library_is_found_before_it_ends_the_process() -> None:
    def missing(name: str) -> None:
        if "cudnn" in name:
            raise OSError(f"{name}: cannot open shared object file")

    with pytest.raises(ModelError, match=r"libcudnn_ops\.so\.9 can't be loaded") as caught:
        check_libraries(missing, "linux")
    assert "cuDNN 9" in caught.value.hint
    check_libraries(lambda name: None, "linux")


# A whole file, until the worker does this itself
