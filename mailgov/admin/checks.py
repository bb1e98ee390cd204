"""Checks against the directory as it stands, inside the transaction of an act."""

from __future__ import annotations

from datetime import date

from mailgov.admin import rules
from mailgov.admin.context import Actor, AdminContext, require_over
from mailgov.admin.errors import conflict, forbidden, not_found
from mailgov.identity.roles import Act, Scope, scope
from mailgov.store import accounts, agencies, directory
from mailgov.store.accounts import AccountView
from mailgov.store.directory import Session


async def account_of(
    ctx: AdminContext, session: Session, actor: Actor, act: Act, address: str
) -> AccountView:
    """The account, when there is one and the actor may do `act` on it.

    What changes something is refused while the account's domain is disabled, and to an agency's
    seat where the holder has a seat outside that agency: a new password would be a way into it.
    """
    address = rules.any_address(address)
    account = await accounts.find_account(session, address)
    if account is None:
        raise not_found("account", address)
    require_over(actor, act, account.agency_on(ctx.today()), "account", address)
    if not act.reads:
        _check_seats(actor, act, account)
        await check_in_use(session, rules.domain_of(address))
    return account


def _check_seats(actor: Actor, act: Act, account: AccountView) -> None:
    if scope(actor.role, act) is not Scope.ALL and any(seat.agency != actor.agency for seat in account.seats):
        raise forbidden(f"{account.address} has a seat beyond the agency: ask the province's operator")


async def check_in_use(session: Session, domain: str) -> None:
    """Raise AdminError for a disabled domain of the province; any other domain passes."""
    found = await directory.find_domain(session, domain)
    if found is not None and found.disabled_ms is not None:
        raise conflict(f"the domain {domain} is disabled: nothing of it changes until it is enabled again")


async def check_address(session: Session, address: str) -> None:
    """Raise AdminError unless a new account or alias may have this address."""
    domain = rules.domain_of(address)
    if rules.local_part_of(address) in rules.RESERVED_LOCAL_PARTS:
        raise conflict(f"{address} is reserved: every domain has it from the start, and nobody may take it")
    if await directory.find_domain(session, domain) is None:
        raise not_found("domain", domain)
    await check_in_use(session, domain)
    held = await directory.holder(session, address)
    if held is not None:
        raise conflict(f"{address} is taken: it is an {held} already")


async def agency_code(ctx: AdminContext, text: str) -> str:
    """The stored code of the agency that `text` names in whatever case; AdminError when there is none.

    An agency never goes away, so this holds in a later transaction too.
    """
    async with ctx.db.read() as session:
        code = await agencies.code_of(session, text)
    if code is None:
        raise not_found("agency", rules.shown(text))
    return code


async def check_agency(session: Session, code: str, day: date) -> None:
    """Raise AdminError unless the agency of that stored code exists on that day."""
    spans = await agencies.spans(session, code)
    if not any(span.holds(day) for span in spans):
        raise conflict(f"the agency {code} does not exist on {day}")
