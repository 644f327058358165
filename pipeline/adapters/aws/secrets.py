"""The token of the code host, kept in Secrets Manager."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline.adapters.aws.errors import code_of, explained
from pipeline.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

_REMEMBERED_S = 300.0

UNSET = "unset"
"""What a freshly deployed secret holds."""


class Secret:
    """A text, remembered for minutes; empty where nobody put one in. Raises StorageError where AWS fails."""

    def __init__(self, client: Callable[[], SecretsManagerClient], name: str, clock: Clock) -> None:
        self._client = client
        self._name = name
        self._clock = clock
        self._value = ""
        self._asked_at = -math.inf

    def __call__(self) -> str:
        if self._clock() - self._asked_at > _REMEMBERED_S:  # a person may have put in another
            self._value = self._asked()
            self._asked_at = self._clock()
        return self._value

    def _asked(self) -> str:
        with explained(f"the secret {self._name}"):
            try:
                value = self._client().get_secret_value(SecretId=self._name).get("SecretString", "").strip()
            except ClientError as error:
                if code_of(error) != "ResourceNotFoundException":
                    raise
                return ""
        return "" if value == UNSET else value
