"""A worker and the ledger: events forwarded once, queue acts applied, mail of other roles taken in."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailgov.mail.reply import Reply
from mailgov.relay import forward
from mailgov.relay.acts import Acts
from mailgov.relay.attempt import Attempt
from mailgov.relay.forward import Forwarder
from mailgov.relay.node import Node
from mailgov.relay.outcome import settle
from mailgov.relay.report import TLS_MS, Reporter
from mailgov.relay.route import Router
from mailgov.relay.scheduler import Scheduler
from mailgov.store import commands, outgoing, tallies, tls_results
from mailgov.store.engine import Database, migrate
from mailgov.store.ledger import applied_sequence, apply_events
from mailgov.store.spool import Change
from tests.support.relay_node import AN
from tests.unit.relay.conftest import START_MS, OwnTime, outcomes, queued, stored
from tests.unit.store import events as ledger_events

OK = Reply(250, "2.0.0", "taken")
NOTICE = b"From: <postmaster@caobang.gov.vn>\r\nSubject: x\r\n\r\ntext\r\n"


@pytest.fixture(scope="module")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    async def make(path: Path) -> None:
        made = Database.open(f"sqlite:///{path}", create=True)
        await migrate(made)
        await made.dispose()

    path = tmp_path_factory.mktemp("ledger") / "template.sqlite"
    asyncio.run(make(path))
    return path


@pytest.fixture
async def ledger(tmp_path: Path, empty_ledger: Path) -> AsyncIterator[Database]:
    shutil.copyfile(empty_ledger, tmp_path / "ledger.sqlite")
    opened = Database.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}", timeout_s=0.3)
    yield opened
    await opened.dispose()


# The outbox


async def delivered(node: Node, count: int, first: int = 0) -> None:
    """So many messages delivered, an outcome of each in the outbox."""
    for number in range(first, first + count):
        message = await stored(node, queued("a@x.org", queue_id=f"Q{number:03}"))
        await settle(node, node.spool, message, outcomes(message, OK))
    await node.spool.apply(Change())


async def test_events_are_forwarded_in_order_and_then_forgotten(node: Node, ledger: Database) -> None:
    await delivered(node, 7)
    forwarder = Forwarder(node, ledger, [node.spool], "node1")
    assert await forwarder.round()
    await node.spool.apply(Change())  # behind the lazy one that forgets
    assert await node.spool.events(0, 100) == []
    assert await applied_sequence(ledger, node.spool.id) == 7
    assert (node.counters.values["forwarded"], node.counters.values["ledger_up"]) == (7, 1)


async def test_after_many_events_the_next_round_waits_for_more(node: Node, ledger: Database) -> None:
    forwarder = Forwarder(node, ledger, [node.spool], "node1")
    await delivered(node, forward.BUSY)
    assert await forwarder.round()
    assert forwarder._wait_s() == forward.BUSY_INTERVAL_S
    await delivered(node, 1, first=forward.BUSY)
    assert await forwarder.round()
    assert forwarder._wait_s() == forward.INTERVAL_S


async def test_a_crash_between_ledger_and_outbox_repeats_nothing(node: Node, ledger: Database) -> None:
    await delivered(node, 3)
    keeps = Forwarder(node, ledger, [node.spool], "node1")
    events = await node.spool.events(0, 100)
    await apply_events(ledger, node.spool.id, "node1", events, START_MS)  # and then the power went
    assert await keeps.round()
    assert node.counters.values["forwarded"] == 0, "what the ledger has is not sent again"
    await delivered(node, 1, first=3)
    assert await keeps.round()
    assert await applied_sequence(ledger, node.spool.id) == 4


async def test_while_the_ledger_is_locked_events_wait(node: Node, ledger: Database) -> None:
    await delivered(node, 2)
    forwarder = Forwarder(node, ledger, [node.spool], "node1")
    async with ledger.write():
        assert not await forwarder.round()
        assert node.counters.values["ledger_up"] == 0
        assert len(await node.spool.events(0, 100)) == 2
    assert await forwarder.round()
    assert await applied_sequence(ledger, node.spool.id) == 2


@pytest.mark.parametrize("away", ["locked", "gone"])
async def test_an_hour_without_the_ledger_is_caught_up_without_gap_or_double(
    node: Node, ledger: Database, time: OwnTime, tmp_path: Path, away: str
) -> None:
    """The hour passes on the node's own clock, over midnight; each minute mail is taken and delivered."""
    forwarder = Forwarder(node, ledger, [node.spool], "node1")
    file, hidden = tmp_path / "ledger.sqlite", tmp_path / "hidden"
    await accepted(node, "A0000")
    assert await forwarder.round()
    async with AsyncExitStack() as held:
        if away == "locked":
            await held.enter_async_context(ledger.write())
        else:
            await ledger.dispose()
            file.rename(hidden)
        for minute in range(60):
            time.ms += 60_000
            await accepted(node, f"B{minute:04}")
            if minute % 20 == 0:
                assert not await forwarder.round()
        assert len(await node.spool.events(0, 1000)) == 120
    if away == "gone":
        hidden.rename(file)
    assert await forwarder.round()
    assert await forwarder.round(), "a second round changes nothing"
    with closing(sqlite3.connect(file)) as reader:
        rows = reader.execute(
            "SELECT local_date, sum(messages), sum(recipients) FROM rollup_daily"
            " WHERE flow='sent' GROUP BY local_date"
        ).fetchall()
        aside = reader.execute("SELECT count(*) FROM unapplied_event").fetchone()[0]
        states = reader.execute("SELECT state, count(*) FROM message_recipient GROUP BY state").fetchall()
    assert sum(row[1] for row in rows) == 61
    assert sum(row[2] for row in rows) == 61
    assert aside == 0
    assert states == [("delivered", 61)]


async def accepted(node: Node, queue_id: str) -> None:
    """A message taken from An to outside, and delivered: what the outbox holds of it."""
    now_ms = node.clock.now_ms()
    told = replace(
        ledger_events.message(1, now_ms, ledger_events.recipient(0, "outbound")), queue_id=queue_id
    )
    message = queued("nguoi0@example.vn", queue_id=queue_id, received_ms=now_ms)
    await node.spool.apply(Change(messages=[message], events=[told]))
    await settle(node, node.spool, message, outcomes(message, OK))
    await node.spool.apply(Change())  # behind the lazy one


@pytest.mark.parametrize("ahead", [40, 1], ids=["far behind", "caught up by new mail before anybody looked"])
@pytest.mark.parametrize("untold", [True, False], ids=["with events of its own", "with none"])
async def test_an_older_copy_of_a_spool_still_counts_and_nothing_counts_twice(
    node: Node, ledger: Database, tmp_path: Path, untold: bool, ahead: int
) -> None:
    """A disk that was put back from a snapshot uses numbers again that the ledger has seen."""
    await accepted(node, "A0000")
    if untold:  # the copy was taken before the outbox was emptied
        events = await node.spool.events(0, 100)
        await apply_events(ledger, node.spool.id, "node1", events, START_MS)
    else:
        assert await Forwarder(node, ledger, [node.spool], "node1").round()
        await node.spool.apply(Change())
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as other:  # what the lost spool told since
        other.execute("UPDATE spool_position SET applied_sequence = applied_sequence + ?", (ahead,))
        other.commit()
    await accepted(node, "B0000")
    forwarder = Forwarder(node, ledger, [node.spool], "node1")
    assert await forwarder.round()
    await accepted(node, "C0000")
    assert await forwarder.round()
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as reader:
        states = reader.execute(
            "SELECT m.queue_id, r.state FROM message m JOIN message_recipient r ON r.message_row = m.id"
        ).fetchall()
        (sent,) = reader.execute("SELECT sum(messages) FROM rollup_daily WHERE flow='sent'").fetchone()
        (aside,) = reader.execute("SELECT count(*) FROM unapplied_event").fetchone()
    assert sorted(states) == [(name, "delivered") for name in ("A0000", "B0000", "C0000")]
    assert (sent, aside) == (3, 0)


async def test_an_unforeseen_error_does_not_end_the_forwarder(
    node: Node, ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await delivered(node, 1)
    forwarder = Forwarder(node, ledger, [node.spool], "node1")

    async def fail(*_: object) -> int:
        raise RuntimeError("nobody thought of this")

    with monkeypatch.context() as patch:
        patch.setattr(forward, "apply_events", fail)
        assert not await forwarder.round()
        forwarder.stop()
        await forwarder.run()
    assert node.counters.values["internal_errors"] == 2
    assert await forwarder.round()


async def test_the_last_words_are_forwarded_on_stop(node: Node, ledger: Database) -> None:
    forwarder = Forwarder(node, ledger, [node.spool], "node1")
    await delivered(node, 1)
    forwarder.stop()
    await forwarder.run()
    assert await applied_sequence(ledger, node.spool.id) == 1


# Queue acts


@pytest.fixture
def acts(node: Node, ledger: Database) -> Acts:
    router = Router(node.settings.delivery, node.resolver, node.settings.hostname)
    return Acts(node, ledger, [node.spool], Scheduler(node, [node.spool], Attempt(node, router)))


async def ask(
    node: Node, ledger: Database, act: str, position: int | None = None, queue_id: str = "01Q"
) -> int:
    async with ledger.write() as session:
        return await commands.enqueue(
            session,
            spool_id=node.spool.id,
            queue_id=queue_id,
            position=position,
            act=act,
            actor="op",
            reason="test",
            expected_state=None,
            now_ms=START_MS,
        )


async def answer(ledger: Database, number: int) -> tuple[str | None, str | None]:
    found = await commands.get(ledger, number)
    assert found is not None
    return found.result, found.result_text


async def test_hold_release_and_drop(node: Node, ledger: Database, acts: Acts) -> None:
    await stored(node, queued("a@x.org", "b@x.org"))
    held = await ask(node, ledger, "hold")
    again = await ask(node, ledger, "hold")
    tried = await ask(node, ledger, "retry")
    await acts.round()
    assert (await answer(ledger, held))[0] == "done"
    assert (await answer(ledger, again))[0] == "refused"
    assert await answer(ledger, tried) == ("refused", "held: release it first")
    assert await node.spool.claim(2**60, 10) == [], "what is held is not attempted"
    released = await ask(node, ledger, "release", position=1)
    await acts.round()
    assert await answer(ledger, released) == ("done", "1 recipient")
    message = await node.spool.find("01Q")
    assert message is not None
    assert [r.state for r in message.recipients] == ["held", "ready"]
    dropped = await ask(node, ledger, "drop")
    await acts.round()
    assert await answer(ledger, dropped) == ("done", "2 recipients")
    assert await node.spool.find("01Q") is None
    gone = await ask(node, ledger, "retry")
    await acts.round()
    assert (await answer(ledger, gone))[0] == "refused"


async def test_an_act_on_many_is_answered_for_each(node: Node, ledger: Database, acts: Acts) -> None:
    many = [queued("a@x.org", "b@x.org", queue_id=f"Q{number:03}") for number in range(600)]
    await node.spool.apply(Change(messages=many))
    rows = [(node.spool.id, f"Q{number:03}", position) for number in range(600) for position in (0, 1)]
    rows.append((node.spool.id, "Q999", 0))
    async with ledger.write() as session:
        await commands.enqueue_many(
            session, rows, act="drop", actor="op", reason="test", batch="b1", now_ms=START_MS
        )
    await acts.round()
    assert await commands.answered(ledger, "b1") == (1200, 1)
    assert await node.spool.claim(2**60, 10) == []
    told = [event for _, event in await node.spool.events(0, 10_000)]
    assert [getattr(event, "reply", None) for event in told] == ["drop by op: test"] * 1200


async def test_what_is_being_delivered_is_left_alone(
    node: Node, ledger: Database, acts: Acts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(node, queued("a@x.org"))
    monkeypatch.setattr(acts._scheduler, "in_flight", lambda queue_id, position: True)
    number = await ask(node, ledger, "drop")
    await acts.round()
    assert (await answer(ledger, number))[0] == "refused"
    assert await node.spool.find("01Q") is not None


async def test_one_that_hangs_keeps_no_other_of_the_message_from_an_act(
    node: Node, ledger: Database, acts: Acts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(node, queued("a@x.org", "hangs@x.org", "c@x.org"))
    monkeypatch.setattr(acts._scheduler, "in_flight", lambda queue_id, position: position == 1)
    for act, told in (
        ("hold", "2 recipients; a delivery to 1 more is under way"),
        ("release", "2 recipients"),
        ("drop", "2 recipients; a delivery to 1 more is under way"),
    ):
        number = await ask(node, ledger, act)
        await acts.round()
        assert await answer(ledger, number) == ("done", told)
    number = await ask(node, ledger, "drop")
    await acts.round()
    assert (await answer(ledger, number))[0] == "refused"
    message = await node.spool.find("01Q")
    assert message is not None
    assert [r.address for r in message.recipients] == ["hangs@x.org"]


async def test_an_act_between_a_lease_and_its_attempt_is_refused(
    node: Node, ledger: Database, acts: Acts
) -> None:
    """What was said to be held would leave all the same."""
    await stored(node, queued("a@x.org", "b@x.org"))
    number = await ask(node, ledger, "hold", position=1)
    await acts.round()
    (claimed,) = await node.spool.claim(2**60, 10)
    for act in ("hold", "retry", "drop"):
        refused = await ask(node, ledger, act, position=0)
        await acts.round()
        assert (await answer(ledger, refused))[0] == "refused"
    assert (await answer(ledger, number))[0] == "done"
    assert await node.spool.find("01Q") is not None
    assert [r.address for r in claimed.recipients] == ["a@x.org"]


async def test_what_has_just_been_delivered_is_not_dropped(
    node: Node, ledger: Database, acts: Acts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its outcome waits for company on its way to the disk; the record must not say that it never left."""
    monkeypatch.setattr("mailgov.store.spool.gathering.LAZY_S", 60)
    message = await stored(node, queued("a@x.org"))
    await node.spool.claim(2**60, 10)
    number = await ask(node, ledger, "drop")
    await settle(node, node.spool, message, outcomes(message, OK))
    await acts.round()
    assert (await answer(ledger, number))[0] == "refused"
    await node.spool.apply(Change())
    told = [event for _, event in await node.spool.events(0, 10)]
    assert [getattr(event, "state", None) for event in told] == ["delivered"]


# Mail of other roles


async def leave(ledger: Database, *keys: str, recipients: tuple[str, ...] = (AN,)) -> None:
    async with ledger.write() as session:
        for key in keys:
            await outgoing.put(
                session,
                idempotency_key=key,
                reverse_path="",
                recipients=recipients,
                content=NOTICE,
                now_ms=START_MS,
            )


async def test_outgoing_mail_is_taken_in_once(node: Node, ledger: Database, acts: Acts) -> None:
    await leave(ledger, "a", "b", "a")
    await acts.round()
    await acts.round()
    kept = await node.spool.claim(2**60, 10)
    assert [[r.address for r in m.recipients] for m in kept] == [[AN], [AN]]


async def test_one_that_reaches_nobody_is_done_with(node: Node, ledger: Database, acts: Acts) -> None:
    await leave(ledger, "a", recipients=("nobody@caobang.gov.vn",))
    await leave(ledger, "b")
    await acts.round()
    assert len(await node.spool.claim(2**60, 10)) == 1
    assert await outgoing.take(ledger, node.spool.id, START_MS + 10 * outgoing.LEASE_MS) == []


async def test_one_that_cannot_be_made_now_holds_up_no_other_and_comes_again(
    node: Node, ledger: Database, acts: Acts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave(ledger, "a", "b")
    key = node.settings.data_dir / "r1.pem"
    content = key.read_bytes()
    key.unlink()
    await acts.round()
    assert await node.spool.claim(2**60, 10) == []
    key.write_bytes(content)
    await acts.round()
    assert await node.spool.claim(2**60, 10) == [], "its claim has not run out"
    monkeypatch.setattr(node, "clock", replace(node.clock, now_ms=lambda: START_MS + outgoing.LEASE_MS + 1))
    await acts.round()
    assert len(await node.spool.claim(2**60, 10)) == 2


# What the worker says of itself


async def test_results_of_tls_are_told_once_a_minute_and_at_the_end(
    node: Node, ledger: Database, time: OwnTime
) -> None:
    reporter = Reporter(node, ledger, "node-1", "relay.0")
    day = datetime.fromtimestamp(time.ms / 1000, UTC).date()

    async def told() -> int:
        await reporter.round()
        async with ledger.read() as session:
            found = await tls_results.lines(session, day, day + timedelta(days=1), 10)
        return sum(count for _, count in found)

    policy = tallies.Policy("sts", "example.org", "mx.example.org")
    node.tls.tally.count(time.ms, policy, None)
    assert await told() == 0
    time.ms += TLS_MS
    assert await told() == 1
    node.tls.tally.count(time.ms, policy, None)
    assert await told() == 1
    node.draining = True
    assert await told() == 2
