"""Who spoke when, by pyannote.audio's own pipeline: an optional extra, stronger and much larger (PyTorch).

The other way to a `Diarization`; it wants the whole file at once. The model is gated: its conditions
must be accepted once on huggingface.co, and a token be given in HF_TOKEN; or it lies in a local folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ConfigError, ModelError
from worker import audio
from worker.diarizing import Diarization, Turn, labelled
from worker.profiles import unit
from worker.voices import Floats


class Pyannote:
    """The pipeline, loaded when first used and then kept, on the GPU where there is one."""

    def __init__(self, model: str) -> None:
        self.model = model  #: a name on huggingface.co, or a folder
        self._pipeline: Any = None

    def ready(self) -> None:
        """Load it. Raises ConfigError where the extra is not installed, ModelError where it can't be had."""
        self._loaded()

    def turns_of(self, path: Path, fewest: int, most: int, go_on: Callable[[], None]) -> Diarization:
        """The speakers of a file, `fewest` to `most` of them.

        `go_on` is called while it works; what it raises ends the work. The file's samples are held at
        once: 460 MB an hour while they are joined. Raises ConfigError where the extra is not installed,
        ModelError where the model can't be had or used, AudioError where the file can't be read.
        """
        pipeline = self._loaded()
        # Decoded by us: pyannote's decoder need not agree with ours on where damaged places are.
        samples = np.concatenate(list(audio.decode(path)))
        heard = {"waveform": _needed("torch").from_numpy(samples[None]), "sample_rate": audio.RATE}

        def told(*_: Any, **__: Any) -> None:
            go_on()

        try:
            found = pipeline(heard, min_speakers=fewest, max_speakers=most, hook=told)
        except RuntimeError as error:  # PyTorch's way to say everything, from no memory to no driver
            raise ModelError(
                f"the model '{self.model}' failed: {_first_line(error)}",
                "set method under [speakers] to 'built-in'",
            ) from error
        return _converted(found)

    def _loaded(self) -> Any:
        if self._pipeline is None:
            # It would tell its makers how long each file is, and for how many speakers was asked.
            os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")
            pyannote, torch = _needed("pyannote.audio"), _needed("torch")
            local = Path(self.model).expanduser()
            try:
                pipeline = pyannote.Pipeline.from_pretrained(local if local.is_dir() else self.model)
            except Exception as error:  # noqa: BLE001 - the hub's client raises what its HTTP library raises
                raise _refused(self.model, error) from None
            if pipeline is None:  # what it returns, at times, where it printed why
                raise _refused(self.model, None)
            if torch.cuda.is_available():
                pipeline.to(torch.device("cuda"))
            self._pipeline = pipeline
        return self._pipeline


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"method 'pyannote' under [speakers] needs what is not installed: {error.name or error}",
            "pip install 'proofcast[pyannote]', or set method to 'built-in'",
        ) from None


def _refused(model: str, error: Exception | None) -> ModelError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if error is None or type(error).__name__ == "GatedRepoError" or status in (401, 403):
        return ModelError(
            f"the model '{model}' is given only to those who accepted its conditions",
            f"accept them at https://huggingface.co/{model}, and set HF_TOKEN to a token of that account; "
            "or set model under [speakers] to a folder that holds it, or method to 'built-in'",
        )
    return ModelError(
        f"the model '{model}' can't be had: {_first_line(error)}",
        "set model under [speakers] to a name on huggingface.co or a folder, or method to 'built-in'",
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _converted(found: Any) -> Diarization:
    """Turns that don't overlap, and the voices, which are in the order of the other turns' labels."""
    turns = [
        Turn(float(turn.start), float(turn.end), str(label))
        for turn, _, label in found.exclusive_speaker_diarization.itertracks(yield_label=True)
    ]
    voices: dict[str, Floats] = {}
    if found.speaker_embeddings is not None:
        voices = dict(zip(found.speaker_diarization.labels(), found.speaker_embeddings, strict=False))
    return labelled(turns, {label: unit(voice) for label, voice in voices.items() if _usable(voice)})


def _usable(voice: Floats) -> bool:
    """It is NaN or 0 for those of whom too little was heard."""
    return bool(np.isfinite(voice).all() and voice.any())
