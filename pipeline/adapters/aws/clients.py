"""The one place that makes AWS clients.

Credentials, profile and endpoint come from where every AWS tool takes them: AWS_PROFILE,
AWS_ENDPOINT_URL, `~/.aws`, the role of the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config

from pipeline.adapters.aws.errors import explained

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


class Clients:
    """Makes clients for one region, the standard settings' if none is named.

    A request is tried `attempts` times, ever more slowly where AWS says that it is too busy. Clients
    may be shared by threads, but are made in one. Everything here raises StorageError.
    """

    def __init__(self, version: str, region: str | None = None, attempts: int = 6) -> None:
        with explained("AWS"):
            self._session = boto3.Session(region_name=region)
        self._config = Config(
            connect_timeout=5,
            read_timeout=30,  # longer than the longest wait for a job, which is 20 s
            retries={"mode": "adaptive", "total_max_attempts": attempts},
            tcp_keepalive=True,
            user_agent_extra=f"proofcast/{version}",
        )

    def dynamodb(self) -> DynamoDBClient:
        """For the ledger."""
        return self._made("dynamodb")

    def sqs(self) -> SQSClient:
        """For the job queue."""
        return self._made("sqs")

    def s3(self) -> S3Client:
        """For artifacts."""
        return self._made("s3")

    def _made(self, service: str) -> Any:
        with explained("AWS"):
            return cast(Any, self._session).client(service, config=self._config)  # its stub is half unknown
