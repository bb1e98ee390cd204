"""Who serves where on a day, who signed in, and which addresses of the directory lead abroad.

Spans of days are half-open local dates; codes and addresses are as they are stored.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, or_, select, update
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.sql import chunks
from mailgov.store.tables import (
    Account,
    AccountPost,
    Agency,
    Alias,
    AliasTarget,
    RegisteredAddress,
    SignIn,
)


@dataclass(frozen=True, slots=True)
class Serving:
    """An account that belongs to an agency on a day. `person_class` None: a mailbox of no one person."""

    address: str
    kind: str
    agency: str
    person_class: str | None
    created_ms: int
    suspended_ms: int | None
    sample: bool

    def open_at(self, at_ms: int) -> bool:
        """True when it had been issued before that moment and was not suspended then."""
        return self.created_ms < at_ms and (self.suspended_ms is None or self.suspended_ms >= at_ms)


@dataclass(frozen=True, slots=True)
class Foreign:
    """An address outside the province's domains that the directory itself leads to or publishes.

    `kind`: published (an agency's mailbox), registered or personal (registered by an agency or an
    account's holder as its own), or alias, list or forward (a target of one). `holder` is the agency's
    code, the account's address, or the alias.
    """

    kind: str
    holder: str
    address: str


async def serving_on(session: Session, day: date, agency: str | None = None) -> list[Serving]:
    """Accounts with a post on `day`, by address; with `agency`, those that serve there."""
    query = (
        select(
            col(Account.address),
            col(Account.kind),
            col(AccountPost.agency_code),
            col(AccountPost.person_class),
            col(Account.created_ms),
            col(Account.suspended_ms),
            col(Account.sample),
        )
        .join(AccountPost, col(AccountPost.account_id) == col(Account.id))
        .where(or_(col(AccountPost.valid_from).is_(None), col(AccountPost.valid_from) <= day))
        .where(or_(col(AccountPost.valid_until).is_(None), col(AccountPost.valid_until) > day))
        .order_by(col(Account.address))
    )
    if agency is not None:
        query = query.where(col(AccountPost.agency_code) == agency)
    return [Serving(*row) for row in await session.execute(query)]


async def first_account_ms(session: Session) -> int | None:
    """When the first account was made; None while there is none."""
    return (await session.execute(select(func.min(col(Account.created_ms))))).scalar_one_or_none()


async def signed_in(session: Session, from_date: date, until_date: date) -> frozenset[str] | None:
    """Accounts with a sign-in in the span; None while no sign-in at all was noted before its end."""
    noted = select(func.min(col(SignIn.local_date))).where(col(SignIn.local_date) < until_date)
    if (await session.execute(noted)).scalar_one_or_none() is None:
        return None
    query = (
        select(col(SignIn.account))
        .where(col(SignIn.local_date) >= from_date, col(SignIn.local_date) < until_date)
        .distinct()
    )
    return frozenset((await session.execute(query)).scalars())


async def addresses_at(session: Session, domains: frozenset[str], day: date) -> list[Foreign]:
    """What the directory publishes, registers or leads to at these domains, by kind, holder and address.

    Agencies' mailboxes are those of `day`; the rest is the directory as it stands now, for it keeps
    no past of them.
    """

    def there(address: str) -> bool:
        return address.rpartition("@")[2].lower() in domains

    published = select(col(Agency.code), col(Agency.mailbox)).where(
        col(Agency.mailbox).is_not(None),
        or_(col(Agency.valid_from).is_(None), col(Agency.valid_from) <= day),
        or_(col(Agency.valid_until).is_(None), col(Agency.valid_until) > day),
    )
    boxes = await session.execute(published)
    found = {Foreign("published", code, box) for code, box in boxes if box is not None and there(box)}
    registered = select(
        col(RegisteredAddress.agency_code), col(Account.address), col(RegisteredAddress.address)
    ).outerjoin(Account, col(Account.id) == col(RegisteredAddress.account_id))
    for agency, account, address in await session.execute(registered):
        if there(address):
            kind = "personal" if agency is None else "registered"
            found.add(Foreign(kind, agency or account or "", address))
    targets = select(col(Alias.kind), col(Alias.address), col(AliasTarget.address)).join(
        AliasTarget, col(AliasTarget.alias_id) == col(Alias.id)
    )
    for alias_kind, alias, address in await session.execute(targets):
        if there(address):
            found.add(Foreign(alias_kind, alias, address))
    return sorted(found, key=lambda one: (one.kind, one.holder, one.address))


async def alias_targets(session: Session, aliases: Collection[str]) -> dict[str, list[str]]:
    """Where these aliases lead, by alias; targets in order."""
    found: dict[str, list[str]] = {}
    for part in chunks(sorted(aliases)):
        query = (
            select(col(Alias.address), col(AliasTarget.address))
            .join(AliasTarget, col(AliasTarget.alias_id) == col(Alias.id))
            .where(col(Alias.address).in_(part))
            .order_by(col(AliasTarget.address))
        )
        for alias, target in await session.execute(query):
            found.setdefault(alias, []).append(target)
    return found


async def date_samples(session: Session, created_ms: int) -> None:
    """Let accounts of a rehearsal have been there since then, as its sample traffic has been."""
    change = update(Account).where(col(Account.sample).is_(True), col(Account.created_ms) > created_ms)
    await session.execute(change.values(created_ms=created_ms))
