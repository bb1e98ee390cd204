"""Acts on exemptions: dated entries that say who is outside an obligation, and why."""

from __future__ import annotations

from datetime import date

from mailgov.admin import rules
from mailgov.admin.checks import agency_code
from mailgov.admin.context import Actor, AdminContext, agency_filter, change, require, require_province
from mailgov.admin.errors import conflict, invalid, not_found
from mailgov.admin.obligations import obligation_of, policy_files
from mailgov.identity.roles import Act
from mailgov.store import exemptions
from mailgov.store.exemptions import EVERYONE, ExemptionView

LIST_LIMIT = 1000


async def add_exemption(
    ctx: AdminContext,
    actor: Actor,
    obligation: str,
    *,
    agency: str | None,
    valid_from: date | None,
    valid_until: date | None,
    reason: str,
) -> ExemptionView:
    """Exempt an agency, or everyone (None), from an obligation whose document allows it.

    `valid_until` is the first day outside. A second one that shares a day is refused.
    """
    require_province(actor, Act.EXEMPTION_ADD, "exempt from an obligation")
    reason = rules.reason(reason)
    rules.span(valid_from, valid_until)
    found = obligation_of(await policy_files(ctx), obligation)
    if not found.exemptions:
        raise invalid(f"{found.id} has no exemptions: its document ({found.article}) names none")
    code = EVERYONE if agency is None else await agency_code(ctx, agency)
    async with change(ctx, actor, Act.EXEMPTION_ADD, f"{found.id} {code or 'everyone'}") as step:
        for other in await exemptions.overlapping(step.session, found.id, valid_from, valid_until):
            if other.agency == code:
                raise conflict(f"exemption {other.id} holds on some of these days already: end it first")
        made = await exemptions.add(
            step.session,
            obligation=found.id,
            agency=code,
            valid_from=valid_from,
            valid_until=valid_until,
            reason=reason,
            now_ms=step.now_ms,
        )
        step.content.update(exemption=made.id, reason=reason, **_days(made))
    return made


async def end_exemption(
    ctx: AdminContext, actor: Actor, exemption_id: int, *, on: date | None = None, reason: str | None = None
) -> ExemptionView:
    """Let an exemption end; `on` (default: today) is the first day without it.

    On its own first day it is withdrawn: it held on no day. The entry stays.
    """
    require_province(actor, Act.EXEMPTION_END, "end an exemption")
    on = on or ctx.today()
    async with change(ctx, actor, Act.EXEMPTION_END, f"exemption {exemption_id}") as step:
        found = await exemptions.get(step.session, exemption_id)
        if found is None:
            raise not_found("exemption", str(exemption_id))
        if found.valid_from is not None and on < found.valid_from:
            raise invalid(f"exemption {found.id} begins on {found.valid_from}: it cannot end before")
        if found.valid_until is not None and found.valid_until <= on:
            raise conflict(f"exemption {found.id} has ended already: {found.valid_until} is without it")
        await exemptions.end(step.session, found.id, on, step.now_ms)
        step.content.update(obligation=found.obligation, agency=found.agency, until=on.isoformat())
        if reason:
            step.content.update(reason=rules.reason(reason))
        ended = await exemptions.get(step.session, found.id)
    assert ended is not None  # it was there in this transaction
    return ended


async def list_exemptions(
    ctx: AdminContext,
    actor: Actor,
    *,
    obligation: str | None = None,
    agency: str | None = None,
    after: int = 0,
    limit: int = LIST_LIMIT,
) -> list[ExemptionView]:
    """Exemptions by id; with `agency` those that hold for it, its own and everyone's."""
    confined = agency_filter(actor, Act.EXEMPTION_READ, agency)
    if confined is not None:
        confined = await agency_code(ctx, confined)
    async with ctx.db.read() as session:
        return await exemptions.page(
            session, obligation=obligation, agency=confined, after=after, limit=limit
        )


async def show_exemption(ctx: AdminContext, actor: Actor, exemption_id: int) -> ExemptionView:
    """One exemption, or AdminError `not-found`; another agency's looks as if it were not there."""
    require(actor, Act.EXEMPTION_READ)
    async with ctx.db.read() as session:
        found = await exemptions.get(session, exemption_id)
    confined = agency_filter(actor, Act.EXEMPTION_READ, None)
    if found is None or (confined is not None and found.agency not in (EVERYONE, confined)):
        raise not_found("exemption", str(exemption_id))
    return found


def _days(one: ExemptionView) -> dict[str, str | None]:
    since, until = one.valid_from, one.valid_until
    return {"from": since.isoformat() if since else None, "until": until.isoformat() if until else None}
