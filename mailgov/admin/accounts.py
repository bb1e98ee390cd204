"""Acts on accounts: who has a mailbox, where they serve, what they may write as."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import date

from mailgov.admin import rules
from mailgov.admin.checks import account_of, agency_code, check_address, check_agency, check_in_use
from mailgov.admin.context import (
    Actor,
    AdminContext,
    agency_filter,
    change,
    require,
    require_province,
)
from mailgov.admin.errors import conflict, forbidden, invalid, not_found
from mailgov.identity.passwords import first_password_hash, generate_password, hash_password
from mailgov.identity.roles import Act, covers
from mailgov.ops.first_key import first_key
from mailgov.store import accounts, directory, seats, sessions
from mailgov.store.accounts import AccountView, Post


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a new account is made of. `password` None: it cannot sign in."""

    address: str
    display_name: str
    kind: str = "personal"
    agency: str | None = None
    person_class: str | None = None
    """For a personal account with an agency: can_bo, cong_chuc, vien_chuc or khac."""
    since: date | None = None
    """First day of the post; None for "always"."""
    password: str | None = field(default=None, repr=False)
    first: bool = False
    """`password` was made by `generate_password` and is a first one: it has to be changed."""
    must_change: bool = False
    """`password` was chosen by somebody else than the holder, who has to change it."""
    citizen_desk: bool = False
    sample: bool = False


async def list_accounts(
    ctx: AdminContext, actor: Actor, *, agency: str | None = None, after: str = "", limit: int = 1000
) -> list[AccountView]:
    """At most `limit` accounts by address from the first past `after`; with `agency` those serving there."""
    confined = agency_filter(actor, Act.ACCOUNT_READ, agency)
    if confined is not None:
        confined = await agency_code(ctx, confined)
    async with ctx.db.read() as session:
        return await accounts.list_accounts(
            session, agency=confined, day=ctx.today() if confined else None, after=after, limit=limit
        )


async def show_account(ctx: AdminContext, actor: Actor, address: str) -> AccountView:
    """One account, or AdminError `not-found`."""
    require(actor, Act.ACCOUNT_READ)
    async with ctx.db.read() as session:
        return await account_of(ctx, session, actor, Act.ACCOUNT_READ, address)


async def add_account(ctx: AdminContext, actor: Actor, new: NewAccount) -> AccountView:
    """A new account. Raises AdminError for an address that is taken, reserved or not of the province."""
    require(actor, Act.ACCOUNT_ADD)
    new = checked_account(new)
    if new.agency is not None:
        new = replace(new, agency=await agency_code(ctx, new.agency))
    if not covers(actor.role, Act.ACCOUNT_ADD, actor.agency, new.agency):
        raise forbidden(f"the role {actor.role} adds accounts to its own agency alone")
    if new.citizen_desk:
        require_province(actor, Act.ACCOUNT_ADD, "make a desk for citizens")
    if new.password is not None and not new.first:
        _check_password(ctx, new.password, new.address, new.display_name)
    hashed = None if new.password is None else await _hashed(ctx, new.password, first=new.first)
    async with change(ctx, actor, Act.ACCOUNT_ADD, new.address) as step:
        await check_address(step.session, new.address)
        post = None
        if new.agency is not None:
            await check_agency(step.session, new.agency, new.since or ctx.today())
            post = Post(new.agency, new.person_class, new.since, None)
        await accounts.add_account(
            step.session,
            new.address,
            kind=new.kind,
            display_name=new.display_name,
            password_hash=hashed,
            must_change_password=new.first or new.must_change,
            citizen_desk=new.citizen_desk,
            sample=new.sample,
            post=post,
            now_ms=step.now_ms,
        )
        step.content.update(kind=new.kind, display_name=new.display_name, agency=new.agency)
        step.content.update(person_class=new.person_class, citizen_desk=new.citizen_desk)
        made = await accounts.find_account(step.session, new.address)
    assert made is not None, "written in this transaction"
    return made


def checked_account(new: NewAccount) -> NewAccount:
    """The account in its stored form; AdminError for one that cannot be, whatever else is there."""
    rules.one_of(new.kind, rules.KINDS, "kind of account")
    if new.kind != "personal" and new.person_class is not None:
        raise invalid(f"a {new.kind} account belongs to no one person and has no class")
    if new.person_class is not None:
        rules.one_of(new.person_class, rules.PERSON_CLASSES, "class of persons")
    if (new.agency is None) is not (new.person_class is None) and new.kind == "personal":
        raise invalid("a personal account has an agency and a class together, or neither")
    if new.agency is None and new.since is not None:
        raise invalid("a first day needs an agency to serve in")
    return replace(
        new,
        address=rules.local_address(new.address),
        display_name=rules.display_name(new.display_name),
    )


async def edit_account(
    ctx: AdminContext,
    actor: Actor,
    address: str,
    *,
    display_name: str | None = None,
    citizen_desk: bool | None = None,
) -> AccountView:
    """Another name, or another answer to whether it is a desk for citizens; None leaves it."""
    require(actor, Act.ACCOUNT_EDIT)
    if display_name is None and citizen_desk is None:
        raise invalid("name something to change: the name, or whether it is a desk for citizens")
    if citizen_desk is not None:
        require_province(actor, Act.ACCOUNT_EDIT, "make a desk for citizens")
    name = None if display_name is None else rules.display_name(display_name)
    async with change(ctx, actor, Act.ACCOUNT_EDIT, rules.any_address(address)) as step:
        account = await account_of(ctx, step.session, actor, Act.ACCOUNT_EDIT, address)
        edited = replace(
            account,
            display_name=account.display_name if name is None else name,
            citizen_desk=account.citizen_desk if citizen_desk is None else citizen_desk,
        )
        await accounts.edit_account(
            step.session,
            account.address,
            display_name=edited.display_name,
            citizen_desk=edited.citizen_desk,
        )
        step.content.update(before=_named(account), after=_named(edited))
    return edited


def _named(account: AccountView) -> dict[str, object]:
    return {"display_name": account.display_name, "citizen_desk": account.citizen_desk}


async def disable_account(ctx: AdminContext, actor: Actor, address: str) -> None:
    """Suspend an account: no sign-in from the next snapshot on. Its mail is still received."""
    await _set_suspended(ctx, actor, Act.ACCOUNT_DISABLE, address)


async def enable_account(ctx: AdminContext, actor: Actor, address: str) -> None:
    """Let a suspended account in again."""
    await _set_suspended(ctx, actor, Act.ACCOUNT_ENABLE, address)


async def _set_suspended(ctx: AdminContext, actor: Actor, act: Act, address: str) -> None:
    disable = act is Act.ACCOUNT_DISABLE
    async with change(ctx, actor, act, rules.any_address(address)) as step:
        account = await account_of(ctx, step.session, actor, act, address)
        if (account.suspended_ms is not None) is disable:
            raise conflict(f"the account {account.address} is {'disabled' if disable else 'enabled'} already")
        await accounts.set_suspended(step.session, account.address, step.now_ms if disable else None)
        if disable:
            await sessions.end_sessions(step.session, account.address, step.now_ms)


async def set_password(
    ctx: AdminContext, actor: Actor, address: str, password: str | None, *, first: bool = False
) -> str:
    """Replace an account's password; None makes one of 100 bits. The new password.

    With `first` the holder has to change it before anything else. One that is given keeps the rules of
    a person's own choice, and their slow hash, for it may be guessed.
    Its sessions end, and a recovery code from before opens nothing any more.
    """
    require(actor, Act.ACCOUNT_PASSWORD)
    if password is not None:
        _check_password(ctx, password, rules.any_address(address), "")
    chosen = generate_password(ctx.random) if password is None else password
    hashed = await _hashed(ctx, chosen, first=first and password is None)
    async with change(ctx, actor, Act.ACCOUNT_PASSWORD, rules.any_address(address)) as step:
        account = await account_of(ctx, step.session, actor, Act.ACCOUNT_PASSWORD, address)
        await accounts.set_password(
            step.session, account.address, hashed, must_change=first, now_ms=step.now_ms
        )
        await sessions.end_sessions(step.session, account.address, step.now_ms)
        step.content.update(generated=password is None, first=first)
    return chosen


def _check_password(ctx: AdminContext, password: str, address: str, name: str) -> None:
    rules.password(password, address, name, at_least=ctx.settings.sign_in.password_characters_min)


async def _hashed(ctx: AdminContext, password: str, *, first: bool) -> str:
    if first:
        return first_password_hash(first_key(ctx.settings.data_dir, ctx.random), password)
    return await asyncio.to_thread(hash_password, password)


async def grant_address(ctx: AdminContext, actor: Actor, address: str, granted: str) -> None:
    """Let an account write as another address of the province that is in use."""
    granted = rules.local_address(granted)
    async with change(ctx, actor, Act.ACCOUNT_GRANT, rules.any_address(address)) as step:
        account = await account_of(ctx, step.session, actor, Act.ACCOUNT_GRANT, address)
        if granted == account.address or granted in account.grants:
            raise conflict(f"{account.address} may write as {granted} already")
        if await directory.holder(step.session, granted) is None:
            raise not_found("account or alias", granted)
        await check_in_use(step.session, rules.domain_of(granted))
        await accounts.add_grant(step.session, account.address, granted)
        step.content.update(granted=granted)


async def revoke_address(ctx: AdminContext, actor: Actor, address: str, granted: str) -> None:
    """Take a granted address back."""
    granted = rules.any_address(granted)
    async with change(ctx, actor, Act.ACCOUNT_REVOKE, rules.any_address(address)) as step:
        account = await account_of(ctx, step.session, actor, Act.ACCOUNT_REVOKE, address)
        if granted not in account.grants:
            raise conflict(f"{account.address} holds no grant of {granted}")
        await accounts.remove_grant(step.session, account.address, granted)
        step.content.update(revoked=granted)


async def move_account(
    ctx: AdminContext,
    actor: Actor,
    address: str,
    *,
    agency: str,
    person_class: str | None = None,
    on: date | None = None,
) -> Post:
    """From day `on` (default today) the holder serves in another agency; the class stays unless given.

    Seats in the agency that is left go with the post, when the day has come; before it they stay.
    """
    first, agency = on or ctx.today(), await agency_code(ctx, agency)
    async with change(ctx, actor, Act.ACCOUNT_MOVE, rules.any_address(address)) as step:
        account = await account_of(ctx, step.session, actor, Act.ACCOUNT_MOVE, address)
        await check_agency(step.session, agency, first)
        old = account.post_on(first)
        post = Post(agency, person_class or (old.person_class if old else None), first, None)
        if old is not None and (old.agency_code, old.person_class) == (post.agency_code, post.person_class):
            raise conflict(f"{account.address} serves in {agency} on {first} already")
        _check_class(account, post)
        await accounts.move(step.session, account.address, post, first)
        left = [seat for seat in account.seats if old is not None and seat.agency == old.agency_code]
        ended = left if first <= ctx.today() and old is not None and old.agency_code != agency else []
        for seat in ended:
            await seats.remove_seat(step.session, account.address, seat)
        step.content.update(before=old and old.agency_code, after=agency, on=first.isoformat())
        step.content.update(seats_ended=[seat.role for seat in ended])
        step.content.update(person_class=post.person_class)
    return post


def _check_class(account: AccountView, post: Post) -> None:
    personal = account.kind == "personal"
    if personal and post.person_class is None:
        raise invalid(f"{account.address} is a person's: say which class they serve in")
    if not personal and post.person_class is not None:
        raise invalid(f"a {account.kind} account belongs to no one person and has no class")
    if post.person_class is not None:
        rules.one_of(post.person_class, rules.PERSON_CLASSES, "class of persons")
