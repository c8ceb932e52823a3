"""What the server of the page answers at all: hosts, sizes of requests, its headers."""

import re
from collections.abc import Iterable
from typing import Any

from stemjax.demo import texts
from stemjax.demo.sessions import Sessions
from stemjax.demo.uploads import MAX_BYTES, remove_old_uploads

CONTENT_SECURITY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval';"
    " connect-src 'self' data: blob:"
)
"""Content-Security-Policy: the browser refuses requests to other hosts."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MAX_REQUEST_BYTES = 1_000_000
"""Of a request that is no upload."""
MAX_UPLOAD_BYTES = MAX_BYTES + MAX_REQUEST_BYTES
HEARTBEAT = "/gradio_api/heartbeat/"
"""A browser or client holds this open as long as it shows the page."""
UPLOAD = "/gradio_api/upload"
FETCHES = tuple(f"/gradio_api/{p}" for p in ("file=http:", "file=https:", "proxy="))
"""Gradio would fetch these from other hosts."""
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/@?#\s]+)(:[0-9]+)?")
_ORIGIN = re.compile(r"https?://(.*)")


def is_allowed(headers: Iterable[tuple[bytes, bytes]], hosts: Iterable[str]) -> bool:
    """Whether a request names only allowed hosts.

    The host that the browser asked for must be named, which stops names of other sites
    that resolve to this machine; an origin, which pages of other sites send, may be.

    Args:
      headers: (name, value) in lower case names.
      hosts: names without ports.
    """
    has_host = False
    for name, value in headers:
        if name not in (b"host", b"x-forwarded-host", b"origin"):
            continue
        text = value.decode("latin-1").lower()
        if name == b"origin":
            match = _ORIGIN.fullmatch(text)
            text = match[1] if match else ""
        match = _HOST.fullmatch(text)
        if not match or match[1].removesuffix(".") not in hosts:
            return False
        has_host = has_host or name == b"host"
    return has_host


class RequestTooLarge(Exception):
    """More bytes than a request may have."""


class PagePolicy:
    """ASGI middleware: refuses requests that the page does not answer, and tells the
    sessions which pages are open."""

    def __init__(
        self,
        app: Any,
        hosts: tuple[str, ...],
        sessions: Sessions,
        unknown_end_point: type[Exception],
    ):
        """Args:
        hosts: allowed names, without ports.
        unknown_end_point: what `app` raises for one.
        """
        self.app, self.sessions = app, sessions
        self.unknown_end_point = unknown_end_point
        self.hosts = tuple(dict.fromkeys(host.lower() for host in hosts))

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # the page has no web sockets
            return await send({"type": "websocket.close", "code": 1008})
        send = with_header(send)
        if not is_allowed(scope["headers"], self.hosts):
            text = texts.NOT_ALLOWED_HOST.format(", ".join(self.hosts))
            return await answer(send, 403, text)
        path = scope["path"]
        if path.startswith(FETCHES):
            return await answer(send, 403, texts.NO_OTHER_HOST)
        if path.startswith(HEARTBEAT):
            user = path.removeprefix(HEARTBEAT)
            return await self._heartbeat(user, scope, receive, send)
        limit = MAX_REQUEST_BYTES
        if path.rstrip("/") == UPLOAD:
            limit = MAX_UPLOAD_BYTES
            remove_old_uploads(self.sessions.root)
        await self._with_limit(limit, scope, receive, send)

    async def _heartbeat(self, user: str, scope, receive, send) -> None:
        self.sessions.page_opened(user)
        try:
            await self.app(scope, receive, send)
        finally:
            self.sessions.page_closed(user)

    async def _with_limit(self, limit: int, scope, receive, send) -> None:
        """Answer a request of at most `limit` bytes, whatever length its header states."""
        is_started, size = False, 0

        async def limited_receive():
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise RequestTooLarge
            return message

        async def watched_send(message):
            nonlocal is_started
            is_started = True
            await send(message)

        stated = dict(scope["headers"]).get(b"content-length", b"0")
        try:
            if stated.isdigit() and int(stated) > limit:
                raise RequestTooLarge
            await self.app(scope, limited_receive, watched_send)
        except self.unknown_end_point:
            await answer(send, 404, texts.NO_END_POINT)
        except RequestTooLarge:
            if not is_started:
                text = texts.TOO_LARGE.format(round(limit / 1e6))
                await answer(send, 413, text)


def with_header(send) -> Any:
    """`send` that adds the Content-Security-Policy to each response."""

    async def send_with_header(message):
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", [])]
            headers.append((b"content-security-policy", CONTENT_SECURITY.encode()))
            message = {**message, "headers": headers}
        await send(message)

    return send_with_header


async def answer(send, status: int, text: str) -> None:
    """Send a response of plain text and close the connection."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
