"""The steps of the worker's Dockerfile that need no engine, run one after another, and what each weighs.

    python -m tests.bench.container [--python PYTHON]

Downloads what the image would hold, but for the base and the model: CUDA's libraries are 0.9 GB. Docker
compresses layers, so what is pushed and pulled is less: the size as a .tar.gz is told beside it. What only
an engine can do (the base image, the user, the driver) is not run.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from infra.package import image_context


class Counted:
    """A file that only counts what is written to it."""

    size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return len(data)

    def flush(self) -> None: ...


def told(step: str, seconds: float, paths: list[Path]) -> None:
    files = [each for path in paths for each in (path.rglob("*") if path.is_dir() else [path])]
    size = sum(path.stat().st_size for path in files if path.is_file() and not path.is_symlink())
    packed = Counted()
    gzipped = gzip.GzipFile(fileobj=cast(BinaryIO, packed), mode="wb", compresslevel=6)
    with gzipped, tarfile.open(fileobj=gzipped, mode="w|") as archive:
        for path in files:
            archive.add(path, recursive=False)
    print(f"{step:<32} {seconds:6.1f} s {size / 1e6:9.1f} MB {packed.size / 1e6:9.1f} MB packed")


def ran(command: list[str], context: Path) -> str:
    done = subprocess.run(command, cwd=context, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def step(name: str, site: Path, act: Callable[[], object]) -> None:
    """What an installation adds to the packages that are there."""
    before, began = set(site.rglob("*")), time.monotonic()
    act()
    seconds = time.monotonic() - began
    told(name, seconds, [path for path in site.rglob("*") if path not in before and path.is_file()])


def main() -> None:
    options = argparse.ArgumentParser(description="The steps of the worker's Dockerfile, without an engine.")
    options.add_argument("--python", default=sys.executable, help="as the image's, where it is at hand")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = folder / "context"
        context.mkdir()
        image_context(context)
        ran([options.parse_args().python, "-m", "venv", str(folder / "venv")], folder)
        python = str(folder / "venv" / "bin" / "python")
        site = Path(ran([python, "-c", "import site; print(site.getsitepackages()[0])"], folder).strip())
        install = [python, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-compile", "-r"]
        for each in ("cuda.txt", "requirements.txt"):
            step(f"pip install -r {each}", site, lambda each=each: ran([*install, each], context))
        told("COPY . .", 0.0, [context / "pipeline", context / "worker"])
        print(
            "cuBLAS is where LD_LIBRARY_PATH says:", [path.name for path in site.glob("nvidia/cublas/lib/*")]
        )
        packaged = "from worker.models import packaged_model; print(packaged_model())"
        print("the packaged model:", ran([python, "-c", packaged], context).strip())
        print(ran([python, "-m", "worker", "--help"], context))


if __name__ == "__main__":
    main()
