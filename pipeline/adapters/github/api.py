"""GitHub's REST API: one request and every way it can fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import httpx2
import msgspec

from pipeline.adapters.github.refusals import Refused, refused
from pipeline.errors import CodeHostError

_JSON = "application/vnd.github+json"
_VERSION = "2022-11-28"
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0  # GitHub itself gives up after 10
_MAX_REDIRECTS = 5
_MAX_PAGES = 10

T = TypeVar("T")


class Unheard(CodeHostError):
    """There was no answer; what was asked may have been done all the same."""


class Api:
    """Asks with a token that is fetched anew for each request, since some live for an hour only.

    A GET is tried twice where GitHub or the way to it has trouble. A POST never is: whoever sent it
    looks first whether it was heard all the same.
    """

    def __init__(self, token: Callable[[], str], api: str, agent: str, place: str) -> None:
        self._token = token
        self._place = place
        self._root = httpx2.URL(api.rstrip("/") + "/")
        self._client = httpx2.Client(
            headers={"User-Agent": agent, "X-GitHub-Api-Version": _VERSION},
            timeout=httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
        )

    def close(self) -> None:
        self._client.close()

    def get(self, repository: str, path: str, answer: type[T], query: Mapping[str, str] | None = None) -> T:
        """Raises Refused, CodeHostError."""
        return _decoded(repository, self._get(repository, self._url(path, query), _JSON), answer)

    def get_text(
        self, repository: str, path: str, accept: str, query: Mapping[str, str] | None = None
    ) -> str:
        """Raises Refused, CodeHostError."""
        return self._get(repository, self._url(path, query), accept).content.decode(errors="replace")

    def get_all(self, repository: str, path: str, answer: type[T], query: Mapping[str, str]) -> list[T]:
        """All pages of a list. Raises Refused, CodeHostError."""
        url = self._url(path, {**query, "per_page": "100"})
        found: list[T] = []
        for _ in range(_MAX_PAGES):
            response = self._get(repository, url, _JSON)
            found += _decoded(repository, response, list[answer])
            following = response.links.get("next", {}).get("url")
            if not following:
                return found
            url = self._next(repository, url, following)
        raise CodeHostError(f"{repository} on GitHub: a list has no end")

    def post(self, repository: str, path: str, body: Mapping[str, Any], answer: type[T]) -> T:
        """Raises Refused, CodeHostError."""
        response = self._send(repository, "POST", self._url(path), _JSON, msgspec.json.encode(body))
        return _decoded(repository, self._good(repository, response), answer)

    def _url(self, path: str, query: Mapping[str, str] | None = None) -> httpx2.URL:
        url = self._root.join(path)
        return url.copy_merge_params(query) if query else url

    def _next(self, repository: str, url: httpx2.URL, place: str) -> httpx2.URL:
        """The token goes to GitHub and nobody else. Raises CodeHostError."""
        try:
            url = url.join(place)
        except (httpx2.InvalidURL, UnicodeError):
            raise CodeHostError(f"{repository} on GitHub: the answer leads to a malformed address") from None
        if (url.scheme, url.host, url.port) != (self._root.scheme, self._root.host, self._root.port):
            raise CodeHostError(f"{repository} on GitHub: the answer leads away, to {url.host}")
        return url

    def _get(self, repository: str, url: httpx2.URL, accept: str) -> httpx2.Response:
        """Redirects are what renamed repositories answer with."""
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._got(repository, url, accept)
            if not response.has_redirect_location:
                return self._good(repository, response)
            url = self._next(repository, url, response.headers["location"])
        raise CodeHostError(f"{repository} on GitHub: the redirects have no end")

    def _got(self, repository: str, url: httpx2.URL, accept: str) -> httpx2.Response:
        try:
            response = self._send(repository, "GET", url, accept)
        except Unheard:
            return self._send(repository, "GET", url, accept)
        return response if response.status_code < 500 else self._send(repository, "GET", url, accept)

    def _send(
        self, repository: str, method: str, url: httpx2.URL, accept: str, body: bytes | None = None
    ) -> httpx2.Response:
        headers = {"Accept": accept, "Authorization": f"Bearer {self._secret()}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            return self._client.request(method, url, headers=headers, content=body)
        except httpx2.HTTPError as error:
            raise Unheard(f"{repository} on GitHub: {_cause(error)}", "try again later") from None

    def _secret(self) -> str:
        token = self._token().strip()
        if not token:
            raise CodeHostError("there is no token for GitHub", f"put one into {self._place}")
        if not (token.isascii() and token.isprintable()):
            raise CodeHostError("the token for GitHub holds characters that no token has", "copy it again")
        return token

    def _good(self, repository: str, response: httpx2.Response) -> httpx2.Response:
        if response.is_success:
            return response
        asked = response.request
        secret = asked.headers["authorization"].removeprefix("Bearer ")
        status = response.status_code
        raise refused(
            repository, asked.method, status, response.headers, response.content, secret, self._place
        )


def _decoded(repository: str, response: httpx2.Response, answer: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=answer)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Refused(
            f"{repository} on GitHub: the answer is not GitHub's, or in a form that is not known",
            "is there a proxy in between?",
            response.status_code,
        ) from None


def _cause(error: httpx2.HTTPError) -> str:
    if isinstance(error, httpx2.ConnectTimeout):
        return f"no connection within {_CONNECT_SECONDS:.0f} s"
    if isinstance(error, httpx2.TimeoutException):
        return f"no answer for {_READ_SECONDS:.0f} s"
    return f"the connection failed: {error}"
