"""Who looks at a page: the person behind the browser's session, or the way to sign in."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import BackgroundTasks, Depends, Request
from starlette.responses import RedirectResponse

from mailgov.admin.people import Person, show_person
from mailgov.identity.sessions import CookieForm
from mailgov.store import sessions
from mailgov.store.engine import LedgerUnavailable
from mailgov.web.language import asked_for
from mailgov.web.services import services_of

SIGN_IN = "/sign-in"
PASSWORD = "/password"  # noqa: S105 - a path


class SeeOther(Exception):
    """The page asked for is not for whoever asks: go to another one first (303)."""

    def __init__(self, path: str, **query: str) -> None:
        super().__init__(path)
        self.path = path
        self.query = query

    def response(self, request: Request) -> RedirectResponse:
        """The answer to the request."""
        return see_other(request, self.path, **self.query)


def see_other(request: Request, path: str, **query: str) -> RedirectResponse:
    """303 to a page of ours, in the language that was asked for."""
    asked = asked_for(request)
    more = urlencode(query if asked is None else {**query, "lang": asked})
    joint = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{joint}{more}" if more else path, 303)


def cookie_of(request: Request) -> str:
    """The value of the session's cookie, or an empty text."""
    form = CookieForm.of(services_of(request).settings.http)
    return request.cookies.get(form.name, "")


async def visitor(request: Request, background: BackgroundTasks) -> Person | None:
    """Whoever is signed in, also with a first password; None for everybody else."""
    services, cookie = services_of(request), cookie_of(request)
    if not cookie:
        return None
    now_ms = services.now_ms()
    async with services.db.read() as session:
        person = await show_person(session, services.settings, cookie, now_ms)
    if person is not None and person.stale(now_ms):
        background.add_task(_note_seen, request, person.session_id, now_ms)
    return person


async def anyone(request: Request, person: Annotated[Person | None, Depends(visitor)]) -> Person:
    """Somebody signed in, also with a first password; SeeOther `/sign-in` for everybody else."""
    if person is None:
        asked = f"?{request.url.query}" if request.url.query else ""
        raise SeeOther(SIGN_IN, next=request.url.path + asked)
    return person


async def signed_in(person: Annotated[Person, Depends(anyone)]) -> Person:
    """Somebody signed in with a password of their own; SeeOther `/sign-in` or `/password`."""
    if person.must_change_password:
        raise SeeOther(PASSWORD)
    return person


Visitor = Annotated[Person | None, Depends(visitor)]
"""For pages that everybody sees."""
Anyone = Annotated[Person, Depends(anyone)]
"""For the page where a first password is changed, and for leaving."""
SignedIn = Annotated[Person, Depends(signed_in)]
"""For every page behind the sign-in."""


async def _note_seen(request: Request, session_id: int, now_ms: int) -> None:
    try:
        async with services_of(request).db.write() as session:
            await sessions.note_seen(session, session_id, now_ms)
    except LedgerUnavailable:
        return  # a hint that is told again with the next page
