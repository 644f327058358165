"""What a worker asks the ECS agent beside it: which task it is, and not to be ended while it works.

The agent gives each container the two addresses in its environment; elsewhere they are not set.
"""

from __future__ import annotations

import logging
import os
import platform
import urllib.request
import uuid
from collections.abc import Generator
from contextlib import contextmanager

import msgspec

from pipeline.adapters.aws.seen import id_of

log = logging.getLogger("proofcast.worker")

_TIMEOUT_S = 5
_PROTECTED_MIN = 2880  #: what ECS allows; the protection goes with the task


class _Metadata(msgspec.Struct):
    TaskARN: str


class _Failure(msgspec.Struct):
    Reason: str = ""


class _Protection(msgspec.Struct):
    """What the agent answers, with 200, even where it did nothing."""

    failure: _Failure | None = None


def worker_name() -> str:
    """The id of the task that this process is, or a name of this machine's where it is none."""
    address = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
    if address:
        with urllib.request.urlopen(f"{address}/task", timeout=_TIMEOUT_S) as answer:
            return id_of(msgspec.json.decode(answer.read(), type=_Metadata).TaskARN)
    return f"{platform.node()}-{uuid.uuid4().hex[:8]}"


@contextmanager
def protected() -> Generator[None]:
    """While this lasts, a service that scales in ends other tasks than this one."""
    _protect(True)
    try:
        yield
    finally:
        _protect(False)


def _protect(on: bool) -> None:
    """One that can't be had costs a job its time, at worst: it is given back."""
    agent = os.environ.get("ECS_AGENT_URI")
    if agent is None:
        return
    wish = {"ProtectionEnabled": on, **({"ExpiresInMinutes": _PROTECTED_MIN} if on else {})}
    request = urllib.request.Request(
        f"{agent}/task-protection/v1/state",
        data=msgspec.json.encode(wish),
        headers={"Content-Type": "application/json"},
        method="PUT",
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            failure = msgspec.json.decode(answer.read(), type=_Protection).failure
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("ECS does not protect this task: %s", error)
    else:
        if failure:
            log.warning("ECS does not protect this task: %s", failure.Reason)
