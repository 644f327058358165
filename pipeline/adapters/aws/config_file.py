"""The config of a deployment, which its functions and workers read from S3."""

from __future__ import annotations

from pathlib import Path

from pipeline.adapters.aws.clients import Clients
from pipeline.adapters.aws.errors import explained
from pipeline.config import FILE_NAME
from pipeline.errors import ConfigError


def fetched(url: str, folder: Path, clients: Clients) -> Path:
    """The file that an `s3://bucket/key` names, in a folder. Raises ConfigError, StorageError."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not (url.startswith("s3://") and bucket and key):
        raise ConfigError(f"'{url}' does not name an object in S3", "s3://bucket/key")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    with explained(url):
        path.write_bytes(clients.s3().get_object(Bucket=bucket, Key=key)["Body"].read())
    return path
