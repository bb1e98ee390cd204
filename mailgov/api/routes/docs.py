"""`/docs` and `/openapi.json`: the description of this interface, for holders of a token."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse

from mailgov.api.deps import Acting, Bare
from mailgov.api.describe import describe

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def openapi(request: Request, _caller: Acting, _bare: Bare) -> JSONResponse:
    """OpenAPI 3.1, as programs and testing tools read it."""
    return JSONResponse(_description(request))


@router.get("/docs")
async def docs(request: Request, _caller: Acting, _bare: Bare) -> HTMLResponse:
    """The same for people."""
    return HTMLResponse(describe(_description(request)))


def _description(request: Request) -> dict[str, Any]:
    description: dict[str, Any] = request.app.openapi()
    return description
