"""Artifacts in an S3 bucket, and a folder of copies for those who need a file."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline.adapters.aws.errors import code_of, explained
from pipeline.errors import StorageError, storage_error
from pipeline.keys import checked

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_COPIES = 16  #: kept of what was fetched last; a worker reads one at a time
_TRIES = 5  #: to create an object while others try to
_ABSENT = frozenset({"404", "NoSuchKey"})
_THERE = frozenset({"412", "PreconditionFailed"})
_RACING = frozenset({"409", "ConditionalRequestConflict"})
_UNSUPPORTED = frozenset({"501", "NotImplemented"})


class S3Store:
    """See `ports.ArtifactStore`. Objects are below `prefix`, copies of them in the folder `cache`.

    Raises StorageError where AWS fails, StorageFull where the disk of the copies is full.
    """

    def __init__(self, client: S3Client, bucket: str, cache: Path, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._cache = cache
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._what = f"the bucket {bucket}"

    def put(self, key: str, data: bytes) -> None:
        with self._explained():
            self._client.put_object(Bucket=self._bucket, Key=self._name(key), Body=data)

    def put_file(self, key: str, path: Path) -> None:
        name = self._name(key)
        with self._explained(path):
            self._client.upload_file(str(path), self._bucket, name, ExtraArgs=_tagged(key))

    def create(self, key: str, data: bytes) -> bool:
        name = self._name(key)
        with self._explained():
            for _ in range(_TRIES):
                try:
                    self._client.put_object(Bucket=self._bucket, Key=name, Body=data, IfNoneMatch="*")
                except ClientError as error:
                    if code_of(error) in _THERE:
                        return False
                    if code_of(error) in _UNSUPPORTED:
                        raise StorageError(
                            f"{self._what} can't create an object only where there is none",
                            "use Amazon S3, or a store that knows If-None-Match",
                        ) from None
                    if code_of(error) not in _RACING:
                        raise
                else:
                    return True
        raise StorageError(f"{self.place(key)} is being written by many at once", "run again")

    def get(self, key: str) -> bytes | None:
        name = self._name(key)
        with self._explained():
            try:
                return self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read()
            except ClientError as error:
                if code_of(error) not in _ABSENT:
                    raise
                return None

    def fetch(self, key: str) -> Path | None:
        name = self._name(key)
        while tag := self._tag(name):
            path = self._cache / f"{key.replace('/', '_')[-100:]}.{tag}"
            with self._explained(path):
                if path.is_file():
                    path.touch()
                    return path
                self._download(name, path)
                if self._tag(name) == tag:
                    self._clear()
                    return path
                path.unlink(missing_ok=True)  # another version came between
        return None

    def delete(self, key: str) -> None:
        name = self._name(key)
        with self._explained():
            self._client.delete_object(Bucket=self._bucket, Key=name)

    def adopt(self, source: str, tag: str, key: str) -> None:
        """Make another object of the bucket an artifact, without taking it through this machine; only if
        S3 still calls its content by this tag."""
        with self._explained():
            self._client.copy(
                {"Bucket": self._bucket, "Key": source},
                self._bucket,
                self._name(key),
                ExtraArgs={"CopySourceIfMatch": tag, "TaggingDirective": "REPLACE", **_tagged(key)},
            )

    def place(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._name(key)}"

    def _name(self, key: str) -> str:
        return self._prefix + checked(key)

    def _tag(self, name: str) -> str | None:
        """What S3 calls the content that is there now."""
        with self._explained():
            try:
                return self._client.head_object(Bucket=self._bucket, Key=name)["ETag"].strip('"')
            except ClientError as error:
                if code_of(error) not in _ABSENT:
                    raise
                return None

    def _download(self, name: str, path: Path) -> None:
        """All of it or nothing: boto3 writes to another name first."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._client.download_file(self._bucket, name, str(path))
        except ClientError as error:
            if code_of(error) not in _ABSENT | _THERE:  # gone or replaced just now
                raise

    def _clear(self) -> None:
        """Remove all but the copies that were used last, and what killed downloads left."""
        with suppress(FileNotFoundError):  # another process clears too
            copies = sorted(self._cache.iterdir(), key=lambda path: path.stat().st_mtime)
            for path in copies[:-_COPIES]:
                path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self, path: Path | None = None) -> Generator[None]:
        try:
            with explained(self._what):
                yield
        except OSError as error:
            raise storage_error(error, path or self._cache) from None


def _tagged(key: str) -> dict[str, str]:
    """By which audio, which is large and can be had again, moves to a cheaper class and is deleted."""
    return {"Tagging": "kind=audio"} if key.rpartition("/")[2] == "audio" else {}
