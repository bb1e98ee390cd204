"""Who calls, and the one ledger transaction that a reading request gets.

Programs call with a bearer token, people with the session that their browser's cookie names.
Either is looked up in the transaction that then answers the question: a revoked token and an
ended session are refused from that moment, and no answer mixes two states of the ledger.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Annotated

import structlog
from fastapi import BackgroundTasks, Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mailgov.admin.context import Actor, AdminContext
from mailgov.admin.people import Person, show_person
from mailgov.api.problem import Problem, unauthorized
from mailgov.api.services import ApiServices, services_of
from mailgov.identity.roles import AGENCY_ROLES, Role
from mailgov.identity.sessions import CookieForm, csrf_matches
from mailgov.identity.tokens import hash_token
from mailgov.store import sessions, tokens
from mailgov.store.directory import Session
from mailgov.store.engine import LedgerUnavailable
from mailgov.store.tokens import TokenView
from mailgov.usage.held import HeldLedger

TOKEN_CHARACTERS = 200
"""Ours have 46; more is not hashed."""
TEXT_CHARACTERS = 320
NOTE_USE_MS = 60_000
"""`last_used` is written at most once in this time per token: it is a hint, not a log."""
_UNKNOWN_HASH = hash_token("")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-CSRF-Token"

_log = structlog.get_logger("mailgov.api")
_bearer = HTTPBearer(auto_error=False, description="A token of `mailgov token create`.")

Services = Annotated[ApiServices, Depends(services_of)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the actor that acts are asked for, and the token or the person behind it."""

    actor: Actor
    secret: str = field(repr=False)
    """What the caller signed in with, as it came; the ledger knows its hash alone."""
    token: TokenView | None = None
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A reading request: its caller, and the transaction that it is answered from."""

    caller: Caller
    ctx: AdminContext
    """What the functions of `admin` take; its ledger is the held transaction."""

    @property
    def actor(self) -> Actor:
        return self.caller.actor


Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request shows of its caller: a token's text, else a session's cookie."""

    token: str | None = field(default=None, repr=False)
    cookie: str | None = field(default=None, repr=False)
    csrf: str | None = field(default=None, repr=False)
    safe: bool = True
    """The method changes nothing, so no page elsewhere gains by making a browser send it."""


def claim_of(request: Request, services: Services, credentials: Credentials) -> Claim:
    """The token where one is given, else the cookie. 401 without either."""
    if credentials is not None:
        return Claim(token=credentials.credentials)
    cookie = request.cookies.get(CookieForm.of(services.settings.http).name)
    if cookie is None:
        raise unauthorized("A bearer token is needed (Authorization: Bearer mg_…), or a session.")
    return Claim(cookie=cookie, csrf=request.headers.get(CSRF_HEADER), safe=request.method in SAFE_METHODS)


Claimed = Annotated[Claim, Depends(claim_of)]


async def _reading(services: Services, claim: Claimed, background: BackgroundTasks) -> AsyncIterator[Call]:
    async with services.db.read() as session:
        caller = await _signed_in(services, session, claim, background)
        yield Call(caller, replace(services.admin(), db=HeldLedger(services.db, session)))


async def _acting(services: Services, claim: Claimed, background: BackgroundTasks) -> Caller:
    async with services.db.read() as session:
        return await _signed_in(services, session, claim, background)


async def _own(services: Services, claim: Claimed, background: BackgroundTasks) -> Person:
    if claim.cookie is None:
        raise Problem(403, "forbidden", "This is for people: a token has no session and no password.")
    async with services.db.read() as session:
        return await person_by(services, session, claim, background)


# scope="function": the transaction ends before the answer goes out, however slowly it is taken.
Reading = Annotated[Call, Depends(_reading, scope="function")]
"""For routes that read: a signed-in call with its transaction. 401, or 503 without the ledger."""
Acting = Annotated[Caller, Depends(_acting, scope="function")]
"""For routes that act: the caller alone, since an act brings its own transaction."""
Own = Annotated[Person, Depends(_own, scope="function")]
"""For routes about one's own session and password, which a first password opens too."""


async def _signed_in(
    services: ApiServices, session: Session, claim: Claim, background: BackgroundTasks
) -> Caller:
    if claim.token is not None:
        return await _by_token(services, session, claim.token, background)
    person = await person_by(services, session, claim, background)
    if person.must_change_password:
        raise Problem(
            403, "password-change-required", "This is a first password: change it at POST /api/v1/password."
        )
    return Caller(person.actor, claim.cookie or "", person=person)


async def person_by(
    services: ApiServices, session: Session, claim: Claim, background: BackgroundTasks
) -> Person:
    """The person whose session the claim's cookie names. 401, or 403 where its CSRF token is missing."""
    cookie, now_ms = claim.cookie or "", services.now_ms()
    person = await show_person(session, services.settings, cookie, now_ms)
    if person is None:
        raise unauthorized("The session is over or unknown; sign in again.", error="invalid_token")
    if not claim.safe and not csrf_matches(cookie, claim.csrf):
        raise Problem(
            403,
            "csrf",
            f"A change by session needs the header {CSRF_HEADER}, which GET /api/v1/session tells.",
        )
    if person.stale(now_ms):
        background.add_task(_note_seen, services, person.session_id, now_ms)
    return person


async def _by_token(
    services: ApiServices, session: Session, text: str, background: BackgroundTasks
) -> Caller:
    digest = hash_token(text) if len(text) <= TOKEN_CHARACTERS else _UNKNOWN_HASH
    now_ms = services.now_ms()
    view = await tokens.find_token(session, digest)
    if view is None or not view.valid(now_ms):
        # One answer for unknown, expired and revoked: a finder of an old token learns nothing.
        raise unauthorized("The bearer token is unknown, expired or revoked.", error="invalid_token")
    actor = _actor(view)
    if view.last_used_ms is None or now_ms - view.last_used_ms >= NOTE_USE_MS:
        background.add_task(_note_use, services, view.id, now_ms)
    return Caller(actor, text, token=view)


def _actor(view: TokenView) -> Actor:
    try:
        role = Role(view.role)
    except ValueError:
        raise Problem(403, "forbidden", "This version does not know the token's role.") from None
    if (role in AGENCY_ROLES) is (view.agency_code is None):
        raise Problem(403, "forbidden", "The token's role and agency do not fit together.")
    return Actor(f"token {view.id} ({view.name})", role, view.agency_code)


async def _note_use(services: ApiServices, token_id: int, now_ms: int) -> None:
    try:
        async with services.db.write() as session:
            await tokens.note_use(session, token_id, now_ms)
    except LedgerUnavailable as error:
        _log.info("use of a token not noted", token=token_id, reason=str(error))


async def _note_seen(services: ApiServices, session_id: int, now_ms: int) -> None:
    try:
        async with services.db.write() as session:
            await sessions.note_seen(session, session_id, now_ms)
    except LedgerUnavailable as error:
        _log.info("use of a session not noted", session=session_id, reason=str(error))


def one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("control characters are not allowed")
    return text


Text = Annotated[str, Field(min_length=1, max_length=TEXT_CHARACTERS), AfterValidator(one_line)]
"""A filter's value: one line, no longer than an address."""


class Parameters(BaseModel):
    """The base of every route's query parameters: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoParameters(Parameters):
    """For routes that take none."""


Bare = Annotated[NoParameters, Query()]


def each_once(request: Request) -> None:
    """Refuse a parameter that is given twice: which one counts would be a guess."""
    names = [name for name, _ in request.query_params.multi_items()]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Problem(422, "invalid-request", f"query {twice[:60]}: given more than once")
