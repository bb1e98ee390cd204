"""Signing in with a browser or a program of one's own, choosing a seat, leaving."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailgov.admin.context import Actor, AdminContext, Change, change
from mailgov.admin.errors import AdminError, TryLater, conflict, not_found
from mailgov.admin.people import Person, person_of
from mailgov.identity import sessions as identity
from mailgov.identity.gate import Check, Paused, Trial
from mailgov.identity.passwords import Busy
from mailgov.identity.protection import Attempt
from mailgov.identity.roles import Act, Role
from mailgov.identity.sign_in import SignIns
from mailgov.store import sessions
from mailgov.store.directory import Session
from mailgov.store.seats import Seat
from mailgov.store.sessions import Holder

BUSY_RETRY_S = 5


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session. `cookie` is its secret: shown to the browser, never kept."""

    person: Person
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody claims, and the IP address that the claim came from."""

    name: str
    password: str = field(repr=False)
    peer: str

    @property
    def attempt(self) -> Attempt:
        """As it came; failures count by the address that the name stands for."""
        return Attempt.of(self.name, self.peer)


async def sign_in(ctx: AdminContext, sign_ins: SignIns, claimed: Credentials) -> SignedIn:
    """A session for whoever knows the password, first or own, in their farthest-reaching seat.

    Raises AdminError: `sign-in-refused` (401) for an account that is unknown or shut and for a wrong
    password alike, `too-many-failures` (429), `busy` (503).
    """
    holder = await checked(ctx, sign_ins, claimed)
    seat = identity.seats(holder.seats)[0]
    actor = Actor(holder.address, Role.OWNER)
    async with change(ctx, actor, Act.SESSION_BEGIN, holder.address, directory=False) as step:
        await unchanged(step.session, holder)
        limits = ctx.settings.http
        await sessions.forget_sessions(
            step.session,
            created_before_ms=step.now_ms - round(limits.session_lifetime_s * 1000),
            seen_before_ms=step.now_ms - round(limits.session_idle_s * 1000),
        )
        made = await begin(ctx, step, holder.id, seat, created_ms=step.now_ms)
        step.content.update(role=seat.role, agency=seat.agency, network=claimed.attempt.network)
    return made


async def checked(ctx: AdminContext, sign_ins: SignIns, claimed: Credentials) -> Holder:
    """The account whose password this is. Raises as `sign_in`; a helper of acts, no act."""
    address, holder = await find(ctx, claimed.name)
    attempt = Attempt.of(address, claimed.peer)

    async def right(trial: Trial) -> bool:
        asked = None if trial.blind else holder
        return await matches(sign_ins, asked, attempt, claimed.password, known=trial.known)

    if not await passes(sign_ins, attempt, right) or holder is None:
        raise AdminError("sign-in-refused", "Sign-in refused", "The address or the password is wrong.", 401)
    return holder


async def matches(
    sign_ins: SignIns, holder: Holder | None, attempt: Attempt, password: str, *, known: bool
) -> bool:
    """`SignIns.matches`. Raises AdminError `busy`."""
    try:
        return await sign_ins.matches(holder, attempt, password, known=known)
    except Busy:
        detail = "Too many sign-ins wait; please try again."
        raise TryLater("busy", "Busy", detail, 503, BUSY_RETRY_S) from None


async def passes(sign_ins: SignIns, attempt: Attempt, right: Check) -> bool:
    """What `right` says, counted. Raises AdminError `too-many-failures` while a wait is asked for."""
    said = False

    async def check(trial: Trial) -> bool:
        nonlocal said
        said = await right(trial)
        return said

    try:
        await sign_ins.gate.attempt(attempt, check)
    except Paused as paused:
        detail = "Too many sign-ins failed lately; please wait before the next one."
        raise TryLater("too-many-failures", "Too many failed sign-ins", detail, 429, paused.wait_s) from None
    return said


async def find(ctx: AdminContext, name: str) -> tuple[str, Holder | None]:
    """The address that a name stands for, by which failures are counted, and its account.

    A bare local part is taken where the province has one domain: it is no second name to try with.
    """
    address = name.strip().lower()
    if not address.isprintable():
        return address, None
    async with ctx.db.read() as session:
        sole = await sessions.sole_domain(session)
        if "@" not in address and sole is not None:
            address = f"{address}@{sole}"
        return address, await sessions.find_holder(session, address)


async def unchanged(session: Session, holder: Holder) -> None:
    """Raise AdminError unless what was checked still stands, now that nothing else can change it."""
    now = await sessions.find_holder(session, holder.address)
    if now is None or now.shut or now.password_hash != holder.password_hash:
        raise conflict(f"the account {holder.address} was changed meanwhile: sign in again")


async def begin(ctx: AdminContext, step: Change, account_id: int, seat: Seat, *, created_ms: int) -> SignedIn:
    """A new session with a new cookie, in the transaction of an act."""
    secret = identity.new_session(ctx.random)
    await sessions.add_session(
        step.session, secret.hash, account_id, seat, created_ms=created_ms, now_ms=step.now_ms
    )
    view = await sessions.find_session(step.session, secret.hash)
    assert view is not None, "written in this transaction"
    return SignedIn(person_of(view, ctx.settings, secret.text), secret.text)


async def choose_seat(ctx: AdminContext, person: Person, role: str, agency: str | None) -> SignedIn:
    """Go on in another of one's seats, under a new cookie; the old session is over.

    The time of the sign-in stays. Raises AdminError `not-found` for a seat that is not held.
    """
    async with change(ctx, person.actor, Act.SESSION_SEAT, person.address, directory=False) as step:
        holder = await sessions.find_holder(step.session, person.address)
        held = () if holder is None or holder.shut else identity.seats(holder.seats)
        seat = next((one for one in held if one == Seat(role, agency)), None)
        if seat is None:
            raise not_found("seat", role if agency is None else f"{role} in {agency}")
        await sessions.end_session(step.session, person.session_id, step.now_ms)
        made = await begin(ctx, step, person.account_id, seat, created_ms=person.created_ms)
        step.content.update(role=seat.role, agency=seat.agency)
    return made


async def sign_out(ctx: AdminContext, person: Person) -> None:
    """End the session for good, here and not only in the browser."""
    async with change(ctx, person.actor, Act.SESSION_END, person.address, directory=False) as step:
        await sessions.end_session(step.session, person.session_id, step.now_ms)
