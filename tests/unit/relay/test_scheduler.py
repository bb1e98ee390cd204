"""Lanes, leases and memory: what is stored is attempted, within the limits, and nothing is held for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailgov.mail.events import OutcomeEvent
from mailgov.relay.attempt import Attempt
from mailgov.relay.attended import heed_clock
from mailgov.relay.clock import Clock
from mailgov.relay.node import Node
from mailgov.relay.notify import CAUSED_BY_STRANGER
from mailgov.relay.outcome import settle
from mailgov.relay.route import Lane, Router
from mailgov.relay.scheduler import Scheduler
from mailgov.store.spool import Change, Progress, QueuedMessage, Spool
from tests.support.dns_server import DnsServer
from tests.support.processes import free_port
from tests.support.relay_node import AN, BINH, node_settings, running_node
from tests.support.sink import Act, Sink
from tests.unit.relay.conftest import queued


async def eventually(condition: Callable[[], object], what: str = "the condition") -> None:
    try:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - the sink's thread tells no event of this loop
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise TimeoutError(f"waited for {what}") from None


@asynccontextmanager
async def running(
    folder: Path,
    dns: DnsServer,
    sink: Sink,
    *,
    tls_out: dict[str, Any] | None = None,
    clock: Clock | None = None,
    **delivery: Any,
) -> AsyncIterator[tuple[Node, Scheduler]]:
    """A scheduler at work; example.org's and other.example's MX is the sink."""
    for domain in ("example.org", "other.example"):
        dns.mx(domain, f"mx.{domain}")
        dns.a(f"mx.{domain}", sink.host)
    settings = node_settings(
        folder,
        {
            "dns": {"nameservers": [dns.address], "timeout_s": 2.0},
            "delivery": {
                "allow_networks": ["127.0.0.0/8"],
                "mx_port": sink.port,
                "connect_timeout_s": 5,
                **delivery,
            },
            "tls_out": tls_out or {},
        },
    )
    with running_node(settings, clock=clock) as node:
        router = Router(settings.delivery, node.resolver, settings.hostname)
        scheduler = Scheduler(node, [node.spool], Attempt(node, router))
        node.admit, node.offer = scheduler.admit, scheduler.offer
        work = asyncio.ensure_future(scheduler.run())
        try:
            yield node, scheduler
        finally:
            await scheduler.stop(0.3)
            await work
            assert scheduler._reserved == 0
            assert not scheduler._runners


async def put(
    node: Node, *messages: QueuedMessage, offered: bool = False, local: Collection[str] = (AN, BINH)
) -> None:
    """Store messages as fresh ones, due now, or leased and offered from memory; `local` are mailboxes."""
    now_ms = node.clock.now_ms()
    fresh = []
    for message in messages:
        due_ms = now_ms + 3_600_000 if offered else now_ms
        recipients = tuple(
            replace(r, due_ms=due_ms, destination=r.address if r.address in local else r.destination)
            for r in message.recipients
        )
        fresh.append(replace(message, received_ms=now_ms, recipients=recipients))
    await node.spool.apply(Change(messages=fresh))
    for message in fresh:
        if offered:
            assert node.admit(message.body.size_bytes)
            node.offer(message, message.body.size_bytes)
    node.offer(None, 0)


def rcpts(sink: Sink) -> list[str]:
    return [line for line in sink.commands if line.startswith("RCPT")]


async def states(node: Node) -> dict[tuple[str, int], str]:
    await node.spool.apply(Change())
    found = [event for _, event in await node.spool.events(0, 10_000)]
    return {(e.queue_id, e.position): e.state for e in found if isinstance(e, OutcomeEvent)}


@pytest.mark.parametrize("offered", [True, False], ids=["memory", "spool"])
async def test_mailbox_and_mx_of_one_message(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, offered: bool
) -> None:
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        await put(node, queued(AN, "a@example.org", "b@example.org", "c@other.example"), offered=offered)
        new = tmp_path / "mail" / "caobang.gov.vn" / "annv" / "new"
        await eventually(lambda: len(sink.messages) == 2 and new.is_dir() and list(new.iterdir()))
        assert sorted(m.recipients for m in sink.messages) == [
            ("a@example.org", "b@example.org"),
            ("c@other.example",),
        ]
        await eventually(lambda: not scheduler._in_flight)
        assert set((await states(node)).values()) == {"delivered"}
        assert await node.spool.find("01Q") is None


async def test_a_mailbox_whose_agency_has_a_limit_is_full_alone(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    limits = {"SNV": 10, BINH: 100_000}
    async with running(tmp_path, dns_server, sink, mailbox_limits=limits) as (node, scheduler):
        await put(node, queued(AN, BINH))
        await eventually(lambda: node.counters.values["delivered"] and node.counters.values["deferred"])
        await eventually(lambda: not scheduler._in_flight)
        assert await states(node) == {("01Q", 0): "deferred", ("01Q", 1): "delivered"}


async def test_one_connection_serves_a_lane_that_has_more(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    async with running(tmp_path, dns_server, sink, destination_concurrency=1) as (node, _):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n:02}") for n in range(20)))
        await eventually(lambda: len(sink.messages) == 20)
        assert sink.connections == 1


async def test_so_many_at_once_to_one_next_hop_and_in_all(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("eod", Act.HANG)
    async with running(
        tmp_path, dns_server, sink, destination_concurrency=3, concurrency=5, data_timeout_s=60
    ) as (node, scheduler):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n:02}") for n in range(10)))
        await put(node, *(queued("a@other.example", queue_id=f"R{n:02}") for n in range(10)))
        await eventually(lambda: sink.commands.count("DATA") == 5)
        assert len(scheduler._runners) == 5
        assert sorted(line.runners for line in scheduler._lines.values()) == [2, 3]
    # `running` saw what hung cut off; the leases bring it back.


async def test_a_lane_that_hangs_holds_up_no_other(tmp_path: Path, dns_server: DnsServer, sink: Sink) -> None:
    sink.on("rcpt", Act.HANG, when=lambda address: address.endswith("example.org"))
    async with running(tmp_path, dns_server, sink, destination_concurrency=2) as (node, _):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n:02}") for n in range(10)))
        await put(node, queued(AN, "a@other.example", queue_id="R"))
        await eventually(lambda: [m for m in sink.messages if m.recipients == ("a@other.example",)])
        await eventually((tmp_path / "mail" / "caobang.gov.vn" / "annv" / "new").is_dir)


async def test_lanes_that_hang_take_every_place_but_the_one_of_each_other_lane(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("rcpt", Act.HANG, when=lambda address: address.endswith("example.org"))
    async with running(tmp_path, dns_server, sink, concurrency=3) as (node, scheduler):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n:02}") for n in range(10)))
        await eventually(lambda: len(scheduler._runners) == 3, "every place to be taken")
        await put(node, queued(AN, "a@other.example", queue_id="R"))
        await eventually(lambda: [m for m in sink.messages if m.recipients == ("a@other.example",)])
        await eventually((tmp_path / "mail" / "caobang.gov.vn" / "annv" / "new").is_dir)


async def test_an_attempt_that_waits_long_gives_its_place_up(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgov.relay.scheduler.STALL_S", 0.1)
    sink.on("rcpt", Act.HANG)
    async with running(tmp_path, dns_server, sink, concurrency=2, connection_limit=5) as (node, scheduler):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n:02}") for n in range(10)))
        await eventually(lambda: len(rcpts(sink)) == 5, "places that were given up to be taken")
        await eventually(lambda: scheduler._shares.stalled == 5)
        assert len(scheduler._runners) == 5, "and the connections are bounded all the same"


async def test_hosts_that_do_not_greet_make_way_for_other_mail(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cable breaks, and a thousand domains are silent: what goes elsewhere waits for none of them."""
    monkeypatch.setattr("mailgov.relay.scheduler.STALL_S", 0.1)
    with Sink(host="127.0.0.2", port=sink.port) as silent:
        silent.on("connect", Act.HANG)
        dns_server.a("mx.abroad.example", silent.host)
        for number in range(9):
            dns_server.mx(f"x{number}.example", "mx.abroad.example")
        async with running(tmp_path, dns_server, sink, connection_limit=3, retry_schedule_s=[60]) as (
            node,
            _,
        ):
            await put(node, *(queued(f"a@x{n}.example", queue_id=f"E{n:02}") for n in range(9)))
            await eventually(lambda: silent.connections >= 3, "every place to be taken")
            await put(node, *(queued("a@other.example", queue_id=f"R{n:02}") for n in range(5)))
            await eventually(lambda: len(sink.messages) == 5)
            await eventually(lambda: node.counters.values["deferred"] >= 6)
            waiting = await node.spool.find("E00")
            assert waiting is not None
            assert (waiting.recipients[0].last_reply or "").startswith("451 4.4.1 ")
            kept = silent.connections
            assert kept <= 9, "and who made way is tried by the schedule, not at once"


async def test_reports_that_strangers_cause_leave_places_and_memory_for_mail(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes from a hundred domains whose hosts never answer chooses where his reports are tried."""
    monkeypatch.setattr("mailgov.relay.lanes.ASIDE_LIMIT", 6)
    monkeypatch.setattr("mailgov.relay.scheduler.IDLE_S", 60)
    sink.on("rcpt", Act.HANG, when=lambda address: address.endswith(".evil.example"))
    for number in range(20):
        dns_server.mx(f"x{number}.evil.example", "mx.example.org")
    async with running(tmp_path, dns_server, sink, connection_limit=8) as (node, scheduler):
        reports = [queued(f"a@x{n}.evil.example", queue_id=f"E{n:02}") for n in range(20)]
        await put(node, *(replace(report, context={CAUSED_BY_STRANGER: True}) for report in reports))
        await eventually(lambda: len(scheduler._in_flight) == 6, "their share of the memory to be taken")
        await eventually(lambda: len(rcpts(sink)) == 2, "their places to be taken")
        mail = [queued("a@example.org", "a@other.example", queue_id=f"R{n:02}") for n in range(10)]
        await put(node, *mail)
        await eventually(lambda: len(sink.messages) == 20)
        assert len(rcpts(sink)) == 22, "no more reports were tried meanwhile"
        opened = sink.connections
        for number in range(3):
            await put(node, queued("a@example.org", queue_id=f"S{number}"))
            await eventually(lambda: len(sink.messages) == 21 + number)  # noqa: B023 - awaited at once
        assert sink.connections <= opened + 1, "and sessions wait for company as ever"
        assert (await node.spool.depth())["ready"] >= 20, "and none is lost"


async def test_a_lane_without_end_leaves_memory_for_the_others(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgov.relay.lanes.RECIPIENT_LIMIT", 20)
    monkeypatch.setattr("mailgov.relay.lanes.LANE_LIMIT", 10)
    monkeypatch.setattr("mailgov.relay.lanes.LANE_FLOOR", 2)
    sink.on("rcpt", Act.HANG, when=lambda address: address.endswith("example.org"))
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n:03}") for n in range(100)))
        await eventually(lambda: len(scheduler._in_flight) == 10, "the lane's share to be taken")
        await put(node, *(queued(AN, "a@other.example", queue_id=f"R{n:03}") for n in range(30)))
        await eventually(lambda: len(sink.messages) == 30)
        new = tmp_path / "mail" / "caobang.gov.vn" / "annv" / "new"
        await eventually(lambda: new.is_dir() and len(list(new.iterdir())) == 30)
        await eventually(lambda: len(scheduler._in_flight) == 10, "all but the lane that hangs to be done")
        assert (await node.spool.depth())["ready"] >= 100, "nothing of the lane that hangs is lost"


async def test_fresh_mail_that_finds_its_lane_full_waits_in_the_spool(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgov.relay.lanes.LANE_LIMIT", 2)
    monkeypatch.setattr("mailgov.relay.lanes.LANE_FLOOR", 1)
    sink.on("rcpt", Act.HANG)
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n}") for n in range(3)), offered=True)
        async with asyncio.timeout(20):  # a look that had begun before may have leased it once more
            while True:
                await node.spool.apply(Change())
                waiting = await node.spool.find("Q2")
                assert waiting is not None
                if waiting.recipients[0].due_ms <= node.clock.now_ms():
                    break  # its lease has ended
        assert not scheduler.in_flight("Q2", 0)


async def test_mail_put_off_by_a_clock_that_ran_ahead_is_due_when_it_is_put_right(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        ahead_ms = node.clock.now_ms() + 365 * 86_400_000
        message = queued("a@example.org", received_ms=ahead_ms)
        put_off = Progress("01Q", 0, "ready", attempts=1, due_ms=ahead_ms + 120_000)
        held = replace(message, recipients=(replace(message.recipients[0], state="held"),))
        await node.spool.apply(Change(messages=[held]))
        await node.spool.apply(Change(progress=[put_off]))
        await heed_clock(node, [node.spool])
        scheduler.wake()
        await eventually(lambda: sink.messages)
        now_ms = node.clock.now_ms()
        assert not await node.spool.heed_clock(now_ms, 0), "once is enough"


async def test_what_the_next_hop_refuses_for_now_comes_again(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("rcpt", "451 4.7.1 greylisted", times=2)
    async with running(tmp_path, dns_server, sink, retry_schedule_s=[0.05]) as (node, scheduler):
        await put(node, queued("a@example.org"))

        def taken() -> bool:
            scheduler.wake()
            return bool(sink.messages)

        await eventually(taken)
        await eventually(lambda: not scheduler._in_flight)
        assert (await states(node))["01Q", 0] == "delivered"


async def test_the_dns_that_does_not_answer_defers(tmp_path: Path, dns_server: DnsServer, sink: Sink) -> None:
    dns_server.servfail("broken.example")
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        await put(node, queued("a@broken.example"))
        await eventually(lambda: node.counters.values["deferred"] and not scheduler._in_flight)
        waiting = await node.spool.find("01Q")
        assert waiting is not None
        assert (waiting.recipients[0].last_reply or "").startswith("451 4.4.3 ")


async def test_the_policy_is_asked_again_with_the_exchanger_really_used(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        dns_server.mx("example.org", "x.olc.protection.outlook.com")
        dns_server.a("x.olc.protection.outlook.com", sink.host)
        message = queued("a@example.org")
        facts = {
            "session.listener": "submission",
            "account.citizen_desk": False,
            "recipient.local": False,
            "recipient.registered": False,
            "recipient.via": None,
            "recipient.address": "a@example.org",
            "recipient.domain": "example.org",
        }
        message = replace(message, recipients=(replace(message.recipients[0], context={"facts": facts}),))
        await put(node, message)
        await eventually(lambda: node.counters.values["bounced"])
        assert sink.connections == 0
        await eventually(lambda: not scheduler._in_flight)
        new = tmp_path / "mail" / "caobang.gov.vn" / "annv" / "new"
        await eventually(lambda: new.is_dir() and list(new.iterdir()), "the bounce in the author's mailbox")
        assert b"rule cold-free-mail" in b" ".join(next(new.iterdir()).read_bytes().split())


async def test_memory_is_reserved_and_given_back(tmp_path: Path, dns_server: DnsServer, sink: Sink) -> None:
    async with running(tmp_path, dns_server, sink, memory_bytes=1_048_576) as (_, scheduler):
        taken = 0
        while scheduler.admit(100_000):
            taken += 1
        assert taken == 10
        assert scheduler.admit(100)
        scheduler.offer(None, 100)
        for _ in range(taken):
            scheduler.offer(None, 100_000)
        assert scheduler.admit(100_000)
        scheduler.offer(None, 100_000)


async def test_a_dead_next_hop_defers_and_says_why(tmp_path: Path, dns_server: DnsServer, sink: Sink) -> None:
    async with running(tmp_path, dns_server, sink, mx_port=free_port()) as (node, scheduler):
        await put(node, queued("a@example.org"))
        await eventually(lambda: node.counters.values["deferred"] and not scheduler._in_flight)
        waiting = await node.spool.find("01Q")
        assert waiting is not None
        assert (waiting.recipients[0].last_reply or "").startswith(
            "451 4.4.1 No connection to mx.example.org"
        )


async def test_what_a_next_hop_says_in_no_unicode_is_written_down_as_any_other(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("connect", b"554 5.7.1 kh\xf4ng nh\xe2n\r\n")
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        await put(node, queued("a@example.org"))
        await eventually(lambda: sink.connections and not scheduler._in_flight)
        assert await states(node) == {("01Q", 0): "deferred"}


@pytest.mark.parametrize("end", [Act.DROP, Act.RESET, "421 4.3.2 enough for one session"])
async def test_a_session_that_the_next_hop_ends_between_messages_is_replaced(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, end: Act | str
) -> None:
    async with running(tmp_path, dns_server, sink, destination_concurrency=1) as (node, scheduler):
        await put(node, queued("a@example.org", queue_id="Q1"))
        await eventually(lambda: not scheduler._in_flight and sink.messages)
        sink.on("mail", end, times=1)
        await put(node, queued("a@example.org", queue_id="Q2"))
        await eventually(lambda: len(sink.messages) == 2)
        await eventually(lambda: not scheduler._in_flight)
        assert sink.connections == 2
        assert not node.counters.values["deferred"]


@pytest.mark.parametrize("when", ["in the place of a reply", "after the last one"])
async def test_a_next_hop_that_floods_is_left_before_another_message_may_want_it(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Its words would else be read as fast as they come, for as long as the session waits for company."""
    monkeypatch.setattr("mailgov.relay.scheduler.IDLE_S", 60)
    last = when == "after the last one"
    left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for said in (b"220 h", b"250 h", b"250 ok", b"250 ok"):
            writer.write(said + b"\r\n")
            await reader.readline()
        if last:
            writer.write(b"354 go\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 2.0.0 kept\r\n")
        with suppress(OSError):
            while True:
                writer.write(b"250-x\r\n" * 1000)
                await writer.drain()
        left.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with running(tmp_path, dns_server, sink, mx_port=port) as (node, scheduler):
            await put(node, queued("a@example.org"))
            counter = "delivered" if last else "deferred"
            await eventually(lambda: node.counters.values[counter] and not scheduler._in_flight)
            await asyncio.wait_for(left.wait(), 5)


async def test_a_next_hop_that_ends_every_session_is_not_asked_again_and_again(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("mail", Act.DROP)
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        await put(node, queued("a@example.org"))
        await eventually(lambda: node.counters.values["deferred"] and not scheduler._in_flight)
        assert sink.connections == 1


async def test_an_attempt_that_breaks_inside_defers_and_the_lane_goes_on(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    async with running(tmp_path, dns_server, sink) as (node, _):
        message = queued("a@example.org", queue_id="BAD")
        damaged = replace(message, recipients=tuple(replace(r, variant=1) for r in message.recipients))
        await put(node, damaged, queued("b@example.org"))
        await eventually(lambda: sink.messages)
        assert sink.messages[0].recipients == ("b@example.org",)
        await eventually(lambda: node.counters.values["deferred"])
        assert node.counters.values["internal_errors"] >= 1
        assert await node.spool.find("BAD") is not None


async def test_stopping_lets_what_is_under_way_end(tmp_path: Path, dns_server: DnsServer, sink: Sink) -> None:
    async with running(tmp_path, dns_server, sink) as (node, scheduler):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n:02}") for n in range(5)))
        await eventually(lambda: sink.messages)
        await scheduler.stop(10.0)
        assert not scheduler.admit(10), "nothing new from memory"
        told = await states(node)
        assert {queue_id for queue_id, _ in told} == {
            f"Q{n:02}" for n in range(5) if await node.spool.find(f"Q{n:02}") is None
        }
        assert len(told) == len(sink.messages)


async def test_what_is_put_off_with_others_is_no_longer_in_flight_once_it_is_written_down(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report holds up one of them. Woken meanwhile, the others were leased for an hour, unattempted."""
    slow = asyncio.Event()

    async def slowly(node: Node, spool: Spool, message: QueuedMessage, outcomes: Any) -> None:
        if message.queue_id == "slow":
            await slow.wait()
        await settle(node, spool, message, outcomes)

    monkeypatch.setattr("mailgov.relay.attempt.settle", slowly)
    sink.on("connect", Act.HANG, times=1)
    sink.on("connect", Act.DROP)
    async with running(
        tmp_path, dns_server, sink, destination_concurrency=1, command_timeout_s=1, connect_timeout_s=1
    ) as (node, scheduler):
        names = ("Q1", "Q2", "Q3", "Q4", "quick", "slow")
        await put(node, *(queued("a@example.org", queue_id=name) for name in names))
        await eventually(lambda: scheduler._in_flight == {("slow", 0)}, "all but one to be written down")
        sink.behave()
        scheduler._waker.back({"example.org"})
        scheduler._throttles.let_go(Lane("mx", "example.org"))
        await eventually(lambda: len(scheduler._in_flight) == 6, "the others to be taken again")
        slow.set()
        await eventually(lambda: len(sink.messages) == 5, "those that were woken")


async def test_a_lane_that_waited_and_ended_does_not_stand_in_the_way_of_its_next_mail(
    tmp_path: Path, dns_server: DnsServer, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was in the row for a second place; while it said goodbye, new mail for it found no place."""
    monkeypatch.setattr("mailgov.relay.client.QUIT_S", 1.0)
    sink.on("quit", Act.HANG, times=1)
    sink.on("rcpt", Act.HANG, when=lambda address: address.endswith("other.example"), times=1)
    async with running(tmp_path, dns_server, sink, connection_limit=1, command_timeout_s=2) as (node, _):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n}") for n in range(2)), offered=True)
        await eventually(lambda: "QUIT" in sink.commands, "the lane's goodbye")
        await put(node, queued("a@other.example", queue_id="R"), offered=True)
        await put(node, queued("late@example.org", queue_id="S"), offered=True)
        await eventually(lambda: any(m.recipients == ("late@example.org",) for m in sink.messages))
