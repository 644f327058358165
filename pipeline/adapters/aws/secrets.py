"""The token of the code host, kept in Secrets Manager."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from pipeline.adapters.aws.errors import code_of, explained

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

UNSET = "unset"
"""What a freshly deployed secret holds."""


class Secret:
    """One text, asked for once; empty where nobody put one in. Raises StorageError where AWS fails."""

    def __init__(self, client: Callable[[], SecretsManagerClient], name: str) -> None:
        self._client = client
        self._name = name
        self._value: str | None = None

    def __call__(self) -> str:
        if self._value is None:
            self._value = self._asked()
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
