"""What CloudFormation leaves, or can't remove: running workers, and data that is to go."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.adapters.aws.clients import Clients
from pipeline.adapters.aws.errors import explained
from pipeline.deployment import Deployment

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef


def stop_workers(clients: Clients, names: Deployment) -> int:
    """End all, who then give their jobs back: a cluster with workers can't go. Raises StorageError."""
    ecs, stopped = clients.ecs(), 0
    with explained(f"the cluster {names.cluster}"), suppress(ecs.exceptions.ClusterNotFoundException):
        for page in ecs.get_paginator("list_tasks").paginate(cluster=names.cluster):
            for task in page["taskArns"]:
                ecs.stop_task(cluster=names.cluster, task=task, reason="'proofcast destroy'")
                stopped += 1
    return stopped


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
