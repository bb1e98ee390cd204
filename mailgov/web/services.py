"""What the pages work with; `config` builds it, tests build their own."""

from __future__ import annotations

from typing import cast

from fastapi import Request

from mailgov.admin.services import HttpServices

PageServices = HttpServices


def services_of(request: Request) -> PageServices:
    """The services of the app that the request came to."""
    return cast(PageServices, request.app.state.pages)
