"""What is S3's own about the store on it; what every store promises is in contracts/."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.adapters.aws.s3 import S3Store
from pipeline.errors import StorageError
from tests.aws_site import Obstacle, clients, name_for

KEY = "show/show-1/audio"


@pytest.fixture
def bucket(obstacle: Obstacle, tmp_path: Path) -> str:
    clients().s3().create_bucket(Bucket=name_for(tmp_path))
    return name_for(tmp_path)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "copies"


@pytest.fixture
def s3(bucket: str, cache: Path) -> S3Store:
    return S3Store(clients().s3(), bucket, cache, prefix="/episodes/")


def fetched(store: S3Store, key: str = KEY) -> Path:
    path = store.fetch(key)
    assert path
    return path


def test_objects_are_below_the_prefix(s3: S3Store, bucket: str, cache: Path) -> None:
    s3.put(KEY, b"x")
    assert s3.place(KEY) == f"s3://{bucket}/episodes/{KEY}"
    all_of_it = S3Store(clients().s3(), bucket, cache)
    assert all_of_it.get(f"episodes/{KEY}") == b"x"
    assert all_of_it.get(KEY) is None
    assert all_of_it.place(KEY) == f"s3://{bucket}/{KEY}"


def test_a_large_file_goes_and_comes_in_parts(s3: S3Store, obstacle: Obstacle, tmp_path: Path) -> None:
    source = tmp_path / "audio"
    source.write_bytes(os.urandom(20_000_000))
    s3.put_file(KEY, source)
    assert obstacle.requests.count("PUT") >= 4  # the bucket, and the parts
    assert fetched(s3).read_bytes() == source.read_bytes()


def test_what_did_not_change_is_not_fetched_again(s3: S3Store, obstacle: Obstacle) -> None:
    s3.put(KEY, b"one")
    first = fetched(s3)
    before = len(obstacle.requests)
    assert fetched(s3) == first
    assert obstacle.requests[before:] == ["HEAD"]
    s3.put(KEY, b"two")
    assert fetched(s3).read_bytes() == b"two"
    assert first.read_bytes() == b"one"  # somebody may be reading it


def test_a_copy_is_what_was_there_all_the_time_it_was_made(s3: S3Store, obstacle: Obstacle) -> None:
    s3.put(KEY, b"one")
    old = {"ETag": '"of-another-version"'}
    obstacle.answer("HEAD", 200, b"", headers=old)
    assert fetched(s3).read_bytes() == b"one"
    assert [path.name for path in fetched(s3).parent.iterdir()] == [fetched(s3).name]


def test_only_some_copies_are_kept(s3: S3Store, cache: Path) -> None:
    for number in range(20):
        s3.put(f"show/show-{number}/audio", b"%d" % number)
        os.utime(fetched(s3, f"show/show-{number}/audio"), (number, number))
    assert len(list(cache.iterdir())) == 16
    assert fetched(s3, "show/show-0/audio").read_bytes() == b"0"


def test_keys_that_look_alike_are_not_mixed_up(s3: S3Store) -> None:
    for key in ("a/b", "a", "b", "a/b/c"):
        s3.put(key, key.encode())
    for key in ("a/b", "a", "b", "a/b/c"):
        assert fetched(s3, key).read_bytes() == key.encode()


def test_a_create_that_races_is_tried_again(s3: S3Store, obstacle: Obstacle) -> None:
    obstacle.answer("PUT", 409, b"<Error><Code>ConditionalRequestConflict</Code></Error>", times=2)
    assert s3.create(KEY, b"x") is True
    obstacle.answer("PUT", 409, b"<Error><Code>ConditionalRequestConflict</Code></Error>", times=20)
    with pytest.raises(StorageError, match="written by many at once"):
        s3.create(KEY, b"x")


def test_a_store_that_can_not_create_is_said(s3: S3Store, obstacle: Obstacle) -> None:
    obstacle.answer("PUT", 501, b"<Error><Code>NotImplemented</Code></Error>", times=20)
    with pytest.raises(StorageError, match=r"only where there is none.*If-None-Match"):
        s3.create(KEY, b"x")


def test_what_is_forbidden_is_said(s3: S3Store, obstacle: Obstacle, tmp_path: Path) -> None:
    source = tmp_path / "audio"
    source.write_bytes(b"x")
    denied = b"<Error><Code>AccessDenied</Code><Message>No</Message></Error>"
    obstacle.answer("PUT", 403, denied)
    with pytest.raises(StorageError, match="does not allow PutObject on the bucket"):
        s3.put_file(KEY, source)
    obstacle.answer("HEAD", 403, b"")
    with pytest.raises(StorageError, match="does not allow HeadObject on the bucket"):
        s3.fetch(KEY)
    obstacle.answer("DELETE", 403, denied)
    with pytest.raises(StorageError, match="does not allow DeleteObject on the bucket"):
        s3.delete(KEY)


def test_files_that_can_not_be_used_are_said(s3: S3Store, cache: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing-here"):
        s3.put_file(KEY, tmp_path / "nothing-here")
    s3.put(KEY, b"x")
    cache.write_text("a file")
    with pytest.raises(StorageError, match="copies"):
        s3.fetch(KEY)
