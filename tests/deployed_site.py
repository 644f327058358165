"""A whole deployment on loopback, whose ECS lives by the test's clock."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from pipeline.adapters.aws.clients import Clients
from pipeline.adapters.aws.dynamodb import DynamoLedger
from pipeline.adapters.aws.ecs import EcsFleet
from pipeline.adapters.aws.fleet_records import FleetRecords
from pipeline.adapters.aws.machines import Machines
from pipeline.adapters.aws.rows import Rows
from pipeline.adapters.aws.sqs import SqsQueue
from pipeline.adapters.aws.two_queues import TwoQueues
from pipeline.deployment import Deployment
from pipeline.ports import JobQueue, Ledger
from tests.aws_site import clients, name_for
from tests.builders import FakeClock
from tests.fakes.aws_account import Account, Deployed, deploy

REGION = "us-east-1"


@dataclass
class DeployedSite:
    """What a stack made, and the account it is in."""

    account: Account
    made: Deployed
    clock: FakeClock

    @property
    def names(self) -> Deployment:
        return self.made.names

    @cached_property
    def clients(self) -> Clients:
        """For all that a test opens: making them takes a second."""
        return clients()

    def rows(self) -> Rows:
        return Rows(self.clients.dynamodb(), self.names.table)

    def records(self) -> FleetRecords:
        return FleetRecords(self.rows())

    def fleet(self) -> EcsFleet:
        """As a process of its own opens it."""
        made = self.clients
        machines = Machines(made.ecs(), made.ec2(), self.names)
        return EcsFleet(made.ecs(), made.logs, machines, self.records(), self.names, self.clock)

    def ledger(self) -> Ledger:
        return DynamoLedger(self.rows())

    def queue(self) -> JobQueue:
        """Both of them, as the engine has them."""
        sqs = self.clients.sqs()
        urls = self.clients.queue_url(self.names.first_queue), self.made.queue_url
        return TwoQueues(*(SqsQueue(sqs, url, self.made.dead_url, self.clock, dead_wait_s=0) for url in urls))


@pytest.fixture
def deployed(tmp_path: Path, aws_at: Callable[[str], None], clock: FakeClock) -> Generator[DeployedSite]:
    account = Account(clock)
    with account.served() as url:
        aws_at(url)
        yield DeployedSite(account, deploy(url, Deployment(f"pc-{name_for(tmp_path)[-16:]}", REGION)), clock)
