"""Thousands of directory rows at once: what an import compares with, and what it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import insert, select

from mailgov.store import accounts, agencies
from mailgov.store.accounts import AccountView, Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.directory import DomainView, Session, list_domains
from mailgov.store.sql import chunks, columns, table
from mailgov.store.tables import Account, AccountPost, Agency, Alias

PAGE = 1000

Progress = Callable[[int], None]
"""Told how many rows are done so far."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The directory as it stands."""

    domains: dict[str, DomainView]
    spans: list[AgencySpan]
    accounts: dict[str, AccountView]
    aliases: frozenset[str]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account to be written, with its posts. `password_hash` None: it cannot sign in."""

    address: str
    display_name: str
    kind: str
    citizen_desk: bool
    suspended: bool
    sample: bool
    posts: tuple[Post, ...]
    password_hash: str | None = field(default=None, repr=False)


async def standing(session: Session) -> Standing:
    """The whole directory, without what hangs on it."""
    aliases = frozenset((await session.execute(select(columns(Alias).address))).scalars())
    return Standing(
        {one.name: one for one in await list_domains(session)},
        await agencies.list_spans(session),
        {one.address: one for one in await all_accounts(session)},
        aliases,
    )


async def all_accounts(session: Session) -> list[AccountView]:
    """Every account, in the order of the database."""
    found: list[AccountView] = []
    after = ""
    while page := await accounts.list_accounts(session, after=after, limit=PAGE):
        found += page
        after = page[-1].address
    return found


async def add_spans(session: Session, spans: Sequence[AgencySpan], now_ms: int) -> None:
    """New spans of agencies. Raises `engine.Conflict` for one that is there."""
    names = AgencySpan.__slots__
    rows = [{name: getattr(span, name) for name in names} | {"created_ms": now_ms} for span in spans]
    for part in chunks(rows):
        await session.execute(insert(table(Agency)), part)


async def add_accounts(
    session: Session, rows: Sequence[AccountRow], now_ms: int, progress: Progress = lambda _done: None
) -> None:
    """New accounts with their posts. Raises `engine.Conflict` for an address that is taken."""
    done = 0
    for part in chunks(rows):
        await session.execute(insert(table(Account)), [_account(row, now_ms) for row in part])
        await _add_posts(session, part)
        done += len(part)
        progress(done)


async def add_posts(session: Session, rows: Sequence[AccountRow]) -> None:
    """The posts of accounts that are there."""
    for part in chunks(rows):
        await _add_posts(session, part)


async def _add_posts(session: Session, part: Sequence[AccountRow]) -> None:
    c = columns(Account)
    made = select(c.address, c.id).where(c.address.in_([row.address for row in part]))
    ids = {found.address: found.id for found in await session.execute(made)}
    posts = [_post(ids[row.address], post) for row in part for post in row.posts]
    if posts:
        await session.execute(insert(table(AccountPost)), posts)


def _account(row: AccountRow, now_ms: int) -> dict[str, object]:
    return {
        "address": row.address,
        "kind": row.kind,
        "display_name": row.display_name,
        "password_hash": row.password_hash,
        "must_change_password": row.password_hash is not None,
        "password_set_ms": None if row.password_hash is None else now_ms,
        "citizen_desk": row.citizen_desk,
        "created_ms": now_ms,
        "suspended_ms": now_ms if row.suspended else None,
        "sample": row.sample,
    }


def _post(account_id: int, post: Post) -> dict[str, object]:
    return {
        "account_id": account_id,
        "agency_code": post.agency_code,
        "person_class": post.person_class,
        "valid_from": post.valid_from,
        "valid_until": post.valid_until,
    }
