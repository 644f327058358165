"""The inbox: audio that people put into the bucket before it is published."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline.adapters.aws.errors import code_of, explained
from pipeline.adapters.aws.s3 import S3Store
from pipeline.deployment import INBOX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REFUSED = "inbox-refused"
"""Where it is said why a file could not be taken, under the file's name and `.txt`."""

_CHUNK = 1 << 20


@dataclass(frozen=True)
class InboxAudio:
    """See `adding.Audio`: an object of the bucket. Raises StorageError where AWS fails."""

    client: S3Client
    bucket: str
    key: str
    tag: str  #: what S3 calls the content that is meant: a file may be replaced while it is taken in
    size: int  #: bytes
    artifacts: S3Store

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    def sha256(self) -> str:
        digest = hashlib.sha256()
        with explained(f"the bucket {self.bucket}"):
            body = self.client.get_object(Bucket=self.bucket, Key=self.key, IfMatch=self.tag)["Body"]
            for chunk in body.iter_chunks(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def store(self, key: str) -> None:
        self.artifacts.adopt(self.key, self.tag, key)

    def taken(self) -> None:
        """It is an artifact now."""
        with explained(f"the bucket {self.bucket}"):
            self.client.delete_object(Bucket=self.bucket, Key=self.key, IfMatch=self.tag)

    def refuse(self, why: str) -> None:
        """Say so where whoever put it there looks."""
        with explained(f"the bucket {self.bucket}"):
            self.client.put_object(
                Bucket=self.bucket,
                Key=f"{REFUSED}/{self.key.partition('/')[2]}.txt",
                Body=f"{why}\n".encode(),
                ContentType="text/plain; charset=utf-8",
            )


def found(client: S3Client, bucket: str, key: str, artifacts: S3Store) -> InboxAudio | None:
    """None where it was taken already: the same news may come twice. Raises StorageError."""
    with explained(f"the bucket {bucket}"):
        try:
            head = client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if code_of(error) != "404":
                raise
            return None
    return InboxAudio(client, bucket, key, head["ETag"], head["ContentLength"], artifacts)


def waiting(client: S3Client, bucket: str) -> list[str]:
    """The files that are neither taken nor refused. Raises StorageError where AWS fails."""
    refused = {name.removesuffix(".txt") for name in _below(client, bucket, f"{REFUSED}/")}
    return [f"{INBOX}/{name}" for name in _below(client, bucket, f"{INBOX}/") if name not in refused]


def _below(client: S3Client, bucket: str, prefix: str) -> list[str]:
    with explained(f"the bucket {bucket}"):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [each.get("Key", "") for page in pages for each in page.get("Contents", [])]
    return [key.removeprefix(prefix) for key in keys if key != prefix]
