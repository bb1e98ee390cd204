"""Who did what, as the audit log has it, and what the service itself saw."""

from __future__ import annotations

from mailgov.admin.context import Actor, AdminContext, require
from mailgov.identity.roles import Act
from mailgov.store import audit_rows
from mailgov.store.audit_rows import AuditRow


async def list_audit(
    ctx: AdminContext,
    actor: Actor,
    *,
    limit: int,
    before: int | None = None,
    act: str | None = None,
    target: str | None = None,
) -> list[AuditRow]:
    """The latest rows first, from below the id `before`; only those of an act, or on one object.

    Rows name people, so they are for operators.
    """
    require(actor, Act.AUDIT_READ)
    async with ctx.db.read() as session:
        return await audit_rows.rows(session, limit=limit, before=before, act=act, object=target)
