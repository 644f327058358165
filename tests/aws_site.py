"""AWS on loopback: moto's server, with a table, queues and a bucket for each test, and an obstacle."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipeline.adapters.aws.clients import Clients
from pipeline.adapters.aws.dynamodb import DynamoLedger
from pipeline.adapters.aws.rows import Rows
from pipeline.adapters.aws.s3 import S3Store
from pipeline.adapters.aws.sqs import SqsQueue
from pipeline.adapters.aws.table import definition
from pipeline.adapters.aws.two_queues import TwoQueues
from pipeline.ports import ArtifactStore, Clock, JobQueue, Ledger

MAX_RECEIVES = 3

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def serving(app: App) -> Generator[str]:
    """The URL at which an application answers one request at a time, as if it were atomic."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None: ...

    server = make_server("127.0.0.1", 0, app, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def emulator() -> App:
    """An application that answers as AWS would; all of one process share their state."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # half a second

    return DomainDispatcherApplication(create_backend_app)


class Answer(NamedTuple):
    """What an obstacle says in place of AWS."""

    action: str
    status: int
    body: bytes
    headers: dict[str, str]


class Obstacle:
    """Stands before an application: answers some requests in its place, notes them all."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._answers: list[Answer] = []
        self.requests: list[str] = []
        self.agents: set[str] = set()

    def answer(
        self,
        action: str,
        status: int,
        body: bytes | dict[str, Any],
        times: int = 1,
        headers: dict[str, str] | None = None,
    ) -> None:
        """The next requests for an action: DynamoDB's and SQS's by name, S3's by HTTP method."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._answers += [Answer(action, status, text, headers or {})] * times

    def fail(self, action: str, code: str, times: int = 1, *, message: str = "", status: int = 400) -> None:
        """As DynamoDB says it."""
        self.answer(action, status, {"__type": f"com.amazonaws#{code}", "message": message}, times)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        action = environ.get("HTTP_X_AMZ_TARGET", environ["REQUEST_METHOD"]).rpartition(".")[2]
        self.requests.append(action)
        self.agents.add(environ.get("HTTP_USER_AGENT", ""))
        answer = next((answer for answer in self._answers if answer.action == action), None)
        if answer is None:
            return self._app(environ, start_response)
        self._answers.remove(answer)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(f"{answer.status} Answer", list(answer.headers.items()))
        return [answer.body]


@pytest.fixture(scope="session")
def aws_server() -> Generator[str]:
    """Its URL."""
    with serving(emulator()) as url:
        yield url


def use_aws_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what those set who use AWS, at some URL; nothing of the machine's own settings is left."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def aws_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """See `use_aws_at`."""
    return lambda url: use_aws_at(url, monkeypatch)


@pytest.fixture
def aws(aws_at: Callable[[str], None], aws_server: str) -> None:
    """AWS is there."""
    aws_at(aws_server)


@pytest.fixture
def aws_time(aws: None, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """AWS is there, and its queues live by the test's clock; every look at it takes a microsecond."""
    looks = count(1)

    def now() -> float:
        return clock() + next(looks) * 1e-6

    monkeypatch.setattr("moto.sqs.models.unix_time", now)
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: now() * 1000)


@pytest.fixture
def obstacle(aws: None, aws_at: Callable[[str], None]) -> Generator[Obstacle]:
    """AWS is there, behind this."""
    obstacle = Obstacle(emulator())
    with serving(obstacle) as url:
        aws_at(url)
        yield obstacle


def clients(attempts: int = 3) -> Clients:
    return Clients("0", attempts=attempts)


def name_for(folder: Path) -> str:
    """One name for all that a test makes, which no other test's is."""
    return f"proofcast-{hashlib.sha256(bytes(folder)).hexdigest()[:16]}"


def create_table(client: Any, name: str) -> None:
    """If it is not there already."""
    with suppress(client.exceptions.ResourceInUseException):
        client.create_table(**definition(name))


def create_queues(client: Any, name: str, max_receives: int = MAX_RECEIVES) -> tuple[str, str]:
    """The URLs of a queue and its dead-letter queue, created if they are not there already."""
    dead_url = client.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": max_receives})
    url = client.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    return url, dead_url


def dynamo_ledger(folder: Path) -> Ledger:
    client = clients().dynamodb()
    create_table(client, name_for(folder))
    return DynamoLedger(Rows(client, name_for(folder)))


def two_queues(folder: Path, clock: Clock, max_receives: int = MAX_RECEIVES) -> JobQueue:
    """As the engine has them: with the same dead-letter queue."""
    client = clients().sqs()
    url, dead_url = create_queues(client, name_for(folder), max_receives)
    policy = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
    first_url = client.create_queue(QueueName=f"{name_for(folder)}-first", Attributes=policy)["QueueUrl"]
    return TwoQueues(*(SqsQueue(client, each, dead_url, clock, dead_wait_s=0) for each in (first_url, url)))


def s3_store(folder: Path) -> ArtifactStore:
    client = clients().s3()
    client.create_bucket(Bucket=name_for(folder))
    return S3Store(client, name_for(folder), folder / "copies", prefix="episodes")
