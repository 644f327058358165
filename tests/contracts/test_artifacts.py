"""What every artifact store promises. See `ports.ArtifactStore`."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from pipeline.adapters.files import FileStore
from pipeline.errors import ProofcastError, StorageError, StorageFull
from pipeline.ports import ArtifactStore

KEY = "show/show-1/transcript.json"
DATA = bytes(range(256)) * 8


def test_what_was_put_is_there(artifacts: ArtifactStore) -> None:
    artifacts.put(KEY, DATA)
    assert artifacts.get(KEY) == DATA
    fetched = artifacts.fetch(KEY)
    assert fetched
    assert fetched.read_bytes() == DATA
    assert artifacts.place(KEY)
    artifacts.put(KEY, b"")
    assert artifacts.get(KEY) == b""


def test_what_is_not_there(artifacts: ArtifactStore) -> None:
    artifacts.put(KEY, DATA)
    for key in ("show/show-1/audio", "other/x", "show/show-1", "show"):
        assert artifacts.fetch(key) is None
    assert artifacts.get("show/show-1/audio") is None
    artifacts.delete("show/show-1/audio")
    artifacts.delete("other/x")


def test_what_was_deleted_is_gone(artifacts: ArtifactStore) -> None:
    artifacts.put(KEY, DATA)
    artifacts.delete(KEY)
    assert artifacts.get(KEY) is None
    assert artifacts.fetch(KEY) is None


def test_a_file_is_stored_and_stays_where_it_is(artifacts: ArtifactStore, tmp_path: Path) -> None:
    source = tmp_path / "Some Audio.mp3"
    source.write_bytes(DATA * 2000)  # more than one block
    artifacts.put(KEY, b"older and to be replaced")
    artifacts.put_file(KEY, source)
    assert artifacts.get(KEY) == source.read_bytes() == DATA * 2000
    source.write_bytes(b"changed later")
    assert artifacts.get(KEY) == DATA * 2000


def test_create_never_replaces(artifacts: ArtifactStore) -> None:
    assert artifacts.create(KEY, b"first") is True
    assert artifacts.create(KEY, b"second") is False
    assert artifacts.get(KEY) == b"first"
    artifacts.delete(KEY)
    assert artifacts.create(KEY, b"third") is True


def test_one_of_many_creates(artifacts: ArtifactStore) -> None:
    together = Barrier(8)

    def create(number: int) -> int | None:
        together.wait()
        return number if artifacts.create(KEY, b"%d" % number * 100_000) else None

    with ThreadPoolExecutor(8) as threads:
        winners = [number for number in threads.map(create, range(8)) if number is not None]
    assert len(winners) == 1
    assert artifacts.get(KEY) == b"%d" % winners[0] * 100_000


def test_a_reader_sees_the_old_or_the_new_never_a_part(artifacts: ArtifactStore) -> None:
    versions = [b"a" * 300_000, b"b" * 200_000]
    artifacts.put(KEY, versions[0])
    done = Event()

    def read() -> set[bytes | None]:
        seen = {artifacts.get(KEY)}
        while not done.is_set():
            seen.add(artifacts.get(KEY))
        return seen

    with ThreadPoolExecutor(2) as threads:
        readers = [threads.submit(read) for _ in range(2)]
        for turn in range(40):
            artifacts.put(KEY, versions[turn % 2])
        done.set()
        seen = set[bytes | None]().union(*(reader.result() for reader in readers))
    assert seen <= set(versions)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/x",
        "../x",
        "a/../x",
        "a/./x",
        "A",
        "a//b",
        "a/",
        ".hidden",
        "a/.x",
        "a b",
        "a\\b",
        "é",
        "a\n",
        "a\0",
    ],
)
def test_a_key_that_could_lead_astray_is_refused(artifacts: ArtifactStore, tmp_path: Path, key: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(DATA)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StorageError):
        artifacts.put(key, DATA)
    with pytest.raises(StorageError):
        artifacts.put_file(key, source)
    with pytest.raises(StorageError):
        artifacts.create(key, DATA)
    with pytest.raises(StorageError):
        artifacts.get(key)
    with pytest.raises(StorageError):
        artifacts.fetch(key)
    with pytest.raises(StorageError):
        artifacts.delete(key)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, StorageError)]
)
def test_a_failed_write_of_a_file_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[ProofcastError]
) -> None:
    artifacts = FileStore(tmp_path)
    artifacts.put(KEY, b"old")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)  # a disk can't be made to fail otherwise
    with pytest.raises(error):
        artifacts.put(KEY, DATA)
    with pytest.raises(error):
        artifacts.create("show/show-1/other", DATA)
    assert artifacts.get(KEY) == b"old"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["transcript.json"]


def test_a_folder_that_can_not_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("a file")
    artifacts = FileStore(tmp_path / "artifacts")
    with pytest.raises(StorageError):
        artifacts.put(KEY, DATA)
    with pytest.raises(StorageError, match="nothing-here"):
        artifacts.put_file(KEY, tmp_path / "nothing-here")
    assert artifacts.fetch(KEY) is None
