"""The one place that makes AWS clients, but for the language model's, which may be slow.

Credentials, profile and endpoint come from where every AWS tool takes them: AWS_PROFILE,
AWS_ENDPOINT_URL, `~/.aws`, the role of the machine.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config

from pipeline.adapters.aws.errors import explained
from pipeline.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_ce import CostExplorerClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient


class Clients:
    """Makes clients for one region, the standard settings' if none is named; each once.

    A request is tried `attempts` times, ever more slowly where AWS says that it is too busy. Threads may
    share them. Everything here raises StorageError.
    """

    def __init__(self, version: str, region: str | None = None, attempts: int = 6) -> None:
        with explained("AWS"):
            self._session = boto3.Session(region_name=region)
        self._clients: dict[tuple[str, ...], Any] = {}
        self._making = threading.Lock()  # a session makes one client at a time
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

    def ecs(self) -> ECSClient:
        """For workers."""
        return self._made("ecs")

    def ec2(self) -> EC2Client:
        """For the instances that workers run on."""
        return self._made("ec2")

    def ecr(self, region: str) -> ECRClient:
        """For the worker's image, which may be kept in another region."""
        return self._made("ecr", region_name=region)

    def logs(self) -> CloudWatchLogsClient:
        """For what workers wrote."""
        return self._made("logs")

    def secrets(self) -> SecretsManagerClient:
        """For the token of the code host."""
        return self._made("secretsmanager")

    def events(self) -> EventBridgeClient:
        """For telling others of state changes."""
        return self._made("events")

    def quotas(self) -> ServiceQuotasClient:
        """For how much the account may start."""
        return self._made("service-quotas")

    def prices(self) -> PricingClient:
        """For what it costs; the price list is kept in few regions, for all of them."""
        return self._made("pricing", region_name="us-east-1")

    def cost_explorer(self) -> CostExplorerClient:
        """For what AWS billed; kept in one region, for all of them."""
        return self._made("ce", region_name="us-east-1")

    def lambdas(self) -> LambdaClient:
        """For the poller itself."""
        return self._made("lambda")

    def sts(self) -> STSClient:
        """For which account this is."""
        return self._made("sts")

    def iam(self) -> IAMClient:
        """For the roles of the account."""
        return self._made("iam")

    def account(self) -> str:
        """Its number."""
        with explained("AWS"):
            return self.sts().get_caller_identity()["Account"]

    def queue_url(self, name: str) -> str:
        """Where a queue of this account is."""
        with explained(f"the queue {name}"):
            return self.sqs().get_queue_url(QueueName=name)["QueueUrl"]

    def _made(self, service: str, **options: str) -> Any:
        key = (service, *options.values())
        with self._making:
            if key not in self._clients:
                with explained("AWS"):
                    try:  # its stub is half unknown
                        made = cast(Any, self._session).client(service, config=self._config, **options)
                    except ValueError as error:  # what botocore makes of an address that is none
                        raise StorageError(f"AWS can't be asked: {error}", "check AWS_ENDPOINT_URL") from None
                self._clients[key] = made
            return self._clients[key]
