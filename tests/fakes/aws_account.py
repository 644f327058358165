"""An AWS account on loopback: our own fakes and moto's behind one URL, and what a stack makes in it.

All of moto's state is the process's, so deployments in one process need names of their own.
"""

from __future__ import annotations

import io
import json
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs

from pipeline.adapters.aws.table import definition as table_definition
from pipeline.deployment import TAG, Deployment
from tests.aws_site import emulator
from tests.fakes.aws_costs import FakeCosts
from tests.fakes.aws_prices import FakePrices, FakeQuotas
from tests.fakes.aws_service import AwsError, Json, Service, StartResponse, reply
from tests.fakes.ecs import ACCOUNT, MARKETS, FakeEcs, Launch

POLL_S = 0.05
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@dataclass(frozen=True)
class Request:
    """What of a request tells whose it is and what for."""

    environ: Json
    service: str
    operation: str
    body: bytes

    @classmethod
    def read(cls, environ: Json) -> Request:
        """Its body can be read again."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        scope = environ.get("HTTP_AUTHORIZATION", "").partition(",")[0].split("/")
        service = scope[-2] if len(scope) == 5 else ""
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        read = cls(environ, service, target, body)
        operation = target or read.form.get("Action", [environ["REQUEST_METHOD"]])[0]
        return cls({**environ, "wsgi.input": io.BytesIO(body)}, service, operation, body)

    @property
    def form(self) -> dict[str, list[str]]:
        is_form = self.environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
        return parse_qs(self.body.decode()) if is_form else {}

    def again(self, body: bytes) -> Json:
        """An environment that reads another body."""
        return {**self.environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}


class Account:
    """A WSGI application; whatever of the fakes proves wrong is raised at the end of `served`."""

    def __init__(
        self, clock: Callable[[], float], launch: Launch | None = None, region: str = "us-east-1"
    ) -> None:
        self.ecs = FakeEcs(clock, launch, region)
        self.quotas = FakeQuotas()
        self.prices = FakePrices()
        self.costs = FakeCosts(clock)
        self.requests: list[tuple[str, str]] = []
        self.url = ""
        self.faults: list[str] = []
        self._own: dict[str, Service] = {
            "ecs": self.ecs,
            "servicequotas": self.quotas,
            "pricing": self.prices,
            "ce": self.costs,
        }
        self._moto = emulator()
        self._throttled: Counter[str] = Counter()
        self._closing = threading.Event()

    def throttle(self, service: str, times: int) -> None:
        """The next requests for a service, by the name that requests are signed with, are too many."""
        self._throttled[service] += times

    def environment(self, task: Json) -> dict[str, str]:
        """What a task's process finds in its environment, and where AWS is."""
        container = self.ecs.definition(task["taskDefinitionArn"])["containerDefinitions"][0]
        overrides = task["overrides"]["containerOverrides"][0]
        pairs = [*container.get("environment", []), *overrides.get("environment", [])]
        task_id = task["taskArn"].rpartition("/")[2]
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": self.ecs.region,
            "AWS_EXECUTION_ENV": "AWS_ECS_MANAGED_INSTANCES",
            "ECS_CONTAINER_METADATA_URI_V4": f"{self.url}/metadata/{task_id}",
            "ECS_AGENT_URI": f"{self.url}/agent/{task_id}",
            **{pair["name"]: pair["value"] for pair in pairs},
        }

    @contextmanager
    def served(self) -> Generator[str]:
        """The URL, at which requests are answered side by side."""
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Silent(WSGIRequestHandler):
            def log(self, type: str, message: str, *args: Any) -> None: ...

        server = make_server("127.0.0.1", 0, cast(Any, self), threaded=True, request_handler=Silent)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.port}"
        try:
            yield self.url
        finally:
            self._closing.set()
            server.shutdown()
            thread.join()
            server.server_close()
            self.ecs.close()
        faults = self.faults + [fault for service in self._own.values() for fault in service.faults]
        assert not faults, "\n".join(faults)

    def __call__(self, environ: Json, start_response: StartResponse) -> Iterable[bytes]:
        try:
            self.ecs.advance()
            return self._answer(Request.read(environ), start_response)
        except Exception:  # noqa: BLE001 - whatever it is, the test shall see it
            self.faults.append(traceback.format_exc())
            return reply(start_response, 501, self.faults[-1].encode(), "text/plain")

    def _answer(self, request: Request, start_response: StartResponse) -> Iterable[bytes]:
        path = request.environ["PATH_INFO"].split("/")
        if path[1] in ("metadata", "agent") and not request.service:
            status, answer = self._told(path, request)
            return reply(start_response, status, json.dumps(answer).encode(), "application/json")
        self.requests.append((request.service, request.operation))
        if self._throttled[request.service] > 0:
            self._throttled[request.service] -= 1
            return _too_many(request, start_response)
        if request.service in self._own:
            return self._own[request.service](request.environ, start_response)
        if (request.service, request.operation) == ("sqs", "ReceiveMessage"):
            return self._received(request, start_response)
        return self._emulated(request, request.environ, start_response)

    def _emulated(self, request: Request, environ: Json, start_response: StartResponse) -> list[bytes]:
        """By moto, one request at a time, as if each were atomic."""
        managed_too = "InstanceId.1" in request.form or request.form.get("IncludeManagedResources") == [
            "true"
        ]
        machines = self.ecs.machines
        with machines.lock:
            if request.operation == "DescribeInstances" and not managed_too:
                machines.hide()
            try:
                with closing(cast(Any, self._moto(environ, start_response))) as parts:
                    return list(parts)
            finally:
                machines.show()

    def _received(self, request: Request, start_response: StartResponse) -> list[bytes]:
        """Waits for messages, as SQS does, but lets others have their turn meanwhile."""
        params = json.loads(request.body)
        until = time.monotonic() + params.get("WaitTimeSeconds", 0)
        once = json.dumps({**params, "WaitTimeSeconds": 0}).encode()
        head: list[Any] = []

        def keep(status: str, headers: list[tuple[str, str]]) -> None:
            head[:] = status, headers

        while True:
            body = self._emulated(request, request.again(once), keep)
            if b"".join(body) != b"{}" or time.monotonic() >= until or self._closing.wait(POLL_S):
                start_response(*head)
                return body

    # What a task's own endpoints tell

    def _told(self, path: list[str], request: Request) -> tuple[int, Json]:
        try:
            task = self.ecs.task(path[2])
        except KeyError:
            return 404, _error("ResourceNotFoundException", "Failed to find a task for the request")
        if path[1:2] + path[3:] == ["metadata", "task"]:
            return 200, _metadata(task)
        if path[1:2] + path[3:] == ["agent", "task-protection", "v1", "state"]:
            return self._protection(task, request)
        return 404, {}

    def _protection(self, task: Json, request: Request) -> tuple[int, Json]:
        params = {"cluster": task["clusterArn"], "tasks": [task["taskArn"]]}
        if request.operation == "GET":
            return self._protected(self.ecs.get_task_protection, params)
        wanted = json.loads(request.body)
        if not {"ProtectionEnabled"} <= set(wanted) <= {"ProtectionEnabled", "ExpiresInMinutes"}:
            return 400, _error("InvalidParameterException", "UpdateTaskProtection: failed to decode request")
        named = {name[0].lower() + name[1:]: value for name, value in wanted.items()}
        return self._protected(self.ecs.update_task_protection, {**params, **named})

    def _protected(self, do: Callable[[Json], Json], params: Json) -> tuple[int, Json]:
        try:
            with self.ecs.lock:
                answer = do(params)
        except AwsError as error:
            return error.status, _error(error.code, error.message)
        if answer["failures"]:
            failure = answer["failures"][0]
            return 200, {"failure": {"Arn": failure["arn"], "Detail": None, "Reason": failure["reason"]}}
        protection = answer["protectedTasks"][0]
        until = protection.get("expirationDate")
        return 200, {
            "protection": {
                "ExpirationDate": f"{until:%Y-%m-%dT%H:%M:%SZ}" if until else None,
                "ProtectionEnabled": protection["protectionEnabled"],
                "TaskArn": protection["taskArn"],
            }
        }


def _error(code: str, message: str) -> Json:
    return {"error": {"Code": code, "Message": message}}


def _metadata(task: Json) -> Json:
    """As the agent has it, version 4."""
    family, _, revision = task["taskDefinitionArn"].rpartition("/")[2].partition(":")
    return {
        "Cluster": task["clusterArn"],
        "TaskARN": task["taskArn"],
        "Family": family,
        "Revision": revision,
        "DesiredStatus": task["desiredStatus"],
        "KnownStatus": task["lastStatus"],
        "LaunchType": task["launchType"],
        "AvailabilityZone": task.get("availabilityZone", ""),
        "Containers": [
            {
                "Name": container["name"],
                "Image": container["image"],
                "ContainerARN": container["containerArn"],
                "KnownStatus": container["lastStatus"],
            }
            for container in task["containers"]
        ],
    }


def _too_many(request: Request, start_response: StartResponse) -> list[bytes]:
    """As each kind of service words it."""
    if request.service == "s3":
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        return reply(start_response, 503, body, "application/xml")
    error = "<Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error>"
    if request.service == "ec2":
        body = f"<Response><Errors>{error}</Errors><RequestID>0</RequestID></Response>".encode()
        return reply(start_response, 503, body, "text/xml")
    if request.form:
        return reply(start_response, 503, f"<ErrorResponse>{error}</ErrorResponse>".encode(), "text/xml")
    code = "RequestThrottled" if request.service == "sqs" else "ThrottlingException"
    body = json.dumps({"__type": f"com.amazonaws#{code}", "message": "Rate exceeded"}).encode()
    kind = "application/x-amz-json-1.1"
    return reply(start_response, 400, body, kind, x_amzn_query_error=f"{code};Sender", x_amzn_errortype=code)


def client(url: str, service: str, region: str = "us-east-1", attempts: int = 1) -> Any:
    """Of boto3, that trusts nothing of this machine's settings."""
    import boto3
    from botocore.config import Config

    return cast(Any, boto3).client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


@dataclass(frozen=True)
class Deployed:
    """What is there after a deployment."""

    names: Deployment
    bucket: str
    queue_url: str
    dead_url: str
    definition: str  #: the ARN of the worker's task definition
    providers: dict[str, str]  #: the names of capacity providers, by market


def deploy(
    url: str,
    names: Deployment,
    *,
    environment: dict[str, str] | None = None,
    instance_types: tuple[str, ...] = ("g4dn.xlarge", "g5.xlarge", "g6.xlarge"),
    scale_in_after_s: int | None = None,
    receives: int = 5,
    github_token: str = "github_pat_writes",
) -> Deployed:
    """Makes in an account what the stack makes."""

    def made(service: str) -> Any:
        return client(url, service, names.region, attempts=3)

    bucket = names.bucket(ACCOUNT)
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": names.region}}
    made("s3").create_bucket(Bucket=bucket, **({} if names.region == "us-east-1" else elsewhere))
    made("dynamodb").create_table(**table_definition(names.table))
    made("secretsmanager").create_secret(Name=names.github_token, SecretString=github_token)
    made("logs").create_log_group(logGroupName=names.worker_log)
    queue_url, dead_url = _queues(made("sqs"), names, receives)
    ecs = made("ecs")
    ecs.create_cluster(clusterName=names.cluster)
    settings = _instances(instance_types, scale_in_after_s)
    providers = {market: f"{names.name}-{market.lower().replace('_', '-')}" for market in MARKETS}
    for market, name in providers.items():
        settings["instanceLaunchTemplate"]["capacityOptionType"] = market
        ecs.create_capacity_provider(
            name=name,
            cluster=names.cluster,
            managedInstancesProvider=settings,
            tags=[{"key": TAG, "value": names.name}],
        )
    answer = ecs.register_task_definition(**_worker(names, environment or {}))
    return Deployed(
        names, bucket, queue_url, dead_url, answer["taskDefinition"]["taskDefinitionArn"], providers
    )


def _queues(sqs: Any, names: Deployment, receives: int) -> tuple[str, str]:
    dead_url = sqs.create_queue(QueueName=names.dead_queue)["QueueUrl"]
    arn = f"arn:aws:sqs:{names.region}:{ACCOUNT}:{names.dead_queue}"
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})
    sqs.create_queue(QueueName=names.first_queue, Attributes={"RedrivePolicy": policy})
    return sqs.create_queue(QueueName=names.queue, Attributes={"RedrivePolicy": policy})["QueueUrl"], dead_url


def _instances(types: tuple[str, ...], scale_in_after_s: int | None) -> Json:
    role = f"arn:aws:iam::{ACCOUNT}:role/infrastructure"
    optimization = {} if scale_in_after_s is None else {"scaleInAfter": scale_in_after_s}
    return {
        "infrastructureRoleArn": role,
        "infrastructureOptimization": optimization,
        "propagateTags": "CAPACITY_PROVIDER",
        "instanceLaunchTemplate": {
            "ec2InstanceProfileArn": f"arn:aws:iam::{ACCOUNT}:instance-profile/ecsInstanceRole",
            "networkConfiguration": {"subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"]},
            "storageConfiguration": {"storageSizeGiB": 60},
            "instanceRequirements": {
                "vCpuCount": {"min": 4},
                "memoryMiB": {"min": 8192},
                "allowedInstanceTypes": list(types),
            },
        },
    }


def _worker(names: Deployment, environment: dict[str, str]) -> Json:
    """The arguments that register the worker's task definition."""
    log = {
        "awslogs-group": names.worker_log,
        "awslogs-region": names.region,
        "awslogs-stream-prefix": "worker",
    }
    container = {
        "name": names.worker,
        "image": f"{ACCOUNT}.dkr.ecr.{names.region}.amazonaws.com/{names.worker}:latest",
        "essential": True,
        "memoryReservation": 8192,
        "resourceRequirements": [{"type": "GPU", "value": "1"}],
        "environment": [{"name": name, "value": value} for name, value in environment.items()],
        "logConfiguration": {"logDriver": "awslogs", "options": log},
        "stopTimeout": 120,
    }
    return {
        "family": names.worker,
        "requiresCompatibilities": ["MANAGED_INSTANCES"],
        "networkMode": "host",
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{names.worker}",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{names.worker}-execution",
        "containerDefinitions": [container],
    }
