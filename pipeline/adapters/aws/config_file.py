"""The config of a deployment, which its functions and workers read from S3."""

from __future__ import annotations

from pathlib import Path

from pipeline.adapters.aws.clients import Clients
from pipeline.adapters.aws.errors import explained
from pipeline.config import FILE_NAME
from pipeline.errors import ConfigError


def place_of(url: str) -> tuple[str, str]:
    """The bucket and the key of an `s3://bucket/key`."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


def fetched(url: str, folder: Path, clients: Clients) -> Path:
    """The file that an `s3://bucket/key` names, in a folder. Raises ConfigError, StorageError."""
    bucket, key = place_of(url)
    if not (url.startswith("s3://") and bucket and key):
        raise ConfigError(f"'{url}' does not name an object in S3", "s3://bucket/key")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    with explained(url):
        path.write_bytes(clients.s3().get_object(Bucket=bucket, Key=key)["Body"].read())
    return path
