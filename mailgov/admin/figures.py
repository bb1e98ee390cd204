"""Acts that read figures and the log."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

from mailgov.admin import rules
from mailgov.admin.checks import agency_code
from mailgov.admin.context import Actor, AdminContext, agency_filter, require
from mailgov.admin.errors import invalid, not_found
from mailgov.admin.policies import read_policy
from mailgov.identity.roles import Act
from mailgov.policy import Policy
from mailgov.store import audit, rollup
from mailgov.store.audit import AuditReport
from mailgov.usage.indicators.report import Yardsticks
from mailgov.usage.periods import PeriodError, Span, parse
from mailgov.usage.report import UsageReport, usage_report
from mailgov.usage.targets import TargetsReport, UnknownDirective, chosen

LAST_DAYS = 30
CALENDARS = ("civil", "administrative")


async def usage(
    ctx: AdminContext,
    actor: Actor,
    *,
    period: str | None = None,
    calendar: str = "civil",
    agency: str | None = None,
    directive: str | None = None,
    policy: Policy | None = None,
) -> UsageReport:
    """Counts and indicators of a period (default: 30 days, today the last).

    `directive` keeps the indicators of one document; `policy` is the one that runs (None: the one of
    the files). Raises AdminError for a period, agency or document that is none.
    """
    confined = agency_filter(actor, Act.USAGE_READ, agency)
    rules.one_of(calendar, CALENDARS, "calendar")
    if confined is not None:
        confined = await agency_code(ctx, confined)
    running = await _running(ctx, policy)
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
            yardsticks=Yardsticks(running.directives, running.providers, directive),
        )
    except PeriodError as error:
        raise invalid(str(error)) from error
    except UnknownDirective as error:
        raise not_found("directive", rules.shown(str(error))) from error


async def observed(ctx: AdminContext, actor: Actor) -> Span | None:
    """The days that are over since the first traffic record; None before there is one."""
    require(actor, Act.USAGE_READ)
    found, today = await rollup.observed_span(ctx.db), ctx.today()
    return None if found is None else Span(min(found[0], today), today)


async def list_targets(
    ctx: AdminContext,
    actor: Actor,
    *,
    period: str | None = None,
    calendar: str = "civil",
    directive: str | None = None,
    policy: Policy | None = None,
) -> TargetsReport:
    """What the documents ask for over a period (default: today); arguments as of `usage`."""
    require(actor, Act.POLICY_READ)
    rules.one_of(calendar, CALENDARS, "calendar")
    running = await _running(ctx, policy)
    province = ctx.settings.province
    try:
        if period is None:
            span = Span(ctx.today(), date.fromordinal(ctx.today().toordinal() + 1))
        else:
            span = parse(period, calendar, province.cut_off_day).span
        return TargetsReport(span, province, running.directives, chosen(running.directives, directive))
    except PeriodError as error:
        raise invalid(str(error)) from error
    except UnknownDirective as error:
        raise not_found("directive", rules.shown(str(error))) from error


async def _running(ctx: AdminContext, policy: Policy | None) -> Policy:
    """The policy given, or the one of the files as they are now."""
    if policy is not None:
        return policy
    return await asyncio.to_thread(read_policy, ctx.settings)


async def verify_audit(ctx: AdminContext, actor: Actor) -> AuditReport:
    """Whether every chain of the audit log holds."""
    require(actor, Act.AUDIT_VERIFY)
    return await audit.verify(ctx.db)
