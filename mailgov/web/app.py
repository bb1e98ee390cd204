"""The pages put into the app, and what becomes of an error on one of them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailgov.admin.errors import AdminError
from mailgov.store.engine import LedgerUnavailable
from mailgov.web import static
from mailgov.web.people import SeeOther
from mailgov.web.render import render
from mailgov.web.services import PageServices

RETRY_AFTER_S = 5
_log = structlog.get_logger("mailgov.web")


class PageRoute(APIRoute):
    """A route whose errors are pages too: people see no problem documents."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, with its errors told as pages."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except SeeOther as other:
                return other.response(request)
            except LedgerUnavailable as error:
                _log.info("page not shown", path=request.url.path[:200], reason=str(error))
                return fault(request, 503, "away", headers={"Retry-After": str(RETRY_AFTER_S)})
            except AdminError as error:
                return fault(request, error.status, error.code)
            except RequestValidationError:
                return fault(request, 422, "invalid")
            except HTTPException as error:
                return fault(request, error.status_code, "invalid")

        return handled


def page_router() -> APIRouter:
    """A router for pages: not in the API's description, errors as pages."""
    return APIRouter(include_in_schema=False, route_class=PageRoute)


def fault(request: Request, status: int, code: str, *, headers: dict[str, str] | None = None) -> Response:
    """The page that tells of an error; `code` chooses its text."""
    return render(request, "fault.html", status=status, headers=headers, code=code)


def add_pages(app: FastAPI, services: PageServices, routers: Iterable[APIRouter]) -> None:
    """Put the pages, and the files that they load, into the app."""
    app.state.pages = services
    app.include_router(static.router)
    for router in routers:
        app.include_router(router)
