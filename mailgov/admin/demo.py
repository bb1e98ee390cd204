"""The demo province: real agencies, made-up people, mail and declarations, all marked as sample."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from mailgov.admin import accounts, agencies, aliases, registered, seats, tokens
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import AdminContext
from mailgov.admin.demo_declared import declare_sample
from mailgov.admin.policies import read_policy
from mailgov.admin.setup import INIT, Operator, make_agency
from mailgov.identity.roles import Role
from mailgov.ops.demo import people, traffic
from mailgov.ops.demo.people import DemoAgency, Person
from mailgov.ops.demo.ready import OFFICE, OWN_FREE_MAIL, Ready
from mailgov.ops.demo.traffic import Mailbox, RuleNames
from mailgov.policy import Policy
from mailgov.store.accounts import AccountView
from mailgov.store.ledger import applied_sequence, apply_events
from mailgov.store.people import date_samples

DESK = "motcua"
SCANNER = "scanner"
NO_SYMBOL = "UBND"
"""Communes issue their documents as `12/GM-UBND`."""


@dataclass(frozen=True, slots=True)
class Seated:
    """Whom the demo gives a seat to."""

    address: str
    role: Role
    agency: str | None


async def make_demo(ctx: AdminContext, domain: str, operator: Operator) -> Ready:
    """Fill the ledger of a rehearsal. Steps that are done are left, so it may be run again."""
    policy = read_policy(ctx.settings)
    places = people.agencies(domain)
    persons = people.people(places)
    await _agencies(ctx, places)
    await _accounts(ctx, _wanted(domain, places, persons))
    await _ends(ctx, domain, places)
    await _grants(ctx, domain, places)
    await _traffic(ctx, domain, places, persons, _rule_names(policy))
    await declare_sample(ctx, places, persons)
    clerk = next(one for one in persons[1:] if one.agency == people.READY_AGENCY)
    auditor = next(one for one in persons if one.agency == people.AUDITING_AGENCY)
    seated = [
        Seated(f"{clerk.local_part}@{domain}", Role.CLERK, clerk.agency),
        Seated(f"{auditor.local_part}@{domain}", Role.AUDITOR, None),
    ]
    return await _ready(ctx, f"{persons[0].local_part}@{domain}", seated, operator)


def _rule_names(policy: Policy) -> RuleNames:
    return RuleNames(policy.hash, {rule.id: (rule.document, rule.article) for rule in policy.rules})


def operating_agency(domain: str) -> DemoAgency:
    """The agency that runs the demo's mail."""
    return next(place for place in people.agencies(domain) if place.span.code == people.READY_AGENCY)


async def _agencies(ctx: AdminContext, places: Sequence[DemoAgency]) -> None:
    for place in places:
        await make_agency(ctx, replace(place.span, valid_until=None))


def _wanted(domain: str, places: Sequence[DemoAgency], persons: Sequence[Person]) -> list[NewAccount]:
    wanted = [
        NewAccount(f"{place.local_part}@{domain}", place.span.name, "shared", place.span.code, sample=True)
        for place in places
        if place.current
    ]
    desk = "Bộ phận Một cửa, Trung tâm Phục vụ hành chính công"
    wanted += [
        NewAccount(f"{DESK}@{domain}", desk, "shared", OFFICE, citizen_desk=True, sample=True),
        NewAccount(f"{SCANNER}@{domain}", "Máy quét văn bản", "functional", OFFICE, sample=True),
    ]
    for person in persons:
        address = f"{person.local_part}@{domain}"
        wanted.append(
            NewAccount(address, person.name, "personal", person.agency, person.person_class, sample=True)
        )
    return wanted


async def _accounts(ctx: AdminContext, wanted: Sequence[NewAccount]) -> None:
    there = {account.address for account in await accounts.list_accounts(ctx, INIT, limit=100_000)}
    for new in wanted:
        if new.address not in there:
            await accounts.add_account(ctx, INIT, new)
    # Accounts are counted from the day of their making, and these are to have made the sample traffic.
    first = traffic.first_day(ctx.today())
    zone = ZoneInfo(ctx.settings.province.timezone)
    midnight = datetime.datetime(first.year, first.month, first.day, tzinfo=zone)
    async with ctx.db.write() as session:
        await date_samples(session, int(midnight.timestamp()) * 1000)


async def _ends(ctx: AdminContext, domain: str, places: Sequence[DemoAgency]) -> None:
    """Agencies that have ended do so, and the mail of those merged goes to who took over."""
    known = {alias.address for alias in await aliases.list_aliases(ctx, INIT)}
    for place in places:
        if place.span.valid_until is None:
            continue
        detail = await agencies.show_agency(ctx, INIT, place.span.code)
        if detail.spans[-1].valid_until is None:
            await _end(ctx, place, place.span.valid_until)
        old = f"{place.local_part}@{domain}"
        if place.merged_into and old not in known:
            await aliases.add_alias(ctx, INIT, old, to=[f"{place.merged_into}@{domain}"])


async def _end(ctx: AdminContext, place: DemoAgency, on: datetime.date) -> None:
    code = place.span.code
    if place.merged_into:
        await agencies.merge_agencies(ctx, INIT, code, into=[place.merged_into], on=on)
    else:
        await agencies.close_agency(ctx, INIT, code, on=on, reason="nobody took over")


async def _grants(ctx: AdminContext, domain: str, places: Sequence[DemoAgency]) -> None:
    for place in places:
        if place.granted_to is None:
            continue
        holder, granted = f"{place.granted_to}@{domain}", f"{place.local_part}@{domain}"
        if granted not in (await accounts.show_account(ctx, INIT, holder)).grants:
            await accounts.grant_address(ctx, INIT, holder, granted)


async def _traffic(
    ctx: AdminContext, domain: str, places: Sequence[DemoAgency], persons: Sequence[Person], policy: RuleNames
) -> None:
    """All events in one transaction: all of it is there, or none."""
    if await applied_sequence(ctx.db, traffic.SPOOL_ID):
        return
    symbols = {place.span.code: place.span.abbreviation or NO_SYMBOL for place in places}
    boxes = [(place.local_part, place.span.code, False) for place in places if place.current]
    boxes.append((DESK, OFFICE, False))
    boxes += [(person.local_part, person.agency, True) for person in persons]
    mailboxes = [
        Mailbox(f"{local_part}@{domain}", agency, personal, symbols[agency])
        for local_part, agency, personal in boxes
    ]
    timezone = ctx.settings.province.timezone
    events = traffic.month(mailboxes, ctx.today(), desk=f"{DESK}@{domain}", policy=policy, timezone=timezone)
    await apply_events(ctx.db, traffic.SPOOL_ID, "sample", events, ctx.now_ms(), timezone=timezone)


async def _seat(ctx: AdminContext, one: Seated) -> str:
    """The account takes its seat; its new password."""
    there = (await accounts.show_account(ctx, INIT, one.address)).seats
    if not there:
        await seats.add_seat(ctx, INIT, one.address, one.role, agency=one.agency)
    return await accounts.set_password(ctx, INIT, one.address, None)


async def _ready(ctx: AdminContext, address: str, seated: Sequence[Seated], operator: Operator) -> Ready:
    account: AccountView = await accounts.show_account(ctx, INIT, address)
    if OWN_FREE_MAIL not in account.registered:
        await registered.register_address(ctx, INIT, OWN_FREE_MAIL, account=address)
    password = await accounts.set_password(ctx, INIT, address, None)
    for token in await tokens.list_tokens(ctx, INIT):
        if token.name == "demo" and token.revoked_ms is None:  # an interrupted run's, which nobody has
            await tokens.revoke_token(ctx, INIT, token.id)
    token_text = (await tokens.create_token(ctx, INIT, "demo", role=Role.OPERATOR, days=None)).text
    clerk, auditor = seated
    ready = Ready(
        account=address,
        password=password,
        clerk=clerk.address,
        clerk_password=await _seat(ctx, clerk),
        auditor=auditor.address,
        auditor_password=await _seat(ctx, auditor),
        operator=operator.address,
        operator_password=operator.password,
        token=token_text,
    )
    ready.keep(ctx.settings.data_dir)
    return ready
