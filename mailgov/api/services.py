"""What the interface works with; `config` builds it, tests build their own."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request

from mailgov.admin.services import HttpServices

ApiServices = HttpServices


def services_of(request: Request) -> ApiServices:
    """The services of the app that the request came to."""
    return cast(ApiServices, request.app.state.services)
