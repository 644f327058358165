"""The product as a user runs it: the installed command in processes of its own, a real HTTP server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from collections.abc import Generator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest

from tests.web import serving_folder

SAMPLE = Path(str(files("pipeline.sample")))
COMMAND = Path(sys.executable).with_name("proofcast")


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Project:
    """A user's folder with a proofcast.toml, and the feed's server beside it."""

    def __init__(self, folder: Path, served: Path, address: str) -> None:
        self.folder = folder
        self.served = served
        self.address = address
        self.config = folder / "proofcast.toml"
        self.configure()

    def configure(self, feed: str = "", rest: str = "") -> None:
        """Write the config: one feed at our server, with further lines."""
        self.config.write_text(
            f'[[feed]]\nname = "show"\nurl = "{self.address}/feed.xml"\nbackfill = "all"\n{feed}\n'
            f'[transcribe]\nmodel = "packaged"\nbeam_size = 1\n{rest}\n'
        )

    def publish(self, *items: str) -> None:
        """Serve a feed of these items, see `item`."""
        channel = "".join(items)
        text = f'<rss version="2.0"><channel><title>Show</title>{channel}</channel></rss>'
        Path(self.served, "feed.xml").write_text(text)

    def item(self, number: int, file: str = "", type_: str = "audio/mpeg") -> str:
        """One feed item; without a file, one that has no audio."""
        url = quoteattr(f"{self.address}/{file}")
        enclosure = f'<enclosure url={url} type="{type_}" length="1"/>' if file else ""
        title = escape(f"{number}. About {file or 'nothing'}")
        return f"<item><title>{title}</title><guid>guid-{number}</guid>{enclosure}</item>"

    def serve(self, name: str, data: bytes) -> None:
        Path(self.served, name).write_bytes(data)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command, running."""
        environment = {**os.environ, "HOME": str(self.folder), "NO_COLOR": "1"}
        return subprocess.Popen(
            [str(COMMAND), *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int | None = 0) -> Ran:
        """A command, to its end; never a traceback, and the exit code that is expected."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        assert "Traceback" not in err, err
        assert "proofcast: unexpected" not in err, err
        if code is not None:
            assert process.returncode == code, err
        return Ran(process.returncode, out, err)

    def episodes(self) -> dict[int, dict[str, Any]]:
        """By number."""
        return {row["number"]: row for row in self.run("episodes", "--json").json}


@pytest.fixture
def project(tmp_path: Path) -> Generator[Project]:
    served, folder = tmp_path / "served", tmp_path / "project"
    served.mkdir()
    folder.mkdir()
    with serving_folder(served) as address:
        yield Project(folder, served, address)


@pytest.fixture(scope="session")
def speech() -> bytes:
    """Half a minute of two people talking."""
    return (SAMPLE / "episode-1.mp3").read_bytes()


def silence(path: Path, seconds: float) -> Path:
    """A WAV file in which nobody says anything."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(int(seconds * 16_000) * 2))
    return path
