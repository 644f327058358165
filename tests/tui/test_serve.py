from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pipeline.errors import ConfigError
from tui.serve import serve

APP = """
from textual.app import App
from textual.widgets import Input
class Small(App):
    def compose(self):
        yield Input("served")
Small().run()
"""
SERVE = "import sys; from tui.serve import serve; serve(sys.argv[1], port=int(sys.argv[2]))"


def a_free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def served(folder: Path) -> Generator[tuple[str, subprocess.Popen[str]]]:
    """A small app: its address, and the server."""
    app = folder / "app.py"
    app.write_text(APP)
    command = [sys.executable, "-c", SERVE, f"{sys.executable} {app}", str(a_free_port())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        said = re.search(r"http://\S+", program.stdout.readline())
        assert said
        try:
            yield said[0], program
        finally:
            program.kill()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with served(tmp_path_factory.mktemp("served")) as (address, _):
        yield address


def asked(url: str, **headers: str) -> tuple[int, Any, str]:
    """The status, the headers and the text of what is answered."""

    async def ask() -> tuple[int, Any, str]:
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            return answer.status, answer.headers, await answer.text(errors="replace")

    return asyncio.run(ask())


def test_the_page_asks_nobody_else_for_anything(address: str) -> None:
    status, headers, page = asked(address)
    assert status == 200
    links = re.findall(r"""(?<![\w-])(?:href|src|url)[=(]["']([^"']*)""", page)
    assert len(links) >= 5
    for link in filter(None, links):
        assert link.startswith("static/") or link == "data:,"
        if link != "data:,":
            assert asked(address + link)[0] == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "http:" not in page
    assert "https:" not in page


def test_what_the_page_loads_fetches_nothing_from_elsewhere(address: str) -> None:
    for name in ("css/xterm.css", "js/textual.js"):
        text = asked(f"{address}static/{name}")[2]
        assert not re.search(r"""(?:@import|url\(|fetch\(|src=)\s*["']?(?:https?:)?//""", text)


@pytest.mark.parametrize("path", ["", "ws", "static/js/textual.js", "wrong/", "wrong/ws", "%C3%A9/"])
def test_who_does_not_know_the_whole_address_is_refused(address: str, path: str) -> None:
    origin = address.rsplit("/", 2)[0]
    status, headers, text = asked(f"{origin}/{path}")
    assert status == 403
    assert "Content-Security-Policy" in headers
    assert address.split("/")[3] not in text


def test_every_start_has_an_address_of_its_own(address: str) -> None:
    assert len(address.split("/")[3]) >= 32


def test_a_page_of_another_site_is_refused_even_with_the_address(address: str) -> None:
    for path in ("", "ws"):
        assert asked(address + path, Origin="https://evil.example")[0] == 403


async def painted(page: aiohttp.ClientWebSocketResponse, text: bytes) -> None:
    """Read until the app paints that text."""
    seen = b""
    while text not in seen:
        message = await page.receive(timeout=5)
        seen += message.data if message.type == aiohttp.WSMsgType.BINARY else b""


def test_the_app_runs_behind_the_socket_and_an_interrupt_ends_it_under_open_pages(tmp_path: Path) -> None:
    async def use(address: str, program: subprocess.Popen[str]) -> None:
        own = {"Origin": address.rsplit("/", 2)[0]}
        url = f"{address}ws?width=80&height=24"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=own) as page:
            await painted(page, b"served")
            await page.send_json(["stdin", "X"])
            await painted(page, b"X")
            program.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(program.wait, 10) == 0

    with served(tmp_path) as (address, program):
        asyncio.run(use(address, program))


def test_a_host_that_can_be_reached_from_elsewhere_is_refused() -> None:
    for host in ("0.0.0.0", "192.168.1.2", "example.com", "::", ""):
        with pytest.raises(ConfigError, match="reached from elsewhere"):
            serve("true", host=host, port=a_free_port())


def test_a_port_that_is_taken_is_said(address: str) -> None:
    port = int(address.split(":")[2].split("/")[0])
    done = subprocess.run(
        [sys.executable, "-c", SERVE, "true", str(port)], capture_output=True, text=True, check=False
    )
    assert f"ConfigError: port {port} can't be had" in done.stderr
