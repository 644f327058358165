"""What everything of one deployment is called on AWS: said once, for who makes it and who uses it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.config import Aws, Config
from pipeline.errors import ConfigError


@dataclass(frozen=True)
class Deployment:
    """The names of a deployment's resources, which all begin with its own."""

    name: str
    region: str

    @property
    def stack(self) -> str:
        """Everything that can be made again."""
        return self.name

    @property
    def data_stack(self) -> str:
        """What outlives it: ledger, queues, bucket, token."""
        return f"{self.name}-data"

    @property
    def table(self) -> str:
        return f"{self.name}-ledger"

    @property
    def queue(self) -> str:
        return f"{self.name}-jobs"

    @property
    def first_queue(self) -> str:
        """Of jobs that shall come before all others."""
        return f"{self.name}-jobs-first"

    @property
    def dead_queue(self) -> str:
        return f"{self.name}-jobs-dead"

    @property
    def cluster(self) -> str:
        return self.name

    @property
    def worker(self) -> str:
        """The family of the worker's task definition, and its container."""
        return f"{self.name}-worker"

    @property
    def service(self) -> str:
        """Only there with `dispatch = "service"`."""
        return f"{self.name}-workers"

    @property
    def poller(self) -> str:
        """The function that polls and dispatches."""
        return f"{self.name}-poller"

    @property
    def announcer(self) -> str:
        """The function that tells EventBridge of every state change."""
        return f"{self.name}-announcer"

    @property
    def github_token(self) -> str:
        """The secret with the token that pull requests are opened with."""
        return f"{self.name}/github-token"

    @property
    def worker_log(self) -> str:
        """The log group of workers; a task's stream is `worker/CONTAINER/TASK`."""
        return f"/{self.name}/worker"

    @property
    def poller_log(self) -> str:
        return f"/{self.name}/poller"

    @property
    def announcer_log(self) -> str:
        return f"/{self.name}/announcer"

    def bucket(self, account: str) -> str:
        """Buckets of all accounts share their names, so this one names its account and region."""
        return f"{self.name}-{account}-{self.region}"


TAG = "proofcast:deployment"
"""The tag with its name that everything of a deployment carries, for AWS's bill to tell it apart."""

DEFAULT_REGION = "us-east-1"
"""Where a config names none: most prices are quoted for it."""

DISPATCH_MIN, SYNC_MIN, POLLER_MIB = 2, 60, 512
"""How often the poller is called beside polls: for jobs that came back and workers that no instance came
for, and for reviews; and how much memory it has."""

HOW_TO_INSTALL = "in Proofcast's checkout: pip install -c constraints.txt '.[aws,infra]'"
"""What to do where boto3 or CDK is missing."""

ARTIFACTS, INBOX = "artifacts", "inbox"
"""What keys in the bucket begin with: what Proofcast stored, and files for `proofcast add`."""

IN_ECR = re.compile(
    r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)(?::([^:@]+))?(?:@(.+))?"
)
"""An image in a registry of ECR's: account, region, name, tag, digest."""

CONFIG_VARIABLE = "PROOFCAST_CONFIG"
"""What the functions' environment calls the place of their config, an `s3://bucket/key`."""

EVENT_SOURCE, EVENT_TYPE = "proofcast", "Episode State Changed"
"""How EventBridge knows what the announcer tells it."""


def deployment(config: Config) -> tuple[Aws, Deployment]:
    """The settings and names of a config's deployment. Raises ConfigError where it has none."""
    if config.aws is None:
        raise ConfigError("the config says nothing of AWS", "add an [aws] section: docs/deploy.md")
    return config.aws, Deployment(config.aws.name, config.aws.region)
