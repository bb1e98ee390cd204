"""The audit chain: every kind of tampering shows, erasing does not break it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from mailgov.store import audit
from mailgov.store.directory import bump_policy_revision, bump_revision
from mailgov.store.engine import Database
from mailgov.store.sql import columns
from mailgov.store.tables import Audit, DirectoryState

C = columns(Audit)


async def act(database: Database, number: int, writer: str = "web@node-1", content: Any = None) -> None:
    async with database.write() as session:
        await audit.record(
            session,
            writer=writer,
            actor="quantri",
            role="operator",
            act="account.suspend",
            object=f"account:{number}",
            content=content if content is not None else {"lý do": "nghỉ hưu", "number": number},
            now_ms=1_700_000_000_000 + number,
            salt=f"{number:032x}",
        )


async def chain(database: Database, length: int = 4) -> None:
    for number in range(1, length + 1):
        await act(database, number)


async def directory_act(database: Database, number: int, *, policy: bool = False) -> None:
    """As acts of the directory and of the policy are: revision and row in one transaction."""
    async with database.write() as session:
        await (bump_policy_revision if policy else bump_revision)(session)
        await audit.record(
            session,
            writer="admin",
            actor="quantri",
            role="operator",
            act="policy.load" if policy else "alias.add",
            object=str(number),
            content=None,
            now_ms=1_700_000_000_000 + number,
            salt=f"{number:032x}",
        )


async def problems(database: Database) -> list[str]:
    """`writer sequence: problem` each; the problem alone for the whole log."""
    found = (await audit.verify(database)).problems
    return [f"{one.writer} {one.sequence}: {one.problem}" if one.writer else one.problem for one in found]


async def change(database: Database, *statements: Any) -> None:
    async with database.write() as session:
        for statement in statements:
            await session.execute(statement)


async def test_chains_of_several_writers_hold(database: Database) -> None:
    await chain(database)
    await act(database, 9, writer="cli@node-2")
    report = await audit.verify(database)
    assert (report.chains, report.rows, report.problems) == (2, 5, [])
    assert [(head.writer, head.sequence, head.rows) for head in await audit.heads(database)] == [
        ("cli@node-2", 1, 1),
        ("web@node-1", 4, 4),
    ]


@pytest.mark.parametrize(
    ("values", "finding"),
    [
        ({"actor": "người khác"}, "the row was changed"),
        ({"at_ms": 1}, "the row was changed"),
        ({"content": {"lý do": "khác"}}, "the content was changed"),
        ({"salt": "00"}, "the content was changed"),
        ({"salt": None}, "the content has lost its salt"),
        ({"previous_hash": "00"}, "does not follow the row before it"),
    ],
)
async def test_a_changed_row_shows(database: Database, values: dict[str, Any], finding: str) -> None:
    await chain(database)
    await change(database, update(Audit).where(C.sequence == 2).values(**values))
    found = await problems(database)
    assert f"web@node-1 2: {finding}" in found


async def test_a_forged_row_with_its_own_hash_breaks_the_next(database: Database) -> None:
    await chain(database)
    async with database.read() as session:
        row = dict((await session.execute(select(*C).where(C.sequence == 2))).one()._mapping)
    row["actor"] = "người khác"
    await change(
        database, update(Audit).where(C.sequence == 2).values(actor=row["actor"], hash=audit._hash(row))
    )
    assert await problems(database) == ["web@node-1 3: does not follow the row before it"]


async def test_a_removed_row_shows(database: Database) -> None:
    await chain(database)
    await change(database, delete(Audit).where(C.sequence == 2))
    assert await problems(database) == [
        "web@node-1 3: rows 2 to 2 are missing",
        "web@node-1 3: does not follow the row before it",
    ]


async def test_a_removed_first_row_shows(database: Database) -> None:
    await chain(database)
    await change(database, delete(Audit).where(C.sequence == 1))
    assert "web@node-1 2: rows 1 to 1 are missing" in await problems(database)


async def test_reordered_rows_show(database: Database) -> None:
    await chain(database)
    await change(
        database,
        update(Audit).where(C.sequence == 2).values(sequence=99),
        update(Audit).where(C.sequence == 3).values(sequence=2),
        update(Audit).where(C.sequence == 99).values(sequence=3),
    )
    found = await problems(database)
    assert "web@node-1 2: does not follow the row before it" in found
    assert "web@node-1 2: the row was changed" in found


async def test_erased_content_keeps_the_chain(database: Database) -> None:
    await chain(database)
    async with database.write() as session:
        await audit.erase(session, "web@node-1", 2)
    assert await problems(database) == []
    async with database.read() as session:
        row = (await session.execute(select(C.content, C.salt).where(C.sequence == 2))).one()
    assert tuple(row) == (None, None)
    assert (await audit.verify(database)).erased == 1, "and is said"


async def test_an_act_that_fails_leaves_no_row(database: Database) -> None:
    async def act_and_fail() -> None:
        async with database.write() as session:
            await audit.record(
                session,
                writer="w",
                actor="a",
                role="r",
                act="x",
                object="o",
                content=None,
                now_ms=1,
                salt="s",
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await act_and_fail()
    assert (await audit.verify(database)).rows == 0


async def test_acts_at_the_same_time_make_one_chain(database: Database) -> None:
    await asyncio.gather(*(act(database, number) for number in range(12)))
    report = await audit.verify(database)
    assert (report.chains, report.rows, report.problems) == (1, 12, [])


@pytest.mark.parametrize("keep", [0, 1, 3])
async def test_an_emptied_log_and_one_without_its_end_show(database: Database, keep: int) -> None:
    for number in range(1, 5):
        await directory_act(database, number, policy=number == 4)
    assert await problems(database) == []
    await change(database, delete(Audit).where(C.sequence > keep))
    assert await problems(database) == [
        f"only {keep} of at least 4 acts on directory and policy are in the log"
    ]


async def test_lost_revisions_show(database: Database) -> None:
    await directory_act(database, 1)
    await change(database, delete(DirectoryState))
    assert await problems(database) == ["the revisions of directory and policy are missing"]


async def test_a_problem_says_which_act_and_when(database: Database) -> None:
    await chain(database)
    await change(database, update(Audit).where(C.sequence == 2).values(actor="người khác"))
    (problem,) = (await audit.verify(database)).problems
    assert (problem.act, problem.at_ms) == ("account.suspend", 1_700_000_000_002)
