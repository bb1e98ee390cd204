"""Sign-ins by day, account and protocol."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from mailgov.store.engine import Database
from mailgov.store.sign_ins import add_sign_ins
from mailgov.store.sql import columns, table
from mailgov.store.tables import SignIn
from mailgov.store.tallies import SignInTally

LATE = int(datetime.fromisoformat("2026-11-03T23:59:59+07:00").timestamp() * 1000)
AN = "annv@caobang.gov.vn"


async def rows(database: Database) -> list[tuple[Any, ...]]:
    query = select(*columns(SignIn)).order_by(*table(SignIn).primary_key)
    async with database.read() as session:
        return [tuple(row) for row in await session.execute(query)]


async def tell(database: Database, tally: SignInTally) -> None:
    async with database.write() as session:
        await add_sign_ins(session, tally.take())


async def test_they_add_up_by_local_day_and_protocol(database: Database) -> None:
    tally = SignInTally()
    for protocol, at_ms in (("imap", LATE), ("imap", LATE - 5), ("submission", LATE), ("imap", LATE + 1000)):
        tally.note(AN, protocol, at_ms)
    await tell(database, tally)
    tally.note(AN, "imap", LATE - 10)  # another process tells later of what was earlier
    await tell(database, tally)
    assert await rows(database) == [
        (date(2026, 11, 3), AN, "imap", 3, LATE),
        (date(2026, 11, 3), AN, "submission", 1, LATE),
        (date(2026, 11, 4), AN, "imap", 1, LATE + 1000),
    ]


async def test_what_the_ledger_did_not_take_is_told_with_the_next(database: Database) -> None:
    tally = SignInTally()
    tally.note(AN, "imap", LATE)
    taken = tally.take()
    tally.note(AN, "imap", LATE + 1000)
    tally.give(taken)
    await tell(database, tally)
    await tell(database, tally)  # nothing is told twice
    assert [row[3] for row in await rows(database)] == [1, 1]
