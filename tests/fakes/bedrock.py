"""Bedrock as Converse's clients see it: REST with JSON, judged by botocore's own model of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from functools import cache
from typing import Any, cast
from urllib.parse import unquote

from botocore.model import OperationModel, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator

from tests.fakes.aws_service import Json, StartResponse, reply


@cache
def _converse() -> OperationModel:
    return get_session().get_service_model("bedrock-runtime").operation_model("Converse")


def _problems(value: Json, shape: StructureShape) -> list[str]:
    report = ParamValidator().validate(value, shape)
    return [report.generate_report()] if report.has_errors() else []


class FakeBedrock:
    """A WSGI application. What is queued is answered in order; then, that nothing is to be changed."""

    def __init__(self) -> None:
        model = _converse()
        self._input = cast(StructureShape, model.input_shape)
        self._output = cast(StructureShape, model.output_shape)
        self._errors = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in model.error_shapes}
        self._queued: list[Json | tuple[int, bytes, str] | threading.Event] = []
        self.models = {"model-1"}
        self.unable: set[str] = set()  #: of: temperature, toolChoice, tools
        self.asked: list[Json] = []
        self.faults: list[str] = []

    def edits(self, *edits: Any) -> None:
        """Answer with a use of the tool."""
        self.says(
            [{"toolUse": {"toolUseId": "tool-1", "name": "propose_edits", "input": {"edits": list(edits)}}}],
            "tool_use",
        )

    def says(self, content: list[Json], stop: str = "end_turn") -> None:
        """Answer with these blocks."""
        message = {"role": "assistant", "content": content}
        usage = {"inputTokens": 1000, "outputTokens": 50, "totalTokens": 1050}
        answer = {
            "output": {"message": message},
            "stopReason": stop,
            "usage": usage,
            "metrics": {"latencyMs": 9},
        }
        self.faults += _problems(answer, self._output)
        self._queued.append(answer)

    def fails(self, code: str, message: str = "", times: int = 1) -> None:
        """Answer with an error of Converse's."""
        body = json.dumps({"message": message}).encode()
        self._queued += [(self._errors[code], body, code)] * times

    def garbles(self, body: bytes = b"<html>") -> None:
        """Answer with something that Converse would not."""
        self._queued.append((200, body, ""))

    def hangs(self, until: threading.Event, times: int = 1) -> None:
        """Do not answer before that."""
        self._queued += [until] * times

    def __call__(self, environ: Json, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, answer, code = self._answer(environ, body)
        headers = {"x_amzn_ErrorType": code} if code else {}
        return reply(start_response, status, answer, "application/json", **headers)

    def _answer(self, environ: Json, body: bytes) -> tuple[int, bytes, str]:
        parts = environ["PATH_INFO"].split("/")
        request: Json = {"modelId": unquote(parts[2]), **json.loads(body)}
        self.faults += _problems(request, self._input)
        self.asked.append(request)
        trouble = self._trouble(request)
        if trouble:
            return 400, json.dumps({"message": trouble}).encode(), "ValidationException"
        queued = self._queued.pop(0) if self._queued else None
        if queued is None:
            self.edits()
            queued = self._queued.pop(0)
        if isinstance(queued, threading.Event):
            queued.wait(10)
            return 500, b"{}", "InternalServerException"
        return queued if isinstance(queued, tuple) else (200, json.dumps(queued).encode(), "")

    def _trouble(self, request: Json) -> str:
        if request["modelId"] not in self.models:
            return "The provided model identifier is invalid."
        tools = request.get("toolConfig")
        if "temperature" in self.unable and "temperature" in request["inferenceConfig"]:
            return "`temperature` is deprecated for this model."
        if "toolChoice" in self.unable and tools and "toolChoice" in tools:
            return "This model doesn't support the toolConfig.toolChoice.tool field."
        if "tools" in self.unable and tools:
            return "This model doesn't support tool use."
        return ""
