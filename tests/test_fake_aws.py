"""The fake of AWS keeps its word: it refuses what AWS refuses, and tasks live as they do there."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, cast
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from pipeline.deployment import Deployment
from tests.aws_site import name_for
from tests.fakes.aws_account import Account, Deployed, client, deploy
from tests.fakes.aws_prices import SPOT_G
from tests.fakes.aws_service import Json, problems
from tests.fakes.ecs import Capacity, Timing

NOON = 1_780_000_000.0
QUICK = Timing(instance_s=0, pull_s=0, start_s=0, stop_s=0, refuse_s=0, idle_s=0, drain_s=0, terminate_s=0)


class Site:
    """An account with a deployment, a clock that stands still, and a client of its ECS."""

    def __init__(self, account: Account, url: str, made: Deployed, now: list[float]) -> None:
        self.account, self.url, self.made, self.now = account, url, made, now
        self.ecs = account.ecs
        self.client = client(url, "ecs")

    def run(self, market: str = "SPOT", **more: Any) -> Json:
        """RunTask as Proofcast asks for it."""
        strategy = [{"capacityProvider": self.made.providers[market], "weight": 1}]
        family, cluster = self.made.names.worker, self.made.names.cluster
        settings = {"cluster": cluster, "taskDefinition": family, "capacityProviderStrategy": strategy}
        return self.client.run_task(**{**settings, **more})

    def start(self, market: str = "SPOT", **more: Any) -> str:
        return self.run(market, **more)["tasks"][0]["taskArn"]

    def task(self, arn: str, after_s: float = 0) -> Json:
        self.now[0] += after_s
        return self.ask("describe_tasks", tasks=[arn])["tasks"][0]

    def ask(self, operation: str, **params: Any) -> Json:
        return getattr(self.client, operation)(cluster=self.made.names.cluster, **params)

    def instances(self) -> list[Json]:
        arns = self.ask("list_container_instances")["containerInstanceArns"]
        if not arns:
            return []
        return self.ask("describe_container_instances", containerInstances=arns)["containerInstances"]

    def serve(self, count: int) -> str:
        """Has a service keep up tasks, and gives its name."""
        strategy = [{"capacityProvider": self.made.providers["SPOT"]}]
        family, name = self.made.names.worker, self.made.names.service
        settings = {"taskDefinition": family, "capacityProviderStrategy": strategy, "desiredCount": count}
        self.ask("create_service", serviceName=name, **settings)
        return name


@pytest.fixture
def site(tmp_path: Any, aws_at: Callable[[str], None]) -> Generator[Site]:
    now = [NOON]
    account = Account(lambda: now[0])
    with account.served() as url:
        aws_at(url)
        yield Site(account, url, deploy(url, Deployment(name_for(tmp_path), "us-east-1")), now)


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=code)


# The model


def test_requests_are_held_against_the_model(site: Site) -> None:
    with refused("InvalidParameterException.*'MISSING' is none of TAGS"):
        site.ask("describe_tasks", tasks=["a"], include=["MISSING"])
    body = json.dumps({"clusters": ["a"], "clusterz": []}).encode()
    headers = {
        "X-Amz-Target": "AmazonEC2ContainerServiceV20141113.DescribeClusters",
        "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/ecs/aws4_request, etc.",
    }
    with pytest.raises(OSError, match="400"):
        urlopen(Request(site.url, body, headers), timeout=5)
    assert site.ecs.asked("DescribeClusters") == [{"clusters": ["a"], "clusterz": []}]


@pytest.mark.parametrize(
    "answer", [{"taskArnz": []}, {"taskArns": [1]}, {"taskArns": [], "nextToken": None}, ["taskArns"]]
)
def test_wrong_answers_are_faults(site: Site, monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def wrong(params: Json) -> Any:
        return answer

    monkeypatch.setattr(site.ecs, "list_tasks", wrong)
    with refused("FakeFault.*not as modelled"):
        site.ask("list_tasks")
    site.ecs.faults.clear()


def test_faults_are_raised_in_the_end() -> None:
    account = Account(time.time)
    with pytest.raises(AssertionError, match="knows nothing"), account.served() as url, refused("FakeFault"):
        client(url, "ecs").list_account_settings()


def test_limits_are_checked_that_botocore_passes_over(site: Site) -> None:
    model = cast(Any, site.account.prices)._model.operation_model("GetProducts").input_shape
    assert problems({"ServiceCode": "AmazonEC2", "MaxResults": 101}, model) == [
        "input.MaxResults: more than 100"
    ]


def test_failures_on_demand(site: Site) -> None:
    site.ecs.fail("ListTasks", "ServerException", "trouble")
    with refused("ServerException.*trouble"):
        site.ask("list_tasks")
    assert site.ask("list_tasks")["taskArns"] == []
    with pytest.raises(Exception, match="ListTasks never fails with ConflictException"):
        site.ecs.fail("ListTasks", "ConflictException")


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        ("ecs", "list_clusters", {}, "ThrottlingException"),
        ("sqs", "list_queues", {}, "RequestThrottled"),
        ("dynamodb", "list_tables", {}, "ThrottlingException"),
        ("s3", "list_objects_v2", {"Bucket": "b"}, "SlowDown"),
        ("ec2", "describe_instances", {}, "RequestLimitExceeded"),
        ("sts", "get_caller_identity", {}, "RequestLimitExceeded"),
    ],
)
def test_throttling(site: Site, service: str, operation: str, params: Json, code: str) -> None:
    site.account.throttle(service, 1)
    with refused(code):
        getattr(client(site.url, service), operation)(**params)


# Tasks


def test_life_of_a_task(site: Site) -> None:
    arn = site.start(tags=[{"key": "a", "value": "b"}], startedBy="poller/1")
    task = site.task(arn)
    assert (task["lastStatus"], task["launchType"]) == ("PROVISIONING", "MANAGED_INSTANCES")
    assert (task["tags"], task["startedBy"]) == ([], "poller/1")
    assert site.instances() == []
    assert site.task(arn, 43)["lastStatus"] == "PENDING"
    assert "pullStoppedAt" in site.task(arn, 59)
    task = site.task(arn, 1000)
    assert task["lastStatus"] == "RUNNING"
    assert [task[name].timestamp() - NOON for name in ("pullStartedAt", "pullStoppedAt", "startedAt")] == [
        43,
        98,
        103,
    ]
    [instance] = site.instances()
    assert instance["runningTasksCount"] == 1
    assert {"name": "ecs.instance-type", "value": "g6.xlarge"} in instance["attributes"]
    site.ecs.end(arn.rpartition("/")[2], exit_code=3)
    task = site.task(arn, 3)
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "EssentialContainerExited")
    assert task["containers"][0]["exitCode"] == 3
    assert site.ask("list_tasks", desiredStatus="STOPPED")["taskArns"] == [arn]
    site.now[0] += 3600
    assert site.ask("describe_tasks", tasks=[arn])["failures"] == [{"arn": arn, "reason": "MISSING"}]


def test_instances_are_used_again_then_end(site: Site) -> None:
    ec2 = client(site.url, "ec2")

    def machine(**asked: Any) -> Json:
        return ec2.describe_instances(**asked)["Reservations"][0]["Instances"][0]

    first = site.start()
    site.task(first, 200)
    [instance] = site.instances()
    site.ask("stop_task", task=first, reason="enough")
    stopped = site.task(first, 10)
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "enough")
    second = site.start()
    assert site.task(second)["containerInstanceArn"] == instance["containerInstanceArn"]
    site.ask("stop_task", task=second)
    site.now[0] += 101
    assert [one["status"] for one in site.instances()] == ["DRAINING"]
    assert ec2.describe_instances()["Reservations"] == []
    running = machine(InstanceIds=[instance["ec2InstanceId"]])
    assert (running["InstanceLifecycle"], running["InstanceType"]) == ("spot", "g6.xlarge")
    assert running["LaunchTime"].timestamp() == NOON
    assert running["Placement"]["AvailabilityZone"] == "us-east-1a"
    assert running["State"]["Name"] == "running"
    site.now[0] += 10
    assert site.ask("list_container_instances")["containerInstanceArns"] == []
    assert machine(IncludeManagedResources=True)["State"]["Name"] == "shutting-down"
    site.now[0] += 330
    assert machine(IncludeManagedResources=True)["State"]["Name"] == "terminated"


def test_same_token_same_tasks(site: Site) -> None:
    token: Json = {"clientToken": "t", "count": 2}
    arns = [task["taskArn"] for task in site.run(**token)["tasks"]]
    assert [task["taskArn"] for task in site.run(**token)["tasks"]] == arns
    with refused("ConflictException") as caught:
        site.run("SPOT", **{**token, "count": 1})
    assert cast(Json, caught.value.response)["resourceIds"] == arns
    assert sorted(site.ask("list_tasks")["taskArns"]) == sorted(arns)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"count": 11}, "InvalidParameterException"),
        ({"launchType": "MANAGED_INSTANCES"}, "InvalidParameterException"),
        ({"capacityProviderStrategy": []}, "InvalidParameterException"),
        ({"capacityProviderStrategy": [{"capacityProvider": "b"}]}, "InvalidParameterException"),
        ({"cluster": "b"}, "ClusterNotFoundException"),
        ({"taskDefinition": "b"}, "ClientException"),
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}}, "InvalidParameterException"),
        ({"overrides": {"containerOverrides": [{"name": "b"}]}}, "InvalidParameterException"),
        ({"startedBy": "a b"}, "InvalidParameterException"),
    ],
)
def test_what_run_task_refuses(site: Site, more: Json, code: str) -> None:
    with refused(code):
        site.run(**more)
    assert site.ask("list_tasks")["taskArns"] == []


@pytest.mark.parametrize(
    ("capacity", "word"), [("refused", "UnfulfillableCapacity"), ("quota", "VcpuLimitExceeded")]
)
def test_refusals_of_capacity(site: Site, capacity: Capacity, word: str) -> None:
    site.ecs.capacity["SPOT"] = capacity
    task = site.task(site.start(), 10)
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "TaskFailedToStart")
    assert word in task["stoppedReason"]
    assert site.task(site.start("ON_DEMAND"), 43)["lastStatus"] == "PENDING"


def test_no_capacity_then_some(site: Site) -> None:
    site.ecs.capacity["SPOT"] = "none"
    arn = site.start()
    assert site.task(arn, 10_000)["lastStatus"] == "PROVISIONING"
    site.ecs.capacity["SPOT"] = "plenty"
    site.task(arn)
    assert site.task(arn, 43)["lastStatus"] == "PENDING"


def test_interruption(site: Site) -> None:
    arn = site.start()
    site.task(arn, 200)
    site.ecs.interrupt(arn.rpartition("/")[2])
    assert site.task(arn, 3)["stopCode"] == "SpotInterruption"
    assert site.task(site.start())["lastStatus"] == "PROVISIONING"  # the instance takes no more tasks


def test_lists(site: Site) -> None:
    arns = [task["taskArn"] for task in site.run(count=3, startedBy="me")["tasks"]]
    site.ecs.stale_lists = 1
    assert site.ask("list_tasks")["taskArns"] == []
    page = site.ask("list_tasks", startedBy="me", maxResults=2)
    rest = site.ask("list_tasks", startedBy="me", nextToken=page["nextToken"])
    assert page["taskArns"] + rest["taskArns"] == arns
    assert site.ask("list_tasks", family="other")["taskArns"] == []
    with refused("InvalidParameterException"):
        site.ask("list_tasks", startedBy="me", family=site.made.names.worker)


def test_a_process_for_each_task(tmp_path: Any, aws_at: Callable[[str], None]) -> None:
    program = "import os, time; print(os.environ['ECS_AGENT_URI'], flush=True); time.sleep(60)"

    def launch(task: Json) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program]
        return subprocess.Popen(command, env=account.environment(task), stdout=subprocess.PIPE, text=True)

    processes: list[subprocess.Popen[str]] = []
    account = Account(time.time, lambda task: processes.append(launch(task)) or processes[-1])
    account.ecs.timing = QUICK
    with account.served() as url:
        aws_at(url)
        site = Site(account, url, deploy(url, Deployment(name_for(tmp_path), "us-east-1")), [0])
        stopped, killed = site.start(), site.start()
        assert (
            cast(Any, processes[0].stdout).readline().strip() == f"{url}/agent/{stopped.rpartition('/')[2]}"
        )
        processes[1].kill()
        site.ask("stop_task", task=stopped)
        for process in processes:
            process.communicate()
        assert [site.task(arn)["containers"][0]["exitCode"] for arn in (stopped, killed)] == [-15, -9]
        assert [site.task(arn)["stopCode"] for arn in (stopped, killed)] == [
            "UserInitiated",
            "EssentialContainerExited",
        ]


# Services and protection


def agent(site: Site, arn: str, wanted: Json | None = None) -> Json:
    url = f"{site.url}/agent/{arn.rpartition('/')[2]}/task-protection/v1/state"
    body = None if wanted is None else json.dumps(wanted).encode()
    with urlopen(Request(url, body, method="PUT" if wanted else "GET"), timeout=5) as answer:
        return json.load(answer)


def test_protection_is_for_tasks_of_services(site: Site) -> None:
    alone, name = site.start(), site.serve(2)
    arns = site.ask("list_tasks", serviceName=name)["taskArns"]
    assert agent(site, alone, {"ProtectionEnabled": True})["failure"]["Reason"] == "TASK_NOT_VALID"
    assert agent(site, arns[0], {"ProtectionEnabled": True, "ExpiresInMinutes": 10})["protection"][
        "ProtectionEnabled"
    ]
    assert agent(site, arns[1])["protection"]["ProtectionEnabled"] is False
    answer = site.ask("get_task_protection", tasks=[alone, arns[0]])
    assert [one["reason"] for one in answer["failures"]] == ["TASK_NOT_VALID"]
    assert answer["protectedTasks"][0]["expirationDate"].timestamp() == NOON + 600
    site.ask("update_service", service=name, desiredCount=0)
    assert site.ask("list_tasks", serviceName=name)["taskArns"] == [arns[0]]
    site.now[0] += 601
    assert site.ask("list_tasks", serviceName=name)["taskArns"] == []


def test_services_replace_tasks_that_end(site: Site) -> None:
    name = site.serve(1)
    [arn] = site.ask("list_tasks", serviceName=name)["taskArns"]
    site.task(arn, 200)
    site.ecs.end(arn.rpartition("/")[2])
    [service] = site.ask("describe_services", services=[name])["services"]
    assert (service["runningCount"], service["pendingCount"]) == (0, 1)


def test_metadata_of_a_task(site: Site) -> None:
    arn = site.start()
    with urlopen(f"{site.url}/metadata/{arn.rpartition('/')[2]}/task", timeout=5) as answer:
        told = json.load(answer)
    assert (told["TaskARN"], told["Family"], told["Revision"]) == (arn, site.made.names.worker, "1")


# All else


def test_capacity_providers_are_their_clusters_own(site: Site) -> None:
    [spot] = site.ask("describe_capacity_providers", capacityProviders=[site.made.providers["SPOT"]])[
        "capacityProviders"
    ]
    assert spot["managedInstancesProvider"]["instanceLaunchTemplate"]["capacityOptionType"] == "SPOT"
    assert site.client.describe_capacity_providers()["capacityProviders"] == []
    assert site.client.describe_clusters(clusters=["b"])["failures"][0]["reason"] == "MISSING"
    latest = site.client.describe_task_definition(taskDefinition=site.made.names.worker)["taskDefinition"]
    assert latest["taskDefinitionArn"] == site.made.definition


def test_quotas(site: Site) -> None:
    quotas = client(site.url, "service-quotas")
    site.account.quotas.values = {SPOT_G: 8}
    assert quotas.get_service_quota(ServiceCode="ec2", QuotaCode=SPOT_G)["Quota"]["Value"] == 8
    assert quotas.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=SPOT_G)["Quota"]["Value"] == 0
    with refused("NoSuchResourceException"):
        quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-7212CCBC")


def test_prices(site: Site) -> None:
    prices = client(site.url, "pricing")

    def found(service: str, **terms: str) -> list[Json]:
        filters = [
            {"Type": "CONTAINS" if field == "usagetype" else "TERM_MATCH", "Field": field, "Value": value}
            for field, value in terms.items()
        ]
        return [
            json.loads(text)
            for text in prices.get_products(ServiceCode=service, Filters=filters)["PriceList"]
        ]

    def usd(entry: Json) -> str:
        [term] = entry["terms"]["OnDemand"].values()
        [dimension] = term["priceDimensions"].values()
        return dimension["pricePerUnit"]["USD"]

    usual = {
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    assert len(found("AmazonEC2", instanceType="g6.xlarge")) > 1
    [instance] = found("AmazonEC2", instanceType="g6.xlarge", regionCode="us-east-1", **usual)
    [fee] = found("AmazonECS", operation="ECSManagedInstancesUsage", usagetype=":g6.xlarge-management-hours")
    assert (usd(instance), usd(fee)) == ("0.8048000000", "0.0627744000")
    assert found("AmazonEC2", regionCode="eu-west-1") == []


def test_who_waits_for_messages_holds_up_nobody(site: Site) -> None:
    sqs, got = client(site.url, "sqs"), list[Json]()
    wait = threading.Thread(
        target=lambda: got.append(sqs.receive_message(QueueUrl=site.made.queue_url, WaitTimeSeconds=20))
    )
    wait.start()
    while ("sqs", "ReceiveMessage") not in site.account.requests:
        time.sleep(0.01)
    client(site.url, "sqs").send_message(QueueUrl=site.made.queue_url, MessageBody="hello")
    wait.join(5)
    assert got[0]["Messages"][0]["Body"] == "hello"
