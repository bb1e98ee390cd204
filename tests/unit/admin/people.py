"""Signing in to the small province, for the tests of what people do for themselves."""

from __future__ import annotations

from pathlib import Path

from mailgov.admin import accounts, passwords, sessions
from mailgov.admin.context import AdminContext
from mailgov.admin.people import Person, show_person
from mailgov.admin.sessions import Credentials, SignedIn
from mailgov.identity.gate import SignInGate
from mailgov.identity.passwords import PasswordChecker
from mailgov.identity.protection import SignInProtection
from mailgov.identity.sign_in import SignIns
from mailgov.ops.first_key import first_key
from mailgov.store.guard import Guard
from tests.unit.admin.province import OPERATOR, at

AN = at("annv")
OWN = "một câu dài dễ nhớ"
NEW = "một câu khác, cũng dài"
HERE = "192.0.2.7"
CLAIMED = Credentials(AN, OWN, HERE)
IN_MEMORY = Path("/dev/null/guard.sqlite")
"""Where no guard can be opened, so that it keeps its state in memory."""


_codes: dict[str, str] = {}


def sign_ins(ctx: AdminContext) -> SignIns:
    protection = SignInProtection(Guard.open(IN_MEMORY), ctx.settings.sign_in)
    checker = PasswordChecker(b"key", lambda: ctx.now_ms() / 1000)
    gate = SignInGate(protection, None, ctx.now_ms, from_anywhere=True)
    return SignIns(checker, gate, lambda: first_key(ctx.settings.data_dir, ctx.random))


async def with_own_password(ctx: AdminContext) -> None:
    await accounts.set_password(ctx, OPERATOR, AN, OWN)


async def signed_in(ctx: AdminContext, password: str = OWN, checks: SignIns | None = None) -> SignedIn:
    return await sessions.sign_in(ctx, checks or sign_ins(ctx), Credentials(AN, password, HERE))


async def changed(ctx: AdminContext, current: str = OWN, new: str = NEW) -> passwords.Changed:
    person = (await signed_in(ctx, current)).person
    return await passwords.change_password(ctx, sign_ins(ctx), person, current=current, new=new, peer=HERE)


async def changed_once(ctx: AdminContext) -> SignedIn:
    """Signed in with the password OWN, which was set by its holder, so that there is a recovery code."""
    await accounts.set_password(ctx, OPERATOR, AN, NEW)
    made = await changed(ctx, NEW, OWN)
    _codes[made.signed_in.cookie] = made.recovery_code
    return made.signed_in


def code_of(made: SignedIn) -> str:
    """The recovery code of `changed_once`."""
    return _codes[made.cookie]


async def alive(ctx: AdminContext, made: SignedIn) -> Person | None:
    async with ctx.db.read() as session:
        return await show_person(session, ctx.settings, made.cookie, ctx.now_ms())
