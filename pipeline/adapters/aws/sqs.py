"""The job queue on SQS: a standard queue, whose redrive policy moves jobs to a dead-letter queue.

SQS knows a lease by its receipt handle, which may go on working for a while after the lease was lost.
So the time until which a lease was had is watched here, and a handle not used after it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline.adapters.aws.errors import code_of, explained
from pipeline.adapters.aws.messages import body_of, burial, job_in, job_of_letter, letter_in, receives_of
from pipeline.errors import LeaseLost
from pipeline.model import DeadLetter, Job, Lease, QueueDepth
from pipeline.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_LONGEST_S = 43_200  #: SQS hides a message for twelve hours at most
_WAITED_S = 1.0  #: of a lease's time, lost while a job was waited for
_PEEK_S = 10  #: how long a dead letter is hidden while it is read
_PEEKS = 5  #: tries to find one that another process may be reading
_LETTERS_A_CALL = 10  #: SQS's limit
_STALE = frozenset({"InvalidParameterValue", "MessageNotInflight", "ReceiptHandleIsInvalid"})
_ENDED = 0.0


class SqsQueue:
    """See `ports.JobQueue`. Raises StorageError where AWS fails.

    `dead_url` is the dead-letter queue of `url`. SQS is many servers: a call that waits, if only for
    a second, asks them all, and one that does not may miss a message. `wait_s` is how long `lease`
    waits for a job (20 at most), `dead_wait_s` how long the end of the dead letters is waited for.
    """

    def __init__(
        self,
        client: SQSClient,
        url: str,
        dead_url: str,
        clock: Clock,
        *,
        wait_s: int = 0,
        dead_wait_s: int = 1,
    ) -> None:
        self._client = client
        self._url = url
        self._dead_url = dead_url
        self._clock = clock
        self._wait_s = wait_s
        self._dead_wait_s = dead_wait_s
        self._untils: dict[str, float] = {}  #: what is known of leases had here, by their tokens
        self._what = f"the queue {url.rpartition('/')[2]}"
        self._dead_what = f"the queue {dead_url.rpartition('/')[2]}"

    def send(self, job: Job, *, first: bool = False) -> None:
        """There is no order in which it could come first: `TwoQueues` has a queue for that."""
        with explained(self._what):
            self._client.send_message(QueueUrl=self._url, MessageBody=body_of(job))

    def lease(self, seconds: float) -> Lease | None:
        while True:
            asked = self._clock()
            message = self._receive(seconds)
            if message is None:
                return None
            token = message.get("ReceiptHandle", "")
            self._untils[token] = asked + seconds  # SQS's own time is no earlier
            until = self._clock() + seconds
            if self._clock() - asked > _WAITED_S and self._hide(token, seconds):
                self._untils[token] = until  # it came late, and the lease began when it was asked for
            job = job_in(message)
            if job:
                return Lease(job=job, token=token, until=self._untils[token], receives=receives_of(message))
            self._bury(token, message.get("Body", ""), "not a job of Proofcast's", receives_of(message))

    def extend(self, lease: Lease, seconds: float) -> Lease:
        until = self._clock() + seconds
        if not (self._is_had(lease) and self._hide(lease.token, seconds)):
            self._untils[lease.token] = _ENDED
            raise LeaseLost(f"the lease on {lease.job.episode_id} was lost")
        self._untils[lease.token] = until
        return replace(lease, until=until)

    def release(self, lease: Lease, delay: float = 0) -> None:
        if self._is_had(lease):
            self._hide(lease.token, delay)
            self._untils[lease.token] = _ENDED

    def complete(self, lease: Lease) -> None:
        if self._is_had(lease):
            self._delete(lease.token)

    def bury(self, lease: Lease, reason: str) -> None:
        # Hidden once more, to see that the lease is had still: SQS can't move a message.
        if self._is_had(lease) and self._hide(lease.token, _PEEK_S):
            self._bury(lease.token, body_of(lease.job), reason, lease.receives)

    def dead_letters(self) -> list[DeadLetter]:
        """Oldest first. Those that another process is reading right now may be missing."""
        with self._letters() as messages:
            most = self._most_receives() if messages else 0
        return sorted((letter_in(message, most) for message in messages), key=lambda letter: letter.at)

    def redrive(self, episode_id: str) -> bool:
        for _ in range(_PEEKS):
            with self._letters() as messages:
                found = [message for message in messages if job_in(message) == Job(episode_id=episode_id)]
                if found:
                    self.send(Job(episode_id=episode_id))  # sent before it is deleted: never lost
                    self._delete_dead(found)
                    return True
            if (
                self._attributes(self._dead_url, self._dead_what)["ApproximateNumberOfMessagesNotVisible"]
                == "0"
            ):
                return False
        return False

    def forget(self, episode_id: str) -> None:
        with self._letters() as messages:
            self._delete_dead(
                message for message in messages if job_of_letter(message) == Job(episode_id=episode_id)
            )

    def depth(self) -> QueueDepth:
        """About right: SQS counts roughly, and takes a job put off for a leased one."""
        live = self._attributes(self._url, self._what)
        dead = self._attributes(self._dead_url, self._dead_what)
        return QueueDepth(
            waiting=_count(live, "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"),
            leased=_count(live, "ApproximateNumberOfMessagesNotVisible"),
            dead=_count(dead, "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"),
        )

    def _is_had(self, lease: Lease) -> bool:
        """Whether a lease, as last extended here, has neither lapsed nor been ended."""
        return self._clock() < self._untils.get(lease.token, lease.until)

    def _receive(self, seconds: float) -> MessageTypeDef | None:
        with explained(self._what):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=1,
                VisibilityTimeout=_whole(seconds),
                WaitTimeSeconds=self._wait_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return next(iter(answer.get("Messages", [])), None)

    def _hide(self, token: str, seconds: float) -> bool:
        """Until so many seconds from now; False where the lease was lost."""
        with explained(self._what):
            try:
                self._client.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=token, VisibilityTimeout=_whole(seconds)
                )
            except ClientError as error:
                if code_of(error) not in _STALE:
                    raise
                return False
        return True

    def _delete(self, token: str) -> None:
        with explained(self._what):
            try:
                self._client.delete_message(QueueUrl=self._url, ReceiptHandle=token)
            except ClientError as error:
                if code_of(error) not in _STALE:
                    raise
        self._untils[token] = _ENDED

    def _bury(self, token: str, body: str, reason: str, receives: int) -> None:
        with explained(self._dead_what):
            self._client.send_message(
                QueueUrl=self._dead_url,
                MessageBody=body,
                MessageAttributes=burial(reason, receives, self._clock()),
            )
        self._delete(token)

    @contextmanager
    def _letters(self) -> Generator[list[MessageTypeDef]]:
        """All dead letters, hidden from others for a moment; a process that is killed hides them longer."""
        seen: dict[str, MessageTypeDef] = {}
        try:
            while True:
                new = {message.get("MessageId", ""): message for message in self._some_letters()}
                if new.keys() <= seen.keys():
                    break
                seen.update(new)
            yield list(seen.values())
        finally:
            self._show(seen.values())

    def _some_letters(self) -> Sequence[MessageTypeDef]:
        with explained(self._dead_what):
            return self._client.receive_message(
                QueueUrl=self._dead_url,
                MaxNumberOfMessages=_LETTERS_A_CALL,
                VisibilityTimeout=_PEEK_S,
                WaitTimeSeconds=self._dead_wait_s,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])

    def _show(self, messages: Iterable[MessageTypeDef]) -> None:
        tokens = [message.get("ReceiptHandle", "") for message in messages]
        for start in range(0, len(tokens), _LETTERS_A_CALL):
            some = tokens[start : start + _LETTERS_A_CALL]
            with explained(self._dead_what):  # those that were deleted are refused one by one, in the answer
                self._client.change_message_visibility_batch(
                    QueueUrl=self._dead_url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": token, "VisibilityTimeout": 0}
                        for number, token in enumerate(some)
                    ],
                )

    def _delete_dead(self, messages: Iterable[MessageTypeDef]) -> None:
        with explained(self._dead_what):
            for message in messages:
                self._client.delete_message(
                    QueueUrl=self._dead_url, ReceiptHandle=message.get("ReceiptHandle", "")
                )

    def _most_receives(self) -> int:
        """How often the queue hands a job out at most."""
        policy = self._attributes(self._url, self._what).get("RedrivePolicy")
        return int(json.loads(policy)["maxReceiveCount"]) if policy else 0

    def _attributes(self, url: str, what: str) -> dict[str, str]:
        with explained(what):
            answer = self._client.get_queue_attributes(
                QueueUrl=url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesDelayed",
                    "ApproximateNumberOfMessagesNotVisible",
                    "RedrivePolicy",
                ],
            )
        return {str(name): value for name, value in answer["Attributes"].items()}


def _whole(seconds: float) -> int:
    return min(max(0, math.ceil(seconds)), _LONGEST_S)


def _count(attributes: dict[str, str], *names: str) -> int:
    return sum(int(attributes.get(name, 0)) for name in names)
