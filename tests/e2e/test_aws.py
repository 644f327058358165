"""The engine on AWS, whole: the command line, real workers as ECS tasks, real Whisper, pull requests.

AWS is on loopback: moto's server, and a fake of ECS whose tasks are processes of this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.aws.fleet_records import FleetRecords
from pipeline.adapters.aws.rows import Rows
from pipeline.config import load
from pipeline.deployment import Deployment
from pipeline.model import Market
from pipeline.wiring import build
from tests.aws_site import clients, name_for
from tests.fakes.aws_account import Account, Deployed, client, deploy
from tests.fakes.ecs import Timing
from tests.fakes.github import TOKEN, FakeGitHub

from .conftest import Project

CONFIG = """
engine = "aws"
[aws]
region = "us-east-1"
name = "{name}"
linger_s = 1
patience_s = 60
[worker]
lease_s = 6
[transcribe]
model = "packaged"
device = "cpu"
beam_size = 1
[[feed]]
name = "show"
url = "{address}/feed.xml"
backfill = "all"
repository = "https://github.com/ann/site"
"""

QUICK = Timing(
    instance_s=0.3,
    pull_s=0.3,
    start_s=0.1,
    stop_s=0.1,
    refuse_s=0.1,
    idle_s=0.5,
    drain_s=0.2,
    terminate_s=0.3,
)


@dataclass
class Cloud:
    """A deployment, its account, and the site on GitHub."""

    project: Project
    account: Account
    made: Deployed
    hub: FakeGitHub
    env: dict[str, str]

    def launch(self, task: dict[str, Any]) -> subprocess.Popen[bytes]:
        """The worker's container: the command of its task definition, in an environment of its own."""
        command = [sys.executable, "-P", "-m", "worker", "--config", self.env["PROOFCAST_CONFIG"], "--drain"]
        environment = {**self.env, **self.account.environment(task)}
        with (self.project.folder / f"{task['taskArn'].rpartition('/')[2]}.log").open("wb") as log:
            return subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in self.project.folder.glob("*.log"))

    def wait(self, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The status once it is as it should be; before each look, the poller's clock has its turn."""
        status: dict[str, Any] = {}
        poller = build(load(self.project.config), self.project.config)
        for _ in range(150):
            poller.tend()
            poller.dispatch()
            status = self.project.run("status", "--json").json
            if done(status):
                return status
            time.sleep(0.2)
        raise AssertionError(f"{status}\n{self.logs()}")


def at_rest(status: dict[str, Any]) -> bool:
    return not (
        status["queue"]["waiting"] or status["queue"]["leased"] or status["tasks"] or status["instances"]
    )


@pytest.fixture
def cloud(
    project: Project,
    hub: FakeGitHub,
    tmp_path: Path,
    aws_at: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Generator[Cloud]:
    account = Account(time.time)
    account.ecs.timing = QUICK
    monkeypatch.delenv("GITHUB_TOKEN")  # it is in the secret
    with account.served() as url:
        aws_at(url)
        names = Deployment(f"pc-{name_for(tmp_path)[-16:]}", "us-east-1")
        made = deploy(url, names, github_token=TOKEN)
        project.config.write_text(CONFIG.format(name=names.name, address=project.address))
        s3 = client(url, "s3")
        s3.create_bucket(Bucket="assets")
        s3.put_object(Bucket="assets", Key=f"{names.name}.toml", Body=project.config.read_bytes())
        env = {name: os.environ[name] for name in ("PATH", "GITHUB_API_URL", "no_proxy")}
        env |= {"HOME": str(project.folder), "TMPDIR": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
        env["PROOFCAST_CONFIG"] = f"s3://assets/{names.name}.toml"
        cloud = Cloud(project, account, made, hub, env)
        account.ecs.launch = cloud.launch
        yield cloud
        account.ecs.close()


def test_from_the_feed_to_a_pull_request_and_back_to_zero(cloud: Cloud, speech: bytes) -> None:
    project = cloud.project
    project.serve("one.mp3", speech)
    project.publish(project.item(1, "one.mp3"))
    polled = project.run("poll", "--json")
    assert polled.json["queued"] == 1
    assert "workers asked for: 1" in polled.err

    cloud.wait(at_rest)
    (pull,) = cloud.hub.site.pulls
    assert pull.title == "Add transcript of episode 1: 1. About one.mp3"
    (episode,) = project.run("episodes", "--json").json
    assert (episode["state"], episode["attempts"]) == ("in_review", 1)
    assert "/pull/" in episode["review_url"]

    bucket = cloud.made.bucket
    s3 = client(cloud.account.url, "s3")
    key = episode["artifacts"]["transcript"].removeprefix(f"s3://{bucket}/")
    document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert len(document["segments"]) > 2
    audio = episode["artifacts"]["audio"].removeprefix(f"s3://{bucket}/")
    tags = s3.get_object_tagging(Bucket=bucket, Key=audio)["TagSet"]
    assert tags == [{"Key": "kind", "Value": "audio"}]

    times_are_recorded(cloud, project.run("show", episode["id"], "--json").json)

    again = project.run("poll", "-v")
    assert "asked for" not in again.err
    cloud.hub.site.squash(pull.branch)
    assert [row["state"] for row in project.run("review", "sync", "--json").json] == ["published"]


def times_are_recorded(cloud: Cloud, shown: dict[str, Any]) -> None:
    """Launch, pull, start, busy, stop: what a cost is made of."""
    records = FleetRecords(Rows(clients().dynamodb(), cloud.made.names.table))
    (task,) = records.tasks()
    (machine,) = records.unbilled()
    busy = [event["at"] for event in shown["events"] if event["worker"] == task.id]
    ended = next(event["at"] for event in shown["events"] if event["state"] == "in_review")
    moments = [
        task.asked_at,
        task.pull_started_at,
        task.pull_stopped_at,
        task.started_at,
        *busy,
        ended,
        task.stopped_at,
    ]
    assert moments == sorted(moments, key=lambda moment: moment or 0)
    assert (machine.launched_at or 0) >= task.asked_at - 1  # EC2 tells whole seconds
    assert (machine.ended_at or 0) >= (task.stopped_at or 0) - 1
    assert (task.exit_code, task.market, task.instance) == (0, Market.SPOT, machine.id)


def test_a_spot_interruption_in_mid_job_costs_time_and_nothing_else(cloud: Cloud, speech: bytes) -> None:
    project = cloud.project
    project.serve("one.mp3", speech * 5)  # long enough to be interrupted
    project.publish(project.item(1, "one.mp3"))
    project.run("poll")
    running = cloud.wait(lambda status: bool(status["tasks"]) and status["tasks"][0]["step"] == "transcribe")
    cloud.account.ecs.interrupt(running["tasks"][0]["id"])
    cloud.wait(at_rest)
    assert len(cloud.hub.site.pulls) == 1
    (episode,) = project.run("episodes", "--json").json
    assert (episode["state"], episode["attempts"], episode["error"]) == ("in_review", 2, None)


def test_what_can_not_be_had_is_said_and_nothing_is_lost(cloud: Cloud, speech: bytes) -> None:
    project = cloud.project
    cloud.account.ecs.capacity.update(SPOT="quota", ON_DEMAND="refused")
    project.serve("one.mp3", speech)
    project.publish(project.item(1, "one.mp3"))
    project.run("poll")
    status = cloud.wait(lambda status: len(status["holds"]) == 2)
    assert status["queue"]["waiting"] == 1
    told = project.run("status").out
    assert "quota for spot" in told
    assert "no on-demand capacity" in told
