"""What functions wrote lately."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline.adapters.aws.errors import code_of, explained

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_LATELY_S = 3600.0
_LINES = 1000


def written(logs: CloudWatchLogsClient, group: str, now: float) -> list[str]:
    """The last lines of a log group, of all its streams, oldest first. Raises StorageError."""
    lines: deque[str] = deque(maxlen=_LINES)
    since = int((now - _LATELY_S) * 1000)
    with explained(f"the log group {group}"):
        try:
            pages = logs.get_paginator("filter_log_events")
            for page in pages.paginate(logGroupName=group, startTime=since):
                lines.extend(event.get("message", "").rstrip() for event in page["events"])
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":  # it has not written anything yet
                raise
    return list(lines)
