"""Many directory rows at once, on both databases."""

from __future__ import annotations

from datetime import date

import pytest

from mailgov.store import bulk
from mailgov.store.accounts import Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.bulk import AccountRow
from mailgov.store.engine import Conflict, Database


def row(number: int, *posts: Post, password_hash: str | None = None, suspended: bool = False) -> AccountRow:
    return AccountRow(
        f"a{number}@x.vn", f"A {number}", "personal", False, suspended, False, posts, password_hash
    )


async def test_what_was_written_stands(database: Database) -> None:
    span = AgencySpan("snv", "Sở", "province", valid_from=date(2020, 1, 1))
    posts = (Post("snv", "khac", None, date(2026, 1, 1)), Post("snv", "can_bo", date(2026, 1, 1), None))
    rows = [row(number, *posts[: number % 3]) for number in range(1200)]
    rows += [row(5000, password_hash="first$x"), row(5001, suspended=True)]
    told: list[int] = []
    async with database.write() as session:
        await bulk.add_spans(session, [span], 7)
        await bulk.add_accounts(session, rows, 7, told.append)
    assert told == [500, 1000, 1202]
    async with database.read() as session:
        found = await bulk.standing(session)
    assert found.spans == [span]
    assert len(found.accounts) == 1202
    assert found.accounts["a2@x.vn"].posts == posts
    assert found.accounts["a0@x.vn"].posts == ()
    first = found.accounts["a5000@x.vn"]
    assert (first.has_password, first.must_change_password, first.created_ms) == (True, True, 7)
    assert (first.suspended_ms, found.accounts["a5001@x.vn"].suspended_ms) == (None, 7)


async def test_an_address_that_is_taken_undoes_all(database: Database) -> None:
    async def add(*numbers: int) -> None:
        async with database.write() as session:
            await bulk.add_accounts(session, [row(number) for number in numbers], 1)

    await add(1)
    with pytest.raises(Conflict):
        await add(2, 1)
    async with database.read() as session:
        assert list((await bulk.standing(session)).accounts) == ["a1@x.vn"]


async def test_nothing_to_write_is_nothing_written(database: Database) -> None:
    async with database.write() as session:
        await bulk.add_spans(session, [], 1)
        await bulk.add_accounts(session, [], 1)
    async with database.read() as session:
        assert await bulk.standing(session) == bulk.Standing({}, [], {}, frozenset())
