"""Results of TLS with other servers: counted by day and policy, added up, told, forgotten."""

from __future__ import annotations

from datetime import UTC, date, datetime

from mailgov.store import status, tallies
from mailgov.store.engine import Database
from mailgov.store.tallies import Counted, Key, Policy, TlsTally
from mailgov.store.tls_results import lines

DAY_MS = 86_400_000
DAY = date(2026, 11, 3)
NOON_MS = int(datetime(2026, 11, 3, 12, tzinfo=UTC).timestamp()) * 1000
STS = Policy("sts", "example.org", "mx.example.org", "version: STSv1\n")


async def tell(database: Database, tally: TlsTally) -> None:
    await status.report(
        database, node="n", worker="relay.0", pid=1, now_ms=NOON_MS, started_ms=1, policy_hash=None,
        policy_error=None, directory_revision=1, counters={}, door={}, tls=tally.take(),
    )  # fmt: skip


async def shown(database: Database) -> list[tuple[Key, int]]:
    async with database.read() as session:
        return await lines(session, date(2026, 1, 1), date(2027, 1, 1), 100)


async def test_what_workers_count_is_added_up_by_day(database: Database) -> None:
    tally = TlsTally()
    for result in (None, None, "certificate-expired"):
        tally.count(NOON_MS, STS, result)
    tally.count(NOON_MS - DAY_MS, STS, None)
    await tell(database, tally)
    tally.count(NOON_MS, STS._replace(text="another"), None)
    await tell(database, tally)
    await tell(database, tally)
    key = Key(DAY, "example.org", "sts", "mx.example.org", "success")
    assert await shown(database) == [
        (key, 3),
        (key._replace(result="certificate-expired"), 1),
        (key._replace(day=date(2026, 11, 2)), 1),
    ]
    await status.prune(database, NOON_MS)
    assert [one[0].day for one in await shown(database)] == [DAY, DAY]


def test_what_the_ledger_did_not_take_is_counted_on_within_bounds() -> None:
    tally = TlsTally()
    tally.count(NOON_MS, STS, None)
    taken = tally.take()
    tally.count(NOON_MS, STS, None)
    tally.give(taken)
    assert list(tally.take().values()) == [Counted(2, STS.text)]
    for number in range(tallies.KEYS_LIMIT + 10):
        tally.count(NOON_MS, STS._replace(domain=f"d{number}.example"), None)
    assert (len(tally.take()), tally.lost) == (tallies.KEYS_LIMIT, 10)
