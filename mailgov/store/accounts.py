"""Accounts with their dated posts, granted addresses and registered outside addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Select, and_, delete, exists, or_, select, update
from sqlmodel import col

from mailgov.store.directory import Session
from mailgov.store.seats import Seat, seats_of_all
from mailgov.store.tables import Account, AccountGrant, AccountPost, RegisteredAddress


@dataclass(frozen=True, slots=True)
class Post:
    """Where the holder serves over the half-open days [valid_from, valid_until)."""

    agency_code: str
    person_class: str | None
    valid_from: date | None
    valid_until: date | None

    def holds(self, day: date) -> bool:
        """True when `day` lies in the span."""
        since = self.valid_from is None or self.valid_from <= day
        return since and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as people see it: whether it has a password, never the hash."""

    address: str
    kind: str
    display_name: str
    has_password: bool
    must_change_password: bool
    citizen_desk: bool
    created_ms: int
    suspended_ms: int | None
    sample: bool
    posts: tuple[Post, ...]
    grants: tuple[str, ...]
    registered: tuple[str, ...]
    seats: tuple[Seat, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    """What an administrator lets it send, by the names of `entries.LIMITS`."""

    def post_on(self, day: date) -> Post | None:
        """The post held on `day`."""
        return next((post for post in self.posts if post.holds(day)), None)

    def agency_on(self, day: date) -> str | None:
        """The agency served on `day`."""
        post = self.post_on(day)
        return None if post is None else post.agency_code


async def add_account(
    session: Session,
    address: str,
    *,
    kind: str,
    display_name: str,
    password_hash: str | None,
    must_change_password: bool,
    citizen_desk: bool,
    sample: bool,
    post: Post | None,
    now_ms: int,
) -> None:
    """A new account, with its first post. Raises `engine.Conflict` when the address is one already."""
    account = Account(
        address=address,
        kind=kind,
        display_name=display_name,
        password_hash=password_hash,
        must_change_password=must_change_password,
        citizen_desk=citizen_desk,
        sample=sample,
        created_ms=now_ms,
    )
    session.add(account)
    await session.flush()
    if post is not None:
        await _insert_post(session, account.id or 0, post)


async def find_account(session: Session, address: str) -> AccountView | None:
    """The account of that address."""
    found = await _views(session, select(Account).where(col(Account.address) == address))
    return found[0] if found else None


async def list_accounts(
    session: Session,
    *,
    agency: str | None = None,
    day: date | None = None,
    after: str = "",
    limit: int = 1000,
) -> list[AccountView]:
    """At most `limit` accounts by address, from the first one past `after`.

    With `agency` those that serve there on `day`.
    """
    query = select(Account).where(col(Account.address) > after).order_by(col(Account.address)).limit(limit)
    if agency is not None:
        served = [col(AccountPost.account_id) == col(Account.id), col(AccountPost.agency_code) == agency]
        if day is not None:
            served += [
                or_(col(AccountPost.valid_from).is_(None), col(AccountPost.valid_from) <= day),
                or_(col(AccountPost.valid_until).is_(None), col(AccountPost.valid_until) > day),
            ]
        query = query.where(exists().where(and_(*served)))
    return await _views(session, query)


async def edit_account(session: Session, address: str, *, display_name: str, citizen_desk: bool) -> None:
    """Another name and desk for an account."""
    await _change(session, address, display_name=display_name, citizen_desk=citizen_desk)


async def set_suspended(session: Session, address: str, suspended_ms: int | None) -> None:
    """Suspend an account, or (None) let it in again."""
    await _change(session, address, suspended_ms=suspended_ms)


async def set_limits(session: Session, address: str, limits: Mapping[str, int] | None) -> None:
    """What the account may send, by the names of `entries.LIMITS`; None leaves it to the settings."""
    await _change(session, address, sending_limits=limits)


async def set_password(
    session: Session,
    address: str,
    password_hash: str,
    *,
    must_change: bool,
    recovery_hash: str | None = None,
    now_ms: int,
) -> None:
    """Put a new hash in the place of the old one; an earlier recovery code goes with it."""
    await _change(
        session,
        address,
        password_hash=password_hash,
        must_change_password=must_change,
        recovery_hash=recovery_hash,
        password_set_ms=now_ms,
    )


async def _change(session: Session, address: str, **values: object) -> None:
    await session.execute(update(Account).where(col(Account.address) == address).values(**values))


async def add_grant(session: Session, address: str, granted: str) -> None:
    """Let the account write as `granted`. Raises `engine.Conflict` when it may already."""
    session.add(AccountGrant(account_id=await _id_of(session, address), address=granted))
    await session.flush()


async def remove_grant(session: Session, address: str, granted: str) -> None:
    """Take a granted address back."""
    chosen = (col(AccountGrant.account_id) == await _id_of(session, address)) & (
        col(AccountGrant.address) == granted
    )
    await session.execute(delete(AccountGrant).where(chosen))


async def register_address(session: Session, address: str, outside: str) -> None:
    """Note an outside address as the holder's own."""
    session.add(RegisteredAddress(account_id=await _id_of(session, address), address=outside))
    await session.flush()


async def unregister_address(session: Session, address: str, outside: str) -> None:
    """Forget an outside address of the holder."""
    row = RegisteredAddress
    chosen = (col(row.account_id) == await _id_of(session, address)) & (col(row.address) == outside)
    await session.execute(delete(row).where(chosen))


async def move(session: Session, address: str, post: Post, on: date) -> None:
    """Let the post held on day `on` end there and `post` begin; posts planned for later go away."""
    account_id = await _id_of(session, address)
    mine = col(AccountPost.account_id) == account_id
    later = and_(mine, col(AccountPost.valid_from).is_not(None), col(AccountPost.valid_from) >= on)
    await session.execute(delete(AccountPost).where(later))
    unended = or_(col(AccountPost.valid_until).is_(None), col(AccountPost.valid_until) > on)
    await session.execute(update(AccountPost).where(mine, unended).values(valid_until=on))
    await _insert_post(session, account_id, post)


async def _insert_post(session: Session, account_id: int, post: Post) -> None:
    session.add(
        AccountPost(
            account_id=account_id,
            agency_code=post.agency_code,
            person_class=post.person_class,
            valid_from=post.valid_from,
            valid_until=post.valid_until,
        )
    )
    await session.flush()


async def _id_of(session: Session, address: str) -> int:
    query = select(col(Account.id)).where(col(Account.address) == address)
    return int((await session.execute(query)).scalar_one() or 0)


async def _views(session: Session, query: Select[Account]) -> list[AccountView]:
    rows = list((await session.execute(query)).scalars())
    ids = [row.id for row in rows if row.id is not None]
    posts: dict[int, list[Post]] = {}
    held = select(AccountPost).where(col(AccountPost.account_id).in_(ids))
    for post in (await session.execute(held)).scalars():
        view = Post(post.agency_code, post.person_class, post.valid_from, post.valid_until)
        posts.setdefault(post.account_id, []).append(view)
    grants = await _addresses(session, AccountGrant, ids)
    registered = await _addresses(session, RegisteredAddress, ids)
    seats = await seats_of_all(session, ids)
    return [
        AccountView(
            address=row.address,
            kind=row.kind,
            display_name=row.display_name,
            has_password=row.password_hash is not None,
            must_change_password=row.must_change_password,
            citizen_desk=row.citizen_desk,
            created_ms=row.created_ms,
            suspended_ms=row.suspended_ms,
            sample=row.sample,
            posts=tuple(sorted(posts.get(row.id or 0, ()), key=lambda post: post.valid_from or date.min)),
            grants=tuple(sorted(grants.get(row.id or 0, ()))),
            registered=tuple(sorted(registered.get(row.id or 0, ()))),
            seats=seats.get(row.id or 0, ()),
            limits=row.sending_limits or {},
        )
        for row in rows
    ]


async def _addresses(
    session: Session, table: type[AccountGrant] | type[RegisteredAddress], ids: list[int]
) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    query = select(col(table.account_id), col(table.address)).where(col(table.account_id).in_(ids))
    for account_id, address in await session.execute(query):
        found.setdefault(account_id or 0, []).append(address)
    return found
