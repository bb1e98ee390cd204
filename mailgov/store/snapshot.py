"""The directory at hand: what a worker answers from while the ledger may be away.

A snapshot is immutable and belongs to one revision. Each node keeps the last one as a file, so
that a restart without the ledger still knows its domains and accounts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.store.calendar import TIMEZONE, local_date
from mailgov.store.engine import Database
from mailgov.store.entries import AccountEntry, AliasEntry, SigningKey, Snapshot
from mailgov.store.hand import by_hand
from mailgov.store.snapshot_file import load_file, save
from mailgov.store.sql import columns, table
from mailgov.store.tables import (
    Account,
    AccountGrant,
    AccountPost,
    AccountSeat,
    Alias,
    AliasTarget,
    DkimKey,
    Domain,
    RegisteredAddress,
)

__all__ = [
    "AccountEntry",
    "AliasEntry",
    "SigningKey",
    "Snapshot",
    "load_file",
    "load_snapshot",
    "revisions",
    "save",
]


OVERSEERS = ("operator", "agency_admin")
"""Roles of `identity.roles` whose seats are told of trouble."""


async def revisions(db: Database) -> tuple[int, int]:
    """(directory revision, policy revision): cheap enough to ask every second."""
    async with db.read() as session:
        return await _revisions(session)


async def _revisions(session: AsyncSession) -> tuple[int, int]:
    query = "SELECT revision, policy_revision FROM directory_state WHERE id = 1"
    ((directory, policy),) = await by_hand(session, lambda statements: statements.rows(query))
    return directory, policy


async def load_snapshot(db: Database, now_ms: int, *, timezone: str = TIMEZONE) -> Snapshot:
    """Read the whole directory as it stands on the local day of `now_ms`, from one state of it."""
    today = local_date(now_ms, timezone)
    async with db.read() as session:
        revision, policy_revision = await _revisions(session)
        rows = await _rows(session, today)
    registered = _Registered.of(rows.registered)
    aliases = _aliases(rows)
    return Snapshot(
        revision=revision,
        policy_revision=policy_revision,
        loaded_ms=now_ms,
        domains=frozenset(row.name for row in rows.domains if row.disabled_ms is None),
        disabled_domains=frozenset(row.name for row in rows.domains if row.disabled_ms is not None),
        accounts=_accounts(rows, aliases, registered),
        aliases=aliases,
        signing_keys=_signing_keys(rows.keys),
        registered=registered.all,
        overseers=_overseers(rows.overseers),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The directory's rows, as read in one transaction."""

    domains: Sequence[Row[Any]]
    accounts: Sequence[Row[Any]]
    posts: dict[int, Row[Any]]
    grants: Sequence[Row[Any]]
    registered: Sequence[Row[Any]]
    aliases: Sequence[Row[Any]]
    keys: Sequence[Row[Any]]
    overseers: Sequence[Row[Any]]


@dataclass(frozen=True, slots=True)
class _Registered:
    """Registered addresses by whom they belong to."""

    by_account: dict[int, set[str]]
    by_agency: dict[str, set[str]]
    all: frozenset[str]

    @classmethod
    def of(cls, rows: Sequence[Row[Any]]) -> _Registered:
        by_account: dict[int, set[str]] = defaultdict(set)
        by_agency: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            if row.account_id is not None:
                by_account[row.account_id].add(row.address)
            if row.agency_code is not None:
                by_agency[row.agency_code].add(row.address)
        return cls(by_account, by_agency, frozenset(row.address for row in rows))

    def of_account(self, account_id: int, agency: str | None) -> frozenset[str]:
        return frozenset(self.by_account.get(account_id, ())) | frozenset(
            self.by_agency.get(agency or "", ())
        )


async def _rows(session: AsyncSession, today: date) -> _Rows:
    async def all_of(query: Select[Any]) -> Sequence[Row[Any]]:
        rows: Sequence[Row[Any]] = (await session.execute(query)).all()
        return rows

    domain, post, key = columns(Domain), columns(AccountPost), columns(DkimKey)
    alias, target = columns(Alias), columns(AliasTarget)
    account, seat = columns(Account), columns(AccountSeat)
    valid = (or_(post.valid_from.is_(None), post.valid_from <= today)) & (
        or_(post.valid_until.is_(None), post.valid_until > today)
    )
    posts = await all_of(select(*post).where(valid).order_by(post.valid_from.nulls_first(), post.id))
    return _Rows(
        domains=await all_of(select(domain.name, domain.disabled_ms)),
        accounts=await all_of(select(*columns(Account))),
        posts={row.account_id: row for row in posts},  # the latest of overlapping posts
        grants=await all_of(select(*columns(AccountGrant))),
        registered=await all_of(select(*columns(RegisteredAddress))),
        aliases=await all_of(
            select(alias.address, alias.kind, target.address.label("target"))
            .outerjoin(table(AliasTarget), target.alias_id == alias.id)
            .order_by(alias.address, target.id)
        ),
        overseers=await all_of(
            select(account.address, seat.agency_code)
            .join(table(AccountSeat), seat.account_id == account.id)
            .where(seat.role.in_(OVERSEERS), account.suspended_ms.is_(None))
            .order_by(account.address)
        ),
        keys=await all_of(select(*key).where(key.state == "active").order_by(key.domain, key.selector)),
    )


def _accounts(
    rows: _Rows, aliases: dict[str, AliasEntry], registered: _Registered
) -> dict[str, AccountEntry]:
    addresses: dict[str, set[str]] = {row.address: {row.address} for row in rows.accounts}
    by_id = {row.id: row.address for row in rows.accounts}
    for grant in rows.grants:
        addresses[by_id[grant.account_id]].add(grant.address)
    for alias in aliases.values():
        account = _leads_to(alias, aliases)
        if account in addresses:
            addresses[account].add(alias.address)
    entries = {}
    for row in rows.accounts:
        post = rows.posts.get(row.id)
        agency = post.agency_code if post else None
        entries[row.address] = AccountEntry(
            id=row.id,
            address=row.address,
            kind=row.kind,
            display_name=row.display_name,
            agency=agency,
            person_class=post.person_class if post else None,
            password_hash=row.password_hash,
            suspended=row.suspended_ms is not None,
            must_change=row.must_change_password,
            citizen_desk=row.citizen_desk,
            addresses=frozenset(addresses[row.address]),
            registered=registered.of_account(row.id, agency),
            limits=row.sending_limits or {},
        )
    return entries


def _leads_to(alias: AliasEntry, aliases: dict[str, AliasEntry]) -> str | None:
    """The one address that an alias ends at, or None where it is a list, a forward or a loop."""
    seen: set[str] = set()
    while alias.kind == "alias" and len(alias.targets) == 1 and alias.address not in seen:
        seen.add(alias.address)
        (target,) = alias.targets
        if target not in aliases:
            return target
        alias = aliases[target]
    return None


def _aliases(rows: _Rows) -> dict[str, AliasEntry]:
    targets: dict[str, list[str]] = {}
    kinds: dict[str, str] = {}
    for row in rows.aliases:
        kinds[row.address] = row.kind
        found = targets.setdefault(row.address, [])
        if row.target is not None:
            found.append(row.target)
    return {address: AliasEntry(address, kinds[address], tuple(found)) for address, found in targets.items()}


def _overseers(rows: Sequence[Row[Any]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        found[row.agency_code] = (*found.get(row.agency_code, ()), row.address)
    return found


def _signing_keys(rows: Sequence[Row[Any]]) -> dict[str, tuple[SigningKey, ...]]:
    keys: dict[str, list[SigningKey]] = defaultdict(list)
    for row in rows:
        keys[row.domain].append(SigningKey(row.domain, row.selector, row.algorithm, row.key_file))
    return {domain: tuple(found) for domain, found in keys.items()}
