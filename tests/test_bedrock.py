"""A language model asked over HTTP, with boto3: what it answers, and what goes wrong."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest

from pipeline.adapters.aws.bedrock import ATTEMPTS, Bedrock, bedrock
from pipeline.config import Refine
from pipeline.errors import ConfigError
from pipeline.proposing import RefineError
from tests.aws_site import serving
from tests.fakes.bedrock import FakeBedrock
from worker.refining import SCHEMA

EDIT = {"segment": 0, "wrong": "Owen", "right": "Eoin", "why": "the host"}


@pytest.fixture
def fake(aws: None) -> Generator[FakeBedrock]:
    fake = FakeBedrock()
    yield fake
    assert not fake.faults


@pytest.fixture
def endpoint(fake: FakeBedrock) -> Generator[str]:
    with serving(fake) as url:
        yield url


@pytest.fixture
def model(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Bedrock:
    def at_once(seconds: float) -> None: ...

    monkeypatch.setattr("time.sleep", at_once)  # botocore's waits between tries
    return bedrock(Refine(model="model-1", region="eu-west-1", endpoint=endpoint), "", "0.1.0", read_s=0.5)


def ask(model: Bedrock) -> Any:
    return model("Correct it.", "<transcript>…</transcript>", SCHEMA)


def refusal(model: Bedrock) -> RefineError:
    with pytest.raises(RefineError) as refused:
        ask(model)
    return refused.value


def test_edits_come_from_the_tool_that_it_is_made_to_use(model: Bedrock, fake: FakeBedrock) -> None:
    fake.edits(EDIT)
    answer = ask(model)
    assert (answer.edits, answer.input_tokens, answer.output_tokens) == ((EDIT,), 1000, 50)
    (request,) = fake.asked
    assert request["toolConfig"]["toolChoice"] == {"tool": {"name": "propose_edits"}}
    assert request["inferenceConfig"]["temperature"] == 0
    assert ask(model).edits == ()


@pytest.mark.parametrize(
    ("unable", "asked"), [({"temperature"}, 2), ({"toolChoice"}, 2), ({"toolChoice", "temperature"}, 3)]
)
def test_a_model_that_takes_less_is_asked_for_less(
    model: Bedrock, fake: FakeBedrock, unable: set[str], asked: int
) -> None:
    fake.unable = unable
    fake.edits(EDIT)
    assert ask(model).edits == (EDIT,)
    assert len(fake.asked) == asked
    ask(model)
    assert len(fake.asked) == asked + 1  # it is known from then on


def test_a_model_without_tools_answers_in_text(model: Bedrock, fake: FakeBedrock) -> None:
    fake.unable = {"tools"}
    fake.says([{"text": 'Here it is:\n```json\n{"edits": [{"segment": 0}]}\n```'}])
    assert ask(model).edits == ({"segment": 0},)
    assert '"required": ["edits"]' in fake.asked[-1]["messages"][0]["content"][0]["text"]


def test_throttling_is_waited_for_then_said(model: Bedrock, fake: FakeBedrock) -> None:
    fake.fails("ThrottlingException")
    assert ask(model).edits == ()
    fake.fails("ThrottlingException", times=ATTEMPTS)
    error = refusal(model)
    assert "more than it can take" in error.message
    assert not error.final


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InternalServerException", "model-1"),
        ("ServiceUnavailableException", "model-1"),
        ("ModelTimeoutException", "model-1"),
        ("ModelErrorException", "model-1"),
    ],
)
def test_trouble_of_the_model_is_no_reason_to_give_up(
    model: Bedrock, fake: FakeBedrock, code: str, words: str
) -> None:
    fake.fails(code, times=ATTEMPTS)
    error = refusal(model)
    assert words in error.message
    assert not error.final


def test_an_answer_that_does_not_come_is_not_waited_for(model: Bedrock, fake: FakeBedrock) -> None:
    until = threading.Event()
    fake.hangs(until, ATTEMPTS)
    error = refusal(model)
    until.set()
    assert "can't be reached" in error.message
    assert not error.final


def test_who_may_not_is_told_what_to_allow(model: Bedrock, fake: FakeBedrock) -> None:
    fake.fails(
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: bedrock:InvokeModel on x",
    )
    error = refusal(model)
    assert error.message == "AWS does not allow bedrock:InvokeModel on the model model-1"
    assert "access to the model" in error.hint
    assert error.final


@pytest.mark.parametrize("known", [True, False])
def test_a_model_that_is_not_there_is_final(model: Bedrock, fake: FakeBedrock, known: bool) -> None:
    if known:
        fake.fails("ResourceNotFoundException", "Could not resolve the foundation model")
    else:
        fake.models = set()
    error = refusal(model)
    assert "model under [refine]" in error.hint
    assert error.final


def test_an_answer_that_is_cut_off_is_none(model: Bedrock, fake: FakeBedrock) -> None:
    fake.says([{"text": '{"edits": ['}], "max_tokens")
    error = refusal(model)
    assert "cut off" in error.message
    assert not error.final


@pytest.mark.parametrize(
    ("text", "stop", "words"),
    [
        ("I can't help with that.", "end_turn", "I can't help with that."),
        ('{"edits": 3}', "end_turn", "form asked for"),
        ("{", "end_turn", "form asked for"),
        ("", "content_filtered", "content filtered"),
        ("", "guardrail_intervened", "guardrail intervened"),
    ],
)
def test_a_refusal_and_nonsense_are_said(
    model: Bedrock, fake: FakeBedrock, text: str, stop: str, words: str
) -> None:
    fake.says([{"text": text}], stop)
    error = refusal(model)
    assert words in error.message
    assert not error.final


def answering(content: bytes, tokens: bytes = b"1") -> bytes:
    said = b'{"output": {"message": {"role": "assistant", "content": %b}}, "stopReason": "end_turn", '
    return said % content + b'"usage": {"inputTokens": %b, "outputTokens": 1}}' % tokens


_DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"null",
        b"3",
        b"{}",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        _DEEP,
        answering(b"null"),
        answering(b"[null]"),
        answering(b"[3]"),
        answering(b"{}"),
        answering(b'[{"text": null}]'),
        answering(b'[{"text": 3}]'),
        answering(b'[{"text": "a", "toolUse": {}}]'),
        answering(b'[{"toolUse": {"input": 3}}]'),
        answering(b'[{"toolUse": {"input": %b}}]' % _DEEP),
        answering(b'[{"text": "\\ud83d"}]'),
        answering(b'[{"text": "{%b}"}]' % _DEEP),
        answering(b'[{"text": "{\\"edits\\": []}"}]', b'"many"'),
        answering(b'[{"text": "{\\"edits\\": []}"}]', b"Infinity"),
        answering(b'[{"text": "{\\"edits\\": []}"}]', b"-1"),
        answering(b'[{"text": "{\\"edits\\": []}"}]', b"9" * 40),
        answering(b'[{"text": "{\\"edits\\": []}"}]', b"9" * 9000),
    ],
    ids=lambda body: repr(body[:120]),
)
def test_an_answer_that_is_not_bedrocks_is_said(model: Bedrock, fake: FakeBedrock, body: bytes) -> None:
    for _ in range(ATTEMPTS):
        fake.garbles(body)
    error = refusal(model)
    assert "model-1" in error.message
    assert error.message.isprintable()
    assert len(error.message) < 400
    assert not error.final


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("The provided model identifier is invalid.", True),
        ("Value 'x y' at 'modelId' failed to satisfy constraint", True),
        (
            "Invocation of model ID model-1 with on-demand throughput isn\N{RIGHT SINGLE QUOTATION MARK}t "
            "supported. Retry your request with the ID or ARN of an inference profile.",
            True,
        ),
        ("You don't have access to the model with the specified model ID.", True),
        ("Input is too long for requested model", False),
        ("The model returned the following errors: no access to this model", False),
        ("Malformed input request: #: maxTokens", False),
    ],
)
def test_only_a_model_that_cannot_be_asked_is_final(
    model: Bedrock, fake: FakeBedrock, text: str, final: bool
) -> None:
    fake.fails("ValidationException", text)
    error = refusal(model)
    assert len(fake.asked) == 1
    assert error.final == final
    assert ("model under [refine]" in error.hint) == final


def test_no_network_is_said(aws: None) -> None:
    model = bedrock(Refine(model="model-1", endpoint="http://127.0.0.1:1"), "eu-west-1", "0.1.0")
    error = refusal(model)
    assert "can't be reached" in error.message
    assert not error.final


def test_settings_that_cannot_be_are_the_configs(
    aws_at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    aws_at("http://127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"\[refine\]: Bedrock can't be asked"):
        bedrock(Refine(model="model-1", endpoint="nowhere"), "eu-west-1", "0.1.0")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ConfigError, match="no AWS region is set"):
        bedrock(Refine(model="model-1"), "", "0.1.0")


def test_without_boto3_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError, match=r"\[refine\] needs boto3") as error:
        bedrock(Refine(model="model-1"), "", "0.1.0")
    assert "pip install" in error.value.hint
