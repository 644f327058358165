"""The optional pipeline, with a stand-in for the library: it can't be had without an account."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.config import Config, Speakers
from pipeline.errors import ConfigError, ModelError
from tests.speaking import go_on, sample, voice
from worker.diarizing import Turn
from worker.pyannote import Pyannote
from worker.transcribing import Scribe

MODEL = "pyannote/speaker-diarization-community-1"


@dataclass
class Annotation:
    """As in pyannote.core, as far as we use it."""

    tracks: list[tuple[float, float, str]]

    def itertracks(self, yield_label: bool) -> Iterator[tuple[Any, str, str]]:
        assert yield_label
        for start, end, label in self.tracks:
            yield SimpleNamespace(start=start, end=end), "_", label

    def labels(self) -> list[str]:
        return sorted({label for _, _, label in self.tracks})


@dataclass
class Library:
    """What was asked of it, and what it will do."""

    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    error: Exception | None = None  #: on loading
    failure: Exception | None = None  #: at work
    embeddings: Any = None
    loads: int = 0

    def from_pretrained(self, checkpoint: Any) -> Any:
        self.loads += 1
        self.asked["checkpoint"] = checkpoint
        if self.error:
            raise self.error
        return self.apply

    def apply(self, file: dict[str, Any], **options: Any) -> Any:
        self.asked |= {"file": file, **options}
        options["hook"]("segmentation", None, file=file, total=1, completed=1)
        if self.failure:
            raise self.failure
        overlapping = Annotation([(0.0, 6.0, "SPEAKER_01"), (5.0, 9.0, "SPEAKER_00")])
        exclusive = Annotation([(0.0, 5.5, "SPEAKER_01"), (5.5, 9.0, "SPEAKER_00")])
        return SimpleNamespace(
            speaker_diarization=overlapping,
            exclusive_speaker_diarization=exclusive,
            speaker_embeddings=self.embeddings,
        )


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    library = Library()
    torch: Any = ModuleType("torch")
    torch.from_numpy = np.asarray
    torch.cuda = SimpleNamespace(is_available=lambda: False)
    audio: Any = ModuleType("pyannote.audio")
    audio.Pipeline = SimpleNamespace(from_pretrained=library.from_pretrained)
    for name, module in (("torch", torch), ("pyannote", ModuleType("pyannote")), ("pyannote.audio", audio)):
        monkeypatch.setitem(sys.modules, name, module)
    return library


def test_its_exclusive_turns_are_taken(library: Library) -> None:
    library.embeddings = np.stack([2 * voice(0), 3 * voice(1)])
    found = Pyannote(MODEL).turns_of(sample(1), 1, 12, go_on)
    assert found.turns == (Turn(0.0, 5.5, "spk_0"), Turn(5.5, 9.0, "spk_1"))
    assert found.seconds == {"spk_0": 5.5, "spk_1": 3.5}
    assert np.allclose(found.voices["spk_0"], voice(1))
    assert np.allclose(found.voices["spk_1"], voice(0))


def test_it_is_asked_for_the_whole_file_within_bounds(library: Library) -> None:
    pyannote = Pyannote(MODEL)
    pyannote.turns_of(sample(1), 2, 4, go_on)
    pyannote.turns_of(sample(1), 2, 4, go_on)
    assert library.loads == 1
    assert library.asked["checkpoint"] == MODEL
    assert (library.asked["min_speakers"], library.asked["max_speakers"]) == (2, 4)
    assert library.asked["file"]["sample_rate"] == 16_000
    assert library.asked["file"]["waveform"].shape == pytest.approx((1, 50.025 * 16_000), rel=0.01)


def test_a_folder_may_hold_the_model(library: Library, tmp_path: Any) -> None:
    Pyannote(str(tmp_path)).turns_of(sample(1), 1, 12, go_on)
    assert library.asked["checkpoint"] == tmp_path


def test_voices_that_were_not_heard_enough_are_left_out(library: Library) -> None:
    library.embeddings = np.stack([np.full(192, np.nan), np.zeros(192)])
    assert Pyannote(MODEL).turns_of(sample(1), 1, 12, go_on).voices == {}


def test_nothing_is_told_to_its_makers(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYANNOTE_METRICS_ENABLED", raising=False)
    Pyannote(MODEL).turns_of(sample(1), 1, 12, go_on)
    import os

    assert os.environ["PYANNOTE_METRICS_ENABLED"] == "false"


def test_it_ends_when_told_to(library: Library) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Pyannote(MODEL).turns_of(sample(1), 1, 12, stop)


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyannote.audio", None)
    with pytest.raises(ConfigError) as error:
        Pyannote(MODEL).turns_of(sample(1), 1, 12, go_on)
    assert "proofcast[pyannote]" in error.value.hint


class GatedRepoError(Exception):
    """By this name huggingface_hub says that conditions were not accepted."""


@pytest.mark.parametrize("gated", [GatedRepoError("403"), OSError("gone")])
def test_a_model_that_can_not_be_had(library: Library, gated: Exception) -> None:
    library.error = gated
    with pytest.raises(ModelError) as error:
        Pyannote(MODEL).turns_of(sample(1), 1, 12, go_on)
    assert ("accept" in error.value.hint) == isinstance(gated, GatedRepoError)
    assert MODEL in error.value.message


def test_a_model_that_fails(library: Library) -> None:
    library.failure = RuntimeError("CUDA out of memory\nlots of it")
    with pytest.raises(ModelError, match=r"CUDA out of memory") as error:
        Pyannote(MODEL).turns_of(sample(1), 1, 12, go_on)
    assert "lots" not in str(error.value)


def test_that_it_is_not_installed_is_known_before_anything_is_heard() -> None:
    scribe = Scribe(Config(speakers=Speakers(method="pyannote")), lambda _: None)
    with pytest.raises(ConfigError, match="not installed"):
        scribe.ready()
