"""Choosing a model: what is here, what can be had, and what to do when it can't be."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from faster_whisper import utils
from huggingface_hub import constants

from pipeline.config import Transcribe
from pipeline.errors import ModelError
from worker import models
from worker.models import ModelChoice, choose, language_code, packaged_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b"{}",
    "model.bin": bytes(range(256)) * 4000,
    "tokenizer.json": b"{ }",
    "vocabulary.txt": b"word\n" * models.MULTILINGUAL_VOCABULARY,
    "README.md": b"not wanted",
}


@dataclass
class Hub:
    """A stand-in for Hugging Face that has every model."""

    url: str = ""
    asked: list[str] = field(default_factory=list[str])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            return

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            hub.asked.append(path)
            name = path.rpartition("/")[2]
            etag = hashlib.sha256(FILES.get(name, b"")).hexdigest()
            self.send_response(200)
            if "/resolve/" in path:
                body = FILES[name]
                self.send_header("ETag", f'"{etag}"')
                self.send_header("X-Repo-Commit", COMMIT)
            elif "/tree/" in path:
                listed = [{"type": "file", "path": n, "size": len(b), "oid": "0"} for n, b in FILES.items()]
                body = json.dumps(listed).encode()
            else:
                siblings = [{"rfilename": name} for name in FILES]
                body = json.dumps({"id": "org/name", "sha": COMMIT, "siblings": siblings}).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    use_hub(monkeypatch, hub.url, tmp_path / "hub-cache")
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody listens on port 9 here."""
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path / "hub-cache")


def use_hub(monkeypatch: pytest.MonkeyPatch, url: str, cache: Path) -> None:
    """The hub's client reads these from the environment, but once, when it is imported."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def config(model: str = "auto", **others: object) -> Transcribe:
    return Transcribe(model=model, device="cpu", **others)  # pyright: ignore[reportArgumentType]


def chosen(config: Transcribe, language: str | None = None) -> tuple[ModelChoice, list[str]]:
    said: list[str] = []
    return choose(config, language, said.append), said


def test_the_packaged_model_needs_no_network(no_hub: None) -> None:
    choice, said = chosen(config("packaged"))
    assert (choice.name, choice.path, choice.english_only) == ("tiny.en", packaged_model(), True)
    assert (choice.fallback_from, said) == (None, [])


def test_auto_falls_back_on_the_packaged_model_and_says_so(no_hub: None) -> None:
    choice, said = chosen(config(), "en-GB")
    assert (choice.name, choice.fallback_from) == ("tiny.en", "small")
    assert said == [
        "the model 'small' can't be downloaded (Connection refused); "
        "using the packaged tiny.en, which is less accurate"
    ]


def test_offline_mode_is_named(no_hub: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    _, said = chosen(config())
    assert "(HF_HUB_OFFLINE is set)" in said[0]


def test_the_packaged_model_stands_in_for_english_only(no_hub: None) -> None:
    with pytest.raises(ModelError, match="'small' can't be downloaded") as caught:
        chosen(config(), "it")
    assert "it knows only English" in caught.value.hint


def test_a_model_that_was_asked_for_has_no_stand_in(no_hub: None) -> None:
    with pytest.raises(ModelError, match=r"'medium' can't be downloaded \(Connection refused\)"):
        chosen(config("medium"))


@pytest.mark.parametrize(("name", "hint"), [("smal", "did you mean 'small'"), ("a/b/c", "'packaged'")])
def test_a_name_that_means_nothing(no_hub: None, name: str, hint: str) -> None:
    with pytest.raises(ModelError, match=f"there is no model '{name}'") as caught:
        chosen(config(name))
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["packaged", "tiny.en"])
def test_english_only_models_refuse_other_languages(no_hub: None, name: str) -> None:
    with pytest.raises(ModelError, match=r"'tiny\.en' knows only English, not 'pt-BR'"):
        chosen(config(name), "pt-BR")


def test_a_download_is_announced_and_shown_and_needed_once(hub: Hub, tmp_path: Path) -> None:
    said: list[str] = []
    steps: list[tuple[int, int]] = []
    choice = choose(config("org/name"), "it", said.append, lambda done, total: steps.append((done, total)))
    assert said == ["downloading the model 'org/name', once"]
    assert choice.path.is_relative_to(tmp_path / "hub-cache")
    assert (choice.path / "model.bin").read_bytes() == FILES["model.bin"]
    assert not (choice.path / "README.md").exists()
    assert not choice.english_only
    expected = sum(len(body) for name, body in FILES.items() if name != "README.md")
    assert steps[-1] == (expected, expected)
    assert steps == sorted(steps)

    asked = len(hub.asked)
    again, said_again = chosen(config("org/name"), "it")
    assert (again.path, said_again, len(hub.asked)) == (choice.path, [], asked)


def test_the_loader_is_left_as_it_was(hub: Hub) -> None:
    silent = utils.disabled_tqdm
    choose(config("org/name"), None, lambda _: None, lambda done, total: None)
    assert utils.disabled_tqdm is silent


def test_a_folder_is_a_model(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(packaged_model(), folder)
    choice, said = chosen(config(str(folder), threads=3, compute_type="float32"))
    assert choice == ModelChoice(
        name="mine", path=folder, device="cpu", compute_type="float32", threads=3, english_only=True
    )
    assert said == []


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no model") as caught:
        chosen(config(str(tmp_path)))
    assert "'packaged'" in caught.value.hint


def test_settings_left_open_suit_the_machine() -> None:
    choice, _ = chosen(config("packaged"))
    assert choice.compute_type == "int8"
    assert 1 <= choice.threads <= 4


def test_a_compute_type_that_the_machine_lacks_is_refused() -> None:
    with pytest.raises(ModelError, match="'float16' can't be used on this cpu") as caught:
        chosen(config("packaged", compute_type="float16"))
    assert "int8" in caught.value.hint


def test_files_of_the_packaged_model_are_checked(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(packaged_model(), folder)
    models.check_files(folder, models.PACKAGED_SHA256)
    with (folder / "model.bin").open("r+b") as file:
        file.seek(1000)
        file.write(b"?")
    with pytest.raises(ModelError, match=r"model\.bin is not what it should be"):
        models.check_files(folder, models.PACKAGED_SHA256)
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"lacks config\.json: No such file"):
        models.check_files(folder, models.PACKAGED_SHA256)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("en", "en"),
        ("en-GB", "en"),
        ("EN_us", "en"),
        ("nb-NO", "no"),
        ("pt-br", "pt"),
        ("", None),
        (None, None),
    ],
)
def test_languages_as_feeds_write_them(written: str | None, code: str | None) -> None:
    assert language_code(written) == code
