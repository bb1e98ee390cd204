"""Mail of our own on its way to a relay: kept once, taken once, taken again when its taker died."""

from __future__ import annotations

import asyncio

from mailgov.store import outgoing, status
from mailgov.store.engine import Database

NOW = 1_000_000


async def put(database: Database, key: str, content: bytes = b"Subject: x\r\n\r\nb\xff\x00\r\n") -> bool:
    async with database.write() as session:
        return await outgoing.put(
            session,
            idempotency_key=key,
            reverse_path="",
            recipients=["an@caobang.gov.vn", "bình@caobang.gov.vn"],
            content=content,
            now_ms=NOW,
        )


async def test_a_key_is_kept_once(database: Database) -> None:
    assert [
        await put(database, "report:1"),
        await put(database, "report:1"),
        await put(database, "report:2"),
    ] == [
        True,
        False,
        True,
    ]
    assert (await status.totals(database)).outgoing == 2


async def test_what_goes_another_way_is_claimed_once_and_no_relays(database: Database) -> None:
    assert [await outgoing.claim(database, "report:1", NOW) for _ in range(2)] == [True, False]
    assert await outgoing.take(database, "spool-1", NOW) == []
    assert (await status.totals(database)).outgoing == 0
    await outgoing.give_up(database, "report:1")
    assert await outgoing.claim(database, "report:1", NOW)


async def test_taken_and_marked(database: Database) -> None:
    await put(database, "a")
    (mail,) = await outgoing.take(database, "spool-1", NOW)
    assert (mail.reverse_path, mail.recipients) == ("", ("an@caobang.gov.vn", "bình@caobang.gov.vn"))
    assert mail.content == b"Subject: x\r\n\r\nb\xff\x00\r\n"
    await outgoing.mark_taken(database, mail.id, "q1", NOW + 1)
    assert await outgoing.take(database, "spool-1", NOW + 10 * outgoing.LEASE_MS) == []
    assert (await status.totals(database)).outgoing == 0
    assert not await put(database, "a"), "the key outlives the mail"


async def test_a_claim_ends_by_itself(database: Database) -> None:
    await put(database, "a")
    assert len(await outgoing.take(database, "spool-1", NOW)) == 1
    assert await outgoing.take(database, "spool-2", NOW + outgoing.LEASE_MS - 1) == []
    assert len(await outgoing.take(database, "spool-2", NOW + outgoing.LEASE_MS)) == 1


async def test_two_relays_share_without_overlap(database: Database) -> None:
    for number in range(30):
        await put(database, f"k{number}")
    taken = await asyncio.gather(*(outgoing.take(database, f"s{n}", NOW, limit=10) for n in range(4)))
    ids = [mail.id for some in taken for mail in some]
    assert len(ids) == len(set(ids))
    rest = await outgoing.take(database, "s9", NOW, limit=100)
    assert len(ids) + len(rest) == 30
