"""Reading forms that people sent from our own pages, and from nowhere else."""

from __future__ import annotations

from fastapi import Request
from starlette.exceptions import HTTPException

from mailgov.admin.errors import AdminError
from mailgov.identity.origin import foreign
from mailgov.identity.protection import client_address
from mailgov.identity.sessions import csrf_matches
from mailgov.web.people import cookie_of
from mailgov.web.services import services_of

FORM = "application/x-www-form-urlencoded"
FIELD_CHARACTERS = 2000
NEXT_CHARACTERS = 500


async def form_of(request: Request, *, signed_in: bool) -> dict[str, str]:
    """The form's fields by name. Raises AdminError `csrf` for one that is not from a page of ours.

    With `signed_in` the page's token has to be there too. Over-long fields are refused (422).
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise HTTPException(415)
    if foreign(request.headers, services_of(request).settings.http.public_url):
        raise _forged()
    sent = await request.form()
    fields = {name: value for name, value in sent.items() if isinstance(value, str)}
    if any(len(value) > FIELD_CHARACTERS for value in fields.values()):
        raise HTTPException(422)
    if signed_in and not csrf_matches(cookie_of(request), fields.get("csrf")):
        raise _forged()
    return fields


def _forged() -> AdminError:
    return AdminError("csrf", "Not from here", "The form is not from a page of this session.", 403)


def client_of(request: Request) -> str:
    """The client's IP address."""
    peer = None if request.client is None else request.client.host
    proxies = services_of(request).settings.http.trusted_proxies
    return client_address(peer, request.headers.get("x-forwarded-for", ""), proxies)


def way_on(text: str, otherwise: str) -> str:
    """Where to go after a sign-in: a path of ours, never another site."""
    ours = text.startswith("/") and not text.startswith(("//", "/\\"))
    plain = text.isprintable() and "\\" not in text and len(text) <= NEXT_CHARACTERS
    return text if ours and plain else otherwise
