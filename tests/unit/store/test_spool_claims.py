"""Claims from a long queue: only what may be claimed is looked at, and the writer is not kept waiting."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mailgov.store.spool import Change, Progress, Turn, waiting
from mailgov.store.spool.passed import AGAIN_MS, LAG_MS, Passed
from mailgov.store.spool.schema import connect
from mailgov.store.spool.spool import LEASE_MS, Spool
from tests.support.deferred_spool import RECIPIENTS, fill
from tests.unit.store.test_spool import NOW, executor, message, open_spool, spool

__all__ = ["executor", "spool"]


def seen(passed: Passed, now_ms: int, skip: set[str], until_ms: int, *, remote: bool = True) -> int:
    """From where it is looked; it is looked until then."""
    from_ms = passed.from_ms(now_ms, skip, local=True, remote=remote)
    passed.note(now_ms, skip, local=True, remote=remote, until_ms=until_ms)
    return from_ms


def test_what_was_passed_over_is_not_looked_at_again_while_no_more_may_be_claimed() -> None:
    passed, a_minute = Passed(), 60_000
    assert seen(passed, NOW, {"a"}, NOW - a_minute) == 0
    assert seen(passed, NOW + 1000, {"a"}, NOW) == NOW - a_minute - LAG_MS
    assert seen(passed, NOW + 2000, {"a", "b"}, NOW) == NOW - LAG_MS, "less may be claimed"
    assert seen(passed, NOW + 3000, {"a"}, NOW) == 0, "b may be claimed again"
    assert seen(passed, NOW + 4000, {"a"}, NOW, remote=False) == NOW - LAG_MS
    assert seen(passed, NOW + 5000, {"a"}, NOW) == 0, "so may others'"
    assert seen(passed, NOW + 6000, set(), NOW) == 0, "nothing is held back: all is looked at"
    assert seen(passed, NOW - 1000, {"a"}, NOW) == 0, "the clock was set back"
    assert seen(passed, NOW, {"a"}, NOW) > 0
    assert seen(passed, NOW + AGAIN_MS, {"a"}, NOW) == 0, (
        "from time to time it is looked at whatever was seen"
    )


async def test_a_full_lanes_mail_is_left_and_comes_when_it_has_room(spool: Spool) -> None:
    await spool.apply(Change(messages=[message(f"Q{n}", due_ms=NOW - 1000 + n) for n in range(5)]))
    assert await spool.claim(NOW, 10, skip={"example.org"}) == []
    assert await spool.claim(NOW, 10, remote=False) == []
    assert len(await spool.claim(NOW, 2)) == 2
    assert await spool.claim(NOW, 10, skip={"example.org"}) == []
    assert [m.queue_id for m in await spool.claim(NOW, 10)] == ["Q2", "Q3", "Q4"]


async def test_what_is_dropped_or_held_between_looking_and_leasing_is_not_claimed(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await spool.apply(Change(messages=[message("Q1", 3)]))
    run = spool._writer.run

    async def late(operation, after=None, **more):  # type: ignore[no-untyped-def]  # as it is called
        monkeypatch.undo()
        gone = [Progress("Q1", 0, None, 1), Progress("Q1", 1, "held", 0, NOW)]
        await spool.apply(Change(progress=gone))
        return await run(operation, after, **more)

    monkeypatch.setattr(spool._writer, "run", late)
    (claimed,) = await spool.claim(NOW, 10)
    assert [r.position for r in claimed.recipients] == [2]


def test_a_spool_of_an_earlier_version_gets_the_index(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    open_spool(tmp_path / "0", executor).close()
    old = connect(tmp_path / "0" / "spool.sqlite")
    old.executescript("DROP INDEX recipient_ready; CREATE INDEX recipient_due ON recipient (state, due_ms)")
    old.close()
    open_spool(tmp_path / "0", executor).close()
    with sqlite3.connect(tmp_path / "0" / "spool.sqlite") as new:
        names = {row[0] for row in new.execute("SELECT name FROM sqlite_master WHERE type='index'")}
    assert "recipient_ready" in names
    assert "recipient_due" not in names


@pytest.mark.slow
async def test_two_hundred_thousand_deferred_recipients_are_claimed_from_in_no_time(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    """The bounds are some times what a busy machine needs; a look at every row takes a hundred times that."""
    count, domains = 200_000, 1000
    fill(tmp_path / "0", count, domains=domains, now_ms=NOW, due_within_ms=8 * 3_600_000)

    def spent_s(since_s: float) -> float:
        return time.perf_counter() - since_s

    began_s = time.perf_counter()
    spool = open_spool(tmp_path / "0", executor)
    assert spent_s(began_s) < 5, "the first greeting waits for it"
    try:
        began_s = time.perf_counter()
        assert await spool.claim(NOW - 1, 500) == []
        assert spent_s(began_s) < 0.5, "nothing is due"
        all_due_ms = NOW + LEASE_MS * 8
        most = frozenset(f"d{number}.example" for number in range(domains - 1))
        began_s = time.perf_counter()
        claimed = await spool.claim(all_due_ms, 500, skip=most)
        assert spent_s(began_s) < 5, "all is due and all but one lane is full"
        assert sum(len(m.recipients) for m in claimed) == count // domains
        began_s = time.perf_counter()
        assert await spool.claim(all_due_ms + 1, 500, skip=most) == []
        assert spent_s(began_s) < 0.5, "and nobody looks through it again"
        began_s = time.perf_counter()
        claimed = await spool.claim(all_due_ms + 2, 500)
        assert spent_s(began_s) < 2
        assert sum(len(m.recipients) for m in claimed) == 500
        assert (await spool.depth())["ready"] == count // RECIPIENTS * RECIPIENTS
    finally:
        spool.close()


async def test_destinations_take_turns_whenever_their_mail_is_due(spool: Spool) -> None:
    """What is new or leased is left, a message's recipients stay together, and each goes on where it was."""
    await spool.apply(Change(messages=[message(f"A{n}", 2, due_ms=NOW) for n in range(4)]))
    other = message("B", due_ms=NOW)
    elsewhere = replace(other.recipients[0], destination="b.example")
    await spool.apply(Change(messages=[replace(other, recipients=(elsewhere,)), message("NEW", due_ms=NOW)]))
    put_off = [Progress(f"A{n}", p, "ready", 1, NOW + LEASE_MS) for n in range(4) for p in range(2)]
    due = [Progress("A0", 0, "ready", 1, NOW - 1), Progress("B", 0, "ready", 1, NOW)]
    await spool.apply(Change(progress=[*put_off, *due]))
    assert await spool.destinations("", 10) == ["b.example", "example.org"]
    assert await spool.destinations("b.example", 10) == ["example.org"]
    assert [m.queue_id for m in await spool.claim(NOW, 1)] == ["A0"]

    turns = [Turn("example.org", 0, 2), Turn("b.example", 0, 2), Turn("nobody.example", 0, 2)]
    claimed, until = await spool.take(NOW, turns, 100)
    found = [(m.queue_id, [r.position for r in m.recipients]) for m in claimed]
    assert found == [("A0", [1]), ("B", [0]), ("A1", [0, 1])]
    assert until[1:] == [None, None]
    claimed, until = await spool.take(NOW, [Turn("example.org", until[0] or 0, 2)], 1)
    assert [m.queue_id for m in claimed] == ["A2"], "so many recipients and no more"
    claimed, until = await spool.take(NOW, [Turn("example.org", until[0] or 0, 2)], 100)
    assert [m.queue_id for m in claimed] == ["A3"]
    assert until == [None]
    assert (await spool.take(NOW, turns, 100))[0] == [], "all of it is leased"
    assert [m.queue_id for m in await spool.claim(NOW, 10)] == ["NEW"]


def test_what_waits_is_asked_of_the_index_alone(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    open_spool(tmp_path / "0", executor).close()
    with sqlite3.connect(tmp_path / "0" / "spool.sqlite") as connection:
        asked = ((waiting.NAMES, ("", 1)), (waiting.MESSAGES, ("", 0, 1)), (waiting.RECIPIENTS, ("", 1)))
        for query, values in asked:
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
            looked = [step for step in plan if "recipient" in step]
            assert looked
            assert all("INDEX recipient_waiting (destination" in step for step in looked)
            assert query == waiting.RECIPIENTS or all("COVERING" in step for step in looked)
