"""A next hop that cannot keep up is given less, one that is away nothing, and both get all of it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailgov.mail.reply import INTERNAL_ERROR, Reply
from mailgov.relay.route import Lane
from mailgov.relay.throttle import AWAY_AFTER, LANES_LIMIT, Throttle, Throttles, verdict
from tests.support.dns_server import DnsServer
from tests.support.sink import Act, Sink
from tests.unit.relay.conftest import queued
from tests.unit.relay.test_scheduler import eventually, put, running

OK, BUSY, GONE = Reply(250, "2.0.0", "ok"), Reply(421, "4.3.2", "busy"), Reply(451, "4.4.1", "No connection")
NO = Reply(550, "5.1.1", "no")


@pytest.mark.parametrize(
    ("replies", "session", "heard"),
    [
        ([OK, BUSY], True, "well"),
        ([NO], True, "well"),
        ([NO, BUSY], True, "well"),
        ([BUSY, BUSY], True, "busy"),
        ([GONE], False, "away"),
        ([INTERNAL_ERROR], True, "own"),
    ],
)
def test_what_an_attempt_says_of_the_next_hop(replies: list[Reply], session: bool, heard: str) -> None:
    assert verdict(replies, session=session) == heard


def test_places_go_one_by_one_and_come_back_by_rounds() -> None:
    throttle = Throttle(8)
    for left in (7, 6, 5, 4):
        throttle.tell("busy", BUSY, 0)
        assert throttle.places == left
    successes = 0
    while throttle.places < 6:
        throttle.tell("well", OK, 0)
        successes += 1
    assert 4 + 5 <= successes <= 4 + 5 + 2
    for _ in range(100):
        throttle.tell("busy", BUSY, 0)
    assert throttle.places == 1, "one is always tried"
    for _ in range(100):
        throttle.tell("well", OK, 0)
    assert (throttle.places, throttle.at_best) == (8, True)


def test_away_after_some_failures_in_a_row_until_one_attempt_succeeds() -> None:
    throttle = Throttle(8, away_s=60)
    for _ in range(AWAY_AFTER - 1):
        throttle.tell("away", GONE, 100)
    throttle.tell("well", OK, 100)
    for _ in range(AWAY_AFTER - 1):
        throttle.tell("away", GONE, 100)
    assert throttle.away(100) is None
    throttle.tell("own", INTERNAL_ERROR, 100)
    throttle.tell("away", GONE, 100)
    assert (throttle.away(159), throttle.away(160), throttle.places) == (GONE, None, 1)
    throttle.tell("away", GONE, 160)
    assert throttle.away(219) == GONE, "one failure more is enough"
    throttle.tell("well", OK, 220)
    assert throttle.away(220) is None


def test_lanes_that_are_well_are_forgotten_and_the_others_bounded() -> None:
    throttles = Throttles(20, 120)
    for number in range(LANES_LIMIT + 10):
        lane = Lane("mx", f"d{number}.example")
        one = throttles.of(lane)
        one.tell("busy", BUSY, 0)
        throttles.keep(lane, one)
    assert len(throttles._known) == LANES_LIMIT
    last = throttles.of(lane)
    for _ in range(20):
        last.tell("well", OK, 0)
    throttles.keep(lane, last)
    assert len(throttles._known) == LANES_LIMIT - 1


async def test_a_next_hop_that_says_421_is_given_one_at_a_time_and_then_more(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    async with running(tmp_path, dns_server, sink, destination_concurrency=6, retry_schedule_s=[0.05]) as (
        node,
        scheduler,
    ):
        lane = Lane("mx", "example.org")
        sink.on("mail", "421 4.3.2 too much at once", times=20)
        await put(node, *(queued("a@example.org", queue_id=f"Q{n:03}") for n in range(20)))
        await eventually(lambda: node.counters.values["deferred"] >= 20, "the refusals")
        assert scheduler._throttles.of(lane).places <= 2

        def done() -> bool:
            scheduler.wake()
            return len(sink.messages) >= 60

        await put(node, *(queued("b@example.org", queue_id=f"R{n:03}") for n in range(40)))
        await eventually(done, "everything to be delivered")
        await eventually(lambda: not scheduler._in_flight)
        assert scheduler._throttles.of(lane).places == 6


async def test_who_waits_for_a_next_hop_that_is_away_does_not_find_it_out_by_himself(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    sink.on("connect", Act.DROP)
    async with running(tmp_path, dns_server, sink, destination_concurrency=2, retry_schedule_s=[1.5]) as (
        node,
        scheduler,
    ):
        await put(node, *(queued("a@example.org", queue_id=f"Q{n:03}") for n in range(100)))
        await eventually(lambda: node.counters.values["deferred"] == 100, "all to be deferred")
        await eventually(lambda: not scheduler._in_flight)
        assert sink.connections <= AWAY_AFTER + 1
        waiting = await node.spool.find("Q099")
        assert waiting is not None
        assert waiting.recipients[0].attempts == 1
        assert (waiting.recipients[0].last_reply or "").startswith(
            "451 4.4.1 No connection to mx.example.org"
        )
        await put(node, queued("a@other.example", queue_id="R"))
        await eventually(lambda: node.counters.values["deferred"] == 101)
        assert sink.connections <= AWAY_AFTER + 2, "another lane asks for itself"
        sink.behave()
        await eventually(lambda: len(sink.messages) == 101, "everything to be delivered")


async def test_what_one_domain_asks_of_tls_closes_the_smarthost_to_no_other(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    async with running(
        tmp_path,
        dns_server,
        sink,
        tls_out={"minimum": {"bo.gov.vn": {"level": "encrypt"}}},
        smarthost=sink.address,
        destination_concurrency=1,
    ) as (node, scheduler):
        await put(node, *(queued("a@bo.gov.vn", queue_id=f"Q{n}") for n in range(AWAY_AFTER + 2)))
        await eventually(lambda: node.counters.values["deferred"] == AWAY_AFTER + 2, "the refusals of ours")
        await put(node, queued("a@example.org", queue_id="R"))
        await eventually(lambda: sink.messages, "the other domain's mail")
        await eventually(lambda: not scheduler._in_flight)
        assert sink.messages[0].recipients == ("a@example.org",)


def test_one_that_is_back_shortens_the_wait_for_other_domains_and_for_no_host_that_we_have_chosen() -> None:
    throttles = Throttles(20, 120)
    domain, chosen = Lane("mx", "a.example"), Lane("smtp", "smtp.tinh.vn:587")
    for lane in (domain, chosen):
        throttle = throttles.of(lane)
        for _ in range(AWAY_AFTER):
            throttle.tell("away", GONE, 100)
        throttles.keep(lane, throttle)
    throttles.ease(102)
    assert throttles.of(domain).away(104) == GONE, "it was asked a moment ago"
    assert throttles.of(domain).away(105) is None
    assert throttles.of(chosen).away(159) == GONE
    assert throttles.let_go(chosen)
    assert throttles.of(chosen).away(159) is None
    assert not throttles.let_go(Lane("mx", "well.example"))


def test_each_that_is_back_looks_at_those_alone_that_were_found_away_since_the_one_before() -> None:
    """Five thousand that are back one after the other would look at five thousand each."""
    throttles, lanes = Throttles(20, 120), [Lane("mx", f"d{n}.example") for n in range(LANES_LIMIT + 3)]
    for lane in lanes:
        throttle = throttles.of(lane)
        for _ in range(AWAY_AFTER):
            throttle.tell("away", GONE, 100)
        throttles.keep(lane, throttle)
    assert len(throttles._asleep) == LANES_LIMIT
    throttles.ease(102)
    assert not throttles._asleep
    again = throttles.of(lanes[-1])
    assert again.away(106) is None
    again.tell("away", GONE, 106)
    throttles.keep(lanes[-1], again)
    throttles.ease(107)
    assert again.away(110) == GONE
    assert again.away(111) is None, "that it was eased before is forgotten"
