"""`/sign-in`, `/password`, `/password/reset`, `/account`: what people do with their own account."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from mailgov.admin import passwords, sessions
from mailgov.admin.errors import AdminError, TryLater
from mailgov.admin.people import Person
from mailgov.admin.sessions import Credentials, SignedIn
from mailgov.identity.roles import Act
from mailgov.identity.sessions import CookieForm
from mailgov.web.app import page_router
from mailgov.web.forms import client_of, form_of, way_on
from mailgov.web.people import PASSWORD, SIGN_IN, Anyone, Visitor, see_other
from mailgov.web.people import SignedIn as Seated
from mailgov.web.render import render
from mailgov.web.services import PageServices

ACCOUNT = "/account"
SCORECARD = "/"
_TOLD = frozenset(
    {
        "sign-in-refused",
        "reset-refused",
        "wrong-password",
        "too-many-failures",
        "busy",
        "invalid",
        "conflict",
        "differ",
    }
)
"""Refusals that the form itself tells, so that it can be filled in again."""


def account_router(services: PageServices) -> APIRouter:
    """The routes of these pages."""
    router = page_router()
    _sign_in(router, services)
    _password(router, services)
    _reset(router, services)
    _account(router, services)
    return router


def _sign_in(router: APIRouter, services: PageServices) -> None:
    @router.get(SIGN_IN, response_class=HTMLResponse)
    async def form(request: Request, visitor: Visitor, next: str = "") -> Response:  # noqa: A002 - the parameter's name
        if visitor is not None:
            return see_other(request, _to(visitor, way_on(next, "")))
        return render(request, "sign_in.html", next=way_on(next, ""), address="", refused=None)

    @router.post(SIGN_IN, response_class=HTMLResponse)
    async def sign_in(request: Request, visitor: Visitor) -> Response:
        fields = await form_of(request, signed_in=False)
        address, following = fields.get("address", ""), way_on(fields.get("next", ""), "")
        claimed = Credentials(address, fields.get("password", ""), client_of(request))
        try:
            made = await sessions.sign_in(services.admin(), services.sign_ins, claimed)
        except AdminError as error:
            return _again(request, "sign_in.html", error, next=following, address=address)
        if visitor is not None:  # a new sign-in is a new session, and the old one is over
            await sessions.sign_out(services.admin(), visitor)
        return _with_cookie(services, see_other(request, _to(made.person, following)), made)

    @router.post("/sign-out", response_class=HTMLResponse)
    async def sign_out(request: Request, person: Anyone) -> Response:
        await form_of(request, signed_in=True)
        await sessions.sign_out(services.admin(), person)
        answer = see_other(request, SIGN_IN)
        answer.headers["Set-Cookie"] = CookieForm.of(services.settings.http).text("")
        return answer


def _password(router: APIRouter, services: PageServices) -> None:
    @router.get(PASSWORD, response_class=HTMLResponse)
    async def form(request: Request, person: Anyone) -> Response:
        return render(request, "password.html", person=person, refused=None, least=_least(services))

    @router.post(PASSWORD, response_class=HTMLResponse)
    async def change(request: Request, person: Anyone) -> Response:
        fields = await form_of(request, signed_in=True)
        try:
            changed = await passwords.change_password(
                services.admin(),
                services.sign_ins,
                person,
                current=None if person.must_change_password else fields.get("current", ""),
                new=_repeated(fields),
                peer=client_of(request),
            )
        except AdminError as error:
            return _again(request, "password.html", error, person=person, least=_least(services))
        made = changed.signed_in
        answer = render(request, "recovery.html", person=made.person, code=changed.recovery_code)
        return _with_cookie(services, answer, made)


def _reset(router: APIRouter, services: PageServices) -> None:
    @router.get("/password/reset", response_class=HTMLResponse)
    async def form(request: Request, visitor: Visitor) -> Response:
        return render(request, "reset.html", person=visitor, address="", refused=None, least=_least(services))

    @router.post("/password/reset", response_class=HTMLResponse)
    async def reset(request: Request, visitor: Visitor) -> Response:
        fields = await form_of(request, signed_in=False)
        address = fields.get("address", "")
        try:
            code = await passwords.reset_password(
                services.admin(),
                services.sign_ins,
                name=address,
                code=fields.get("code", ""),
                new=_repeated(fields),
                peer=client_of(request),
            )
        except AdminError as error:
            return _again(
                request, "reset.html", error, person=visitor, address=address, least=_least(services)
            )
        return render(request, "recovery.html", code=code)


def _account(router: APIRouter, services: PageServices) -> None:
    @router.get(ACCOUNT, response_class=HTMLResponse)
    async def account(request: Request, person: Seated) -> Response:
        return render(request, "account.html", person=person)

    @router.post("/account/seat", response_class=HTMLResponse)
    async def choose(request: Request, person: Seated) -> Response:
        fields = await form_of(request, signed_in=True)
        role, agency = fields.get("role", ""), fields.get("agency") or None
        made = await sessions.choose_seat(services.admin(), person, role, agency)
        return _with_cookie(services, see_other(request, ACCOUNT), made)


def _to(person: Person, following: str) -> str:
    """Where somebody goes who has signed in: on, or to what their seat looks at first."""
    if person.must_change_password:
        return PASSWORD
    return following or (SCORECARD if person.may(Act.USAGE_READ) else ACCOUNT)


def _least(services: PageServices) -> int:
    return services.settings.sign_in.password_characters_min


def _repeated(fields: dict[str, str]) -> str:
    """The new password, typed twice alike."""
    new = fields.get("new", "")
    if new != fields.get("repeated", ""):
        raise AdminError("differ", "Not alike", "The two entries of the new password differ.", 422)
    return new


def _again(
    request: Request, template: str, error: AdminError, *, person: Person | None = None, **values: object
) -> Response:
    """The form once more, with what was wrong; passwords are never put back into it."""
    if error.code not in _TOLD:
        raise error
    status = 403 if error.status == 401 else error.status  # 401 would need a challenge (RFC 9110 15.5.2)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TryLater) else {}
    return render(
        request, template, person=person, status=status, headers=headers, refused=error.code, **values
    )


def _with_cookie(services: PageServices, answer: Response, made: SignedIn) -> Response:
    answer.headers["Set-Cookie"] = CookieForm.of(services.settings.http).text(made.cookie)
    return answer
