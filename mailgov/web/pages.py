"""All pages: one line for each router."""

from __future__ import annotations

from fastapi import APIRouter

from mailgov.web.account import account_router
from mailgov.web.client_setup import client_router
from mailgov.web.scorecard import scorecard_router
from mailgov.web.services import PageServices
from mailgov.web.why import why_router


def page_routers(services: PageServices) -> list[APIRouter]:
    """The routers of every page."""
    return [
        account_router(services),
        client_router(services),
        scorecard_router(services),
        why_router(services),
    ]
