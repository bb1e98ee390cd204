"""Keys of requests that were carried out, on both databases."""

from __future__ import annotations

import asyncio

import pytest

from mailgov.store import idempotency
from mailgov.store.directory import hold_directory
from mailgov.store.engine import Conflict, Database
from mailgov.store.held import HeldChange
from mailgov.store.idempotency import Kept
from mailgov.store.sql import table
from mailgov.store.tables import Domain


async def test_a_key_is_taken_once(database: Database) -> None:
    async with database.write() as session:
        assert await idempotency.take(session, "a", "k", "hash", 1) is None
        await idempotency.keep(session, "a", "k", 201, b"answer")
    async with database.write() as session:
        assert await idempotency.take(session, "a", "k", "other", 2) == Kept("hash", 201, b"answer")
        assert await idempotency.take(session, "b", "k", "other", 2) is None
        await idempotency.keep(session, "b", "k", 200, b"")
        assert (await idempotency.count(session, "a"), await idempotency.count(session, "c")) == (1, 0)
        await idempotency.forget_before(session, 2)
        assert await idempotency.take(session, "a", "k", "other", 2) is None


async def test_the_second_of_two_at_once_waits_for_the_first(database: Database) -> None:
    held, seen = asyncio.Event(), []

    async def first() -> None:
        async with database.write() as session:
            await idempotency.take(session, "a", "k", "hash", 1)
            held.set()
            await asyncio.sleep(0)
            seen.append("first")
            await idempotency.keep(session, "a", "k", 200, b"done")

    async def second() -> None:
        await held.wait()
        async with database.write() as session:
            assert await idempotency.take(session, "a", "k", "hash", 1) == Kept("hash", 200, b"done")
            seen.append("second")

    await asyncio.gather(first(), second())
    assert seen == ["first", "second"]


async def test_a_condition_holds_until_its_transaction_ends(database: Database) -> None:
    held, seen = asyncio.Event(), []

    async def first() -> None:
        async with database.write() as session:
            await hold_directory(session)
            held.set()
            for _ in range(20):
                await asyncio.sleep(0.005)  # time for the other one to come in between, were it let
            seen.append("first")

    async def second() -> None:
        await held.wait()
        async with database.write() as session:
            await hold_directory(session)
            seen.append("second")

    await asyncio.gather(first(), second())
    assert seen == ["first", "second"]


async def test_acts_in_a_held_transaction_commit_together_or_not_at_all(database: Database) -> None:
    async def add(ledger: Database, name: str) -> None:
        async with ledger.write() as session:
            await session.execute(table(Domain).insert().values(name=name, created_ms=1))

    async def found() -> int:
        async with database.read() as session:
            return len((await session.execute(table(Domain).select())).all())

    async def add_twice() -> None:
        async with database.write() as session:
            for _ in range(2):
                await add(HeldChange(database, session), "a.vn")

    with pytest.raises(Conflict):
        await add_twice()
    assert await found() == 0
    async with database.write() as session:
        ledger = HeldChange(database, session)
        await add(ledger, "a.vn")
        async with ledger.read() as reading:
            assert len((await reading.execute(table(Domain).select())).all()) == 1
        await add(ledger, "b.vn")
        await ledger.dispose()
    assert await found() == 2
