"""GitHub's refusals in plain words. The token is never among them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from pipeline.adapters.github.answers import Complaint
from pipeline.errors import CodeHostError

_RIGHTS = "give it 'Contents' and 'Pull requests', both read and write, on this repository"
_LATER = "try again later"
_MOST = 300  # characters of GitHub's own words


class Refused(CodeHostError):
    """GitHub answered, and not what was asked for."""

    def __init__(self, message: str, hint: str, status: int) -> None:
        super().__init__(message, hint)
        self.status = status


def refused(
    repository: str,
    method: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    token: str,
    place: str,
) -> Refused:
    """What a status other than 2xx means. The names of `headers` are in lower case; the token is kept in
    `place`."""
    said = _said(body).replace(token, "***") or "it says no more"
    message, hint = _limit(status, headers, said) or _meaning(method, status, said, place)
    return Refused(f"{repository} on GitHub: {message} ({status}: {said})", hint, status)


def _limit(status: int, headers: Mapping[str, str], said: str) -> tuple[str, str] | None:
    """Too many requests; None where it is something else. Both limits come with 403 or with 429."""
    if status not in (403, 429):
        return None
    if headers.get("x-ratelimit-remaining") == "0":
        return "this hour's requests are used up", _when(headers.get("x-ratelimit-reset", ""))
    wait = headers.get("retry-after", "")
    if status == 429 or wait or "secondary rate limit" in said.lower():
        pause = f"try again in {wait} s" if wait.isdecimal() else "try again in a few minutes"
        return "it was asked too much at once", pause
    return None


def _when(reset: str) -> str:
    """`reset` is in POSIX seconds."""
    if not reset.isdecimal() or len(reset) > 11:
        return "try again in an hour"
    return f"try again after {datetime.fromtimestamp(int(reset), UTC):%H:%M} UTC"


def _meaning(method: str, status: int, said: str, place: str) -> tuple[str, str]:
    if status == 401:
        return "the token is wrong or has expired", f"put a new one into {place}"
    if status == 403 and "archived" in said:
        return "it is archived", "unarchive it, or set the feed's 'repository' to another"
    if status == 403 or (status == 404 and method == "POST"):  # the latter is what classic tokens get
        return "the token lacks the right to do this", _RIGHTS
    if status == 404:
        return "there is no such thing, or the token can't see it", _RIGHTS
    if status >= 500:
        return "GitHub has trouble of its own", _LATER
    if 300 <= status < 400:
        return "it moved", "set the feed's 'repository' to where it is now"
    return "GitHub refuses this", ""


def _said(body: bytes) -> str:
    """One printable line of what GitHub says, where it says it in its own way."""
    try:
        complaint = msgspec.json.decode(body, type=Complaint)
    except (msgspec.DecodeError, UnicodeDecodeError):  # a proxy's page
        return ""
    parts = [complaint.message]
    for error in complaint.errors:
        if isinstance(error, str):
            parts.append(error)
        else:
            words = error.get("message") or " ".join(str(error.get(key, "")) for key in ("field", "code"))
            parts.append(str(words))
    line = "; ".join(part.strip() for part in parts if part.strip())
    return "".join(c if c.isprintable() else " " for c in line)[:_MOST]
