"""A time limit that seldom runs out."""

from __future__ import annotations

import asyncio

from mailgov.relay.patience import Patience

LONG_S = 3600.0
SHORT_S = 0.01


async def test_it_rings_once_when_the_limit_has_run_out() -> None:
    rung: asyncio.Queue[str] = asyncio.Queue()
    patience = Patience(asyncio.get_running_loop())
    patience.begin(SHORT_S, lambda: rung.put_nowait("late"))
    assert await asyncio.wait_for(rung.get(), 10) == "late"
    assert not patience.runs
    assert rung.empty()


async def test_a_shorter_limit_is_not_held_up_by_a_longer_one() -> None:
    rung: asyncio.Queue[str] = asyncio.Queue()
    patience = Patience(asyncio.get_running_loop())
    patience.begin(LONG_S, lambda: rung.put_nowait("long"))
    patience.begin(SHORT_S, lambda: rung.put_nowait("short"))
    assert await asyncio.wait_for(rung.get(), 10) == "short"


async def test_what_came_in_time_rings_nothing_and_the_timer_serves_the_next() -> None:
    rung: asyncio.Queue[str] = asyncio.Queue()
    patience = Patience(asyncio.get_running_loop())
    patience.begin(SHORT_S, lambda: rung.put_nowait("first"))
    patience.end()
    patience.begin(10 * SHORT_S, lambda: rung.put_nowait("second"))
    assert await asyncio.wait_for(rung.get(), 10) == "second"


async def test_a_closed_one_leaves_no_timer() -> None:
    rung: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    patience = Patience(loop)
    patience.begin(SHORT_S, lambda: rung.put_nowait("late"))
    patience.close()
    other = Patience(loop)
    other.begin(5 * SHORT_S, lambda: rung.put_nowait("other"))
    assert await asyncio.wait_for(rung.get(), 10) == "other"
    assert rung.empty()
