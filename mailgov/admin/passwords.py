"""One's own password: changing it, and setting a new one with the recovery code."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from mailgov.admin import rules
from mailgov.admin.context import Actor, AdminContext, Change, change
from mailgov.admin.errors import AdminError, conflict, invalid
from mailgov.admin.people import Person
from mailgov.admin.sessions import (
    Credentials,
    SignedIn,
    begin,
    checked,
    find,
    matches,
    passes,
    unchanged,
)
from mailgov.identity.gate import Trial
from mailgov.identity.passwords import generate_password, hash_password
from mailgov.identity.protection import Attempt
from mailgov.identity.roles import Act, Role
from mailgov.identity.sign_in import SignIns, recovery_hash
from mailgov.store import accounts, sessions
from mailgov.store.sessions import Holder


@dataclass(frozen=True, slots=True)
class Changed:
    """A new password is set. `recovery_code` is shown this once; it replaces any earlier one."""

    signed_in: SignedIn
    recovery_code: str = field(repr=False)


async def change_password(
    ctx: AdminContext, sign_ins: SignIns, person: Person, *, current: str | None, new: str, peer: str
) -> Changed:
    """Replace one's own password. Every session of the account ends but a new one for who asked.

    `current` proves who sits there; a first password, given a moment ago, is not asked for again. Raises
    AdminError: `invalid` for a new password that will not do, `wrong-password` (403) for the current
    one, `too-many-failures` (429).
    """
    _check(ctx, new, person.address, person.display_name)
    holder = await _present(ctx, sign_ins, person, current, peer)
    if await matches(sign_ins, holder, Attempt.of(person.address, peer), new, known=True):
        raise invalid("the new password is the current one")
    hashed = await asyncio.to_thread(hash_password, new)
    async with change(ctx, person.actor, Act.PASSWORD_CHANGE, person.address) as step:
        await unchanged(step.session, holder)
        code = await _set(ctx, step, holder, hashed)
        made = await begin(ctx, step, holder.id, person.seat, created_ms=step.now_ms)
        step.content.update(first=holder.must_change_password)
    return Changed(made, code)


async def _present(
    ctx: AdminContext, sign_ins: SignIns, person: Person, current: str | None, peer: str
) -> Holder:
    """The account, once its holder has shown to be the one who sits there."""
    if person.must_change_password and current is None:
        _, holder = await find(ctx, person.address)
        if holder is None:
            raise conflict(f"the account {person.address} was changed meanwhile: sign in again")
        return holder
    try:
        return await checked(ctx, sign_ins, Credentials(person.address, current or "", peer))
    except AdminError as error:
        if error.status == 401:
            detail = "The current password is wrong."
            raise AdminError("wrong-password", "Wrong password", detail, 403) from None
        raise


async def reset_password(
    ctx: AdminContext, sign_ins: SignIns, *, name: str, code: str, new: str, peer: str
) -> str:
    """Set a new password with the recovery code, which is used up; the new recovery code.

    Every session of the account ends. Raises AdminError: `reset-refused` (403) for an account
    that is unknown or shut, for one without a code and for a wrong code alike; `invalid`;
    `too-many-failures` (429).
    """
    _check(ctx, new)
    address, holder = await find(ctx, name)

    async def right(trial: Trial) -> bool:
        return sign_ins.recovers(None if trial.blind else holder, code)

    if not await passes(sign_ins, Attempt.of(address, peer), right) or holder is None:
        detail = "The address or the recovery code is wrong."
        raise AdminError("reset-refused", "Reset refused", detail, 403)
    _check(ctx, new, holder.address, holder.display_name)
    hashed = await asyncio.to_thread(hash_password, new)
    actor = Actor(holder.address, Role.OWNER)
    async with change(ctx, actor, Act.PASSWORD_RESET, holder.address) as step:
        await unchanged(step.session, holder)
        return await _set(ctx, step, holder, hashed)


def _check(ctx: AdminContext, new: str, address: str = "", name: str = "") -> None:
    rules.password(new, address, name, at_least=ctx.settings.sign_in.password_characters_min)


async def _set(ctx: AdminContext, step: Change, holder: Holder, hashed: str) -> str:
    code = generate_password(ctx.random)
    await accounts.set_password(
        step.session,
        holder.address,
        hashed,
        must_change=False,
        recovery_hash=recovery_hash(code),
        now_ms=step.now_ms,
    )
    await sessions.end_sessions(step.session, holder.address, step.now_ms)
    return code
