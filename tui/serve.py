"""The dashboard in a browser on this machine, a process of its own for every page that is open.

textual-serve does the work, but knows no rights, and its page fetches a font from elsewhere. So addresses
hold a secret here, and the page is ours.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler, Middleware

HOW_TO_INSTALL = "in Proofcast's checkout: pip install -c constraints.txt '.[serve]'"

_HOSTS = ("127.0.0.1", "localhost")
_PAGE = Path(__file__).with_name("page.html")
_CLOSING_S = 0.2  #: that answers have for ending by themselves: those of open pages never do


def serve(command: str, *, port: int, host: str = _HOSTS[0]) -> None:
    """Serve what a shell command runs, until it is interrupted. Raises ConfigError."""
    if host not in _HOSTS:
        hint = f"leave it at {_HOSTS[0]}, and come by SSH from elsewhere"
        raise ConfigError(f"'{host}' can be reached from elsewhere, where anybody could read along", hint)
    origin, secret = f"http://{host}:{port}", secrets.token_urlsafe(24)
    try:
        from aiohttp import web

        app = application(command, origin, secret)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name}, which serves pages, is not installed", HOW_TO_INSTALL) from None

    def tell(_: str) -> None:  # what aiohttp has to say once it listens
        click.echo(f"the dashboard is at {origin}/{secret}/ until Ctrl-C ends it")

    try:
        web.run_app(app, host=host, port=port, print=tell, access_log=None, shutdown_timeout=_CLOSING_S)
    except OSError as error:
        raise ConfigError(f"port {port} can't be had: {error.strerror}", "name another one") from None


def application(command: str, origin: str, secret: str) -> web.Application:
    """What answers below `origin`/`secret`, and refuses everything else."""
    from aiohttp import web
    from textual_serve.server import Server

    server = Server(command, public_url=origin)
    socket = f"{origin.replace('http', 'ws', 1)}/{secret}/ws"
    page = Template(_PAGE.read_text(encoding="utf-8")).substitute(socket=socket)

    async def show(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    async def protect(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(_headers(socket))

    app = web.Application(middlewares=[_guard(origin, secret)])
    app.add_routes(
        [
            web.get(f"/{secret}/", show),
            web.get(f"/{secret}/ws", server.handle_websocket),
            web.static(f"/{secret}/static", server.statics_path),
        ]
    )
    app.on_response_prepare.append(protect)
    return app


def _guard(origin: str, secret: str) -> Middleware:
    """Only who knows the secret is let in, and no page of another site even then."""
    from aiohttp import web

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.path.split("/")[1]
        knows = secrets.compare_digest(given.encode(), secret.encode())
        if not knows or request.headers.get("Origin", origin) != origin:
            raise web.HTTPForbidden(text="The address that the command printed is needed, whole.")
        return await handler(request)

    return guard


def _headers(socket: str) -> dict[str, str]:
    """What keeps a page, whatever a title in it holds, from asking anybody else for anything."""
    allowed = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # the terminal in the page makes its own
        "font-src 'self'",
        "img-src data:",
        f"connect-src {socket}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(allowed),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
