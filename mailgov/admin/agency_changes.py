"""Acts that change what an agency is: from a day on, or over a whole span that was written down wrongly."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TypedDict

from mailgov.admin import rules
from mailgov.admin.agencies import check_mailbox, checked_span, span_content, with_parent
from mailgov.admin.agency_tree import by_code, check_above
from mailgov.admin.checks import agency_code
from mailgov.admin.context import Actor, AdminContext, Change, change
from mailgov.admin.errors import conflict, invalid, needs_reason
from mailgov.identity.roles import Act
from mailgov.store import agencies
from mailgov.store.agencies import AgencySpan


class SpanChanges(TypedDict, total=False):
    """What is to be otherwise; what is left out stays as it was. None takes away."""

    name: str
    level: str
    abbreviation: str | None
    parent_code: str | None
    mailbox: str | None
    own_sector_mail: bool


async def change_agency(
    ctx: AdminContext, actor: Actor, code: str, changes: SpanChanges, *, on: date, reason: str | None = None
) -> AgencySpan:
    """From day `on` until the end of the span that holds it, the agency is otherwise; the past stays."""
    code = await agency_code(ctx, code)
    async with change(ctx, actor, Act.AGENCY_CHANGE, code) as step:
        if reason is not None:
            step.content.update(reason=rules.reason(reason))
        return await _from_day(step, code, changes, on)


async def correct_agency(
    ctx: AdminContext, actor: Actor, code: str, changes: SpanChanges, *, on: date, reason: str | None
) -> AgencySpan:
    """The span that holds `on` was written down wrongly: it is otherwise over all its days.

    Figures of days that are over may be others then, so AdminError `needs-reason` without a reason.
    """
    code = await agency_code(ctx, code)
    async with change(ctx, actor, Act.AGENCY_CHANGE, code) as step:
        old = await _span_on(step, code, on)
        if reason is None:
            since = "its first day" if old.valid_from is None else f"{old.valid_from}"
            raise needs_reason(
                f"a correction changes the agency {code} from {since} on, so figures of days that are over"
                " may be others then: give a reason"
            )
        new = await _changed(step, old, changes)
        await agencies.replace_span(step.session, new)
        step.content.update(corrected=True, reason=rules.reason(reason))
        step.content.update(before=span_content(old), after=span_content(new))
    return new


async def rename_agency(
    ctx: AdminContext,
    actor: Actor,
    code: str,
    *,
    on: date,
    name: str,
    abbreviation: str | None = None,
    mailbox: str | None = None,
) -> AgencySpan:
    """From day `on` the agency is called otherwise; what is not given stays as it was."""
    changes: SpanChanges = {"name": name}
    if abbreviation:
        changes["abbreviation"] = abbreviation
    if mailbox:
        changes["mailbox"] = mailbox
    code = await agency_code(ctx, code)
    async with change(ctx, actor, Act.AGENCY_RENAME, code) as step:
        return await _from_day(step, code, changes, on)


async def _from_day(step: Change, code: str, changes: SpanChanges, on: date) -> AgencySpan:
    old = await _span_on(step, code, on)
    if old.valid_from == on:
        raise conflict(
            f"{on} is the first day of that span of the agency {code}: name a later day, or, where it was"
            " written down wrongly, correct the span (`--correct`, `correct`)"
        )
    new = await _changed(step, replace(old, valid_from=on), changes)
    await agencies.end_span(step.session, code, old.valid_from, on)
    await agencies.add_span(step.session, new, step.now_ms)
    step.content.update(before=span_content(old), after=span_content(new))
    return new


async def _changed(step: Change, old: AgencySpan, changes: SpanChanges) -> AgencySpan:
    """The span as it is to be; AdminError where it cannot be, or is so already."""
    if not changes:
        raise invalid("nothing is named that is to be otherwise")
    new = await with_parent(step, checked_span(replace(old, **changes)))
    if new == old:
        raise conflict(f"the agency {old.code} is just so already")
    if new.parent_code != old.parent_code:
        check_above(new, by_code(await agencies.list_spans(step.session)))
    if new.mailbox != old.mailbox:
        await check_mailbox(step, new.mailbox)
    return new


async def _span_on(step: Change, code: str, on: date) -> AgencySpan:
    for span in await agencies.spans(step.session, code):
        if span.holds(on):
            return span
    raise conflict(f"the agency {code} does not exist on {on}: see `agency show {code}`")
