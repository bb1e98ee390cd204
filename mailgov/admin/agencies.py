"""Acts on agencies. The past is never rewritten: a new name is a new span of days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from mailgov.admin import rules
from mailgov.admin.agency_tree import by_code, check_above
from mailgov.admin.checks import agency_code, check_in_use
from mailgov.admin.context import Actor, AdminContext, Change, change, require
from mailgov.admin.errors import conflict, invalid, needs_reason, not_found
from mailgov.identity.roles import Act
from mailgov.store import accounts, agencies
from mailgov.store.accounts import Post
from mailgov.store.agencies import AgencySpan, Succession

SHOWN_BELOW = 10
"""Agencies that a refusal names."""


@dataclass(frozen=True, slots=True)
class AgencyDetail:
    """An agency's whole life."""

    spans: tuple[AgencySpan, ...]
    successions: tuple[Succession, ...]
    registered: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merger:
    """What a merger or a closing did to the accounts that served there."""

    moved: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    """Accounts that still have a post in the agency that ended, for someone to place."""
    below: tuple[str, ...] = ()
    """Agencies that are still said to stand below the one that ended."""


async def list_agencies(ctx: AdminContext, actor: Actor, *, day: date | None = None) -> list[AgencySpan]:
    """All spans by code, or those that hold `day`."""
    require(actor, Act.AGENCY_READ)
    async with ctx.db.read() as session:
        return await agencies.list_spans(session, day)


async def show_agency(ctx: AdminContext, actor: Actor, code: str) -> AgencyDetail:
    """One agency, or AdminError `not-found`."""
    require(actor, Act.AGENCY_READ)
    code = await agency_code(ctx, code)
    async with ctx.db.read() as session:
        spans = await agencies.spans(session, code)
        successions = await agencies.successions(session, code)
        registered = await agencies.registered_addresses(session, code)
    return AgencyDetail(tuple(spans), tuple(successions), tuple(registered))


async def add_agency(ctx: AdminContext, actor: Actor, span: AgencySpan) -> AgencySpan:
    """A new agency, or another span of one that had ended."""
    span = checked_span(span)
    async with change(ctx, actor, Act.AGENCY_ADD, span.code) as step:
        there = await agencies.code_of(step.session, span.code)
        if there not in (None, span.code):
            raise conflict(f"{span.code} and {there} differ in case alone: they would be one agency")
        span = await with_parent(step, span)
        if any(span.overlaps(other) for other in await agencies.spans(step.session, span.code)):
            raise conflict(f"the agency {span.code} is there already on some of these days")
        check_above(span, by_code(await agencies.list_spans(step.session)))
        await check_mailbox(step, span.mailbox)
        await agencies.add_span(step.session, span, step.now_ms)
        step.content.update(span_content(span))
    return span


async def close_agency(
    ctx: AdminContext, actor: Actor, code: str, *, on: date, reason: str | None = None
) -> Merger:
    """The agency ends without a successor; `on` is the first day without it.

    AdminError `needs-reason` where somebody still serves there or an agency stands below it.
    """
    code = await agency_code(ctx, code)
    async with change(ctx, actor, Act.AGENCY_CLOSE, code) as step:
        span = await _span_to_end(step, code, on)
        left = await agencies.serving(step.session, code, on)
        below = await agencies.below(step.session, code, on)
        if reason is None and (left or below):
            raise needs_reason(
                f"the agency {code} is not empty on {on}: {_held(left, below)};"
                " place them first, or close it with a reason"
            )
        await _end(ctx, step, span, on)
        step.content.update(on=on.isoformat(), accounts_left=len(left), agencies_below=below)
        if reason is not None:
            step.content.update(reason=rules.reason(reason))
    return Merger(left=tuple(left), below=tuple(below))


def _held(left: Sequence[str], below: Sequence[str]) -> str:
    """`12 accounts serve there, the agencies a, b stand below it`."""
    found = []
    if left:
        found.append("1 account serves there" if len(left) == 1 else f"{len(left)} accounts serve there")
    if below:
        more = f" and {len(below) - SHOWN_BELOW} more" if len(below) > SHOWN_BELOW else ""
        found.append(f"below it: {', '.join(below[:SHOWN_BELOW])}{more}")
    return ", ".join(found)


async def merge_agencies(
    ctx: AdminContext, actor: Actor, code: str, *, into: Sequence[str], on: date
) -> Merger:
    """The agency ends and others take over from day `on`; figures before it stay with the old one.

    With one successor its accounts get a post there from that day. With several, nobody but
    the province knows who goes where: they are named in the result.
    """
    code = await agency_code(ctx, code)
    async with ctx.db.read() as session:
        known = [await agencies.code_of(session, successor) or successor for successor in into]
    successors = list(dict.fromkeys(known))
    if not successors or code in successors:
        raise invalid(f"{rules.shown(code)} can be merged into one or more other agencies, not into itself")
    async with change(ctx, actor, Act.AGENCY_MERGE, code) as step:
        span = await _span_to_end(step, code, on)
        for successor in successors:
            if not any(other.holds(on) for other in await agencies.spans(step.session, successor)):
                raise conflict(f"no agency {rules.shown(successor)} on {on} to take over")
        await _end(ctx, step, span, on)
        await agencies.add_succession(step.session, code, successors, on)
        serving = tuple(await agencies.serving(step.session, code, on))
        below = tuple(await agencies.below(step.session, code, on))
        alone = len(successors) == 1
        result = Merger(moved=serving if alone else (), left=() if alone else serving, below=below)
        for address in result.moved:
            await _move(step, address, code, successors[0], on)
        step.content.update(into=successors, on=on.isoformat())
        step.content.update(accounts_moved=len(result.moved), accounts_left=len(result.left))
        step.content.update(agencies_below=below)
    return result


async def _move(step: Change, address: str, code: str, successor: str, on: date) -> None:
    account = await accounts.find_account(step.session, address)
    posts = [post for post in account.posts if post.agency_code == code] if account else []
    post = Post(successor, posts[-1].person_class if posts else None, on, None)
    await accounts.move(step.session, address, post, on)


async def _end(ctx: AdminContext, step: Change, span: AgencySpan, on: date) -> None:
    """End the agency inside the span: what it was to become afterwards never comes."""
    planned = []
    last = span
    for other in await agencies.spans(step.session, span.code):
        if other.valid_from is None or other.valid_from != last.valid_until:
            continue
        if other.valid_from <= ctx.today():
            raise conflict(
                f"the agency {span.code} is there on {other.valid_from} too, after it became"
                " something else: name a later day"
            )
        planned.append(other)
        last = other
    for other in planned:
        await agencies.remove_span(step.session, other)
    if planned:
        step.content.update(planned=[span_content(other) for other in planned])
    await agencies.end_span(step.session, span.code, span.valid_from, on)


async def _span_to_end(step: Change, code: str, on: date) -> AgencySpan:
    """The span that `on` lies inside of, so that there is something on both sides of it."""
    spans = await agencies.spans(step.session, code)
    for span in spans:
        if span.holds(on) and span.valid_from != on:
            return span
    last = spans[-1].valid_until
    if last is not None and last <= on:
        raise conflict(f"the agency {code} ends on {last} already; a day before that would end it earlier")
    raise conflict(f"the agency {code} has no day before {on} that it could end after")


def checked_span(span: AgencySpan) -> AgencySpan:
    """The span in its stored form; AdminError for one that cannot be, whatever else is there."""
    rules.span(span.valid_from, span.valid_until)
    rules.one_of(span.level, rules.LEVELS, "level of an agency")
    return replace(
        span,
        code=rules.agency_code(span.code),
        name=rules.display_name(span.name),
        abbreviation=span.abbreviation and rules.display_name(span.abbreviation, "abbreviation"),
        mailbox=span.mailbox and rules.any_address(span.mailbox),
    )


async def with_parent(step: Change, span: AgencySpan) -> AgencySpan:
    """The span with the agency above it as its code is stored."""
    if span.parent_code is None:
        return span
    if span.parent_code.lower() == span.code.lower():
        raise invalid(f"the agency {span.code} cannot be above itself")
    parent = await agencies.code_of(step.session, span.parent_code)
    if parent is None:
        raise not_found("agency", rules.shown(span.parent_code))
    return replace(span, parent_code=parent)


async def check_mailbox(step: Change, mailbox: str | None) -> None:
    """Raise AdminError for a published address that nobody could write to."""
    if mailbox is not None:
        await check_in_use(step.session, rules.domain_of(mailbox))


def span_content(span: AgencySpan) -> dict[str, object]:
    values = {name: getattr(span, name) for name in span.__slots__}
    return {name: str(value) if isinstance(value, date) else value for name, value in values.items() if value}
