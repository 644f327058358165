"""The one right to do something, for a whole deployment, as a record that lapses by itself."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from contextlib import contextmanager

from pipeline.adapters.aws.rows import Rows
from pipeline.errors import Busy
from pipeline.ports import Clock

_HELD_S = 300.0  #: as long as the poller may run; two polls at once would do no harm, only double work


class Locks:
    """Raises StorageError where AWS fails."""

    def __init__(self, rows: Rows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock

    @contextmanager
    def alone(self, what: str) -> Generator[None]:
        """Hold the lock while something is done. Raises Busy."""
        me, now = uuid.uuid4().hex, self._clock()
        if not self._rows.update(
            "lock",
            what,
            UpdateExpression="SET #holder = :me, #until = :until",
            ConditionExpression="attribute_not_exists(#until) OR #until < :now",
            ExpressionAttributeNames={"#holder": "holder", "#until": "until"},
            ExpressionAttributeValues={
                ":me": {"S": me},
                ":until": {"N": repr(now + _HELD_S)},
                ":now": {"N": repr(now)},
            },
        ):
            raise Busy(f"{what} is running already with this deployment", "nothing to do: it goes on")
        try:
            yield
        finally:
            self._rows.delete(
                "lock",
                what,
                ConditionExpression="#holder = :me",
                ExpressionAttributeNames={"#holder": "holder"},
                ExpressionAttributeValues={":me": {"S": me}},
            )
