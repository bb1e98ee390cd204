"""Requests to the owners of spools: answered once, by the owner."""

from __future__ import annotations

import pytest

from mailgov.store import commands
from mailgov.store.engine import Database


async def ask(
    database: Database, spool_id: str = "aaaa", act: str = "hold", position: int | None = None
) -> int:
    async with database.write() as session:
        return await commands.enqueue(
            session,
            spool_id=spool_id,
            queue_id="q1",
            position=position,
            act=act,
            actor="quantri",
            reason="nghi ngờ",
            expected_state="queued",
            now_ms=100,
        )


async def test_the_owner_sees_its_requests_in_order_and_answers_once(database: Database) -> None:
    first, second, other = (
        await ask(database),
        await ask(database, act="release", position=2),
        await ask(database, "bb"),
    )
    found = await commands.pending(database, "aaaa")
    assert [(one.id, one.act, one.position) for one in found] == [
        (first, "hold", None),
        (second, "release", 2),
    ]
    assert (found[0].actor, found[0].reason, found[0].expected_state) == ("quantri", "nghi ngờ", "queued")
    assert [one.id for one in await commands.pending(database, "aaaa", limit=1)] == [first]

    await commands.finish(database, first, "refused", "no longer there", 200)
    await commands.finish(database, first, "done", "late", 300)
    answered = await commands.get(database, first)
    assert answered is not None
    assert (answered.result, answered.result_text, answered.done_ms) == ("refused", "no longer there", 200)
    assert [one.id for one in await commands.pending(database, "aaaa")] == [second]
    assert [one.id for one in await commands.pending(database, "bb")] == [other]


async def test_unknown_acts_and_ids(database: Database) -> None:
    with pytest.raises(ValueError, match="unknown act"):
        await ask(database, act="explode")
    assert await commands.get(database, 12345) is None
