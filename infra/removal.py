"""What CloudFormation leaves, or can't remove: running workers, and data that is to go."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pipeline.adapters.aws.clients import Clients
from pipeline.adapters.aws.errors import explained
from pipeline.adapters.aws.facts import Facts
from pipeline.adapters.aws.seen import in_parts
from pipeline.deployment import Deployment

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_WAIT_S, _WAITS = 5.0, 36  #: three minutes: a worker has two to give its job back


def is_there(clients: Clients, names: Deployment) -> bool:
    """Whether anything that works is deployed. Raises StorageError."""
    if Facts(clients, names).has_cluster():
        return True
    lambdas = clients.lambdas()
    with explained(f"the function {names.poller}"), suppress(lambdas.exceptions.ResourceNotFoundException):
        lambdas.get_function_configuration(FunctionName=names.poller)
        return True
    return False


@contextmanager
def poller_held(clients: Clients, names: Deployment) -> Generator[None]:
    """Keep the poller from starting workers while all are ended; if that fails, it goes on.

    Raises StorageError.
    """
    lambdas, what = clients.lambdas(), f"the function {names.poller}"
    with explained(what), suppress(lambdas.exceptions.ResourceNotFoundException):
        lambdas.put_function_concurrency(FunctionName=names.poller, ReservedConcurrentExecutions=0)
    try:
        yield
    except BaseException:
        let_poller_go(clients, names)
        raise


def let_poller_go(clients: Clients, names: Deployment) -> None:
    """End `poller_held`, also that of a process that was killed. Raises StorageError."""
    lambdas = clients.lambdas()
    with explained(f"the function {names.poller}"), suppress(lambdas.exceptions.ResourceNotFoundException):
        lambdas.delete_function_concurrency(FunctionName=names.poller)


def stop_workers(clients: Clients, names: Deployment) -> int:
    """End all, who then give their jobs back, and wait for it: a cluster with workers can't go.

    Raises StorageError.
    """
    told: set[str] = set()
    for _ in range(_WAITS):
        there = _workers(clients, names)
        for task in there - told:
            with explained(f"the cluster {names.cluster}"):
                clients.ecs().stop_task(cluster=names.cluster, task=task, reason="'proofcast destroy'")
        told |= there
        if not _going(clients, names, told):
            break
        time.sleep(_WAIT_S)
    return len(told)


def _going(clients: Clients, names: Deployment, tasks: set[str]) -> bool:
    """Whether any is not done yet; those that were told are no longer listed."""
    for some in in_parts(sorted(tasks), 100):
        with explained(f"the cluster {names.cluster}"):
            described = clients.ecs().describe_tasks(cluster=names.cluster, tasks=some)["tasks"]
        if any(task.get("lastStatus") != "STOPPED" for task in described):
            return True
    return False


def _workers(clients: Clients, names: Deployment) -> set[str]:
    ecs, found = clients.ecs(), set[str]()
    with explained(f"the cluster {names.cluster}"), suppress(ecs.exceptions.ClusterNotFoundException):
        for page in ecs.get_paginator("list_tasks").paginate(cluster=names.cluster):
            found |= set(page["taskArns"])
    return found


def delete_data(clients: Clients, names: Deployment) -> None:
    """Delete the ledger and the artifacts, which their stack retains. Raises StorageError."""
    database = clients.dynamodb()
    with explained(f"the table {names.table}"), suppress(database.exceptions.ResourceNotFoundException):
        database.delete_table(TableName=names.table)
    _delete_bucket(clients, names.bucket(clients.account()))


def _delete_bucket(clients: Clients, bucket: str) -> None:
    s3 = clients.s3()
    with explained(f"the bucket {bucket}"), suppress(s3.exceptions.NoSuchBucket):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if found:
                objects: list[ObjectIdentifierTypeDef] = [
                    {"Key": each.get("Key", ""), "VersionId": each.get("VersionId", "")} for each in found
                ]
                s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        s3.delete_bucket(Bucket=bucket)
