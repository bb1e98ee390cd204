"""What surrounds every request: the body's limit, security headers, the last resort."""

from __future__ import annotations

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailgov.api.problem import as_problem

BODY_LIMIT_BYTES = 1_048_576
"""No request of this interface carries more than a few hundred bytes; imports come by the CLI."""

NOTHING_LOADS = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": NOTHING_LOADS,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Set on every answer that does not set them itself: answers hold personal data and no page."""

_log = structlog.get_logger("mailgov.api")


class Guard:
    """ASGI middleware around the whole app.

    A body over `BODY_LIMIT_BYTES` is answered 413, whether its length was announced or not. An
    exception that no handler knows becomes a 500 without its text, and one line in the log.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            _check_announced(scope)
            await self.app(scope, _limited(receive), guarded_send)
        except Exception as error:  # the last resort: nothing leaves without an answer
            problem = as_problem(error)
            if problem.status >= 500:
                _log.error("request failed", method=scope["method"], path=scope["path"][:200], exc_info=error)
            if started:
                raise
            await problem.response(scope)(scope, receive, guarded_send)


def _check_announced(scope: Scope) -> None:
    length = Headers(scope=scope).get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > BODY_LIMIT_BYTES:
        raise HTTPException(413)


def _limited(receive: Receive) -> Receive:
    total = 0

    async def limited() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > BODY_LIMIT_BYTES:
            raise HTTPException(413)
        return message

    return limited
