"""Acts on declarations: what agencies declare, how it is corrected, and what it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mailgov.admin.context import (
    Actor,
    AdminContext,
    Change,
    agency_filter,
    change,
    record,
    require,
    require_over,
)
from mailgov.admin.declaring import (
    NewDeclaration,
    Placed,
    RegisterFaults,
    agency_of,
    declarer_of,
    place,
    target_of,
)
from mailgov.admin.errors import AdminError, conflict, invalid, not_found
from mailgov.admin.obligations import policy_files
from mailgov.identity.roles import Act
from mailgov.policy import Policy
from mailgov.store import declarations
from mailgov.store.declarations import DeclarationView, Filter
from mailgov.store.directory import bump_revision
from mailgov.store.engine import Conflict
from mailgov.usage.declared import HEADCOUNT

LIST_LIMIT = 1000
MANY = 5000
"""Declarations in one transaction: every agency's of years, and half a minute that others wait at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """A declaration of many, and where it stands: the lines of a file. A register has several."""

    new: NewDeclaration
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one place."""

    place: str
    detail: str


@dataclass(slots=True)
class Import:
    """What became of many declarations: all of them are kept, or none."""

    placed: list[Placed] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class _Undo(Exception):
    """Ends a transaction that is not to be kept."""


async def declare(ctx: AdminContext, actor: Actor, new: NewDeclaration) -> Placed:
    """Declare, or correct what was declared. Raises AdminError: `conflict` where it stands already,
    `needs-reason` where it looks like a slip, `invalid`, `not-found`.
    """
    require(actor, new.act)
    policy = await policy_files(ctx)
    async with ctx.db.read() as session:
        code = await declarer_of(session, actor, new)
    async with change(ctx, actor, new.act, target_of(new, code)) as step:
        placed = await place(ctx, actor, step.session, new, policy, step.now_ms)
        step.content.update(_content(placed))
    return placed


async def declare_all(
    ctx: AdminContext, actor: Actor, rows: Sequence[Row], *, dry_run: bool = False
) -> Import:
    """Declare many in one transaction, in the order of their days: all of them, or none.

    Every fault is found, not only the first. With `dry_run` nothing is kept in any case.
    """
    require(actor, Act.DECLARATION_ADD)
    if len(rows) > MANY:
        raise invalid(f"{len(rows)} declarations are too many at once, {MANY} at most: divide the file")
    policy = await policy_files(ctx)
    result = Import()
    try:
        async with ctx.db.write() as session:
            await bump_revision(session)
            await _place_all(ctx, actor, Change(session, ctx.now_ms()), (_in_order(rows), policy), result)
            if result.faults or dry_run:
                raise _Undo
    except _Undo:
        pass
    except Conflict as error:
        raise conflict("someone else declared the same meanwhile: look again, then import again") from error
    return result


def _in_order(rows: Sequence[Row]) -> list[Row]:
    """The earlier days first: each is compared with the one before it."""
    return sorted(rows, key=lambda row: (row.new.days.end, row.new.days.start))


async def _place_all(
    ctx: AdminContext, actor: Actor, step: Change, work: tuple[Sequence[Row], Policy], result: Import
) -> None:
    rows, policy = work
    seen: dict[tuple[object, ...], str] = {}
    for row in rows:
        first = seen.setdefault(_same(row.new), row.places[0])
        if first != row.places[0]:
            detail = f"it declares the same as {first}: leave one of them out"
            result.faults.append(Fault(row.places[0], detail))
            continue
        try:
            placed = await place(ctx, actor, step.session, row.new, policy, step.now_ms)
        except AdminError as error:
            result.faults += _faults(row, error)
            continue
        result.placed.append(placed)
        audited = Change(step.session, step.now_ms, _content(placed))
        await record(ctx, actor, row.new.act, target_of(row.new, placed.made.series.agency), audited)


async def list_declarations(
    ctx: AdminContext, actor: Actor, wanted: Filter, *, before: int | None = None, limit: int = LIST_LIMIT
) -> list[DeclarationView]:
    """Declarations that count, the newest first, without the lines of registers."""
    agency = agency_filter(actor, Act.DECLARATION_READ, wanted.agency)
    async with ctx.db.read() as session:
        if agency is not None:
            agency = await agency_of(session, actor, Act.DECLARATION_READ, agency)
        confined = Filter(wanted.kind, wanted.subject, agency, wanted.since, wanted.until)
        return await declarations.page(session, confined, before=before, limit=limit)


async def show_declaration(ctx: AdminContext, actor: Actor, declaration_id: int) -> DeclarationView:
    """One revision with the lines of its register, or AdminError `not-found`."""
    require(actor, Act.DECLARATION_READ)
    async with ctx.db.read() as session:
        found = await declarations.get(session, declaration_id)
    if found is None:
        raise not_found("declaration", str(declaration_id))
    agency = found.series.agency
    require_over(actor, Act.DECLARATION_READ, agency, "declaration", str(declaration_id))
    return found


async def show_history(ctx: AdminContext, actor: Actor, declaration_id: int) -> list[DeclarationView]:
    """Every revision of what a declaration is about, the first one first, with their registers."""
    found = await show_declaration(ctx, actor, declaration_id)
    async with ctx.db.read() as session:
        return await declarations.history(session, found.series)


async def list_registers(
    ctx: AdminContext, actor: Actor, views: Sequence[DeclarationView]
) -> list[DeclarationView]:
    """The same declarations with the lines of their registers; raises AdminError for another agency's."""
    for view in views:
        require_over(actor, Act.DECLARATION_READ, view.series.agency, "declaration", str(view.id))
    async with ctx.db.read() as session:
        return await declarations.with_registers(session, views)


def _same(new: NewDeclaration) -> tuple[object, ...]:
    """What two rows of one file may not both be about."""
    start = None if new.kind == HEADCOUNT else new.days.start
    return new.kind, new.subject, new.agency.lower(), start, new.days.end


def _content(placed: Placed) -> dict[str, Any]:
    """For the audit log: numbers and the reason, no titles."""
    made, before = placed.made, placed.before
    found: dict[str, Any] = {"declaration": made.id, "revision": made.revision, "numbers": made.content}
    if made.reason is not None:
        found["reason"] = made.reason
    if before is not None:
        found["before"] = before.content
    return found


def _faults(row: Row, error: AdminError) -> list[Fault]:
    if isinstance(error, RegisterFaults) and len(row.places) > 1:
        return [Fault(row.places[line - 1], detail) for line, detail in error.lines]
    return [Fault(row.places[0], error.detail)]
