"""Connections that go only where they may, and only for as long as they may."""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2

from pipeline.errors import DownloadError

_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


def addresses_of(host: str, port: int) -> list[str]:
    """What a host name resolves to, in the order to be tried. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a name that can't be one
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Deadline(threading.local):
    """When the request that this thread is making must be over; monotonic seconds."""

    def __init__(self) -> None:
        self._at = math.inf
        self._seconds = math.inf

    def start(self, seconds: float) -> None:
        self._at, self._seconds = time.monotonic() + seconds, seconds

    def cap(self, timeout: float | None) -> float:
        """A timeout that ends by the deadline. Raises DownloadError after it."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise DownloadError(
                f"took longer than {self._seconds:,.0f} s", "the server is too slow; try later"
            )
        return left if timeout is None else min(timeout, left)


class Network(httpcore2.NetworkBackend):
    """Resolves, checks, and connects to the address that was checked.

    Checking a name before the request would not do: it may resolve to something else a moment later.
    """

    def __init__(self, deadline: Deadline, allowed: Callable[[str], bool]) -> None:
        self._deadline = deadline
        self._allowed = allowed
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[_SocketOption] | None = None,
    ) -> httpcore2.NetworkStream:
        """Raises DownloadError for an address that is not allowed."""
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in self._allowed_addresses(host, port):
            try:
                capped = self._deadline.cap(timeout)
                stream = self._plain.connect_tcp(address, port, capped, local_address, socket_options)
                return _TimedStream(stream, self._deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    def _allowed_addresses(self, host: str, port: int) -> list[str]:
        try:
            found = addresses_of(host, port)
        except OSError as error:
            raise httpcore2.ConnectError(error) from error
        allowed = [address for address in found if self._allowed(address)]
        if found and not allowed:
            raise DownloadError(
                f"'{host}' is a private address ({found[0]}), which no feed or redirect may lead to",
                "only a feed whose own url is on a private network may use one",
                permanent=True,
            )
        return allowed


class _TimedStream(httpcore2.NetworkStream):
    """A stream whose every wait ends by the deadline: a server may drip bytes for ever."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.cap(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.cap(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.cap(timeout))
        return _TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
