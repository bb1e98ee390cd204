"""`/api/v1/session` and `/api/v1/password`: signing in as a person, and one's own password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from mailgov.admin import passwords, sessions
from mailgov.admin.people import Person
from mailgov.admin.sessions import Credentials, SignedIn
from mailgov.api.deps import Bare, Own, Services
from mailgov.api.problem import Problem
from mailgov.api.schemas import PasswordBody, SessionBody, SessionSeat, problems
from mailgov.api.services import ApiServices
from mailgov.api.times import iso
from mailgov.identity.origin import foreign
from mailgov.identity.protection import client_address
from mailgov.identity.sessions import CookieForm
from mailgov.store.seats import Seat

SECRET_CHARACTERS = 1024
NAME_CHARACTERS = 320

router = APIRouter(tags=["session"])


class Asked(BaseModel):
    """The base of the bodies here: what is not declared is refused, and nothing is printed."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


Secret = Annotated[SecretStr, Field(min_length=1, max_length=SECRET_CHARACTERS)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS, examples=["annv@caobang.gov.vn"])]


class SignInAsked(Asked):
    address: Name
    password: Secret


class SeatChosen(Asked):
    """One of the caller's `seats`."""

    role: str = Field(max_length=40, examples=["clerk"])
    agency: str | None = Field(None, max_length=40, examples=["snv"])


class PasswordAsked(Asked):
    """`current_password` may be left out while it is a first one, which was given a moment ago."""

    current_password: Secret | None = None
    new_password: Secret


class ResetAsked(Asked):
    address: Name
    recovery_code: Secret
    new_password: Secret


def _ours(request: Request, services: Services) -> str:
    """The client's IP address. 403 for what a page of another site made a browser send."""
    http = services.settings.http
    if foreign(request.headers, http.public_url):
        raise Problem(403, "csrf", "Another site made this request; nothing was changed.")
    peer = None if request.client is None else request.client.host
    return client_address(peer, request.headers.get("x-forwarded-for", ""), http.trusted_proxies)


Peer = Annotated[str, Depends(_ours)]


@router.post("/session", status_code=201, responses=problems(401, 403, 413, 422, 429, 503))
async def sign_in(
    services: Services, peer: Peer, asked: SignInAsked, response: Response, _bare: Bare
) -> SessionBody:
    """Sign in with address and password, first or own. The session's cookie comes with the answer.

    401 says the same whatever was wrong. 429: too many failures, see `Retry-After`.
    """
    claimed = Credentials(asked.address, asked.password.get_secret_value(), peer)
    made = await sessions.sign_in(services.admin(), services.sign_ins, claimed)
    return _begun(services, response, made)


@router.get("/session", responses=problems(401, 403, 422, 503))
async def show_session(services: Services, person: Own, _bare: Bare) -> SessionBody:
    """Who is signed in."""
    return _body(services, person)


@router.patch("/session", responses=problems(401, 403, 404, 413, 422, 503))
async def choose_seat(
    services: Services, person: Own, asked: SeatChosen, response: Response, _bare: Bare
) -> SessionBody:
    """Act from another of one's seats from now on, under a new cookie."""
    made = await sessions.choose_seat(services.admin(), person, asked.role, asked.agency)
    return _begun(services, response, made)


@router.delete("/session", status_code=204, responses=problems(401, 403, 422, 503))
async def sign_out(services: Services, person: Own, _bare: Bare) -> Response:
    """End the session, here and not only in the browser."""
    await sessions.sign_out(services.admin(), person)
    return Response(None, 204, {"Set-Cookie": CookieForm.of(services.settings.http).text("")})


@router.post("/password", responses=problems(401, 403, 409, 413, 422, 429, 503))
async def change_password(
    services: Services, peer: Peer, person: Own, asked: PasswordAsked, response: Response, _bare: Bare
) -> PasswordBody:
    """Change one's own password. Every session ends; a new cookie and a recovery code are told, once."""
    current = None if asked.current_password is None else asked.current_password.get_secret_value()
    changed = await passwords.change_password(
        services.admin(),
        services.sign_ins,
        person,
        current=current,
        new=asked.new_password.get_secret_value(),
        peer=peer,
    )
    session = _begun(services, response, changed.signed_in)
    return PasswordBody(recovery_code=changed.recovery_code, session=session)


@router.post("/password/reset", responses=problems(403, 409, 413, 422, 429, 503))
async def reset_password(services: Services, peer: Peer, asked: ResetAsked, _bare: Bare) -> PasswordBody:
    """Set a new password with the recovery code, which is used up; a new one is told, once."""
    code = await passwords.reset_password(
        services.admin(),
        services.sign_ins,
        name=asked.address,
        code=asked.recovery_code.get_secret_value(),
        new=asked.new_password.get_secret_value(),
        peer=peer,
    )
    return PasswordBody(recovery_code=code, session=None)


def _begun(services: ApiServices, response: Response, made: SignedIn) -> SessionBody:
    response.headers["Set-Cookie"] = CookieForm.of(services.settings.http).text(made.cookie)
    return _body(services, made.person)


def _body(services: ApiServices, person: Person) -> SessionBody:
    zone = services.settings.province.timezone
    return SessionBody(
        address=person.address,
        name=person.display_name,
        seat=_seat(person.seat),
        seats=[_seat(seat) for seat in person.seats],
        must_change_password=person.must_change_password,
        csrf_token=person.csrf,
        signed_in_at=iso(person.created_ms, zone),
        expires_at=iso(person.expires_ms, zone),
    )


def _seat(seat: Seat) -> SessionSeat:
    return SessionSeat(role=seat.role, agency=seat.agency)
