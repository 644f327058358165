from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Generator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.http import Http
from pipeline.adapters.http import asking as asking_module
from pipeline.adapters.http.asking import Asker
from pipeline.errors import DownloadError, FeedError, StorageError, StorageFull
from pipeline.model import FeedState
from pipeline.urls import may_connect

AUDIO = b"ID3\x04" + bytes(range(256)) * 400
RSS = b'<rss version="2.0"><channel><title>T</title></channel></rss>'


class Request(BaseHTTPRequestHandler):
    """One request; the server's pages answer it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.asked.append((self.path, self.headers))
        server.pages[self.path.partition("?")[0]](self)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content_length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.pages: dict[str, Callable[[Request], None]] = {}
        self.asked: list[tuple[str, Message]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up early, as some tests have it do, is no news."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def page(self, path: str, status: int = 200, body: bytes = b"", **headers: str) -> str:
        self.pages[path] = lambda request: request.answer(status, body, **headers)
        return self.url + path

    def header(self, name: str) -> str | None:
        """Of the last request."""
        return self.asked[-1][1][name]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def http() -> Generator[Http]:
    with Http("1.2.3", max_download_bytes=1_000_000) as http:
        yield http


@pytest.fixture
def server(http: Http) -> Generator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    http.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "audio"


def state(url: str, etag: str | None = None, last_modified: str | None = None) -> FeedState:
    return FeedState(name="ferry", url=url, etag=etag, last_modified=last_modified)


def ignore(done: int, total: int | None) -> None:
    pass


def part_of(target: Path, data: bytes, etag: str) -> Path:
    """What an earlier attempt left behind."""
    part = target.with_name("audio.part")
    part.write_bytes(data)
    target.with_name("audio.part.etag").write_text(etag)
    return part


def left_in(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


# Feeds


def test_a_feed_is_fetched(server: Server, http: Http) -> None:
    url = server.page("/feed", body=RSS, Content_Type="text/xml", Set_Cookie="a=secret")
    fetched = http.fetch_feed(state(url))
    assert (fetched.status, fetched.url, fetched.body, fetched.permanent_url) == (200, url, RSS, None)
    assert fetched.headers is not None
    assert fetched.headers["content-type"] == "text/xml"
    assert "set-cookie" not in fetched.headers
    assert server.header("user-agent") == "proofcast/1.2.3 (+podcast transcripts)"
    assert "application/rss+xml" in (server.header("accept") or "")
    http.fetch_feed(state(url))
    assert server.header("cookie") is None


def test_validators_go_back_byte_for_byte(server: Server, http: Http) -> None:
    etag, date = 'W/"caf\xe9-\xff" ', "Yesterday, around noon"
    url = server.page("/feed", body=RSS, ETag=etag, Last_Modified=date)
    headers = http.fetch_feed(state(url)).headers or {}
    assert headers["etag"] == etag.strip()
    server.page("/feed", 304)
    fetched = http.fetch_feed(state(url, headers["etag"], headers["last-modified"]))
    assert (fetched.status, fetched.body) == (304, b"")
    assert server.header("if-none-match") == etag.strip()
    assert server.header("if-modified-since") == date


def test_unchanged_feeds_share_a_connection(server: Server, http: Http) -> None:
    ports: set[int] = set()

    def answer(request: Request) -> None:
        ports.add(request.client_address[1])
        request.answer(304)

    server.pages["/feed"] = answer
    for _ in range(3):
        http.fetch_feed(state(server.url + "/feed", '"1"'))
    assert len(ports) == 1


def test_304_without_having_asked_for_it_is_no_answer(server: Server, http: Http) -> None:
    with pytest.raises(FeedError, match="304"):
        http.fetch_feed(state(server.page("/feed", 304)))


def test_compressed_feeds_arrive_as_they_were(server: Server, http: Http) -> None:
    url = server.page("/feed", body=gzip.compress(RSS), Content_Encoding="gzip")
    fetched = http.fetch_feed(state(url))
    assert fetched.body == RSS
    assert "content-encoding" not in (fetched.headers or {})


def test_damaged_compression_is_reported(server: Server, http: Http) -> None:
    url = server.page("/feed", body=b"not gzip", Content_Encoding="gzip")
    with pytest.raises(FeedError, match="compression is damaged"):
        http.fetch_feed(state(url))


def test_a_small_answer_that_grows_beyond_the_limit_is_refused(server: Server, http: Http) -> None:
    bomb = gzip.compress(bytes(65 * 2**20), compresslevel=1)
    with pytest.raises(FeedError, match="larger than 64 MB"):
        http.fetch_feed(state(server.page("/feed", body=bomb, Content_Encoding="gzip")))


@pytest.mark.parametrize(
    ("statuses", "permanent"), [((301, 308), True), ((301, 302), False), ((307,), False), ((303,), False)]
)
def test_redirects_are_followed(
    server: Server, http: Http, statuses: tuple[int, ...], permanent: bool
) -> None:
    for hop, status in enumerate(statuses):
        server.page(f"/{hop}", status, Location=f"{hop + 1}?x=1")
    end = server.page(f"/{len(statuses)}", body=RSS) + "?x=1"
    fetched = http.fetch_feed(state(server.url + "/0"))
    assert (fetched.status, fetched.url, fetched.body) == (200, end, RSS)
    assert fetched.permanent_url == (end if permanent else None)


def test_redirects_in_a_circle_end(server: Server, http: Http) -> None:
    url = server.page("/feed", 302, Location="/feed")
    with pytest.raises(FeedError, match="more than 10 redirects"):
        http.fetch_feed(state(url))
    assert len(server.asked) == 11


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://[::1", "http://"])
def test_redirects_lead_to_the_web_only(server: Server, http: Http, location: str) -> None:
    with pytest.raises(FeedError):
        http.fetch_feed(state(server.page("/feed", 302, Location=location)))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "password or token"),
        (403, "denies access"),
        (404, "nothing at this address"),
        (410, "gone for good"),
        (429, "asks to wait 120 s"),
        (503, "asks to wait 120 s"),
        (500, "trouble of its own"),
        (206, "no use here"),
    ],
)
def test_every_refusal_is_explained(server: Server, http: Http, status: int, words: str) -> None:
    url = server.page("/feed", status, Retry_After="120")
    with pytest.raises(FeedError) as caught:
        http.fetch_feed(state(url.replace("//", "//user:hush@") + "?token=hush"))
    assert words in caught.value.message
    assert str(status) in caught.value.message
    assert caught.value.hint
    assert "hush" not in str(caught.value)
    assert f"{url}?…" in caught.value.message


def test_a_password_in_the_url_is_for_its_own_server(server: Server, http: Http) -> None:
    server.page("/feed", 302, Location=f"http://localhost:{server.server_port}/other")
    server.page("/other", body=RSS)
    http.fetch_feed(state(server.url.replace("//", "//user:hush@") + "/feed"))
    assert [headers["authorization"] is not None for _, headers in server.asked] == [True, False]


def test_a_server_that_is_not_there_is_reported(http: Http) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(FeedError, match=rf"http://127.0.0.1:{port}/feed: the server refuses connections"):
        http.fetch_feed(state(f"http://127.0.0.1:{port}/feed"))


@pytest.mark.parametrize("host", ["nowhere.invalid", "x" * 70 + ".example", "a..b"])
def test_a_host_that_can_not_be_found_is_reported(http: Http, host: str) -> None:
    with pytest.raises(FeedError, match=r"can't be found|malformed"):
        http.fetch_feed(state(f"http://{host}/feed"))


def test_what_is_no_web_address_is_not_asked(http: Http) -> None:
    with pytest.raises(FeedError, match="not http or https"):
        http.fetch_feed(state("file:///etc/passwd"))


def test_all_of_a_request_has_one_deadline(server: Server) -> None:
    asker = Asker("test")
    url = server.page("/feed", body=RSS)
    with (
        pytest.raises(DownloadError, match="took longer than 0 s"),
        asker.get(url, {}, seconds=0, private=True),
    ):
        pass
    asker.close()
    assert server.asked == []


# Audio


def test_audio_is_downloaded(server: Server, http: Http, target: Path) -> None:
    told: list[tuple[int, int | None]] = []
    url = server.page("/a.mp3", body=AUDIO, ETag='"1"')
    http.download(url, target, lambda done, total: told.append((done, total)), allow_private=True)
    assert target.read_bytes() == AUDIO
    assert told[-1] == (len(AUDIO), len(AUDIO))
    assert left_in(target) == ["audio"]
    assert server.header("accept-encoding") == "identity"


def test_a_download_goes_on_where_it_was_cut_off(server: Server, http: Http, target: Path) -> None:
    def cut(request: Request) -> None:
        request.answer(200, AUDIO[:5000], content_length=str(len(AUDIO)), ETag='"1"')
        request.close_connection = True

    server.pages["/a.mp3"] = cut
    with pytest.raises(DownloadError, match="closed connection") as caught:
        http.download(server.url + "/a.mp3", target, ignore, allow_private=True)
    assert not caught.value.permanent
    assert not target.exists()

    told: list[tuple[int, int | None]] = []
    rest = f"bytes 5000-{len(AUDIO) - 1}/{len(AUDIO)}"
    url = server.page("/a.mp3", 206, AUDIO[5000:], Content_Range=rest, ETag='"1"')
    http.download(url, target, lambda done, total: told.append((done, total)), allow_private=True)
    assert (server.header("range"), server.header("if-range")) == ("bytes=5000-", '"1"')
    assert target.read_bytes() == AUDIO
    assert told[-1] == (len(AUDIO), len(AUDIO))
    assert left_in(target) == ["audio"]


def test_audio_that_changed_meanwhile_is_downloaded_anew(server: Server, http: Http, target: Path) -> None:
    part_of(target, b"old" * 1000, '"1"')
    http.download(server.page("/a.mp3", body=AUDIO, ETag='"2"'), target, ignore, allow_private=True)
    assert server.header("if-range") == '"1"'
    assert target.read_bytes() == AUDIO


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (416, {"content_range": f"bytes */{len(AUDIO)}"}),
        (206, {"content_range": "bytes 7-9/10", "etag": '"1"'}),
        (206, {"content_range": "bytes 3000-3002/3003", "etag": '"2"'}),
    ],
)
def test_a_part_that_does_not_fit_is_given_up(
    server: Server, http: Http, target: Path, status: int, headers: dict[str, str]
) -> None:
    def answer(request: Request) -> None:
        if request.headers["range"]:
            request.answer(status, b"xyz", **headers)
        else:
            request.answer(200, AUDIO)

    part_of(target, b"old" * 1000, '"1"')
    server.pages["/a.mp3"] = answer
    http.download(server.url + "/a.mp3", target, ignore, allow_private=True)
    assert target.read_bytes() == AUDIO
    assert len(server.asked) == 2


@pytest.mark.parametrize("etag", ['W/"1"', ""])
def test_without_a_firm_version_nothing_is_gone_on_with(
    server: Server, http: Http, target: Path, etag: str
) -> None:
    def cut(request: Request) -> None:
        request.answer(200, AUDIO[:5000], content_length=str(len(AUDIO)), ETag=etag)
        request.close_connection = True

    server.pages["/a.mp3"] = cut
    with pytest.raises(DownloadError):
        http.download(server.url + "/a.mp3", target, ignore, allow_private=True)
    http.download(server.page("/a.mp3", body=AUDIO), target, ignore, allow_private=True)
    assert server.header("range") is None
    assert target.read_bytes() == AUDIO


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "0 bytes"),
        (b"\n <!DOCTYPE html><title>Sorry</title>", "a web page"),
        (b"<html>", "a web page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><Error/>", "a web page"),
        (b'{"error": "expired"}', "JSON"),
        (b"#EXTM3U\n", "a playlist"),
    ],
)
def test_what_is_not_audio_is_refused_for_good(
    server: Server, http: Http, target: Path, body: bytes, words: str
) -> None:
    url = server.page("/a.mp3", body=body, Content_Type="audio/mpeg", ETag='"1"')
    with pytest.raises(DownloadError, match=words) as caught:
        http.download(url + "?token=hush", target, ignore, allow_private=True)
    assert caught.value.permanent
    assert "/a.mp3?…" in caught.value.message
    assert "hush" not in str(caught.value)
    assert left_in(target) == []


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(404, True), (410, True), (401, True), (403, True), (429, False), (500, False), (503, False)],
)
def test_which_refusals_are_worth_another_try(
    server: Server, http: Http, target: Path, status: int, permanent: bool
) -> None:
    with pytest.raises(DownloadError, match=str(status)) as caught:
        http.download(server.page("/a.mp3", status), target, ignore, allow_private=True)
    assert caught.value.permanent is permanent


def test_the_size_is_limited_as_announced_and_as_sent(server: Server, http: Http, target: Path) -> None:
    def endless(request: Request) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for _ in range(20):
            request.wfile.write(b"186a0\r\n" + bytes(100_000) + b"\r\n")
        request.wfile.write(b"0\r\n\r\n")

    server.pages["/endless"] = endless
    announced = server.page("/a.mp3", body=bytes(1_000_001))
    for url in (announced, server.url + "/endless"):
        with pytest.raises(DownloadError, match="larger than 1 MB") as caught:
            http.download(url, target, ignore, allow_private=True)
        assert caught.value.permanent


def test_what_stops_a_download_from_outside_passes_through(server: Server, http: Http, target: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        http.download(server.page("/a.mp3", body=AUDIO, ETag='"1"'), target, stop, allow_private=True)
    assert left_in(target) == ["audio.part", "audio.part.etag"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_called_so(server: Server, http: Http, target: Path) -> None:
    target.with_name("audio.part").symlink_to("/dev/full")
    with pytest.raises(StorageFull):
        http.download(server.page("/a.mp3", body=AUDIO), target, ignore, allow_private=True)


def test_a_folder_that_is_not_there_is_named(server: Server, http: Http, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        http.download(
            server.page("/a.mp3", body=AUDIO), tmp_path / "nowhere" / "a", ignore, allow_private=True
        )


# Private addresses


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
def test_private_addresses_are_refused_however_they_are_written(
    server: Server, http: Http, target: Path, host: str
) -> None:
    server.page("/a.mp3", body=AUDIO)
    url = f"http://{host}:{server.server_port}/a.mp3"
    assert http.is_private(url)
    with pytest.raises(DownloadError, match="private address") as caught:
        http.download(url, target, ignore)
    assert caught.value.permanent
    assert server.asked == []


def test_a_redirect_to_a_private_address_is_refused(
    server: Server, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_loopback_is_public(address: str, *, private: bool) -> bool:
        return address == "127.0.0.1" or may_connect(address, private=private)

    # No test can have a server on a public address, so one of loopback stands in for it.
    monkeypatch.setattr(asking_module, "may_connect", first_loopback_is_public)
    monkeypatch.setattr("pipeline.adapters.http.may_connect", first_loopback_is_public)
    url = server.page("/feed", 301, Location=f"http://127.0.0.2:{server.server_port}/inside")
    server.page("/inside", body=RSS)
    with pytest.raises(FeedError, match="private address"):
        http.fetch_feed(state(url))
    assert [path for path, _ in server.asked] == ["/feed"]


def test_a_feed_on_a_private_address_may_use_others(server: Server, http: Http) -> None:
    url = server.page("/feed", 302, Location=f"http://localhost:{server.server_port}/other")
    server.page("/other", body=RSS)
    assert http.fetch_feed(state(url)).body == RSS


@pytest.mark.parametrize("address", ["169.254.169.254", "[fe80::1]", "0.0.0.0", "[fd00:ec2::254]"])
def test_nobody_leads_to_a_metadata_service(server: Server, http: Http, address: str) -> None:
    url = server.page("/feed", 302, Location=f"http://{address}:{server.server_port}/latest/meta-data")
    with pytest.raises(FeedError, match="private address"):
        http.fetch_feed(state(url))


def test_a_proxy_connects_in_our_place(
    server: Server, http: Http, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.page("http://audio.invalid/a.mp3", body=AUDIO)
    monkeypatch.setenv("http_proxy", server.url)
    http.download("http://audio.invalid/a.mp3", target, ignore)
    assert target.read_bytes() == AUDIO


def test_what_is_private(http: Http) -> None:
    assert not http.is_private("https://93.184.215.14/feed")
    assert not http.is_private("https://nowhere.invalid/feed")
    assert not http.is_private("not a url")
