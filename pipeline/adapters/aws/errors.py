"""What AWS's complaints mean, in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from boto3.exceptions import Boto3Error, RetriesExceededError, S3UploadFailedError
from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.errors import StorageError

_SIGN_IN = "run 'aws sso login' (or 'aws configure', if you use keys), then again"
_CHECK = "check the network, the region, and AWS_ENDPOINT_URL if it is set"
_LATER = "try again in a minute"
_ROLE = "use a role or profile with the permissions of the deployed stack"
_LENGTH = 300  #: characters of AWS's own words at most


@dataclass(frozen=True)
class _Meaning:
    """A message, in which `{what}` and `{error}` may stand, and a hint."""

    message: str
    hint: str = ""


_NO_CREDENTIALS = _Meaning("there are no AWS credentials to reach {what} with", _SIGN_IN)
_EXPIRED = _Meaning("the AWS credentials have expired: {what} can't be used", _SIGN_IN)
_REFUSED = _Meaning("AWS does not accept the credentials: {what} can't be used", _SIGN_IN)
_THROTTLED = _Meaning("{what} is asked for more than it can take just now", _LATER)
_TROUBLED = _Meaning("{what} has trouble at AWS", _LATER)
_MISSING = _Meaning(
    "{what} does not exist", "'proofcast deploy' makes it; if it did, check account, region and name"
)
_UNREACHABLE = _Meaning("{what} can't be reached: {error}", _CHECK)
_CLOCK = _Meaning("this machine's clock is wrong: AWS refuses what it signs", "set the clock, then run again")
_NO_REGION = _Meaning("no AWS region is set", "set AWS_REGION, or a region in ~/.aws/config")
_SETTINGS = _Meaning("the AWS settings can't be used: {error}", "check ~/.aws/config and AWS_PROFILE")
_EMPTY = _Meaning("{what} has no data yet", "it has some a day after it was opened for the first time")
_OTHER = _Meaning("{what} can't be used: {error}")

# The words of DynamoDB, SQS and S3 for the same things; "403" is all that S3 says to a HEAD.
_BY_CODE: dict[str, _Meaning] = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"), _EXPIRED),
    **dict.fromkeys(
        (
            "AuthFailure",
            "IncompleteSignature",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "InvalidSignatureException",
            "InvalidToken",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        _REFUSED,
    ),
    **dict.fromkeys(("RequestExpired", "RequestTimeTooSkewed"), _CLOCK),
    **dict.fromkeys(
        (
            "LimitExceededException",
            "OverLimit",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
            "TransactionCanceledException",  # by other transactions: a condition that fails is a Conflict
            "TransactionConflictException",
            "TransactionInProgressException",
        ),
        _THROTTLED,
    ),
    **dict.fromkeys(
        (
            "500",
            "502",
            "503",
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "ServiceUnavailable",
        ),
        _TROUBLED,
    ),
    **dict.fromkeys(
        ("NoSuchBucket", "NonExistentQueue", "QueueDoesNotExist", "ResourceNotFoundException"), _MISSING
    ),
    "DataUnavailableException": _EMPTY,
}
_DENIED = frozenset(
    {"403", "AccessDenied", "AccessDeniedException", "KmsAccessDenied", "UnauthorizedOperation"}
)

_BY_TYPE: tuple[tuple[tuple[type[Exception], ...], _Meaning], ...] = (
    ((botocore.NoCredentialsError, botocore.PartialCredentialsError), _NO_CREDENTIALS),
    (
        (
            botocore.CredentialRetrievalError,
            botocore.LoginError,
            botocore.NoAuthTokenError,
            botocore.SSOError,
            botocore.TokenRetrievalError,
        ),
        _EXPIRED,
    ),
    ((botocore.NoRegionError,), _NO_REGION),
    ((botocore.ProfileNotFound, botocore.ConfigParseError, botocore.InvalidConfigError), _SETTINGS),
    (
        (
            botocore.ConnectionError,
            botocore.HTTPClientError,
            botocore.IncompleteReadError,
            RetriesExceededError,
        ),
        _UNREACHABLE,
    ),
)


@contextmanager
def explained(what: str, if_denied: str = _ROLE) -> Generator[None]:
    """Turn what boto3 raises into StorageError.

    `what` is the thing that was to be used, `if_denied` what to do for who may not.
    """
    try:
        yield
    except (ClientError, BotoCoreError, Boto3Error) as error:
        raise _translated(error, what, if_denied) from error


def may_pass(error: ClientError) -> bool:
    """Whether the same may be granted a while later: AWS is busy, or has trouble of its own."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or _BY_CODE.get(code_of(error)) in (_THROTTLED, _TROUBLED)


def code_of(error: ClientError) -> str:
    """AWS's name for what went wrong, without the service's prefix."""
    return str(error.response.get("Error", {}).get("Code", "")).rpartition(".")[2]


def _translated(error: Exception, what: str, if_denied: str) -> StorageError:
    if isinstance(error, S3UploadFailedError) and isinstance(error.__context__, ClientError):
        error = error.__context__  # boto3 hides it in a text
    if isinstance(error, ClientError):
        if code_of(error) in _DENIED:
            return _denied(error, what, if_denied)
        meaning = _BY_CODE.get(code_of(error), _OTHER)
    else:
        meaning = next((meaning for types, meaning in _BY_TYPE if isinstance(error, types)), _OTHER)
    text = " ".join(str(error).split())[:_LENGTH]
    return StorageError(meaning.message.format(what=what, error=text), meaning.hint)


def _denied(error: ClientError, what: str, if_denied: str) -> StorageError:
    """Name the action, which AWS mostly tells; a HEAD is refused without a word."""
    said = re.search(r"perform: (\S+)", str(error.response.get("Error", {}).get("Message", "")))
    action = said[1] if said else error.operation_name
    return StorageError(f"AWS does not allow {action} on {what}", if_denied)
