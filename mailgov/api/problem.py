"""Errors as RFC 9457 `application/problem+json`, whatever they come from.

`type` is `about:blank` where the status says it all (RFC 9457 4.2.1) and otherwise
`urn:mailgov:problem:<code>`; docs/api.md lists the codes. Nothing that a caller sent is
echoed but the path: values may be personal data, and a log or a page shows them later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from mailgov.admin.errors import AdminError, TryLater
from mailgov.store.engine import LedgerUnavailable

MEDIA_TYPE = "application/problem+json"
CHALLENGE = 'Bearer realm="mailgov"'
CODE_PREFIX = "urn:mailgov:problem:"
PATH_LIMIT = 200
"""Characters of a path that are repeated in `instance`."""
ERRORS_LIMIT = 20
"""Faults that one answer lists; a caller mends them in rounds."""
RETRY_AFTER_S = 5

_DETAILS = {
    400: "The request cannot be read; a body must be JSON.",
    404: "Nothing is here under this path, or not for you.",
    405: "The path exists, but not for this method; `Allow` names those that it has.",
    413: "The request's body is larger than this service reads (1 MiB).",
}


class Problem(Exception):
    """A refusal with its RFC 9457 fields; `code` becomes the `type`."""

    def __init__(
        self,
        status: int,
        code: str | None,
        detail: str,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.title = title or HTTPStatus(status).phrase
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})

    def response(self, scope: Scope) -> Response:
        """The answer to the request of `scope`."""
        content = {
            "type": CODE_PREFIX + self.code if self.code else "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": quote(str(scope.get("path", ""))[:PATH_LIMIT], errors="replace"),
            **self.extra,
        }
        body = json.dumps(content, ensure_ascii=False).encode(errors="replace")
        return Response(body, self.status, self.headers, MEDIA_TYPE)


_NOT_JSON = Problem(
    415, None, "The body is not declared as JSON: send it with Content-Type: application/json."
)


def unauthorized(detail: str, *, error: str | None = None) -> Problem:
    """401 with the challenge of RFC 6750 3; `error` only where credentials came."""
    challenge = CHALLENGE + (f', error="{error}"' if error else "")
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": challenge})


def ledger_away() -> Problem:
    """503 for a ledger that is locked, full or away: mail flows on, figures and records wait."""
    return Problem(
        503,
        "ledger-unavailable",
        "The ledger cannot be reached for the moment. Mail is not affected; please try again.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document; what is not foreseen is `limits.Guard`'s."""

    async def problem(request: Request, error: Exception) -> Response:
        if isinstance(error, RequestValidationError) and _unread(error) and not _is_json(request):
            return _NOT_JSON.response(request.scope)
        return as_problem(error).response(request.scope)

    for kind in (Problem, AdminError, LedgerUnavailable, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, problem)


def as_problem(error: Exception) -> Problem:
    """The problem that `error` stands for; 500 without its text when nobody foresaw it."""
    match error:
        case Problem():
            return error
        case AdminError():
            return Problem(error.status, error.code, error.detail, title=error.title, headers=_headers(error))
        case LedgerUnavailable():
            return ledger_away()
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            detail = _DETAILS.get(error.status_code, HTTPStatus(error.status_code).description)
            return Problem(error.status_code, None, detail, headers=error.headers)
        case _:
            return Problem(500, None, "Something inside failed; it is in the service's log.")


def _headers(error: AdminError) -> dict[str, str]:
    if isinstance(error, TryLater):
        return {"Retry-After": str(error.retry_after_s)}
    return {"WWW-Authenticate": CHALLENGE} if error.status == 401 else {}


def _unread(error: RequestValidationError) -> bool:
    """True when the body as a whole could not be read, whatever is in it."""
    return any(tuple(fault["loc"]) == ("body",) and fault["type"] != "missing" for fault in error.errors())


def _is_json(request: Request) -> bool:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


def _invalid(error: RequestValidationError) -> Problem:
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        at = next(fault["loc"][-1] for fault in error.errors() if fault["type"] == "json_invalid")
        return Problem(422, "invalid-request", f"body: not JSON from character {at} on (counted from 0)")
    faults = []
    for fault in error.errors()[:ERRORS_LIMIT]:
        place, *names = (str(part)[:PATH_LIMIT] for part in fault["loc"])
        name = ".".join(names)
        if fault["type"] == "extra_forbidden":
            says = "unknown parameter" if place == "query" else "unknown field"
        elif not name and fault["type"] == "model_attributes_type":
            says = "must be one JSON object"
        else:
            says = str(fault["msg"]).removeprefix("Value error, ")
        faults.append({"in": place, "name": name, "detail": says})
    first = faults[0]
    detail = " ".join(part for part in (first["in"], first["name"]) if part) + f": {first['detail']}"
    return Problem(422, "invalid-request", detail, extra={"errors": faults})
