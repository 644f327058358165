"""What `proofcast destroy` does besides CDK: it ends workers, and with --delete-data leaves nothing."""

from __future__ import annotations

import pytest

from infra.removal import delete_data, stop_workers
from pipeline.deployment import Deployment
from tests.deployed_site import DeployedSite


def test_every_version_of_everything_is_deleted(deployed: DeployedSite) -> None:
    at, names = deployed.clients, deployed.names
    bucket, s3 = names.bucket(at.account()), at.s3()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="artifacts/show/an-episode/audio", Body=content)
    s3.delete_object(Bucket=bucket, Key="artifacts/show/an-episode/audio")
    s3.put_object(Bucket=bucket, Key="inbox/show/new.mp3", Body=b"3")
    for _ in range(2):  # cut short, it is run again
        delete_data(at, names)
        assert bucket not in [each.get("Name") for each in s3.list_buckets()["Buckets"]]
        assert names.table not in at.dynamodb().list_tables()["TableNames"]


@pytest.fixture(autouse=True)
def quick(deployed: DeployedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting is the test's clock going on."""
    monkeypatch.setattr("time.sleep", deployed.clock.go_on)


def test_workers_are_told_to_end_and_waited_for(deployed: DeployedSite) -> None:
    deployed.fleet().start(2)
    deployed.clock.go_on(300)
    before = deployed.clock()
    assert stop_workers(deployed.clients, deployed.names) == 2
    assert deployed.fleet().tasks() == []
    assert 5 <= deployed.clock() - before <= 120
    assert stop_workers(deployed.clients, deployed.names) == 0


def test_without_a_cluster_there_is_nobody_to_tell(deployed: DeployedSite) -> None:
    assert stop_workers(deployed.clients, Deployment("elsewhere", deployed.names.region)) == 0
