"""What workers count ahead of their senders' limits: never past a limit, and nothing lost on the way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mailgov.relay.sending_ahead import IDLE_MS, Ahead
from mailgov.store import guard as guards
from mailgov.store.guard import Guard
from mailgov.store.sending import AHEAD_LIMIT, Charge, Over

DAY = "2026-11-22"


class Counting(ThreadPoolExecutor):
    """Threads, and how often they were asked."""

    asked = 0

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self.asked += 1
        return super().submit(*args, **kwargs)


class Clock:
    ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def executor() -> Iterator[Counting]:
    with Counting(2) as threads:
        yield threads


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guard.sqlite"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def worker(path: Path, executor: Executor, clock: Clock) -> Ahead:
    return Ahead(Guard.open(path), executor, clock)


def message(limit: int = 1000, holder: str = "an", amount: int | None = 1) -> Charge:
    return Charge(f"account:{holder}|messages_per_day", DAY, limit, amount)


def taken(path: Path) -> int:
    guard = Guard.open(path)
    try:
        return guard.run(lambda c: int(c.execute("SELECT sum(taken) FROM sent").fetchone()[0] or 0), -1)
    finally:
        guard.close()


async def test_most_is_counted_without_the_file(path: Path, executor: Counting, clock: Clock) -> None:
    ahead = worker(path, executor, clock)
    for _ in range(500):
        assert await ahead.charge([message()], "agency:SNV", ["ben@abc.vn"]) is None
    assert executor.asked < 30
    await ahead.hand_back()
    assert taken(path) == 500


@pytest.mark.parametrize("limit", [1, 10, 40, 100, 1000, 5000])
async def test_two_workers_together_take_what_is_allowed_and_no_more(
    path: Path, executor: Counting, clock: Clock, limit: int
) -> None:
    workers = [worker(path, executor, clock), worker(path, executor, clock)]
    random, passed = Random(limit), 0
    for _ in range(limit + 50):
        if await random.choice(workers).charge([message(limit)], "agency:SNV", ()) is None:
            passed += 1
        if random.random() < 0.01:
            await random.choice(workers).hand_back()
    assert limit - AHEAD_LIMIT <= passed <= limit
    for one in workers:
        await one.hand_back()
    while await workers[0].charge([message(limit)], "agency:SNV", ()) is None:
        passed += 1
    assert passed == limit, "what one held and did not use is the other's once it is idle"


async def test_small_limits_are_exact_at_every_moment(path: Path, executor: Counting, clock: Clock) -> None:
    workers = [worker(path, executor, clock), worker(path, executor, clock)]
    told = [await workers[n % 2].charge([message(20)], "agency:SNV", ()) for n in range(30)]
    assert [one is None for one in told] == [True] * 20 + [False] * 10
    assert [one.refused for one in told if isinstance(one, Over)] == list(range(1, 11))


async def test_idle_counts_go_back_and_busy_ones_stay(path: Path, executor: Counting, clock: Clock) -> None:
    ahead = worker(path, executor, clock)
    await ahead.charge([message(), message(holder="binh")], "agency:SNV", ())
    held = taken(path) - 2
    assert held > 0
    clock.ms += IDLE_MS
    await ahead.charge([message(holder="binh")], "agency:SNV", ())
    await ahead.hand_back(idle_ms=IDLE_MS)
    assert taken(path) == 2 + held // 2
    await ahead.hand_back()
    assert taken(path) == 3


async def test_a_refusal_takes_nothing_of_what_was_held(path: Path, executor: Counting, clock: Clock) -> None:
    ahead = worker(path, executor, clock)
    agency = Charge("agency:SNV|messages_per_day", DAY, 2, 1)
    for _ in range(2):
        assert await ahead.charge([message(), agency], "agency:SNV", ()) is None
    over = await ahead.charge([message(), agency], "agency:SNV", ())
    assert over is not None
    assert over.charge == agency
    await ahead.hand_back()
    assert taken(path) == 4


async def test_a_limit_that_is_lowered_counts_at_once(path: Path, executor: Counting, clock: Clock) -> None:
    ahead = worker(path, executor, clock)
    for _ in range(3):
        assert await ahead.charge([message(1000)], "agency:SNV", ()) is None
    assert await ahead.charge([message(3)], "agency:SNV", ()) is not None


async def test_strangers_are_counted_once_for_all_workers(
    path: Path, executor: Counting, clock: Clock
) -> None:
    workers = [worker(path, executor, clock), worker(path, executor, clock)]
    stranger = message(2, amount=None)
    assert [
        await workers[n % 2].charge([stranger], "agency:SNV", [address]) is None
        for n, address in enumerate(["a@x.vn", "a@x.vn", "a@x.vn", "b@x.vn", "c@x.vn", "b@x.vn"])
    ] == [True, True, True, True, False, True]


async def test_a_file_at_fault_is_no_reason_to_take_a_stranger_as_met(
    path: Path, executor: Counting, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "BUSY_S", 0.01)
    ahead, other = worker(path, executor, clock), Guard.open(path)
    stranger = message(1, amount=None)
    other.run(lambda c: c.execute("BEGIN IMMEDIATE"), None)
    assert await ahead.charge([stranger], "agency:SNV", ["a@x.vn"]) is None
    assert await ahead.charge([stranger], "agency:SNV", ["b@x.vn"]) is None
    other.run(lambda c: c.execute("ROLLBACK"), None)
    told = [await ahead.charge([stranger], "agency:SNV", [address]) for address in ("a@x.vn", "b@x.vn")]
    assert [one is None for one in told] == [True, False]
