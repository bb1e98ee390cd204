"""Who acts, on what, and the one way to change something: check, write, audit, commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mailgov.admin.errors import conflict, forbidden, not_found
from mailgov.identity.roles import Act, Role, Scope, allowed, covers, scope
from mailgov.settings import Settings
from mailgov.store import audit
from mailgov.store.calendar import local_date
from mailgov.store.directory import Session, bump_revision
from mailgov.store.engine import Conflict, Database

SALT_OCTETS = 16


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: `name` as the audit log shows it, and the seat (`agency` for an agency's own roles)."""

    name: str
    role: Role
    agency: str | None = None


@dataclass(frozen=True, slots=True)
class AdminContext:
    """What acts work with. `token_hex(n)` gives n random octets in hexadecimal."""

    db: Database
    settings: Settings
    now_ms: Callable[[], int]
    token_hex: Callable[[int], str]
    writer: str = "admin"
    """Names the audit chain that acts go to; processes of different machines use different ones."""

    def random(self, octets: int) -> bytes:
        """That many random octets."""
        return bytes.fromhex(self.token_hex(octets))

    def today(self) -> date:
        """The province's local day."""
        return local_date(self.now_ms(), self.settings.province.timezone)


@dataclass(frozen=True, slots=True)
class Change:
    """An open transaction of an act; what is put in `content` goes to the audit row."""

    session: Session
    now_ms: int
    content: dict[str, Any] = field(default_factory=dict)


@asynccontextmanager
async def change(
    ctx: AdminContext, actor: Actor, act: Act, target: str, *, directory: bool = True
) -> AsyncIterator[Change]:
    """One act in one transaction: permission, directory revision, the block, audit row, commit.

    An exception in the block undoes all of it. Raises AdminError (forbidden, conflict) and
    LedgerUnavailable.
    """
    require(actor, act)
    now_ms = ctx.now_ms()
    try:
        async with ctx.db.write() as session:
            if directory:
                await bump_revision(session)
            step = Change(session, now_ms)
            yield step
            await record(ctx, actor, act, target, step)
    except Conflict as error:
        raise conflict(f"{target}: the directory was changed by someone else meanwhile") from error


async def record(ctx: AdminContext, actor: Actor, act: str, target: str, step: Change) -> None:
    """The audit row of an act (an `Act`, or a restore, which no seat grants), in its transaction."""
    await audit.record(
        step.session,
        writer=ctx.writer,
        actor=actor.name,
        role=actor.role.value,
        act=str(act),
        object=target,
        content=step.content or None,
        now_ms=step.now_ms,
        salt=ctx.token_hex(SALT_OCTETS),
    )


def require(actor: Actor, act: Act) -> None:
    """Raise AdminError unless the actor's seat may do `act` on something."""
    if not allowed(actor.role, act):
        raise forbidden(f"the role {actor.role} may not do {act}")


def require_over(actor: Actor, act: Act, agency: str | None, kind: str, name: str) -> None:
    """Raise AdminError unless the actor may do `act` on an object of `agency`.

    What is another agency's looks as if it were not there.
    """
    require(actor, act)
    if not covers(actor.role, act, actor.agency, agency):
        raise not_found(kind, name)


def require_province(actor: Actor, act: Act, what: str) -> None:
    """Raise AdminError unless the actor may do `act` for the whole province."""
    if scope(actor.role, act) is not Scope.ALL:
        raise forbidden(f"the role {actor.role} may not {what}")


def agency_filter(actor: Actor, act: Act, agency: str | None) -> str | None:
    """The agency that a list is confined to: the one asked for, or the actor's own.

    None is the whole province. Raises AdminError for an agency that the actor may not see.
    """
    require(actor, act)
    if scope(actor.role, act) is Scope.ALL:
        return agency
    if actor.agency is None:
        raise forbidden(f"the role {actor.role} needs an agency")
    if agency is not None and agency.lower() != actor.agency.lower():
        raise not_found("agency", agency)
    return actor.agency
