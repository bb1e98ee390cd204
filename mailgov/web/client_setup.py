"""Mail programs set themselves up: an address and a password are enough.

Open to everybody, since nobody is signed in yet; an answer depends on the domain alone.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mailgov.mail.address import Address, AddressError
from mailgov.store import directory
from mailgov.web import client_documents as documents
from mailgov.web.app import page_router
from mailgov.web.client_documents import ANSWER_SCHEMA, MalformedError
from mailgov.web.services import PageServices

BODY_LIMIT_BYTES = 16_384
"""Outlook's request has 400 octets."""
XML = "text/xml; charset=utf-8"
PROFILE = "application/x-apple-aspen-config"
AUTOCONFIG = ("/.well-known/autoconfig/mail/config-v1.1.xml", "/mail/config-v1.1.xml")
AUTODISCOVER = tuple(
    f"/{folder}/{file}.xml"
    for folder, file in (
        ("autodiscover", "autodiscover"),
        ("Autodiscover", "Autodiscover"),
        ("AutoDiscover", "AutoDiscover"),
    )
)

Claimed = Annotated[str, Query(max_length=320)]


def client_router(services: PageServices) -> APIRouter:
    """The routes of all three."""
    router = page_router()
    province, ways = services.settings.province.name, documents.servers(services.settings)

    async def autoconfig(emailaddress: Claimed = "") -> Response:
        domains = await _domains(services)
        if emailaddress:
            domains = [_ours(emailaddress, domains).domain]
        return Response(documents.autoconfig(province, domains, ways), media_type=XML)

    async def autodiscover(request: Request) -> Response:
        try:
            asked = documents.read_autodiscover(await _body(request))
        except MalformedError:
            return _outlook_error(600, "Invalid Request")
        if asked.answer_schema != ANSWER_SCHEMA:
            return _outlook_error(601, "The requested schema version is not supported.")
        try:
            address = _ours(asked.address, await _domains(services))
        except HTTPException:
            return _outlook_error(500, "The email address can't be found.")
        return Response(documents.autodiscover(address.key, ways), media_type=XML)

    async def mobileconfig(email: Claimed) -> Response:
        address = _ours(email, await _domains(services))
        headers = {"Content-Disposition": 'attachment; filename="mail.mobileconfig"'}
        body = documents.mobileconfig(province, address.key, ways)
        return Response(body, media_type=PROFILE, headers=headers)

    for path in AUTOCONFIG:
        router.add_api_route(path, autoconfig)
    for path in AUTODISCOVER:
        router.add_api_route(path, autodiscover, methods=["POST"])
    router.add_api_route("/mobileconfig", mobileconfig)
    return router


async def _domains(services: PageServices) -> list[str]:
    """The domains in use. Raises LedgerUnavailable."""
    async with services.db.read() as session:
        return [domain.name for domain in await directory.list_domains(session) if domain.disabled_ms is None]


def _ours(text: str, domains: list[str]) -> Address:
    """The address, of one of the domains; HTTPException 404 for any other text."""
    try:
        address = Address.parse(text.strip())
    except AddressError:
        raise HTTPException(404) from None
    if not address.ascii or address.domain not in domains:
        raise HTTPException(404)
    return address


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            raise HTTPException(413)
    return bytes(body)


def _outlook_error(code: int, message: str) -> Response:
    return Response(documents.autodiscover_error(code, message), media_type=XML)
