"""A language model on Amazon Bedrock, asked for changes through Converse."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pipeline.config import Refine
from pipeline.deployment import HOW_TO_INSTALL
from pipeline.errors import ConfigError, StorageError
from pipeline.proposing import Answer, RefineError
from pipeline.spoken import plain

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_bedrock_runtime import BedrockRuntimeClient

READ_S = 120.0  #: a model may think for a minute before the first byte of its answer
ATTEMPTS = 3
MOST_TOKENS = 4096  #: of an answer: some 80 changes, more than a window may have
MOST_COUNTED = 10**9  #: tokens of one answer, far beyond what any model takes
MOST_QUOTED = 200  #: characters of what came in place of an answer
_TOOL = "propose_edits"
_LATER = frozenset({408, 424, 429})  #: too slow, failed, not ready or too busy: the next may be answered
_PASSED = frozenset({"end_turn", "stop_sequence", "tool_use"})
_ACCESS = "allow bedrock:InvokeModel on it, and have access to the model granted in Bedrock's console"
_CHOOSE = "set model under [refine] to a model or an inference profile that the region has"
# Of the model's identifier, access to it, or how it may be called; a model's own errors may say the like.
_NO_MODEL = re.compile(
    r"(?!the model returned).*(?:model (?:identifier|id)\b[^.]* invalid|invalid model (?:identifier|id)\b"
    r"|at 'modelid' failed|access to (?:the|this) model\b|on-demand throughput is)",
    re.IGNORECASE | re.DOTALL,
)
# By what a model may not take, how it says so; "too long" is no tool.
_UNABLE = {
    "temperature": re.compile(r"temperature", re.IGNORECASE),
    "choice": re.compile(r"tool[ _]?choice", re.IGNORECASE),
    "tools": re.compile(r"tool(?:s?\b|[ _]?(?:use|config|choice|spec))", re.IGNORECASE),
}
_AS_TEXT = "\n\nAnswer with nothing but one JSON object of this schema:\n"


class Bedrock:
    """One model. It is made to answer by a tool; where it can't, it is let choose, then asked for text."""

    def __init__(self, client: BedrockRuntimeClient, model: str) -> None:
        self._client = client
        self._model = model
        self._unable: set[str] = set()  # what this model turned out not to take

    def __call__(self, system: str, prompt: str, schema: Mapping[str, Any]) -> Answer:
        """Its answer. Raises RefineError."""
        try:
            return self._read(self._said(system, prompt, schema))
        except RefineError:
            raise
        except Exception as error:  # botocore lets out whatever Python makes of what is no answer
            what = _quoted(f"{type(error).__name__}: {error}")
            raise RefineError(f"{self._model} did not answer in a way that can be read: {what}") from error

    def _read(self, said: Any) -> Answer:
        stop = _quoted(str(said.get("stopReason", "what came is no answer of Bedrock's")))
        if stop == "max_tokens":
            raise RefineError(f"the answer of {self._model} was cut off at {MOST_TOKENS} tokens")
        if stop not in _PASSED:
            raise RefineError(f"{self._model} did not answer: {stop.replace('_', ' ')}")
        blocks: list[dict[str, Any]] = said.get("output", {}).get("message", {}).get("content", [])
        usage = said.get("usage", {})
        counts = int(usage.get("inputTokens", 0)), int(usage.get("outputTokens", 0))
        if not all(0 <= count < MOST_COUNTED for count in counts):
            raise RefineError(f"{self._model} counted its tokens wrong: {_quoted(str(counts))}")
        return Answer(self._edits(blocks), *counts)

    def _said(self, system: str, prompt: str, schema: Mapping[str, Any]) -> Any:
        from botocore.exceptions import ClientError

        from pipeline.adapters.aws.errors import explained

        while True:
            try:
                with explained(f"the model {self._model}", _ACCESS):
                    return self._client.converse(**self._request(system, prompt, schema))
            except StorageError as error:
                refused = error.__cause__
                if not isinstance(refused, ClientError):  # no network, no answer in time: or no credentials
                    final = "credentials" in error.message
                    raise RefineError(error.message, error.hint, final=final) from error
                if not self._learnt(refused):
                    raise self._refusal(refused, error) from error

    def _request(self, system: str, prompt: str, schema: Mapping[str, Any]) -> dict[str, Any]:
        settings: dict[str, Any] = {"maxTokens": MOST_TOKENS}
        if "temperature" not in self._unable:
            settings["temperature"] = 0.0
        request = {"modelId": self._model, "inferenceConfig": settings}
        if "tools" in self._unable:
            prompt += _AS_TEXT + json.dumps(schema)
        else:
            tool = {"name": _TOOL, "description": "Propose changes.", "inputSchema": {"json": dict(schema)}}
            choice = {} if "choice" in self._unable else {"toolChoice": {"tool": {"name": _TOOL}}}
            request["toolConfig"] = {"tools": [{"toolSpec": tool}], **choice}
        message = {"role": "user", "content": [{"text": prompt}]}
        return {**request, "system": [{"text": system}], "messages": [message]}

    def _learnt(self, error: ClientError) -> bool:
        """Whether the model was asked for something that it does not take, and will be asked without."""
        if _code(error) != "ValidationException":
            return False
        for unable, pattern in _UNABLE.items():
            if pattern.search(_message(error)) and unable not in self._unable:
                self._unable.add(unable)
                return True
        return False

    def _refusal(self, error: ClientError, said: StorageError) -> RefineError:
        from pipeline.adapters.aws.errors import may_pass

        code, status = _code(error), error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code == "ResourceNotFoundException":
            return RefineError(f"there is no model {self._model} in this region", _CHOOSE, final=True)
        if code == "ValidationException":  # of the model's name, or of what it was asked this once
            final = bool(_NO_MODEL.match(_message(error)))
            return RefineError(said.message, _CHOOSE if final else said.hint, final=final)
        return RefineError(said.message, said.hint, final=not (may_pass(error) or status in _LATER))

    def _edits(self, blocks: list[dict[str, Any]]) -> tuple[Any, ...]:
        found = [block["toolUse"].get("input") for block in blocks if "toolUse" in block]
        text = "".join(block.get("text", "") for block in blocks)
        answer: object = found[0] if found else _json_in(text)
        edits: object = cast(dict[str, Any], answer).get("edits") if isinstance(answer, dict) else None
        if not isinstance(edits, list):
            words = _quoted(text)
            raise RefineError(
                f"{self._model} did not answer in the form asked for" + (f": '{words}'" if words else "")
            )
        return tuple(cast(list[Any], edits))


def bedrock(refine: Refine, region: str, version: str, read_s: float = READ_S) -> Bedrock:
    """The model of a config; `region` is what to use where it names none, empty for the environment's.

    Raises ConfigError where boto3 is missing or the settings can't be used.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise ConfigError("[refine] needs boto3, which is not installed", HOW_TO_INSTALL) from None
    from pipeline.adapters.aws.errors import explained

    settings = Config(
        connect_timeout=5,
        read_timeout=read_s,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        tcp_keepalive=True,
        user_agent_extra=f"proofcast/{version}",
    )
    try:
        with explained("Bedrock"):
            session = boto3.Session(region_name=refine.region or region or None)
            client = session.client(  # pyright: ignore[reportUnknownMemberType] - its stub is half unknown
                "bedrock-runtime", config=settings, endpoint_url=refine.endpoint or None
            )
    except StorageError as error:
        raise ConfigError(f"[refine]: {error.message}", error.hint) from None
    except ValueError as error:  # what botocore makes of an address that is none
        raise ConfigError(f"[refine]: Bedrock can't be asked: {error}", "check endpoint") from None
    return Bedrock(client, refine.model)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def _json_in(text: str) -> object:
    """The JSON object in a text, which models like to wrap; None if there is none."""
    start, end = text.find("{"), text.rfind("}")
    try:
        return json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None


def _quoted(text: str) -> str:
    return plain(text)[:MOST_QUOTED]
