"""The spool: what is acknowledged is on disk, in one transaction, and comes back after a crash."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mailgov.mail.events import MessageEvent, OutcomeEvent, RecipientRecord
from mailgov.settings import SpoolSettings
from mailgov.store.spool import (
    Body,
    Change,
    Progress,
    QueuedMessage,
    QueuedRecipient,
    Spool,
    SpoolError,
    SpoolFull,
    SpoolHeld,
    SpoolUnfit,
    Variant,
)
from mailgov.store.spool.spool import LEASE_MS
from mailgov.store.spool.tail import Tail
from tests.support.file_systems import filled, small_disk

NOW = 1_795_000_000_000


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def open_spool(folder: Path, executor: ThreadPoolExecutor, *, now_ms: int = NOW, **settings: float) -> Spool:
    return Spool.open(
        folder, settings=SpoolSettings(**settings), executor=executor, new_id="a" * 32, now_ms=now_ms
    )


@pytest.fixture
async def spool(tmp_path: Path, executor: ThreadPoolExecutor) -> AsyncIterator[Spool]:
    opened = open_spool(tmp_path / "0", executor)
    yield opened
    opened.close()


def message(
    queue_id: str, recipients: int = 1, *, body: Body | None = None, due_ms: int = NOW
) -> QueuedMessage:
    return QueuedMessage(
        queue_id=queue_id,
        received_ms=NOW,
        reverse_path="a@caobang.gov.vn",
        body=body or Body(12, data=b"Subject: x\r\n"),
        variants=(Variant(b"Received: y\r\n", ((0, 3, b"\xff"),)),),
        recipients=tuple(
            QueuedRecipient(n, f"r{n}@example.org", "example.org", due_ms=due_ms) for n in range(recipients)
        ),
        context={"document_class": "CĐ"},
    )


def event(queue_id: str) -> MessageEvent:
    return MessageEvent(
        "accepted", queue_id, NOW, "mx", "h", recipients=(RecipientRecord(0, "a@b.vn", "inbound", "queued"),)
    )


async def test_a_message_comes_back_as_it_was_stored(spool: Spool) -> None:
    stored = message("Q1", recipients=2)
    await spool.apply(Change(messages=[stored], events=[event("Q1")]))

    (claimed,) = await spool.claim(NOW, 10)

    assert claimed.variants == stored.variants
    assert [r.address for r in claimed.recipients] == ["r0@example.org", "r1@example.org"]
    assert claimed.context == {"document_class": "CĐ"}
    assert await spool.body_bytes(claimed) == b"Subject: x\r\n"


async def test_what_comes_takes_the_pages_of_what_leaves_and_of_that_nothing_is_left(
    spool: Spool, tmp_path: Path
) -> None:
    def some(name: str) -> list[QueuedMessage]:
        bodies = [Body(4200, data=f"{name}{n:03}".encode() * 700) for n in range(20)]
        return [message(f"{name}{n}", body=body) for n, body in enumerate(bodies)]

    def pages() -> int:
        return (tmp_path / "0" / "spool.sqlite-wal").stat().st_size // 4096

    old, new = some("old"), some("new")
    await spool.apply(Change(messages=old))
    before = pages()

    gone = [Progress(one.queue_id, 0, None, 1) for one in old]
    await spool.apply(Change(messages=new, progress=[Progress("new0", 0, "ready", 1, NOW), *gone]))

    assert pages() - before < 50  # one for each body, some for rows
    (first, *others) = await spool.claim(NOW, 100)
    assert (first.queue_id, first.recipients[0].attempts, len(others)) == ("new0", 1, 19)
    await spool.apply(Change(progress=[Progress(one.queue_id, 0, None, 1) for one in new]))
    with closing(sqlite3.connect(tmp_path / "0" / "spool.sqlite")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = (tmp_path / "0" / "spool.sqlite").read_bytes()
    assert b"old0" not in content
    assert b"new0" not in content


async def test_a_message_that_leaves_while_it_is_read_is_whole(spool: Spool, tmp_path: Path) -> None:
    await spool.apply(Change(messages=[message("Q1")]))
    gone: list[str] = []

    def leaves(statement: str) -> None:
        if " FROM message m WHERE" in statement:  # its recipients were read already
            with closing(sqlite3.connect(tmp_path / "0" / "spool.sqlite")) as other:
                other.executescript("DELETE FROM recipient; DELETE FROM message;")
            gone.append(statement)

    spool._reader.set_trace_callback(leaves)
    found = await spool.find("Q1")
    assert found is not None
    assert found.queue_id == "Q1"
    assert gone
    assert await spool.find("Q1") is None


async def test_a_leased_recipient_is_not_claimed_again_until_the_lease_ends(spool: Spool) -> None:
    await spool.apply(Change(messages=[message("Q1")]))
    assert len(await spool.claim(NOW, 10)) == 1
    assert await spool.claim(NOW + 1, 10) == []
    assert len(await spool.claim(NOW + LEASE_MS, 10)) == 1


async def test_what_was_in_flight_becomes_ready_after_a_restart(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    first = open_spool(tmp_path / "0", executor)
    await first.apply(Change(messages=[message("born leased", due_ms=NOW + LEASE_MS), message("claimed")]))
    assert [m.queue_id for m in await first.claim(NOW, 10)] == ["claimed"]
    first.close()

    second = open_spool(tmp_path / "0", executor, now_ms=NOW + 5)
    try:
        assert sorted(m.queue_id for m in await second.claim(NOW + 5, 10)) == ["born leased", "claimed"]
        assert second.id == first.id
    finally:
        second.close()


async def test_the_message_goes_with_its_last_recipient_and_its_file_too(
    spool: Spool, tmp_path: Path
) -> None:
    writer = spool.body_writer("Q1", memory_bytes=4)
    await writer.write(b"0123456789")
    body = await writer.finish()
    await spool.apply(Change(messages=[message("Q1", recipients=2, body=body)]))
    file = tmp_path / "0" / "bodies" / "Q1"
    assert file.read_bytes() == b"0123456789"

    await spool.apply(Change(progress=[Progress("Q1", 0, None, 1)]))
    assert file.exists()
    await spool.apply(Change(progress=[Progress("Q1", 1, None, 1)]))

    assert not file.exists()
    assert await spool.find("Q1") is None
    assert await spool.depth() == {"events": 0}


async def test_a_deferred_recipient_waits_for_its_time(spool: Spool) -> None:
    await spool.apply(Change(messages=[message("Q1")]))
    await spool.claim(NOW, 10)
    await spool.apply(Change(progress=[Progress("Q1", 0, "ready", 1, NOW + 120_000, "450 4.2.0 later")]))
    assert await spool.claim(NOW + 119_999, 10) == []
    (claimed,) = await spool.claim(NOW + 120_000, 10)
    assert claimed.recipients[0].attempts == 1
    assert claimed.recipients[0].last_reply == "450 4.2.0 later"


async def test_event_sequences_are_never_used_twice(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    spool = open_spool(tmp_path / "0", executor)
    await spool.apply(Change(events=[event("Q1"), event("Q2")]))
    assert [n for n, _ in await spool.events(0, 10)] == [1, 2]
    spool.forget_events(2)
    spool.close()  # flushes what is lazy

    spool = open_spool(tmp_path / "0", executor)
    outcome = OutcomeEvent("Q1", 0, NOW, "delivered", account="x@caobang.gov.vn")
    await spool.apply(Change(events=[outcome]))
    try:
        assert await spool.events(0, 10) == [(3, outcome)]
    finally:
        spool.close()


async def test_an_event_of_another_age_comes_out_as_bytes(spool: Spool, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "0" / "spool.sqlite") as other:
        other.execute("INSERT INTO event (payload) VALUES (?)", (b'{"kind":"future"}',))
    assert await spool.events(0, 10) == [(1, b'{"kind":"future"}')]


async def test_what_is_untold_comes_from_memory_as_long_as_it_fits_there(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    spool = open_spool(tmp_path / "0", executor)
    await spool.apply(Change(events=[event("Q1"), event("Q2")]))
    with sqlite3.connect(tmp_path / "0" / "spool.sqlite") as other:
        other.execute("UPDATE event SET payload=? WHERE sequence=1", (b"on disk",))
    assert await spool.untold(0, 1) == [(1, event("Q1"))], "not read"
    assert await spool.untold(1, 9) == [(2, event("Q2"))]
    assert await spool.untold(2, 9) == []
    assert await spool.untold(0, 9) == [(1, b"on disk"), (2, event("Q2"))], "what was taken is on disk alone"
    many = replace(event("Q3"), subject="x" * 1_000_000)
    for _ in range(6):
        await spool.apply(Change(events=[many]))
    assert await spool.untold(2, 9) == [(number, many) for number in range(3, 9)]
    spool.close()

    spool = open_spool(tmp_path / "0", executor)
    await spool.apply(Change(events=[event("Q9")]))
    try:
        assert [number for number, _ in await spool.untold(2, 99)] == [3, 4, 5, 6, 7, 8, 9]
        assert await spool.untold(8, 9) == [(9, event("Q9"))]
    finally:
        spool.close()


def test_memory_keeps_the_newest_entries_and_says_when_others_are_missing() -> None:
    tail = Tail(limit_bytes=100)
    tail.start(3)
    assert tail.after(2, 9) is None
    assert tail.after(3, 9) == []
    tail.add((number, event(f"Q{number}"), 40) for number in (4, 5, 6))
    assert tail.after(3, 9) is None, "the first had to go"
    assert tail.after(4, 9) == [(5, event("Q5")), (6, event("Q6"))]
    assert tail.after(5, 9) == [(6, event("Q6"))]
    tail.add([(8, event("Q8"), 40)])
    assert tail.after(6, 9) is None, "a gap is for the disk to explain"
    assert tail.after(7, 9) == [(8, event("Q8"))]
    tail.add([(9, event("Q9"), 1000)])
    assert tail.after(8, 9) is None, "one that never fits is never kept"
    assert tail.after(9, 9) == []


async def test_one_process_holds_a_spool(spool: Spool, tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    with pytest.raises(SpoolHeld):
        open_spool(tmp_path / "0", executor)


def test_a_damaged_queue_is_named_and_its_folder_let_go(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "spool.sqlite").write_bytes(b"no database " * 1000)
    for _ in range(2):  # the second one would be told that it is held
        with pytest.raises(SpoolUnfit, match="is damaged: file is not a database; move it away") as told:
            open_spool(tmp_path / "0", executor)
        assert str(tmp_path / "0") in str(told.value)


def test_a_place_where_no_queue_can_be_is_told_in_a_line(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    (tmp_path / "0").write_bytes(b"")
    with pytest.raises(SpoolUnfit, match=r"0 cannot be opened: .Errno 17. File exists"):
        open_spool(tmp_path / "0", executor)
    (tmp_path / "1" / "spool.sqlite").mkdir(parents=True)
    for _ in range(2):  # the second one would be told that it is held
        with pytest.raises(
            SpoolUnfit, match=r"1 cannot be opened: unable to open database file; it is tried"
        ):
            open_spool(tmp_path / "1", executor)


def test_a_new_queue_on_a_full_disk_is_told_in_a_line_and_made_once_there_is_room(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        open_spool(disk / "1", executor).close()
        with filled(disk), pytest.raises(SpoolUnfit, match=r"0 cannot be opened: (.*full|.*No space)"):
            open_spool(disk / "0", executor)
        open_spool(disk / "0", executor).close()


async def test_a_queue_whose_database_is_lost_keeps_its_bodies(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    """They are all that there is of the mail: swept as what nobody names, nothing could bring it back."""
    spool = open_spool(tmp_path / "0", executor)
    writer = spool.body_writer("Q1", memory_bytes=4)
    await writer.write(b"Subject: x\r\n")
    await spool.apply(Change(messages=[replace(message("Q1"), body=await writer.finish())]))
    spool.close()
    for file in (tmp_path / "0").glob("spool.sqlite*"):
        os.truncate(file, 0)
    with pytest.raises(SpoolUnfit, match="is damaged: its database is empty, but 1 body is there"):
        open_spool(tmp_path / "0", executor)
    (body,) = (tmp_path / "0" / "bodies").iterdir()
    assert body.read_bytes() == b"Subject: x\r\n"


async def test_sessions_that_finish_together_share_a_commit(spool: Spool) -> None:
    before = spool.commits
    await asyncio.gather(*(spool.apply(Change(messages=[message(f"Q{n}")])) for n in range(50)))
    assert spool.commits - before < 25
    assert len(await spool.claim(NOW, 100)) == 50


async def test_a_commit_waits_for_messages_that_are_on_their_way(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgov.store.spool.gathering.OFTEN_S", 3600.0)
    spool = open_spool(tmp_path / "0", executor, group_window_s=20.0)
    try:
        bodies = [spool.body_writer("Q1", memory_bytes=4096)]
        await asyncio.wait_for(spool.apply(Change(messages=[message("Q1")])), 10)  # a lone one does not
        bodies.append(spool.body_writer("Q2", memory_bytes=4096))
        before = spool.commits
        first = asyncio.ensure_future(spool.apply(Change(messages=[message("Q2")])))
        assert await spool.find("Q2") is None
        await spool.apply(Change(messages=[message("Q3")]))
        await first
        assert spool.commits == before + 1
    finally:
        spool.close()


async def test_many_rows_in_one_commit_come_back_each_in_its_place(spool: Spool) -> None:
    before = spool.commits
    changes = [
        Change(messages=[message(f"Q{n:02}", recipients=n)], events=[event(f"Q{n:02}"), event(f"also {n}")])
        for n in range(1, 40)
    ]
    await asyncio.gather(*(spool.apply(change) for change in changes))
    assert spool.commits == before + 1
    wanted = [one for change in changes for one in change.events]
    assert await spool.events(0, 1000) == list(enumerate(wanted, 1))
    assert await spool.untold(0, 1000) == list(enumerate(wanted, 1))
    for n in (1, 7, 33, 39):
        found = await spool.find(f"Q{n:02}")
        assert found is not None
        assert found.variants == changes[n - 1].messages[0].variants
        assert [r.address for r in found.recipients] == [f"r{at}@example.org" for at in range(n)]
        assert await spool.body_bytes(found) == b"Subject: x\r\n"
    left = [Progress(f"Q{n:02}", at, None, 1) for n in range(1, 40) for at in range(n) if (n, at) != (39, 38)]
    await spool.apply(Change(progress=left))
    depth = await spool.depth()
    assert depth == {"ready": 1, "events": 78}
    last = await spool.find("Q39")
    assert last is not None
    assert [r.position for r in last.recipients] == [38]


async def test_what_a_thread_hands_in_keeps_nobody_waiting(spool: Spool) -> None:
    for n in range(50):
        alone = asyncio.to_thread(spool.apply_later, Change(events=[event("T")]))
        both = asyncio.gather(alone, spool.apply(Change(messages=[message(f"Q{n}")])))
        await asyncio.wait_for(both, 10)
    await spool.apply(Change())
    assert await spool.depth() == {"ready": 50, "events": 50}


async def test_a_commit_that_fails_leaves_no_gap_in_the_events(spool: Spool) -> None:
    await spool.apply(Change(messages=[message("Q0")]))
    await asyncio.gather(
        *(spool.apply(Change(messages=[message(name)], events=[event(name)])) for name in ("Q1", "Q0", "Q2")),
        return_exceptions=True,
    )
    assert await spool.events(0, 9) == [(1, event("Q1")), (2, event("Q2"))]


async def test_one_bad_operation_does_not_fail_the_others(spool: Spool) -> None:
    results = await asyncio.gather(
        *(spool.apply(Change(messages=[message(name)])) for name in ("Q1", "Q2", "Q2", "Q3")),
        return_exceptions=True,
    )
    assert [isinstance(result, SpoolError) for result in results].count(True) == 1
    assert sorted(m.queue_id for m in await spool.claim(NOW, 10)) == ["Q1", "Q2", "Q3"]


async def test_a_cancelled_caller_does_not_take_the_commit_back(spool: Spool) -> None:
    task = asyncio.ensure_future(spool.apply(Change(messages=[message("Q1")])))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await spool.apply(Change())  # a commit later
    assert (await spool.find("Q1")) is not None


async def test_too_much_waiting_is_refused_not_queued(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    spool = open_spool(tmp_path / "0", executor, queue_limit=1)
    blocker = sqlite3.connect(tmp_path / "0" / "spool.sqlite", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        tasks = [asyncio.ensure_future(spool.apply(Change(messages=[message(f"Q{n}")]))) for n in range(20)]
        done, waiting = await asyncio.wait(tasks, timeout=1.0)
        assert any(isinstance(task.exception(), SpoolFull) for task in done)
    finally:
        blocker.execute("ROLLBACK")
        blocker.close()
    await asyncio.wait(waiting, timeout=20)
    accepted = sum(task.exception() is None for task in tasks)
    assert len(await spool.claim(NOW, 100)) == accepted >= 1
    spool.close()


async def test_files_that_no_row_names_are_swept_at_the_start(
    tmp_path: Path, executor: ThreadPoolExecutor
) -> None:
    spool = open_spool(tmp_path / "0", executor)
    writer = spool.body_writer("KEPT", memory_bytes=1)
    await writer.write(b"kept")
    await spool.apply(Change(messages=[message("KEPT", body=await writer.finish())]))
    (tmp_path / "0" / "incoming" / "HALF").write_bytes(b"half a message")
    (tmp_path / "0" / "bodies" / "LOST").write_bytes(b"sealed, never committed")
    spool.close()

    open_spool(tmp_path / "0", executor).close()

    left = sorted(p.name for place in ("incoming", "bodies") for p in (tmp_path / "0" / place).iterdir())
    assert left == ["KEPT"]


async def test_a_failed_commit_leaves_no_body_file(spool: Spool, tmp_path: Path) -> None:
    await spool.apply(Change(messages=[message("Q1")]))
    writer = spool.body_writer("Q1", memory_bytes=1)
    await writer.write(b"the same queue id again")
    with pytest.raises(SpoolError):
        await spool.apply(Change(messages=[message("Q1", body=await writer.finish())]))
    assert list((tmp_path / "0" / "bodies").iterdir()) == []


async def test_a_discarded_body_leaves_no_trace(spool: Spool, tmp_path: Path) -> None:
    writer = spool.body_writer("Q1", memory_bytes=4)
    await writer.write(b"0123456789")
    assert [p.name for p in (tmp_path / "0" / "incoming").iterdir()] == ["Q1"]
    await writer.discard()
    assert list((tmp_path / "0" / "incoming").iterdir()) == []


async def test_a_finished_body_can_still_be_discarded(spool: Spool, tmp_path: Path) -> None:
    writer = spool.body_writer("Q1", memory_bytes=4)
    await writer.write(b"0123456789")
    await writer.finish()
    await writer.discard()
    assert list((tmp_path / "0").glob("*/Q1")) == []


def limit_pages(spool: Spool, more: int | None) -> None:
    """Let the database grow by so many pages and no further (None: as it likes), as a full disk would."""
    connection = spool._writer._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={4_294_967_294 if more is None else pages + more}")


async def test_a_full_disk_takes_nothing_new_and_lets_go_of_what_there_is(
    spool: Spool, tmp_path: Path
) -> None:
    assert (tmp_path / "0" / "reserve").stat().st_size > 0
    limit_pages(spool, 20)
    kept: list[str] = []
    with pytest.raises(SpoolFull):  # noqa: PT012 - how many fit is not ours to know
        for number in range(1000):
            await spool.apply(Change(messages=[message(f"Q{number}", body=Body(8000, data=b"x" * 8000))]))
            kept.append(f"Q{number}")
    assert spool.full
    assert not (tmp_path / "0" / "reserve").exists(), "its room is for outcomes now"
    with pytest.raises(SpoolFull):
        await spool.apply(Change(messages=[message("LATER")]))
    with pytest.raises(SpoolFull):
        await spool.body_writer("BODY", memory_bytes=1).write(b"more")

    assert sorted(m.queue_id for m in await spool.claim(NOW, 1000)) == sorted(kept)
    await spool.apply(Change(progress=[Progress(name, 0, None, 1) for name in kept]))
    assert await spool.depth() == {"events": 0}

    limit_pages(spool, None)
    await spool.look_for_room()
    await spool.apply(Change(messages=[message("AGAIN")]))


async def test_room_that_mail_has_left_goes_back_to_the_disk(spool: Spool, tmp_path: Path) -> None:
    names = [f"Q{number}" for number in range(40)]
    for name in names:
        await spool.apply(Change(messages=[message(name, body=Body(50_000, data=b"x" * 50_000))]))
    await spool.apply(Change(progress=[Progress(name, 0, None, 1) for name in names]))
    spool._reserve.give_up()
    await spool.look_for_room()
    await spool.apply(Change())  # the writer has looked after the commit before
    assert not spool.full
    left = sum(file.stat().st_size for file in (tmp_path / "0").glob("spool.sqlite*"))
    assert left < 20 * 50_000, "2 MB of mail had been in it"


async def test_a_group_that_does_not_fit_fails_for_new_mail_alone(spool: Spool) -> None:
    await spool.apply(Change(messages=[message("OLD")]))
    limit_pages(spool, 1)
    large = [message(f"Q{n}", body=Body(50_000, data=b"x" * 50_000)) for n in range(3)]
    outcome = Change(progress=[Progress("OLD", 0, None, 1)])
    results = await asyncio.gather(
        *(spool.apply(Change(messages=[one])) for one in large), spool.apply(outcome), return_exceptions=True
    )
    assert [type(result) for result in results] == [SpoolFull, SpoolFull, SpoolFull, type(None)]
    assert await spool.find("OLD") is None
