"""After an outage: each destination has its part of what leaves, and new mail does not wait behind old."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailgov.mail.events import OutcomeEvent
from mailgov.relay.lanes import LANE_FLOOR, RECIPIENT_LIMIT, Job, Line, Shares
from mailgov.relay.node import Node
from mailgov.relay.recovery import AGAIN_MS, TRIALS
from mailgov.relay.route import Lane
from mailgov.relay.scheduler import Scheduler
from mailgov.relay.throttle import Throttle
from mailgov.settings import DeliverySettings
from mailgov.store.spool import Change, Progress, QueuedMessage
from tests.support.dns_server import DnsServer
from tests.support.processes import free_port
from tests.support.relay_node import AN
from tests.support.sink import Act, Sink
from tests.unit.relay.conftest import OwnTime, queued
from tests.unit.relay.test_scheduler import eventually, put, running

DOMAINS = [f"d{number}.example" for number in range(8)]
OLD = 100
"""Messages that wait for each."""
HOUR_MS = 3_600_000


@asynccontextmanager
async def outage(
    folder: Path,
    dns: DnsServer,
    time: OwnTime,
    domains: Sequence[str] = DOMAINS,
    *,
    smarthost: bool = False,
    dead: str = "",
    **more: Any,
) -> AsyncIterator[tuple[Node, Scheduler, Sink]]:
    """Every next hop was found away a while ago; old mail waits for an hour to come, domain after domain.

    The sink that the test is to start is all of them.
    """
    sink = Sink(port=free_port())
    for domain in domains:
        dns.mx(domain, f"mx.{domain}")
        dns.a(f"mx.{domain}", "127.0.0.9" if domain == dead else sink.host)
    if smarthost:
        more["smarthost"] = sink.address
    async with running(folder, dns, sink, clock=time.clock(), concurrency=8, **more) as (node, scheduler):
        for domain in domains:
            await wait(node, *(queued(f"u{n}@{domain}", queue_id=f"{domain}{n:03}") for n in range(OLD)))
        await put(
            node, *(queued(f"now@{domain}", queue_id=f"{domain}-{n}") for domain in domains for n in "abc")
        )
        await eventually(lambda: node.counters.values["deferred"] == 3 * len(domains), "nobody to be reached")
        await eventually(lambda: not scheduler._in_flight)
        # Where many are silent one is asked before its minute is over; a host that we have chosen is not.
        time.ms += 30_000 if len(domains) > 2 and not smarthost else 61_000
        try:
            yield node, scheduler, sink
        finally:
            sink.stop()


async def wait(node: Node, *messages: QueuedMessage) -> None:
    """Put off three times, as it stands in the spool."""
    due_ms = node.clock.now_ms() + HOUR_MS
    held = [replace(m, recipients=tuple(replace(r, state="held") for r in m.recipients)) for m in messages]
    await node.spool.apply(Change(messages=held))
    progress = [Progress(m.queue_id, r.position, "ready", 3, due_ms) for m in held for r in m.recipients]
    await node.spool.apply(Change(progress=progress))


def old(sink: Sink) -> list[str]:
    """The domains of the old mail that has come, in order."""
    return [r.rpartition("@")[2] for m in list(sink.messages) for r in m.recipients if r.startswith("u")]


@pytest.mark.parametrize("smarthost", [False, True], ids=["exchangers", "smarthost"])
async def test_each_domain_has_its_part_of_what_leaves_after_an_outage(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime, monkeypatch: pytest.MonkeyPatch, smarthost: bool
) -> None:
    """Mail to one of them finds out that they are back: all that fell silent with it are asked then."""
    monkeypatch.setattr("mailgov.relay.recovery.MEMORY_LIMIT", OLD)  # the first has no second for itself
    async with outage(tmp_path, dns_server, time, smarthost=smarthost) as (node, scheduler, sink):
        with sink:
            await put(node, queued(f"first@{DOMAINS[0]}", queue_id="first"), offered=True)
            await eventually(lambda: len(old(sink)) == OLD * len(DOMAINS), "all of the old mail")
            await eventually(lambda: not scheduler._in_flight)
        half = Counter(old(sink)[: OLD * len(DOMAINS) // 2])
        assert min(half[domain] for domain in DOMAINS) >= OLD // 4, half
        assert max(half.values()) <= OLD * 3 // 4, half
        addresses = Counter(m.recipients[0] for m in sink.messages)
        assert max(addresses[f"u{n}@{domain}"] for n in range(OLD) for domain in DOMAINS) == 1


async def test_new_mail_has_a_share_beside_what_waited_for_the_same_next_hop(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime, sink: Sink
) -> None:
    """All of the old is due, as after a night without this relay: one in turn is a first attempt."""
    async with running(tmp_path, dns_server, sink, clock=time.clock(), destination_concurrency=1) as (
        node,
        scheduler,
    ):
        await wait(node, *(queued(f"u{n}@example.org", queue_id=f"Q{n:03}") for n in range(600)))
        time.ms += HOUR_MS
        scheduler.wake()
        await eventually(lambda: len(old(sink)) >= 10)
        new = [queued(f"new@{n}.example.org", queue_id=f"R{n}") for n in range(5)]
        new = [replace(m, recipients=(replace(m.recipients[0], destination="example.org"),)) for m in new]
        await put(node, *new, offered=True)
        before = len(sink.messages)
        await eventually(lambda: len(sink.messages) >= before + 15)
        came = [m.recipients[0] for m in sink.messages[: before + 15]]
        assert sum(address.startswith("new@") for address in came) == 5, came


async def test_who_is_refused_again_is_not_asked_for_a_third_time_in_the_same_recovery(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime
) -> None:
    async with outage(tmp_path, dns_server, time, DOMAINS[:2]) as (node, scheduler, sink):
        sink.on("rcpt", "452 4.2.2 full", when=lambda address: address.startswith(("u0@", "u7@", "u50@")))
        with sink:
            await put(node, queued(f"first@{DOMAINS[0]}", queue_id="first"), offered=True)
            await eventually(lambda: len(old(sink)) == 2 * (OLD - 3), "the others")
            await eventually(lambda: not scheduler._in_flight and not scheduler._recovery.listening)
        refused = Counter(line for line in sink.commands if "u7@" in line or "u50@" in line)
        assert set(refused.values()) == {1}
        left = await node.spool.find(f"{DOMAINS[0]}007")
        assert left is not None
        assert left.recipients[0].attempts == 4
        assert left.recipients[0].due_ms > node.clock.now_ms(), "it comes by the schedule"


async def test_one_that_is_away_still_is_asked_once_and_its_mail_left_in_peace(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime
) -> None:
    dead = DOMAINS[1]
    async with outage(tmp_path, dns_server, time, DOMAINS[:2], dead=dead) as (node, scheduler, sink):
        with sink:
            await put(node, queued(f"first@{DOMAINS[0]}", queue_id="first"), offered=True)
            await eventually(lambda: len(old(sink)) == OLD, "the other's mail")
            await eventually(lambda: not scheduler._in_flight and not scheduler._recovery.listening)
        events = [event for _, event in await node.spool.events(0, 10_000)]
        asked = [e.queue_id for e in events if isinstance(e, OutcomeEvent) and e.queue_id.startswith(dead)]
        assert len(asked) == 3 + 1, "three letters found out that it was away"


async def test_what_was_taken_before_its_time_and_not_tried_has_no_attempt_more(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime
) -> None:
    """A next hop that comes and goes a few times would put it off for eight hours."""
    async with outage(tmp_path, dns_server, time, DOMAINS[:1]) as (node, scheduler, sink):
        with sink:
            await put(node, queued(f"first@{DOMAINS[0]}", queue_id="first"), offered=True)
            await eventually(lambda: len(old(sink)) >= 20)
            sink.on("eod", Act.HANG)
            await eventually(lambda: scheduler._recovery.out > 10, "some to wait in memory")
        await eventually(lambda: not scheduler._in_flight)
        events = [event for _, event in await node.spool.events(0, 10_000)]
        told = [e for e in events if isinstance(e, OutcomeEvent) and e.state == "deferred"]
        again = Counter(e.attempts for e in told if e.queue_id[-3:].isdigit())
        assert set(again) == {3, 4}, f"not tried, and tried: {again}"


async def test_next_hops_that_hang_when_they_are_back_leave_memory_to_the_others(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgov.relay.recovery.MEMORY_LIMIT", 8)
    hanging = tuple(DOMAINS[:4])
    async with outage(tmp_path, dns_server, time) as (node, scheduler, sink):
        sink.on(
            "rcpt", Act.HANG, when=lambda a: a.startswith("u") and a.endswith(hanging) and a[1] not in "012"
        )
        with sink:
            await put(node, queued(f"first@{DOMAINS[0]}", queue_id="first"), offered=True)
            free = [domain for domain in DOMAINS if domain not in hanging]
            await eventually(
                lambda: all(old(sink).count(domain) >= 10 for domain in free), "the others' mail"
            )
            assert scheduler._recovery.out <= 8 + 2


async def test_a_worker_that_is_started_again_goes_on(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the schedule the rest would wait for an hour."""
    monkeypatch.setattr("mailgov.relay.recovery.MEMORY_LIMIT", 10)
    two = DOMAINS[:2]
    async with outage(tmp_path, dns_server, time, two) as (node, _, sink):
        sink.start()
        await put(node, queued(f"first@{DOMAINS[0]}", queue_id="first"), offered=True)
        await eventually(lambda: all(domain in old(sink) for domain in two))
    before = len(old(sink))
    with sink:
        async with running(tmp_path, dns_server, sink, clock=time.clock()) as (node, scheduler):
            await eventually(lambda: len(whose(sink)) == 2 * OLD, "the rest")
            await eventually(lambda: not scheduler._recovery.listening)
            assert await node.spool.noted("recovering") == []
    assert before < 2 * OLD


def whose(sink: Sink) -> set[str]:
    """Whose old mail has come: a session that was cut off may have brought some twice."""
    return {r for m in list(sink.messages) for r in m.recipients if r.startswith("u")}


async def test_a_message_whose_last_attempt_is_being_written_down_waits_a_little_and_is_not_lost(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime
) -> None:
    """Leased and dropped it would come again after an hour."""
    late = (f"{DOMAINS[1]}007", 0)
    async with outage(tmp_path, dns_server, time, DOMAINS[:2]) as (node, scheduler, sink):
        scheduler._in_flight.add(late)
        with sink:
            await put(node, queued(f"first@{DOMAINS[0]}", queue_id="first"), offered=True)
            await eventually(lambda: len(old(sink)) == 2 * OLD - 1, "the others")
            await eventually(lambda: not scheduler._recovery.listening)
            scheduler._in_flight.remove(late)
            time.ms += AGAIN_MS
            scheduler.wake()
            await eventually(lambda: len(old(sink)) == 2 * OLD)
            assert len(whose(sink)) == 2 * OLD


def test_a_quarter_of_the_memory_is_left_to_what_has_just_come() -> None:
    shares = Shares(DeliverySettings(), remote=RECIPIENT_LIMIT * 3 // 4)
    line = Line(Lane("mx", "example.org"), Throttle(20), recipients=LANE_FLOOR)
    assert shares.full(line, again=True)
    assert not shares.full(line)
    line.recipients = LANE_FLOOR - 1
    assert not shares.full(line, again=True), "a few each lane may always have"


def test_first_attempts_and_those_that_come_again_take_turns() -> None:
    lane = Lane("mx", "example.org")
    line = Line(lane, Throttle(20))

    def add(*names: str) -> None:
        for name in names:
            message = queued("a@example.org", queue_id=name, attempts=int(name.startswith("old")))
            line.add(Job(None, message, message.recipients, lane))  # type: ignore[arg-type]  # none is read

    def waiting() -> list[str]:
        return [job.message.queue_id for job in line.jobs]

    add("old1", "old2", "old3", "new1", "new2", "new3", "new4")
    assert waiting() == ["old1", "new1", "old2", "new2", "old3", "new3", "new4"]
    add("old4")
    assert waiting()[-3:] == ["new3", "old4", "new4"]
    line.jobs.popleft()
    add("new5")
    assert waiting()[-2:] == ["new4", "new5"]


async def test_waiting_mail_that_goes_elsewhere_does_not_end_the_search_for_a_smarthosts(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mailboxes of ours that are full fill whole pages of names: what comes behind them leaves too."""
    monkeypatch.setattr("mailgov.relay.recovery.PAGE", 4)
    async with outage(tmp_path, dns_server, time, DOMAINS[:1], smarthost=True) as (node, scheduler, sink):
        full = [queued(AN, queue_id=f"full{n}") for n in range(9)]
        places = (f"b{n}@caobang.gov.vn" for n in range(9))
        await wait(node, *(bound(m, to) for m, to in zip(full, places, strict=True)))
        with sink:
            await put(node, queued(f"first@{DOMAINS[0]}", queue_id="first"), offered=True)
            await eventually(lambda: len(old(sink)) == OLD, "what waited for the smarthost")
            await eventually(lambda: not scheduler._recovery.listening)


async def test_of_more_that_fell_silent_than_are_remembered_the_last_are_asked(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("recovery", "throttle"):
        monkeypatch.setattr(f"mailgov.relay.{module}.LANES_LIMIT", 4)
    async with outage(tmp_path, dns_server, time) as (node, scheduler, sink):
        known = {lane.target for lane in scheduler._throttles._known}
        assert len(known) == 4
        new = next(domain for domain in DOMAINS if domain not in known)
        with sink:
            await put(node, queued(f"first@{new}", queue_id="first"), offered=True)
            await eventually(lambda: known <= set(old(sink)), "mail of all that are remembered")


WITH_A_FLAW = {
    "strangers": ("""UPDATE message SET context='{"caused_by_stranger": true}'""", "queue_id", 5),
    "breaks": ("UPDATE message SET data=NULL", "queue_id", 2),
}


@pytest.mark.parametrize("flaw", WITH_A_FLAW)
async def test_a_next_hop_whose_trial_says_nothing_of_it_is_asked_by_another_message(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime, flaw: str
) -> None:
    """Reports that strangers have caused have a line of their own there; another one breaks within us."""
    do, name, count = WITH_A_FLAW[flaw]
    async with outage(tmp_path, dns_server, time, DOMAINS[:2]) as (node, _, sink):
        query = f"{do} WHERE {name} GLOB '{DOMAINS[1]}00[0-{count - 1}]'"
        assert await node.spool._writer.run(lambda c: c.execute(query).rowcount) == count
        with sink:
            await put(node, queued(f"first@{DOMAINS[0]}", queue_id="first"), offered=True)
            await eventually(lambda: len(old(sink)) >= 2 * OLD - count, "all that can leave")


async def test_who_puts_everything_off_takes_no_memory_from_the_others(
    tmp_path: Path, dns_server: DnsServer, time: OwnTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgov.relay.recovery.MEMORY_LIMIT", 32)
    async with outage(tmp_path, dns_server, time) as (node, scheduler, sink):
        well = DOMAINS[0]
        sink.on("rcpt", "451 4.7.1 later", when=lambda a: a.startswith("u") and not a.endswith(well))
        with sink:
            await put(node, queued(f"first@{well}", queue_id="first"), offered=True)
            await eventually(lambda: node.counters.values["deferred"] == (3 + TRIALS) * 7 + 3, "the refusals")
            sink.on("eod", Act.HANG, when=lambda text: True)
            await eventually(lambda: scheduler._recovery.out > 32 // 8, "more than an eighth of the memory")


def bound(message: QueuedMessage, destination: str) -> QueuedMessage:
    """The message, going there."""
    return replace(message, recipients=tuple(replace(r, destination=destination) for r in message.recipients))
