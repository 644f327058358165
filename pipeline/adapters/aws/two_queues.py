"""Two queues as one: what shall come first has its own, since SQS knows no order."""

from __future__ import annotations

from dataclasses import replace

from pipeline.model import DeadLetter, Job, Lease, QueueDepth
from pipeline.ports import JobQueue

_FIRST = "first:"  #: before the tokens of leases that are of the first queue


class TwoQueues:
    """See `ports.JobQueue`. Both have the same dead-letter queue, of which `other` tells."""

    def __init__(self, first: JobQueue, other: JobQueue) -> None:
        self._first, self._other = first, other

    def send(self, job: Job, *, first: bool = False) -> None:
        (self._first if first else self._other).send(job)

    def lease(self, seconds: float) -> Lease | None:
        found = self._first.lease(seconds)
        return _marked(found) if found else self._other.lease(seconds)

    def extend(self, lease: Lease, seconds: float) -> Lease:
        if not lease.token.startswith(_FIRST):
            return self._other.extend(lease, seconds)
        return _marked(self._first.extend(_own(lease), seconds))

    def release(self, lease: Lease, delay: float = 0) -> None:
        self._of(lease).release(_own(lease), delay)

    def complete(self, lease: Lease) -> None:
        self._of(lease).complete(_own(lease))

    def bury(self, lease: Lease, reason: str) -> None:
        self._of(lease).bury(_own(lease), reason)

    def dead_letters(self) -> list[DeadLetter]:
        return self._other.dead_letters()

    def redrive(self, episode_id: str) -> bool:
        return self._other.redrive(episode_id)

    def forget(self, episode_id: str) -> None:
        self._other.forget(episode_id)

    def depth(self) -> QueueDepth:
        first, other = self._first.depth(), self._other.depth()
        return replace(other, waiting=first.waiting + other.waiting, leased=first.leased + other.leased)

    def _of(self, lease: Lease) -> JobQueue:
        return self._first if lease.token.startswith(_FIRST) else self._other


def _marked(lease: Lease) -> Lease:
    return replace(lease, token=f"{_FIRST}{lease.token}")


def _own(lease: Lease) -> Lease:
    return replace(lease, token=lease.token.removeprefix(_FIRST))
