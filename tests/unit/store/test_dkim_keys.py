"""A key's states in the ledger, on both databases."""

from __future__ import annotations

from mailgov.store import dkim_keys
from mailgov.store.directory import add_domain
from mailgov.store.dkim_keys import DkimKeyView
from mailgov.store.engine import Database
from mailgov.store.snapshot import load_snapshot

DOMAIN = "caobang.gov.vn"


def key(selector: str, algorithm: str = "rsa", state: str = "pending") -> DkimKeyView:
    return DkimKeyView(DOMAIN, selector, algorithm, "MIIB", f"{selector}.pem", state, 1)


async def states(database: Database) -> dict[str, str]:
    async with database.read() as session:
        return {one.selector: one.state for one in await dkim_keys.list_keys(session, DOMAIN)}


async def test_one_key_of_an_algorithm_signs(database: Database) -> None:
    old, new, other = key("old", state="active"), key("new"), key("other", "ed25519", "active")
    async with database.write() as session:
        await add_domain(session, DOMAIN, 1)
        for one in (old, new, other):
            await dkim_keys.add_key(session, one)
        assert not await dkim_keys.retire(session, new, 2, 9), "it does not sign"
    async with database.write() as session:
        assert await dkim_keys.begin(session, new, 5, 9) == ["old"]
        assert await dkim_keys.begin(session, new, 6, 9) is None, "once"
    assert await states(database) == {"old": "retired", "new": "active", "other": "active"}
    signing = (await load_snapshot(database, 10)).signing_keys[DOMAIN]
    assert {one.selector for one in signing} == {"new", "other"}
    async with database.write() as session:
        assert await dkim_keys.retire(session, other, 7, 9)
        assert not await dkim_keys.retire(session, new, 7, 9), "the last one"
        (there,) = [one for one in await dkim_keys.list_keys(session) if one.selector == "old"]
        assert not await dkim_keys.postpone(session, there, 99), "no mail waits"
        assert await dkim_keys.withdraw(session, old)
        assert not await dkim_keys.withdraw(session, old)
        assert not await dkim_keys.withdraw(session, new)
    assert await states(database) == {"old": "withdrawn", "new": "active", "other": "retired"}


async def test_what_the_dns_said_is_kept_within_bounds(database: Database) -> None:
    async with database.write() as session:
        await add_domain(session, DOMAIN, 1)
        await dkim_keys.add_key(session, key("new"))
        await dkim_keys.note_standing(session, key("new"), "published", "x" * 1000, 3, 4)
    async with database.read() as session:
        (seen,) = await dkim_keys.list_keys(session)
    assert (seen.standing, seen.seen_ms, seen.checked_ms, len(seen.detail or "")) == ("published", 3, 4, 200)
