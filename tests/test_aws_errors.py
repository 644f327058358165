"""What users read when AWS says no, or nothing; and how long it is asked before that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.adapters.aws.clients import Clients
from pipeline.adapters.aws.dynamodb import DynamoLedger
from pipeline.adapters.aws.rows import Rows
from pipeline.adapters.aws.s3 import S3Store
from pipeline.adapters.aws.sqs import SqsQueue
from pipeline.errors import StorageError
from pipeline.model import Job
from pipeline.ports import Clock, Ledger
from tests.aws_site import Obstacle, clients, dynamo_ledger, name_for
from tests.builders import a_change

DENIED = (
    "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: dynamodb:GetItem on resource: x"
)


@pytest.fixture
def ledger(obstacle: Obstacle, tmp_path: Path) -> Ledger:
    return dynamo_ledger(tmp_path)


def refusal(act: Callable[[], object]) -> StorageError:
    with pytest.raises(StorageError) as refused:
        act()
    return refused.value


@pytest.mark.parametrize(
    ("code", "message", "words", "hint"),
    [
        ("ExpiredTokenException", "The security token is expired", "have expired", "aws sso login"),
        ("UnrecognizedClientException", "The token is invalid", "does not accept", "aws sso login"),
        ("InvalidSignatureException", "Canonical string: SECRET", "does not accept", "aws sso login"),
        ("RequestExpired", "", "clock is wrong", "set the clock"),
        ("AccessDeniedException", DENIED, "does not allow dynamodb:GetItem on the table", "permissions"),
        ("AccessDeniedException", "", "does not allow GetItem on the table", "permissions"),
        ("ResourceNotFoundException", "", "the table proofcast-", "deploy"),
        ("ValidationException", "One\nor more SECRET", "One or more SECRET", ""),
    ],
)
def test_a_refusal_is_said_in_plain_words(
    ledger: Ledger, obstacle: Obstacle, code: str, message: str, words: str, hint: str
) -> None:
    obstacle.fail("GetItem", code, message=message)
    error = refusal(lambda: ledger.get("show-1"))
    assert words in error.message
    assert hint in error.hint
    assert "123456789012" not in str(error)
    assert ("SECRET" in str(error)) is ("SECRET" in words)


def test_trouble_at_aws_is_waited_for_then_said(ledger: Ledger, obstacle: Obstacle) -> None:
    obstacle.fail("GetItem", "InternalServerError", times=2, status=500)
    assert ledger.get("show-1") is None
    obstacle.fail("GetItem", "InternalServerError", times=9, status=500)
    error = refusal(lambda: ledger.get("show-1"))
    assert "has trouble at AWS" in error.message
    assert "try again" in error.hint


def test_throttling_is_waited_for_then_said(ledger: Ledger, obstacle: Obstacle) -> None:
    obstacle.fail("UpdateItem", "ThrottlingException")
    obstacle.fail("TransactWriteItems", "ThrottlingException")
    ledger.record([a_change()])
    assert ledger.get("show-1")
    assert obstacle.requests.count("TransactWriteItems") == 2
    obstacle.fail("GetItem", "ThrottlingException", times=9)
    error = refusal(lambda: ledger.get("show-1"))
    assert "asked for more than it can take" in error.message
    assert "try again" in error.hint
    assert obstacle.requests.count("GetItem") == 1 + 3


def test_aws_is_told_who_asks(ledger: Ledger, obstacle: Obstacle) -> None:
    ledger.get("show-1")
    assert all("proofcast/0" in agent for agent in obstacle.agents)


def test_what_is_not_deployed_is_said(aws: None, tmp_path: Path, clock: Clock) -> None:
    made, url = clients(), "http://127.0.0.1:1/123456789012/jobs"
    queue = SqsQueue(made.sqs(), url, f"{url}-dead", clock, dead_wait_s=0)
    store = S3Store(made.s3(), name_for(tmp_path), tmp_path)
    for act, words in (
        (DynamoLedger(Rows(made.dynamodb(), "nothing")).counts, "the table nothing does not exist"),
        (lambda: queue.send(Job(episode_id="show-1")), "the queue jobs does not exist"),
        (queue.dead_letters, "the queue jobs-dead does not exist"),
        (lambda: store.put("a", b""), f"the bucket {name_for(tmp_path)} does not exist"),
        (lambda: store.get("a"), f"the bucket {name_for(tmp_path)} does not exist"),
    ):
        error = refusal(act)
        assert error.message == words
        assert "deploy" in error.hint


def test_a_network_that_is_not_there_is_said(aws_at: Callable[[str], None]) -> None:
    aws_at("http://127.0.0.1:1")
    error = refusal(DynamoLedger(Rows(clients().dynamodb(), "table")).counts)
    assert "the table table can't be reached" in error.message
    assert "network" in error.hint


def test_missing_credentials_are_said(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = refusal(DynamoLedger(Rows(clients().dynamodb(), "table")).counts)
    assert "there are no AWS credentials" in error.message
    assert "aws sso login" in error.hint


def test_a_sign_in_that_ended_is_said(aws: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / "config"
    settings.write_text(
        "[profile show]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
        "[sso-session s]\nsso_start_url = https://sso.example/start\nsso_region = us-east-1\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))
    monkeypatch.setenv("AWS_PROFILE", "show")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = refusal(lambda: DynamoLedger(Rows(clients().dynamodb(), "table")).counts())
    assert "the AWS credentials have expired" in error.message
    assert "aws sso login" in error.hint


def test_settings_that_can_not_be_used_are_said(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    error = refusal(clients().sqs)
    assert error.message == "no AWS region is set"
    assert "AWS_REGION" in error.hint
    assert Clients("0", region="eu-west-1").sqs().meta.region_name == "eu-west-1"
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in refusal(clients).message
