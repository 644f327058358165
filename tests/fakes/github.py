"""A GitHub on loopback: its HTTP, its rules of who may do what, and troubles on demand.

What it knows lies in a real bare repository; see `github_site`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes.github_site import GitHubSite, Refusal

TOKEN = "github_pat_writes"
READER = "github_pat_only_reads"
STRANGER = "github_pat_of_a_stranger"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is answered; a `body` that is not text is sent as JSON."""

    status: int
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])


def complaint(status: int, message: str, *errors: object, **headers: str) -> Reply:
    body: dict[str, Any] = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    if errors:
        body["errors"] = list(errors)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, body={**body, "status": str(status)}, headers=named)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request; its path begins after /repos/owner/name."""

    number: int
    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    headers: Message


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Instead of answering as it should: `reply`, or hang up, or be silent. `heard`: do it first."""

    heard: bool = False
    reply: Reply | None = None
    silent: bool = False


class FakeGitHub(ThreadingHTTPServer):
    """Serves one repository to whoever has a token."""

    daemon_threads = True

    def __init__(self, site: GitHubSite) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.site = site
        self.calls: list[Call] = []
        self.former_names: set[str] = set()
        self.archived = False
        self.trouble: Callable[[Call], Trouble | None] = lambda call: None
        self.closing = threading.Event()
        self._one_by_one = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def asked(self, method: str, path: str) -> list[Call]:
        return [call for call in self.calls if (call.method, call.path) == (method, path)]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up early, as some tests have it do, is no news."""

    def answer(self, method: str, target: str, headers: Message, body: bytes) -> Reply | None:
        """None: hang up."""
        url = urlsplit(target)
        name, path = _split(unquote(url.path))
        with self._one_by_one:
            call = Call(
                number=len(self.calls),
                method=method,
                path=path,
                query=dict(parse_qsl(url.query)),
                body=json.loads(body or b"{}"),
                headers=headers,
            )
            self.calls.append(call)
            trouble = self.trouble(call)
            if trouble is None or trouble.heard:
                reply = self._gate(call, name) or self._do(call)
                if trouble is None:
                    return reply
        if trouble.silent:
            self.closing.wait()
        return trouble.reply

    def _gate(self, call: Call, name: str) -> Reply | None:
        token = (call.headers["Authorization"] or "").removeprefix("Bearer ")
        if not call.headers["User-Agent"]:
            return complaint(403, "Request forbidden by administrative rules.")
        if token not in (TOKEN, READER, STRANGER):
            return complaint(401, "Bad credentials")
        if name in self.former_names:
            place = f"{self.url}/repositories/1/{call.path}".rstrip("/")
            moved = {"message": "Moved Permanently", "url": place}
            return Reply(status=301 if call.method == "GET" else 307, body=moved, headers={"Location": place})
        if name not in (self.site.repository, "1") or token == STRANGER:
            return complaint(404, "Not Found")
        if call.method == "POST" and token == READER:
            return complaint(403, "Resource not accessible by personal access token")
        if call.method == "POST" and self.archived:
            return complaint(403, "Repository was archived so is read-only.")
        return None

    def _do(self, call: Call) -> Reply:
        try:
            if call.method == "POST":
                return Reply(status=201, body=self._change(call))
            return self._tell(call)
        except Refusal as refusal:
            return complaint(refusal.status, refusal.message, *refusal.errors)

    def _change(self, call: Call) -> dict[str, Any]:
        match call.path.split("/"):
            case ["git", "trees"]:
                return self.site.make_tree(call.body["base_tree"], call.body["tree"])
            case ["git", "commits"]:
                return self.site.make_commit(call.body)
            case ["git", "refs"]:
                return self.site.make_ref(call.body["ref"], call.body["sha"])
            case ["pulls"]:
                return self.site.make_pull(call.body)
            case _:
                raise Refusal(404, "Not Found")

    def _tell(self, call: Call) -> Reply:
        match call.path.split("/", 2):
            case [""]:
                return Reply(status=200, body=self._repository())
            case ["git", "ref" | "commits" | "trees" as kind, name]:
                asked = {"ref": self.site.ref, "commits": self.site.commit_object, "trees": self.site.tree}
                return Reply(status=200, body=asked[kind](name))
            case ["contents", *path]:
                assert call.headers["Accept"] == "application/vnd.github.raw+json"
                return Reply(status=200, body=self.site.file(call.query["ref"], "/".join(path)))
            case ["pulls"]:
                return self._pulls(call)
            case ["pulls", number]:
                return Reply(status=200, body=self.site.pull(int(number)))
            case ["compare", *ends]:
                return self._compared(call, *"/".join(ends).split("..."))
            case _:
                raise Refusal(404, "Not Found")

    def _repository(self) -> dict[str, Any]:
        name = self.site.repository
        return {
            "id": 1,
            "name": name.partition("/")[2],
            "full_name": name,
            "html_url": f"https://github.com/{name}",
            "default_branch": "main",
            "archived": self.archived,
        }

    def _compared(self, call: Call, base: str, head: str) -> Reply:
        if call.headers["Accept"] == "application/vnd.github.diff":
            return Reply(status=200, body=self.site.compared_diff(base, head))
        return Reply(status=200, body=self.site.compared(base, head))

    def _pulls(self, call: Call) -> Reply:
        found = self.site.pulls_from(call.query.get("head", ""), call.query.get("state", "open"))
        page, size = (int(call.query.get(name, given)) for name, given in (("page", "1"), ("per_page", "30")))
        headers: dict[str, str] = {}
        if len(found) > page * size:
            query = "&".join(f"{key}={value}" for key, value in {**call.query, "page": page + 1}.items())
            headers["Link"] = f'<{self.url}/repositories/1/pulls?{query}>; rel="next"'
        return Reply(status=200, body=found[(page - 1) * size : page * size], headers=headers)


def _split(path: str) -> tuple[str, str]:
    """The repository's name, or its number, and what is asked of it."""
    match path.strip("/").split("/", 3):
        case ["repos", owner, name, *rest]:
            return f"{owner}/{name}", "".join(rest)
        case ["repositories", number, *rest]:
            return number, "/".join(rest)
        case _:
            return "", ""


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _serve(self, method: str) -> None:
        assert isinstance(self.server, FakeGitHub)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        reply = self.server.answer(method, self.path, self.headers, body)
        if reply is None:
            self.close_connection = True
            return
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        data = text.encode()
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(data)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def served(folder: Path) -> Generator[FakeGitHub]:
    """A GitHub with the one repository, and a person's checkout of it."""
    with FakeGitHub(GitHubSite.hosted(folder)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
