"""What messages of the queue and of its dead-letter queue say."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import msgspec

from pipeline.model import DeadLetter, Job

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

UNREADABLE = "(unreadable)"  #: stands for the id in a dead letter that names no episode

_LONGEST_REASON = 1000  #: characters


class _Body(msgspec.Struct):
    """Extra keys are nobody's concern."""

    episode: str


def body_of(job: Job) -> str:
    """A job as a message's body."""
    return json.dumps({"episode": job.episode_id})


def job_in(message: MessageTypeDef) -> Job | None:
    """The job that a message asks for, if it is one of ours."""
    try:
        episode_id = msgspec.json.decode(message.get("Body", ""), type=_Body).episode
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return Job(episode_id=episode_id) if episode_id else None


def job_of_letter(message: MessageTypeDef) -> Job:
    """As `job_in`; one that names no episode goes by a name of its own."""
    return job_in(message) or Job(episode_id=UNREADABLE)


def receives_of(message: MessageTypeDef) -> int:
    """How often a message was handed out, this time included."""
    return int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))


def burial(reason: str, receives: int, at: float) -> dict[str, MessageAttributeValueTypeDef]:
    """What a dead letter says beside its job."""
    facts = {"reason": _plain(reason), "receives": str(receives), "at": repr(at)}
    return {name: {"DataType": "String", "StringValue": value} for name, value in facts.items()}


def letter_in(message: MessageTypeDef, most_receives: int) -> DeadLetter:
    """What was buried here says why; the rest was moved by SQS, and tells no more than when it was sent."""
    facts = {
        name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()
    }
    sent = int(message.get("Attributes", {}).get("SentTimestamp", 0)) / 1000
    return DeadLetter(
        job=job_of_letter(message),
        reason=facts.get("reason", f"handed out {most_receives} times, and no worker finished it"),
        receives=int(_number(facts.get("receives"), most_receives)),
        at=_number(facts.get("at"), sent),
    )


def _number(said: str | None, otherwise: float) -> float:
    try:
        number = float(said or otherwise)
    except ValueError:
        return otherwise
    return number if math.isfinite(number) else otherwise


def _plain(reason: str) -> str:
    """Without the characters for which SQS refuses a message."""
    kept = "".join(char if char.isprintable() else " " for char in reason)
    return kept[:_LONGEST_REASON] or "no reason was given"
