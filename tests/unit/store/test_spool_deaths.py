"""What was in flight when a worker died: tried again, tried apart, and in the end set aside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailgov.mail.events import OutcomeEvent
from mailgov.settings import SpoolSettings
from mailgov.store.spool import Body, Change, Progress, QueuedMessage, QueuedRecipient, Spool, Variant

NOW = 1_794_000_000_000
DAY_MS = 86_400_000


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def opened(folder: Path, pool: ThreadPoolExecutor, now_ms: int) -> Spool:
    return Spool.open(
        folder, settings=SpoolSettings(set_aside_after=3), executor=pool, new_id="s1", now_ms=now_ms
    )


def died(spool: Spool) -> None:
    """The process is gone: its descriptors are closed, and nothing else was done."""
    spool._writer.close()
    spool._reader.close()
    os.close(spool._lock)


def message(queue_id: str) -> QueuedMessage:
    recipient = QueuedRecipient(0, "a@example.org", "example.org", due_ms=NOW, context={"agency": "SNV"})
    return QueuedMessage(queue_id, NOW, "b@c.vn", Body(1, data=b"x"), (Variant(b""),), (recipient,))


async def test_who_is_there_at_each_death_is_set_aside_and_the_others_go(
    tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    """The poison kills the worker whenever it is attempted; each life lasts until then."""
    spool, now_ms, delivered, lives = opened(tmp_path, pool, NOW), NOW, set[str](), 1
    await spool.apply(Change(messages=[message(name) for name in ("Q1", "POISON", "Q2", "Q3")]))
    while delivered != {"Q1", "Q2", "Q3"}:
        claimed = await spool.claim(now_ms, 10)
        if any(one.queue_id == "POISON" for one in claimed):
            died(spool)
            lives += 1
            now_ms += 1000
            spool = opened(tmp_path, pool, now_ms)
            continue
        done = [Progress(one.queue_id, 0, None, 1) for one in claimed]
        await spool.apply(Change(progress=done))
        delivered |= {one.queue_id for one in claimed}
        now_ms += 250
    assert lives == 4
    assert await spool.claim(now_ms + DAY_MS, 10) == []
    held = await spool.find("POISON")
    assert held is not None
    (recipient,) = held.recipients
    assert recipient.state == "held"
    assert recipient.last_reply is not None
    assert recipient.last_reply.startswith("451 4.3.0 Set aside: 3 times")
    (event,) = [event for _, event in await spool.events(0, 10)]
    assert isinstance(event, OutcomeEvent)
    assert (event.queue_id, event.state, event.agency) == ("POISON", "held", "SNV")
    # Released, it has as many tries as any other.
    await spool.apply(Change(progress=[Progress("POISON", 0, "ready", 0, now_ms)]))
    assert await spool.claim(now_ms, 10)
    died(spool)
    spool = opened(tmp_path, pool, now_ms)
    assert await spool.claim(now_ms, 10)
    spool.close()


async def test_deaths_count_only_one_behind_the_other(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    spool = opened(tmp_path, pool, NOW)
    await spool.apply(Change(messages=[message("Q1")]))
    for life in range(6):
        if life % 2 == 0:
            assert await spool.claim(NOW + DAY_MS, 10)  # in flight at every second death
        died(spool)
        spool = opened(tmp_path, pool, NOW + DAY_MS)
    assert await spool.claim(NOW + DAY_MS, 10)
    spool.close()


async def test_a_stop_is_no_death(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    spool = opened(tmp_path, pool, NOW)
    await spool.apply(Change(messages=[message("Q1")]))
    for _ in range(5):
        assert await spool.claim(NOW, 10)
        spool.close()
        spool = opened(tmp_path, pool, NOW)
    spool.close()
