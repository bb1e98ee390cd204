"""The line before an outside service: who waits, who is told at once, who goes to see."""

from __future__ import annotations

import asyncio

import pytest

from mailgov.relay.contents.turn import FAILURES_LIMIT, Turn, Unavailable


class Service:
    """Answers, fails or hangs as it is told; counts who came."""

    def __init__(self, *, concurrency: int = 2, timeout_s: float = 0.05) -> None:
        self.now = 1000.0
        self.turn = Turn(
            concurrency=concurrency, timeout_s=timeout_s, retry_s=15.0, monotonic=lambda: self.now
        )
        self.does: Exception | str = "answers"
        self.asked = 0

    async def work(self) -> str:
        self.asked += 1
        if isinstance(self.does, Exception):
            raise self.does
        if self.does == "hangs":
            await asyncio.Event().wait()
        return "verdict"

    async def ask(self) -> str:
        try:
            return await self.turn.ask(self.work)
        except Unavailable as error:
            return str(error)


async def test_after_failures_in_a_row_it_is_left_alone_and_then_one_goes_to_see() -> None:
    service = Service()
    service.does = ConnectionRefusedError("refused")
    assert [await service.ask() for _ in range(FAILURES_LIMIT)] == ["refused"] * FAILURES_LIMIT
    assert await service.ask() == "not asked, for it failed lately"
    assert service.asked == FAILURES_LIMIT
    service.now += 15
    service.does = "hangs"
    told = await asyncio.gather(*(service.ask() for _ in range(20)))
    assert service.asked == FAILURES_LIMIT + 1
    assert sorted(set(told)) == ["no answer in time", "not asked, for it failed lately"]
    service.now += 15
    service.does = "answers"
    assert await service.ask() == await service.ask() == "verdict"


@pytest.mark.parametrize("error", [Unavailable("no", answered=True), None])
async def test_an_answer_in_between_is_a_sign_of_life(error: Exception | None) -> None:
    service = Service()
    for _ in range(10):
        service.does = OSError("away")
        await service.ask()
        await service.ask()
        service.does = error or "answers"
        await service.ask()
    assert service.asked == 30


async def test_who_waits_in_vain_for_a_place_says_nothing_of_the_service() -> None:
    service = Service(concurrency=1)
    service.does = "hangs"
    told = await asyncio.gather(*(service.ask() for _ in range(10)))
    assert set(told) == {"no answer in time", "too many wait for it"}
    assert service.asked < FAILURES_LIMIT
    service.does = "answers"
    assert await service.ask() == "verdict"


async def test_who_is_cancelled_says_nothing_of_the_service_either() -> None:
    service = Service(timeout_s=60)
    service.does = "hangs"
    for _ in range(5):
        task = asyncio.ensure_future(service.ask())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    service.does = "answers"
    assert await service.ask() == "verdict"
