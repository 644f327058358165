"""One GET, with its redirects, and every way it can fail in plain words."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2

from pipeline.adapters.http.network import Deadline, Network
from pipeline.errors import DownloadError
from pipeline.urls import may_connect, safe_url, split_web_url

_MAX_REDIRECTS = 10
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 20.0  # between two pieces of an answer

_MEANINGS = {
    401: "it wants a password or token",
    403: "it denies access",
    404: "there is nothing at this address",
    408: "it was tired of waiting",
    410: "what was there is gone for good",
    429: "it gets too many requests",
    503: "it is out of service for now",
}
_WORTH_ANOTHER_TRY = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a chain of redirects."""

    response: httpx2.Response
    url: str
    moved_for_good: bool  #: there were redirects, and all of them permanent


class Asker:
    """Sends GET requests; redirects are followed by hand, so that each hop is checked."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._deadline = Deadline()
        self._clients: dict[bool, httpx2.Client] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    @contextmanager
    def get(
        self, url: str, headers: dict[bytes, bytes], *, seconds: float, private: bool
    ) -> Generator[Answer]:
        """The answer, its body still to be read, all within `seconds`. Raises DownloadError."""
        self._deadline.start(seconds)
        permanent: list[bool] = []
        while len(permanent) <= _MAX_REDIRECTS:
            with _in_plain_words(url), self._send(url, headers, private) as response:
                if not response.has_redirect_location:
                    yield Answer(response, url, bool(permanent) and all(permanent))
                    return
                permanent.append(response.status_code in (301, 308))
                url = str(httpx2.URL(url).join(response.headers["location"]))
        raise DownloadError(
            f"{safe_url(url)}: more than {_MAX_REDIRECTS} redirects, maybe in a circle",
            "open the address in a browser and use the one it ends at",
            permanent=True,
        )

    @contextmanager
    def _send(self, url: str, headers: dict[bytes, bytes], private: bool) -> Generator[httpx2.Response]:
        if split_web_url(url) is None:
            raise DownloadError("not asked", "only http and https addresses are", permanent=True)
        client = self._client(private)
        response = client.send(client.build_request("GET", url, headers=[*headers.items()]), stream=True)
        try:
            yield response
        finally:
            response.close()

    def _client(self, private: bool) -> httpx2.Client:
        """One client each for public and for private places, so that they share no connection."""
        with self._lock:
            if private not in self._clients:
                self._clients[private] = self._new_client(private)
            return self._clients[private]

    def _new_client(self, private: bool) -> httpx2.Client:
        client = httpx2.Client(
            headers={"User-Agent": self._agent},
            timeout=httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none are kept
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        )
        # Neither the client nor its transport takes a network backend, and a transport of one's
        # own would turn the environment's proxies off; so it is put where the pools keep it.
        direct: Any = client._transport  # pyright: ignore[reportPrivateUsage]
        proxies: list[Any] = [*client._mounts.values()]  # pyright: ignore[reportPrivateUsage]
        for proxy in filter(None, proxies):
            proxy._pool._network_backend = Network(self._deadline, lambda address: True)
        direct._pool._network_backend = Network(
            self._deadline, lambda address: may_connect(address, private=private)
        )
        return client


def refusal(response: httpx2.Response, hint: str) -> DownloadError:
    """What a status other than the wanted one means."""
    status = response.status_code
    meaning = _MEANINGS.get(status, "it has trouble of its own" if status >= 500 else "that is no use here")
    wait = response.headers.get("retry-after", "").strip()[:40]
    if wait.isdecimal():
        meaning += f", and asks to wait {wait} s"
    elif wait.isprintable() and wait:
        meaning += f", and asks to wait until {wait}"
    passing = status >= 500 or status in _WORTH_ANOTHER_TRY
    return DownloadError(
        f"the server answered {status}: {meaning}",
        "try again later" if passing else hint,
        permanent=not passing,
        status=status,
    )


@contextmanager
def _in_plain_words(url: str) -> Generator[None]:
    """Make every failure a DownloadError that names the address, without the secrets in it."""
    try:
        yield
    except DownloadError as error:
        raise DownloadError(
            f"{safe_url(url)}: {error.message}", error.hint, permanent=error.permanent, status=error.status
        ) from None
    except httpx2.HTTPError as error:
        raise DownloadError(f"{safe_url(url)}: {_cause(error)}", "try again later") from None
    except (httpx2.InvalidURL, UnicodeError):
        raise DownloadError(f"{safe_url(url)}: the address is malformed", permanent=True) from None


def _cause(error: httpx2.HTTPError) -> str:
    if isinstance(error, httpx2.ConnectTimeout):
        return f"no connection within {_CONNECT_SECONDS:.0f} s"
    if isinstance(error, httpx2.TimeoutException):
        return f"no answer for {_READ_SECONDS:.0f} s"
    if isinstance(error, httpx2.DecodingError):
        return "the answer's compression is damaged"
    root = _root(error)
    if isinstance(root, socket.gaierror):
        return "the host's name can't be found"
    if isinstance(root, ssl.SSLCertVerificationError):
        return f"the server's certificate is not valid: {root.verify_message}"
    if isinstance(root, ConnectionRefusedError):
        return "the server refuses connections"
    if isinstance(root, OSError) and root.strerror:
        return f"the connection failed: {root.strerror}"
    return f"the connection failed: {root}"


def _root(error: BaseException) -> BaseException:
    """What was first to go wrong; the pool cuts the chain of causes, but keeps it as an argument."""
    inner = error.__cause__ or (error.args[0] if error.args else None)
    return _root(inner) if isinstance(inner, BaseException) else error
