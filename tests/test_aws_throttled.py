"""AWS too busy, whatever the service: asked again a little later, then said plainly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.aws.errors import explained
from pipeline.adapters.aws.s3 import S3Store
from pipeline.adapters.aws.secrets import Secret
from pipeline.errors import StorageError
from tests.aws_site import clients
from tests.deployed_site import DeployedSite

Calls = dict[str, Callable[[DeployedSite], Any]]


def store(site: DeployedSite) -> S3Store:
    return S3Store(site.clients.s3(), site.made.bucket, Path("copies"))


CALLS: Calls = {
    "dynamodb": lambda site: site.ledger().get("show-1"),
    "sqs": lambda site: site.queue().depth(),
    "s3": lambda site: store(site).get("show/one"),
    "ecs": lambda site: site.fleet().start(1),
    "ec2": lambda site: site.fleet().survey(),
    "logs": lambda site: site.fleet().log("task-1"),
    "secretsmanager": lambda site: Secret(site.clients.secrets, site.names.github_token, site.clock)(),
    "sts": lambda site: site.clients.account(),
}


@pytest.fixture(autouse=True)
def impatient(deployed: DeployedSite) -> None:
    """Two tries in place of six: each further one waits longer."""
    deployed.clients = clients(attempts=2)


@pytest.mark.parametrize("service", ["ecs", "s3"])
def test_once_is_no_matter(deployed: DeployedSite, service: str) -> None:
    deployed.fleet().start(1)
    deployed.clock.go_on(300)
    deployed.account.throttle(service, 1)
    CALLS[service](deployed)


@pytest.mark.parametrize("service", CALLS)
def test_for_long_is_said(deployed: DeployedSite, service: str) -> None:
    deployed.fleet().start(1)
    deployed.clock.go_on(300)
    deployed.account.throttle(service, 99)
    with pytest.raises(StorageError, match="more than it can take just now") as error:
        CALLS[service](deployed)
    assert "try again" in error.value.hint


def test_so_is_the_price_list(deployed: DeployedSite) -> None:
    deployed.account.throttle("pricing", 99)
    with pytest.raises(StorageError, match="more than it can take"), explained("the Price List"):
        deployed.clients.prices().get_products(ServiceCode="AmazonEC2")
