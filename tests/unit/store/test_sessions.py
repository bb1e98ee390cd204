"""Sessions of browsers in the ledger, on both databases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from mailgov.store import accounts, directory, seats, sessions
from mailgov.store.directory import Session
from mailgov.store.engine import Database
from mailgov.store.seats import Seat
from mailgov.store.sessions import SessionView

NOW_MS = 1_763_722_800_000
AN = "an@caobang.gov.vn"
CLERK = Seat("clerk", "snv")


async def make(session: Session, address: str = AN) -> int:
    await accounts.add_account(
        session, address, kind="personal", display_name="An", password_hash=None,
        must_change_password=True, citizen_desk=False, sample=False, post=None, now_ms=NOW_MS,
    )  # fmt: skip
    found = await sessions.find_holder(session, address)
    assert found is not None
    return found.id


async def begin(database: Database, token_hash: str = "h1", address: str = AN) -> None:
    async with database.write() as session:
        if await directory.find_domain(session, "caobang.gov.vn") is None:
            await directory.add_domain(session, "caobang.gov.vn", NOW_MS)
        account = await make(session, address)
        await seats.add_seat(session, address, CLERK, NOW_MS)
        await sessions.add_session(session, token_hash, account, CLERK, created_ms=NOW_MS, now_ms=NOW_MS)


async def found(database: Database, token_hash: str = "h1") -> SessionView | None:
    async with database.read() as session:
        return await sessions.find_session(session, token_hash)


async def test_a_session_comes_with_its_account_and_seats(database: Database) -> None:
    await begin(database)
    view = await found(database)
    assert view is not None
    assert (view.holder.address, view.holder.must_change_password, view.holder.shut) == (AN, True, False)
    assert (view.seat, view.holder.seats) == (CLERK, (CLERK,))
    assert (view.created_ms, view.seen_ms, view.ended_ms) == (NOW_MS, NOW_MS, None)
    assert await found(database, "h2") is None


SHUT: list[Callable[[Session], Awaitable[object]]] = [
    lambda session: accounts.set_suspended(session, AN, NOW_MS),
    lambda session: directory.set_domain_disabled(session, "caobang.gov.vn", NOW_MS),
]


@pytest.mark.parametrize("how", SHUT)
async def test_a_suspended_account_and_one_of_a_disabled_domain_are_shut(
    database: Database, how: Callable[[Session], Awaitable[object]]
) -> None:
    await begin(database)
    async with database.write() as session:
        await how(session)
    view = await found(database)
    assert view is not None
    assert view.holder.shut


async def test_ending_is_for_one_session_or_for_an_account(database: Database) -> None:
    await begin(database)
    await begin(database, "other", "binh@caobang.gov.vn")
    view = await found(database)
    assert view is not None
    async with database.write() as session:
        await sessions.add_session(session, "h2", view.holder.id, CLERK, created_ms=NOW_MS, now_ms=NOW_MS)
        await sessions.note_seen(session, view.id, NOW_MS + 5)
        await sessions.end_session(session, view.id, NOW_MS + 6)
    ended = await found(database)
    assert ended is not None
    assert (ended.seen_ms, ended.ended_ms) == (NOW_MS + 5, NOW_MS + 6)
    async with database.write() as session:
        await sessions.end_sessions(session, AN, NOW_MS + 7)
    marks = [view.ended_ms for view in [await found(database, h) for h in ("h1", "h2", "other")] if view]
    assert marks == [NOW_MS + 6, NOW_MS + 7, None], "an end stays the first one"


@pytest.mark.parametrize(
    ("created_before", "seen_before", "left"),
    [(NOW_MS, NOW_MS, True), (NOW_MS + 1, NOW_MS, False), (NOW_MS, NOW_MS + 1, False)],
)
async def test_rows_past_their_time_go_away(
    database: Database, created_before: int, seen_before: int, left: bool
) -> None:
    await begin(database)
    async with database.write() as session:
        await sessions.forget_sessions(session, created_before_ms=created_before, seen_before_ms=seen_before)
    assert (await found(database) is not None) is left


async def test_a_new_password_takes_the_recovery_code_along(database: Database) -> None:
    await begin(database)
    for recovery in ("r1", None):
        async with database.write() as session:
            await accounts.set_password(
                session, AN, "h", must_change=False, recovery_hash=recovery, now_ms=NOW_MS + 1
            )
        view = await found(database)
        assert view is not None
        assert (view.holder.recovery_hash, view.holder.password_set_ms) == (recovery, NOW_MS + 1)


async def test_the_sole_domain(database: Database) -> None:
    async with database.write() as session:
        assert await sessions.sole_domain(session) is None
        await directory.add_domain(session, "a.vn", NOW_MS)
        assert await sessions.sole_domain(session) == "a.vn"
        await directory.add_domain(session, "b.vn", NOW_MS)
        assert await sessions.sole_domain(session) is None
        await directory.set_domain_disabled(session, "a.vn", NOW_MS)
        assert await sessions.sole_domain(session) == "b.vn"
