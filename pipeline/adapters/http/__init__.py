"""Feeds and audio over HTTP, from servers that are not trusted.

Where the environment names a proxy it is used, and then it is the proxy that connects: addresses
are checked, and private ones refused, only on connections that are made from here.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Self

import httpx2

from pipeline.adapters.http.asking import Asker, refusal
from pipeline.adapters.http.network import addresses_of
from pipeline.adapters.http.parts import Part
from pipeline.errors import DownloadError, FeedError, storage_error
from pipeline.model import FeedState
from pipeline.ports import Fetched
from pipeline.urls import may_connect, split_web_url

_ACCEPT_FEED = b"application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
_ACCEPT_AUDIO = b"audio/*, video/*;q=0.9, */*;q=0.5"
_MAX_FEED_BYTES = 64 * 2**20  # after decompression
_FEED_SECONDS = 60.0  # for all of it, redirects included
_DOWNLOAD_SECONDS = 2 * 3600.0

Tell = Callable[[int, int | None], None]
"""Is told the bytes done, and those expected where that is known."""


class Http:
    """Conditional feed requests and resumable downloads; threads may share one."""

    def __init__(self, version: str, max_download_bytes: int) -> None:
        self._asker = Asker(f"proofcast/{version} (+podcast transcripts)")
        self._max_bytes = max_download_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._asker.close()

    def is_private(self, url: str) -> bool:
        """Whether a URL's host is on one's own network; False where it can't be resolved."""
        parts = split_web_url(url)
        try:
            addresses = addresses_of(parts.hostname or "", parts.port or 443) if parts else []
        except OSError:
            return False
        return any(not may_connect(address, private=False) for address in addresses)

    def fetch_feed(self, state: FeedState) -> Fetched:
        """Ask for a feed with the validators of the last answer, byte for byte. Raises FeedError.

        Private addresses are asked only for a feed whose own URL is on one.
        """
        headers = {b"Accept": _ACCEPT_FEED}
        if state.etag:
            headers[b"If-None-Match"] = state.etag.encode("latin-1", "ignore")
        if state.last_modified:
            headers[b"If-Modified-Since"] = state.last_modified.encode("latin-1", "ignore")
        private = self.is_private(state.url)
        try:
            with self._asker.get(state.url, headers, seconds=_FEED_SECONDS, private=private) as answer:
                status = answer.response.status_code
                if status != 200 and not (status == 304 and len(headers) > 1):
                    raise refusal(answer.response, "check the feed's url in the config")
                return Fetched(
                    status=status,
                    url=answer.url,
                    body=_feed_body(answer.response),
                    headers=_headers(answer.response),
                    permanent_url=answer.url if answer.moved_for_good else None,
                )
        except DownloadError as error:
            raise FeedError(error.message, error.hint, status=error.status) from None

    def download(self, url: str, path: Path, progress: Tell, *, allow_private: bool = False) -> None:
        """Download to `path`, going on with `path`.part where that is safe.

        Raises DownloadError, StorageFull, StorageError.
        """
        part = Part(path)
        try:
            if not self._attempt(url, part, progress, allow_private):
                part.drop()
                self._attempt(url, part, progress, allow_private)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                part.drop()  # it would keep others from what room there is
            raise storage_error(error, path) from None

    def _attempt(self, url: str, part: Part, progress: Tell, private: bool) -> bool:
        """Whether the file is complete; if not, there is a part that can't be gone on with."""
        headers = {b"Accept": _ACCEPT_AUDIO, b"Accept-Encoding": b"identity"}
        start, etag = part.resumable()
        if start:
            headers |= {b"Range": f"bytes={start}-".encode(), b"If-Range": etag}
        with self._asker.get(url, headers, seconds=_DOWNLOAD_SECONDS, private=private) as answer:
            response = answer.response
            if start and response.status_code in (206, 416) and not _goes_on(response, start, etag):
                return False
            if response.status_code != 200 and not (start and response.status_code == 206):
                raise refusal(response, "the feed may name another file at its next poll")
            self._receive(response, part, start if response.status_code == 206 else 0, progress)
            part.finish()
        return True

    def _receive(self, response: httpx2.Response, part: Part, start: int, progress: Tell) -> None:
        length = response.headers.get("content-length", "")
        total = start + int(length) if length.isdecimal() and not _is_encoded(response) else None
        self._check_size(total or 0)
        done = start
        with part.open(start, _strong_etag(response)) as file:
            for chunk in response.iter_bytes():
                done += len(chunk)
                self._check_size(done)
                file.write(chunk)
                progress(done, total)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise DownloadError(
                f"the audio is larger than {self._max_bytes / 2**20:,.0f} MB",
                "max_download_mb in the config's [worker] is the limit",
                permanent=True,
            )


def _feed_body(response: httpx2.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():  # at most 1 MiB each, however well it was compressed
        body += chunk
        if len(body) > _MAX_FEED_BYTES:
            raise DownloadError(
                f"the feed is larger than {_MAX_FEED_BYTES // 2**20} MB", "is it the address of a feed?"
            )
    return bytes(body)


def _headers(response: httpx2.Response) -> dict[str, str]:
    """By lower-case name; as Latin-1, which gives an ETag's bytes back when encoded again."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name not in ("content-encoding", "set-cookie"):  # the body is decoded, and cookies are secrets
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _goes_on(response: httpx2.Response, start: int, etag: bytes) -> bool:
    """Whether a 206 continues the same version where the part ends."""
    same = _headers(response).get("etag", etag.decode("latin-1")) == etag.decode("latin-1")
    begins = response.headers.get("content-range", "").startswith(f"bytes {start}-")
    return response.status_code == 206 and begins and same and not _is_encoded(response)


def _strong_etag(response: httpx2.Response) -> bytes:
    etag = _headers(response).get("etag", "").encode("latin-1")
    return etag if etag.startswith(b'"') and not _is_encoded(response) else b""


def _is_encoded(response: httpx2.Response) -> bool:
    return response.headers.get("content-encoding", "identity").lower() != "identity"
