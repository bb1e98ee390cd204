"""First passwords, sessions and recovery codes, from the holder's side."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from mailgov.admin import accounts, domains, passwords, seats, sessions
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError, TryLater
from mailgov.admin.sessions import Credentials
from mailgov.identity.protection import Attempt
from mailgov.identity.roles import Role
from mailgov.identity.sign_in import SignIns
from mailgov.store.seats import Seat
from mailgov.store.sessions import Holder
from mailgov.store.snapshot import load_snapshot
from tests.unit.admin.people import AN, HERE, NEW, OWN, alive, changed, sign_ins, signed_in, with_own_password
from tests.unit.admin.province import DOMAIN, NOW_MS, OPERATOR, at, state

MINUTE_MS = 60_000


@dataclass
class Clock:
    now_ms: int

    def __call__(self) -> int:
        return self.now_ms


def later(ctx: AdminContext, ms: int) -> AdminContext:
    return replace(ctx, now_ms=lambda: NOW_MS + ms)


async def test_a_first_password_leads_to_its_change_and_then_to_a_mailbox(ctx: AdminContext) -> None:
    first = await accounts.set_password(ctx, OPERATOR, AN, None, first=True)
    entry = (await load_snapshot(ctx.db, NOW_MS)).account(AN)
    assert entry is not None
    assert (entry.must_change, str(entry.password_hash)[:6]) == (True, "first$")
    assert first not in repr(state(ctx))
    made = await signed_in(ctx, first)
    assert made.person.must_change_password
    done = await passwords.change_password(ctx, sign_ins(ctx), made.person, current=None, new=OWN, peer=HERE)
    assert not done.signed_in.person.must_change_password
    entry = (await load_snapshot(ctx.db, NOW_MS)).account(AN)
    assert entry is not None
    assert (entry.must_change, str(entry.password_hash)[:10]) == (False, "$argon2id$")
    assert await alive(ctx, made) is None, "the session of the first password is over"
    assert await alive(ctx, done.signed_in) is not None
    with pytest.raises(AdminError, match="wrong"):
        await signed_in(ctx, first)
    assert (await signed_in(ctx, OWN)).person.address == AN


async def test_a_new_account_can_be_made_with_a_first_password(ctx: AdminContext) -> None:
    new = accounts.NewAccount(
        at("moi"), "Người Mới", agency="snv", person_class="khac", password="k3wq-aaaa-bbbb", first=True
    )
    made = await accounts.add_account(ctx, OPERATOR, new)
    assert made.must_change_password
    claimed = Credentials("moi", "k3wq-aaaa-bbbb", HERE)
    assert (await sessions.sign_in(ctx, sign_ins(ctx), claimed)).person.must_change_password


async def test_a_first_password_that_somebody_typed_has_the_slow_hash(ctx: AdminContext) -> None:
    """It may be guessed: the fast hash is for passwords of 100 bits alone."""
    await accounts.set_password(ctx, OPERATOR, AN, OWN, first=True)
    entry = (await load_snapshot(ctx.db, NOW_MS)).account(AN)
    assert entry is not None
    assert (entry.must_change, str(entry.password_hash)[:10]) == (True, "$argon2id$")
    person = (await signed_in(ctx, OWN)).person
    assert person.must_change_password
    made = await passwords.change_password(ctx, sign_ins(ctx), person, current=None, new=NEW, peer=HERE)
    assert not made.signed_in.person.must_change_password


@pytest.mark.parametrize("given", ["tencham1", "aaaaaaaaaaaaaaaaaa"])
async def test_an_administrators_choice_keeps_the_rules_of_everyones(ctx: AdminContext, given: str) -> None:
    new = accounts.NewAccount(at("moi"), "Mới", password=given)
    with pytest.raises(AdminError, match="a password has at least"):
        await accounts.add_account(ctx, OPERATOR, new)
    for first in (True, False):
        with pytest.raises(AdminError, match="a password has at least"):
            await accounts.set_password(ctx, OPERATOR, AN, given, first=first)
    with pytest.raises(AdminError, match="not made of the holder's address"):
        await accounts.set_password(ctx, OPERATOR, AN, f"{AN}-1", first=True)


async def test_unknown_suspended_disabled_and_wrong_read_and_count_the_same(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    await accounts.set_password(ctx, OPERATOR, at("binhtt"), OWN)
    await accounts.disable_account(ctx, OPERATOR, at("binhtt"))
    checks, told = sign_ins(ctx), set()
    before = state(ctx)
    for name, password in (
        (AN, "wrong"),
        (at("nobody"), OWN),
        ("nobody", OWN),
        (at("binhtt"), OWN),
        (at("vpubnd"), OWN),  # has no password
        ("x@elsewhere.vn", OWN),
        ("", ""),
        ("a\x00b\x1b" * 50, "x" * 5000),
    ):
        with pytest.raises(AdminError) as raised:
            await sessions.sign_in(ctx, checks, Credentials(name, password, HERE))
        told.add((raised.value.status, raised.value.code, raised.value.detail))
    assert len(told) == 1
    await domains.disable_domain(ctx, OPERATOR, DOMAIN)
    with pytest.raises(AdminError, match="wrong"):
        await signed_in(ctx)
    assert state(ctx).tables["web_session"] == before.tables["web_session"] == []


async def test_failures_are_borne_five_times_then_a_wait_is_asked_for_that_ends(ctx: AdminContext) -> None:
    clock = Clock(NOW_MS)
    ctx = replace(ctx, now_ms=clock)
    await with_own_password(ctx)
    checks = sign_ins(ctx)
    for name in (AN, at("nobody")):
        for _ in range(5):
            with pytest.raises(AdminError, match="wrong"):
                await sessions.sign_in(ctx, checks, Credentials(name, "wrong", HERE))
        with pytest.raises(TryLater) as raised:
            await sessions.sign_in(ctx, checks, Credentials(name.upper(), OWN, HERE))
        assert (raised.value.status, raised.value.retry_after_s) == (429, 30)
    elsewhere = Credentials(AN, OWN, "192.0.2.8")
    assert (await sessions.sign_in(ctx, checks, elsewhere)).person.address == AN
    clock.now_ms += 30_000
    assert (await sessions.sign_in(ctx, checks, Credentials(AN, OWN, HERE))).person.address == AN


async def test_many_guesses_at_once_are_no_way_round(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    checks = sign_ins(ctx)
    guesses = [sessions.sign_in(ctx, checks, Credentials(AN, f"wrong {n}", HERE)) for n in range(12)]
    said = await asyncio.gather(*guesses, return_exceptions=True)
    assert [getattr(one, "status", None) for one in said].count(401) == 5


async def test_a_session_ends_idle_or_old_or_with_what_it_stood_for(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    made = await signed_in(ctx)
    assert await alive(later(ctx, 30 * MINUTE_MS - 1), made) is not None
    assert await alive(later(ctx, 30 * MINUTE_MS), made) is None, "idle for half an hour"
    async with ctx.db.write() as session:
        from mailgov.store.sessions import note_seen

        await note_seen(session, made.person.session_id, NOW_MS + 12 * 60 * MINUTE_MS - 1)
    assert await alive(later(ctx, 12 * 60 * MINUTE_MS - 1), made) is not None
    assert await alive(later(ctx, 12 * 60 * MINUTE_MS), made) is None, "half a day in any case"


@pytest.mark.parametrize("how", ["sign-out", "suspended", "password", "domain", "seat", "own change"])
async def test_a_session_is_over_at_once(ctx: AdminContext, how: str) -> None:
    await with_own_password(ctx)
    await seats.add_seat(ctx, OPERATOR, AN, Role.CLERK, agency="snv")
    made = await signed_in(ctx)
    assert made.person.seat == Seat("clerk", "snv")
    match how:
        case "sign-out":
            await sessions.sign_out(ctx, made.person)
        case "suspended":
            await accounts.disable_account(ctx, OPERATOR, AN)
            await accounts.enable_account(ctx, OPERATOR, AN)
        case "password":
            await accounts.set_password(ctx, OPERATOR, AN, None, first=True)
        case "domain":
            await domains.disable_domain(ctx, OPERATOR, DOMAIN)
        case "seat":
            await seats.remove_seat(ctx, OPERATOR, AN, Role.CLERK, agency="snv")
        case _:
            await changed(ctx)
    assert await alive(ctx, made) is None


async def test_a_session_acts_from_one_seat_and_another_one_is_a_new_session(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    for role, agency in ((Role.HEAD, "snv"), (Role.CLERK, "stc"), (Role.AUDITOR, None)):
        await seats.add_seat(ctx, OPERATOR, AN, role, agency=agency)
    made = await signed_in(ctx)
    assert made.person.seat == Seat("auditor", None)
    assert [seat.role for seat in made.person.seats] == ["auditor", "clerk", "head", "owner"]
    moved = await sessions.choose_seat(ctx, made.person, "clerk", "stc")
    assert (moved.person.actor.role, moved.person.actor.agency) == (Role.CLERK, "stc")
    assert moved.cookie != made.cookie
    assert moved.person.created_ms == made.person.created_ms
    assert await alive(ctx, made) is None
    before = state(ctx)
    for wrong, place in (("operator", None), ("clerk", "snv"), ("clerk", None), ("emperor", None)):
        with pytest.raises(AdminError, match="no such seat"):
            await sessions.choose_seat(ctx, moved.person, wrong, place)
    assert state(ctx) == before


async def test_cookies_are_not_kept(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    made = await signed_in(ctx)
    assert len(made.cookie) == 43
    assert made.cookie not in repr(state(ctx))
    assert made.cookie not in repr(made)
    assert made.person.csrf not in repr(made)


async def test_sessions_that_are_over_leave_with_the_next_sign_in(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    for _ in range(3):
        await signed_in(ctx)
    await signed_in(later(ctx, 31 * MINUTE_MS))
    assert len(state(ctx).tables["web_session"]) == 1


async def test_the_recovery_code_sets_a_password_once(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    code = (await changed(ctx)).recovery_code
    open_session = await signed_in(ctx, NEW)
    assert code not in repr(state(ctx))
    typed = f" {code.upper().replace('-', ' ')} "
    again = await passwords.reset_password(ctx, sign_ins(ctx), name="annv", code=typed, new=OWN, peer=HERE)
    assert again != code
    assert await alive(ctx, open_session) is None
    assert (await signed_in(ctx, OWN)).person.address == AN
    with pytest.raises(AdminError, match="recovery code is wrong"):
        await passwords.reset_password(ctx, sign_ins(ctx), name=AN, code=code, new=NEW, peer=HERE)


async def test_who_has_no_code_and_who_is_nobody_read_the_same(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    code = (await changed(ctx)).recovery_code
    checks, told = sign_ins(ctx), set()
    await accounts.disable_account(ctx, OPERATOR, AN)
    for name, tried in ((AN, code), (at("binhtt"), ""), (at("nobody"), code), (at("snv"), "None")):
        with pytest.raises(AdminError) as raised:
            await passwords.reset_password(ctx, checks, name=name, code=tried, new=OWN, peer=HERE)
        told.add((raised.value.status, raised.value.code, raised.value.detail))
    assert len(told) == 1


async def test_guessing_recovery_codes_is_bounded_like_passwords(ctx: AdminContext) -> None:
    checks = sign_ins(ctx)
    for _ in range(5):
        with pytest.raises(AdminError, match="wrong"):
            await passwords.reset_password(ctx, checks, name=AN, code="x", new=OWN, peer=HERE)
    with pytest.raises(TryLater):
        await passwords.reset_password(ctx, checks, name=AN, code="x", new=OWN, peer=HERE)


async def test_an_administrators_first_password_ends_the_recovery_code(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    code = (await changed(ctx)).recovery_code
    await accounts.set_password(ctx, OPERATOR, AN, None, first=True)
    with pytest.raises(AdminError, match="wrong"):
        await passwords.reset_password(ctx, sign_ins(ctx), name=AN, code=code, new=OWN, peer=HERE)


@pytest.mark.parametrize(
    ("new", "detail"),
    [
        ("short", "at least 14"),
        ("dưới mức ấy", "at least 14"),
        ("a" * 20, "different"),
        (AN, "address or name"),
        ("annv Annv annv!", "address or name"),
        ("nguyễn văn An 1", "address or name"),
        ("x" * 1025, "at most 1024"),
        ("line\nbreak and more", "control"),
        (OWN, "the current one"),
    ],
)
async def test_passwords_that_will_not_do_change_nothing(ctx: AdminContext, new: str, detail: str) -> None:
    await with_own_password(ctx)
    made = await signed_in(ctx)
    before = state(ctx)
    with pytest.raises(AdminError, match=detail):
        await passwords.change_password(ctx, sign_ins(ctx), made.person, current=OWN, new=new, peer=HERE)
    assert state(ctx) == before


async def test_a_change_needs_the_current_password(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    made = await signed_in(ctx)
    before = state(ctx)
    for current in ("wrong", "", None):
        with pytest.raises(AdminError) as raised:
            await passwords.change_password(
                ctx, sign_ins(ctx), made.person, current=current, new=NEW, peer=HERE
            )
        assert (raised.value.status, raised.value.code) == (403, "wrong-password")
    assert state(ctx) == before


class Interrupted(SignIns):
    """While a right password is on its way to the act, an administrator replaces it."""

    ctx: AdminContext

    async def matches(
        self, holder: Holder | None, attempt: Attempt, password: str, *, known: bool = False
    ) -> bool:
        right = await SignIns.matches(self, holder, attempt, password, known=known)
        if right:
            await accounts.set_password(self.ctx, OPERATOR, AN, None, first=True)
        return right


async def test_what_changed_between_check_and_act_is_not_overwritten(ctx: AdminContext) -> None:
    await with_own_password(ctx)
    made, checks = await signed_in(ctx), sign_ins(ctx)
    interrupted = Interrupted(checks.checker, checks.gate, checks.first_key)
    Interrupted.ctx = ctx
    with pytest.raises(AdminError, match="meanwhile"):
        await passwords.change_password(ctx, interrupted, made.person, current=OWN, new=NEW, peer=HERE)
    entry = (await load_snapshot(ctx.db, NOW_MS)).account(AN)
    assert entry is not None
    assert entry.must_change
