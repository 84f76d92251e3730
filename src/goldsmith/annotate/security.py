"""What every answer says to the browser, and what no request may be: too large, or sent by another site's page."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
LARGEST_BODY = 1_000_000
SAFE = {"GET", "HEAD", "OPTIONS"}


class TooLarge(Exception):
    """A body is larger than any form or vote can be."""


class Security:
    """ASGI middleware: security headers on every answer, a bound on every body, no writing from other sites."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = _refusal(scope["method"], headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                outgoing = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    outgoing[name] = value
                if not scope["path"].startswith("/static/"):
                    outgoing["Cache-Control"] = "no-store"
            await send(message)

        if refusal is not None:
            await _refuse(send_with_headers, *refusal)
        else:
            await self._app(scope, _bounded(receive), send_with_headers)


def _refusal(method: str, headers: Headers) -> tuple[int, str, str] | None:
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > LARGEST_BODY:
        return 413, "too-large", f"a request has at most {LARGEST_BODY} bytes"
    if method not in SAFE and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return 403, "csrf", "another site's page sent this"
    return None


def _bounded(receive: Receive) -> Receive:
    """Count a body that comes without its length, too."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > LARGEST_BODY:
            raise TooLarge
        return message

    return counted


async def _refuse(send: Send, status: int, code: str, told: str) -> None:
    body = f'{{"error":{{"code":"{code}","message":"{told}"}}}}'.encode()
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
