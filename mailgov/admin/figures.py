"""Acts that read figures and the log."""

from __future__ import annotations

from datetime import timedelta

from mailgov.admin import rules
from mailgov.admin.checks import agency_code
from mailgov.admin.context import Actor, AdminContext, agency_filter, require
from mailgov.admin.errors import invalid
from mailgov.identity.roles import Act
from mailgov.store import audit
from mailgov.store.audit import AuditReport
from mailgov.usage.periods import PeriodError
from mailgov.usage.report import UsageReport, usage_report

LAST_DAYS = 30
CALENDARS = ("civil", "administrative")


async def usage(
    ctx: AdminContext,
    actor: Actor,
    *,
    period: str | None = None,
    calendar: str = "civil",
    agency: str | None = None,
) -> UsageReport:
    """Messages and active persons of a period (default: 30 days, today the last)."""
    confined = agency_filter(actor, Act.USAGE_READ, agency)
    rules.one_of(calendar, CALENDARS, "calendar")
    if confined is not None:
        confined = await agency_code(ctx, confined)
    today = ctx.today()
    last = f"{today - timedelta(days=LAST_DAYS - 1)}..{today}"
    try:
        return await usage_report(
            ctx.db,
            period=period or last,
            calendar=calendar,
            agency=confined,
            settings=ctx.settings,
            now_ms=ctx.now_ms(),
        )
    except PeriodError as error:
        raise invalid(str(error)) from error


async def verify_audit(ctx: AdminContext, actor: Actor) -> AuditReport:
    """Whether every chain of the audit log holds."""
    require(actor, Act.AUDIT_VERIFY)
    return await audit.verify(ctx.db)
