"""Directory writes: the revision that workers watch, domains, aliases, who holds an address.

Every change of the directory begins with `bump_revision`: besides waking the workers it
takes the directory's one lock, so that what is checked in a transaction still holds when
it commits (SQLite locks by itself, PostgreSQL by this row).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from mailgov.store.tables import Account, Alias, AliasTarget, DirectoryState, Domain

Session = AsyncSession
"""A transaction of `Database.read()` or `.write()`; other rooms hand it on and never look inside."""


@dataclass(frozen=True, slots=True)
class DomainView:
    """A mail domain; `disabled_ms` None while it is in use."""

    name: str
    created_ms: int
    disabled_ms: int | None


@dataclass(frozen=True, slots=True)
class AliasView:
    """An address that stands for `targets`. `kind`: alias, list or forward."""

    address: str
    kind: str
    targets: tuple[str, ...]
    created_ms: int


async def bump_revision(session: Session) -> int:
    """Raise the directory's revision and hold its lock until the transaction ends; the new revision."""
    return await _bump(session, "revision")


async def hold_directory(session: Session) -> None:
    """Take the directory's lock without a change, for a condition that has to hold until one is made."""
    query = select(col(DirectoryState.revision)).where(col(DirectoryState.id) == 1).with_for_update()
    await session.execute(query)


async def bump_policy_revision(session: Session) -> int:
    """Tell every worker to read the policy files again; the new revision."""
    return await _bump(session, "policy_revision")


async def _bump(session: Session, name: str) -> int:
    column = col(getattr(DirectoryState, name))
    change = update(DirectoryState).where(col(DirectoryState.id) == 1).values({name: column + 1})
    revision = (await session.execute(change.returning(column))).scalar_one_or_none()
    if revision is not None:
        return int(revision)
    first = {"id": 1, "revision": 0, "policy_revision": 0} | {name: 1}
    await session.execute(insert(DirectoryState).values(first))
    return 1


async def add_domain(session: Session, name: str, now_ms: int) -> None:
    """A new domain, in lower case. Raises `engine.Conflict` when it is there."""
    session.add(Domain(name=name, created_ms=now_ms))
    await session.flush()


async def set_domain_disabled(session: Session, name: str, disabled_ms: int | None) -> None:
    """Take a domain out of use, or (None) into use again."""
    await session.execute(update(Domain).where(col(Domain.name) == name).values(disabled_ms=disabled_ms))


async def find_domain(session: Session, name: str) -> DomainView | None:
    """The domain of that name, in use or not."""
    row = (await session.execute(select(Domain).where(col(Domain.name) == name))).scalar_one_or_none()
    return None if row is None else DomainView(row.name, row.created_ms, row.disabled_ms)


async def list_domains(session: Session) -> list[DomainView]:
    """All domains by name; a province has dozens."""
    rows = (await session.execute(select(Domain).order_by(col(Domain.name)))).scalars()
    return [DomainView(row.name, row.created_ms, row.disabled_ms) for row in rows]


async def count_addresses(session: Session, domain: str) -> tuple[int, int]:
    """How many accounts and how many aliases a domain has."""
    counts = []
    for table in (Account, Alias):
        at_domain = col(table.address).endswith(f"@{domain}", autoescape=True)
        query = select(func.count()).select_from(table).where(at_domain)
        counts.append(int((await session.execute(query)).scalar_one()))
    return counts[0], counts[1]


async def holder(session: Session, address: str) -> str | None:
    """What an address is: `account`, `alias`, or None when it is free."""
    if (await session.execute(select(col(Account.id)).where(col(Account.address) == address))).first():
        return "account"
    if (await session.execute(select(col(Alias.id)).where(col(Alias.address) == address))).first():
        return "alias"
    return None


async def add_alias(session: Session, address: str, kind: str, targets: Sequence[str], now_ms: int) -> None:
    """A new alias with its targets. Raises `engine.Conflict` when the address is an alias already."""
    alias = Alias(address=address, kind=kind, created_ms=now_ms)
    session.add(alias)
    await session.flush()
    await _insert_targets(session, alias.id, targets)


async def add_targets(session: Session, address: str, targets: Sequence[str]) -> None:
    """More targets for an alias that is there. Raises `engine.Conflict` for one that it has."""
    query = select(col(Alias.id)).where(col(Alias.address) == address)
    await _insert_targets(session, (await session.execute(query)).scalar_one(), targets)


async def _insert_targets(session: Session, alias_id: int | None, targets: Sequence[str]) -> None:
    rows = [{"alias_id": alias_id, "address": target} for target in targets]
    await session.execute(insert(AliasTarget), rows)


async def remove_target(session: Session, address: str, target: str) -> None:
    """Take one target from an alias."""
    alias_id = select(col(Alias.id)).where(col(Alias.address) == address).scalar_subquery()
    chosen = (col(AliasTarget.alias_id) == alias_id) & (col(AliasTarget.address) == target)
    await session.execute(delete(AliasTarget).where(chosen))


async def remove_alias(session: Session, address: str) -> None:
    """Take an alias away with its targets."""
    alias_id = select(col(Alias.id)).where(col(Alias.address) == address).scalar_subquery()
    await session.execute(delete(AliasTarget).where(col(AliasTarget.alias_id) == alias_id))
    await session.execute(delete(Alias).where(col(Alias.address) == address))


async def find_alias(session: Session, address: str) -> AliasView | None:
    """The alias of that address."""
    found = await _aliases(session, select(Alias).where(col(Alias.address) == address))
    return found[0] if found else None


async def list_aliases(
    session: Session, *, kind: str | None = None, after: str = "", limit: int = 1000
) -> list[AliasView]:
    """At most `limit` aliases (of a kind) by address, from the first one past `after`."""
    query = select(Alias).where(col(Alias.address) > after).order_by(col(Alias.address)).limit(limit)
    if kind is not None:
        query = query.where(col(Alias.kind) == kind)
    return await _aliases(session, query)


async def _aliases(session: Session, query: Select[Alias]) -> list[AliasView]:
    rows = list((await session.execute(query)).scalars())
    targets: dict[int | None, list[str]] = {row.id: [] for row in rows}
    chosen = select(AliasTarget).where(col(AliasTarget.alias_id).in_(list(targets)))
    for target in (await session.execute(chosen.order_by(col(AliasTarget.address)))).scalars():
        targets[target.alias_id].append(target.address)
    return [AliasView(row.address, row.kind, tuple(targets[row.id]), row.created_ms) for row in rows]
