"""What is sent to AWS: which packages, which files, and that the image's recipe fits them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path

import pytest

from infra import package
from pipeline.errors import ProofcastError
from worker.models import AUTOMATIC

HEAVY = {"av", "ctranslate2", "faster-whisper", "huggingface-hub", "numpy", "onnxruntime", "scipy"}


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def names(pins: list[str]) -> set[str]:
    return {pin.partition("==")[0] for pin in pins}


def test_whoever_runs_it_can_read_it_whatever_the_umask_is_here(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        folders = [package.functions(tmp_path / "f"), package.image_context(tmp_path / "i")]
    finally:
        os.umask(before)
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            assert path.stat().st_mode & 0o044 == 0o044, path


def test_everything_has_the_version_that_is_installed_here() -> None:
    pins = package.pins()
    direct = {
        re.split(r"[<>=!~\[; ]", need)[0] for need in requires("proofcast") or () if "extra" not in need
    }
    assert direct <= names(pins)
    assert {"boto3", "botocore", "ctranslate2", "numpy"} <= names(pins)
    assert not {"pytest", "ruff", "moto", "aws-cdk-lib", "proofcast"} & names(pins)
    assert f"click=={version('click')}" in pins


def test_functions_need_no_speech_recognition() -> None:
    without = package.pins(without=package.WORKER_ONLY)
    assert not HEAVY & names(without)
    assert {"feedparser", "httpx2", "msgspec", "boto3"} <= names(without)


def test_nor_do_they_where_we_ask_for_its_parts_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    def more(name: str) -> list[str]:
        ours = ["numpy>=2", "onnxruntime>=1.20", "scipy>=1.15"] if name == "proofcast" else []
        return [*(requires(name) or ()), *ours]

    monkeypatch.setattr(package, "requires", more)
    assert {"numpy", "onnxruntime"} <= names(package.pins())
    assert not HEAVY & names(package.pins(without=package.WORKER_ONLY))


def test_the_functions_code_is_the_pipeline(tmp_path: Path) -> None:
    files = tree(package.functions(tmp_path / "functions"))
    assert {"pipeline/__init__.py", "pipeline/lambdas.py", "pipeline/sample/episode-1.mp3"} <= files
    assert {file.partition("/")[0] for file in files} == {"pipeline"}
    assert not [file for file in files if "__pycache__" in file]


def test_the_images_folder_has_all_that_its_recipe_copies(tmp_path: Path) -> None:
    files = tree(package.image_context(tmp_path / "image"))
    assert {file.partition("/")[0] for file in files} == {
        "Dockerfile",
        "cuda.txt",
        "requirements.txt",
        "pipeline",
        "worker",
    }
    assert "worker/Dockerfile" not in files
    recipe = (tmp_path / "image" / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*)", recipe, re.M) for word in line.split()[:-1]]
    assert set(copied) - {"."} <= files
    assert "worker/__main__.py" in files


def test_the_recipe_and_the_worker_agree_on_the_model(tmp_path: Path) -> None:
    recipe = (package.image_context(tmp_path) / "Dockerfile").read_text()
    assert f"ARG MODEL={AUTOMATIC['cuda']}\n" in recipe
    python = re.findall(r"^FROM python:(3\.\d+)\.\d+-slim", recipe, re.M)
    assert python
    assert re.findall(r"/lib/python(3\.\d+)/", recipe) == python


def test_the_model_is_fetched_with_no_more_of_our_code_than_the_recipe_has_copied(tmp_path: Path) -> None:
    context = package.image_context(tmp_path / "image")
    recipe = (context / "Dockerfile").read_text().partition("ARG MODEL")[2].partition("\nRUN")[0]
    for line in re.findall(r"^COPY (.*)", recipe, re.M):
        for word in line.split()[:-1]:
            copy = tmp_path / "early" / word
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((context / word).read_bytes())
    script = "from worker.hub import fetched; import worker; print(worker.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "early", capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(tmp_path))


def test_the_hash_is_of_names_and_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = package.code_hash()
    package.image_context(tmp_path)
    (tmp_path / "worker" / "Dockerfile").write_bytes((tmp_path / "Dockerfile").read_bytes())
    monkeypatch.setattr(package, "_CODE", tmp_path)
    assert package.code_hash() == before
    (tmp_path / "pipeline" / "__pycache__").mkdir()
    (tmp_path / "pipeline" / "__pycache__" / "x.pyc").touch()
    assert package.code_hash() == before
    (tmp_path / "pipeline" / "errors.py").rename(tmp_path / "pipeline" / "mistakes.py")
    renamed = package.code_hash()
    assert renamed != before
    (tmp_path / "worker" / "loop.py").write_text("")
    assert package.code_hash() not in (before, renamed)


def test_what_pip_says_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ProofcastError, match="can't be packaged: Could not find a version"):
        package.packaged_functions(tmp_path / "functions")
