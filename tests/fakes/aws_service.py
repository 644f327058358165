"""The base of a fake AWS service that speaks JSON: botocore's own model judges requests and answers.

What the fake itself gets wrong is answered with status 501, which no client tries again, and kept in
`faults`; what the caller gets wrong is answered as AWS answers it.
"""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar, cast

from botocore import xform_name
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator

Json = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
T = TypeVar("T")

COMMON_ERRORS = frozenset(
    {
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InternalFailure",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SerializationException",
        "ServiceUnavailable",
        "ThrottlingException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)
_SERVER_ERRORS = {"InternalFailure": 500, "ServiceUnavailable": 503}


class AwsError(Exception):
    """Answered as AWS words it; `members` are what else the error's shape has."""

    def __init__(self, code: str, message: str = "", status: int = 400, **members: Any) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = members


def invalid(message: str) -> AwsError:
    """The commonest error."""
    return AwsError("InvalidParameterException", message)


class FakeFault(Exception):
    """The fake or its test is wrong, not who calls it."""


def reply(
    start_response: StartResponse, status: int, body: bytes, content_type: str, **headers: str
) -> list[bytes]:
    """Answers a WSGI request; underscores in the names of headers stand for hyphens."""
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    start_response(f"{status} {HTTPStatus(status).phrase}", [("Content-Type", content_type), *named])
    return [body]


def page(
    items: Sequence[T], params: Json, names: tuple[str, str] = ("maxResults", "nextToken"), most: int = 100
) -> tuple[list[T], dict[str, str]]:
    """What of a list is asked for, and the part of the answer that tells how to go on."""
    size, token = params.get(names[0], most), params.get(names[1], "0")
    if not (1 <= size <= most and token.isdecimal()):
        raise AwsError(
            "InvalidParameterException", f"{names[0]} is 1 to {most}, {names[1]} one that was given"
        )
    end = int(token) + size
    return list(items[int(token) : end]), {names[1]: str(end)} if end < len(items) else {}


def problems(value: Any, shape: Shape | None) -> list[str]:
    """All that a value has against its shape: types, what is missing or unknown, enums, limits."""
    if shape is None:
        return [f"{value} where nothing is modelled"] if value else []
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        return [report.generate_report()]
    return [excess for node in _nodes(value, shape, "input") for excess in _excesses(*node)]


def _nodes(value: Any, shape: Shape, place: str) -> Generator[tuple[Any, Shape, str]]:
    """A value of valid types and names, and all within."""
    yield value, shape, place
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from _nodes(member, shape.members[name], f"{place}.{name}")
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value):
            yield from _nodes(item, shape.member, f"{place}[{number}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _nodes(key, shape.key, f"{place} (key {key})")
            yield from _nodes(item, shape.value, f"{place}.{key}")


def _excesses(value: Any, shape: Shape, place: str) -> Generator[str]:
    """What botocore lets pass for AWS to find."""
    if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{place}: {value!r} is none of {', '.join(shape.enum)}"
    limit = shape.metadata.get("max")
    if limit is not None and (len(value) if hasattr(value, "__len__") else value) > limit:
        yield f"{place}: more than {limit}"


class Service:
    """A WSGI application that answers an operation by the method of its name, one call at a time.

    A method takes the parameters and gives the answer, both as dicts; times in answers are datetimes.
    """

    name = ""  #: botocore's

    def __init__(self) -> None:
        self._model = get_session().get_service_model(self.name)
        self._failures: list[tuple[str, AwsError]] = []
        self.lock = threading.RLock()
        self.calls: list[tuple[str, Json]] = []
        self.faults: list[str] = []

    def asked(self, operation: str) -> list[Json]:
        """The parameters of all calls of an operation."""
        return [params for name, params in self.calls if name == operation]

    def fail(self, operation: str, code: str, message: str = "", times: int = 1) -> None:
        """Have the next calls of an operation fail with one of its own errors, or a common one."""
        model = self._model.operation_model(operation)
        error = AwsError(code, message)
        self._check_error(model, error)
        fault = any(shape.name == code and shape.metadata.get("fault") for shape in model.error_shapes)
        error.status = _SERVER_ERRORS.get(code, 500 if fault else 400)
        self._failures += [(operation, error)] * times

    def before_call(self) -> None:
        """What happens between calls, for those who have a life of their own."""

    def __call__(self, environ: Json, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with self.lock:
            status, answer = self._answer(environ.get("HTTP_X_AMZ_TARGET", ""), body)
        text = json.dumps(answer, default=datetime.timestamp).encode()
        version = self._model.metadata.get("jsonVersion", "1.1")
        return reply(start_response, status, text, f"application/x-amz-json-{version}")

    def _answer(self, target: str, body: bytes) -> tuple[int, Json]:
        try:
            return 200, self._do(self._operation(target), body)
        except AwsError as error:
            return error.status, {"__type": error.code, "message": error.message, **error.members}
        except FakeFault as error:
            fault = str(error)
        except Exception:  # noqa: BLE001 - whatever it is, the test shall see it
            fault = traceback.format_exc()
        self.faults.append(fault)
        return 501, {"__type": "FakeFault", "message": fault}

    def _operation(self, target: str) -> OperationModel:
        prefix, _, name = target.rpartition(".")
        if prefix != self._model.metadata.get("targetPrefix") or name not in self._model.operation_names:
            raise AwsError("UnknownOperationException", target)
        return self._model.operation_model(name)

    def _do(self, model: OperationModel, body: bytes) -> Json:
        method: Callable[[Json], Json] | None = getattr(self, xform_name(model.name), None)
        if method is None:
            raise FakeFault(f"{type(self).__name__} knows nothing of {model.name}")
        params = _parsed(body)
        self.calls.append((model.name, params))
        try:
            self._fail_as_told(model.name)
            self._check_request(model, params)
            self.before_call()
            answer = method(params)
        except AwsError as error:
            self._check_error(model, error)
            raise
        found = problems(answer, model.output_shape)
        if found:
            raise FakeFault(f"the fake's answer to {model.name} is not as modelled: {'; '.join(found)}")
        return answer

    def _fail_as_told(self, operation: str) -> None:
        for number, (name, error) in enumerate(self._failures):
            if name == operation:
                del self._failures[number]
                raise error

    def _check_request(self, model: OperationModel, params: Json) -> None:
        found = problems(params, model.input_shape)
        if found:
            modelled = "InvalidParameterException" in {shape.name for shape in model.error_shapes}
            code = "InvalidParameterException" if modelled else "ValidationException"
            raise AwsError(code, f"{model.name}: {'; '.join(found)}")

    def _check_error(self, model: OperationModel, error: AwsError) -> None:
        members = {shape.name: cast(StructureShape, shape).members for shape in model.error_shapes}
        unknown = set(error.members) - set(members.get(error.code, {}))
        if error.code not in COMMON_ERRORS | set(members) or unknown:
            raise FakeFault(f"{model.name} never fails with {error.code} {sorted(unknown)}")


def _parsed(body: bytes) -> Json:
    try:
        return json.loads(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", str(error)) from None
