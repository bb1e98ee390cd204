"""What workers say of themselves, and the numbers of what waits."""

from __future__ import annotations

from typing import Any

from mailgov.store import status
from mailgov.store.engine import Database
from mailgov.store.ledger import apply_events
from tests.unit.store.events import START_MS, message, numbered, outcome, recipient

MINUTE = 1_764_435_600_000
DOOR = {(MINUTE, "mx", "192.0.2.1", "unknown-recipient"): 3, (MINUTE, "mx", "other", "relaying"): 1}


async def report(database: Database, worker: str = "relay-0", **more: Any) -> None:
    said: dict[str, Any] = {
        "node": "node-1",
        "worker": worker,
        "pid": 42,
        "now_ms": MINUTE + 1000,
        "started_ms": MINUTE,
        "policy_hash": "abc",
        "policy_error": None,
        "directory_revision": 7,
        "counters": {"accepted": 1},
        "door": {},
    }
    await status.report(database, **said | more)


async def test_a_report_replaces_the_one_before_and_adds_to_the_door(database: Database) -> None:
    await report(database, door=DOOR)
    await report(
        database, now_ms=MINUTE + 3000, counters={"accepted": 5}, policy_error="rules.toml:3", door=DOOR
    )
    await report(database, worker="relay-1", now_ms=MINUTE)
    first, second = await status.workers(database)
    assert (first.worker, first.at_ms, first.counters, first.policy_error) == (
        "relay-0", MINUTE + 3000, {"accepted": 5}, "rules.toml:3",
    )  # fmt: skip
    assert (second.worker, second.directory_revision) == ("relay-1", 7)
    assert [worker.worker for worker in await status.workers(database, since_ms=MINUTE + 1)] == ["relay-0"]
    assert await status.door_totals(database, MINUTE) == {
        ("mx", "unknown-recipient"): 6,
        ("mx", "relaying"): 2,
    }
    assert await status.door_totals(database, MINUTE + 1) == {}


async def test_old_reports_are_forgotten(database: Database) -> None:
    await report(database, door=DOOR)
    await status.prune(database, MINUTE + 1001)
    assert await status.workers(database) == []
    assert await status.door_totals(database, 0) == {}


async def test_policies_are_kept_once_with_their_files(database: Database) -> None:
    for now_ms in (5, 9):
        async with database.write() as session:
            await status.note_policy(session, "abc", {"rules.toml": "# luật"}, now_ms)
    async with database.write() as session:
        await status.note_policy(session, "def", {}, 7)
    assert await status.policy_files(database, "abc") == {"rules.toml": "# luật"}
    assert await status.policy_files(database, "xyz") is None
    assert await status.policy_versions(database) == [("def", 7), ("abc", 5)]


async def test_totals_of_what_waits(database: Database) -> None:
    assert (await status.totals(database)).waiting == {"queued": 0, "deferred": 0, "held": 0}
    recipients = [recipient(0), recipient(1), recipient(2, state="held"), recipient(3)]
    events = numbered(message(1, START_MS, *recipients), outcome(1, 0), outcome(1, 1, "deferred"), outcome(9))
    await apply_events(database, "s", "n", events, START_MS)
    totals = await status.totals(database)
    assert totals.waiting == {"queued": 1, "deferred": 1, "held": 1}
    assert (totals.unapplied_events, totals.outgoing, totals.commands) == (1, 0, 0)
