"""A dead address, and a dead family of them, cost their timeout once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailgov.relay.reach import ADDRESSES_LIMIT, FAMILY_FAILURES, REMEMBERED_S, Reach, alternating
from tests.support.dns_server import DnsServer
from tests.support.processes import free_port
from tests.support.sink import Sink
from tests.unit.relay.conftest import queued
from tests.unit.relay.test_scheduler import eventually, put, running

SILENCE_S = 0.6


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_that_did_not_answer_comes_last_for_a_while() -> None:
    seconds = Seconds()
    reach = Reach(seconds)
    reach.failed("1.1.1.1")
    assert (reach.penalty("1.1.1.1"), reach.penalty("1.1.1.2")) == (2, 0)
    seconds.now += REMEMBERED_S
    assert reach.penalty("1.1.1.1") == 0
    reach.failed("1.1.1.1")
    reach.reached("1.1.1.1")
    assert reach.penalty("1.1.1.1") == 0


def test_a_family_is_away_when_several_of_it_are_and_back_when_one_is() -> None:
    seconds = Seconds()
    reach = Reach(seconds)
    for number in range(FAMILY_FAILURES - 1):
        reach.failed(f"2001:db8::{number}")
        reach.failed("2001:db8::0")
    assert reach.penalty("2001:db8::ffff") == 0, "one host that is away is no network"
    reach.failed("2001:db8::5")
    assert (reach.penalty("2001:db8::ffff"), reach.penalty("1.1.1.1")) == (1, 0)
    reach.reached("2001:db8::6")
    assert reach.penalty("2001:db8::ffff") == 0
    for number in range(FAMILY_FAILURES):
        reach.failed(f"1.1.1.{number}")
    seconds.now += REMEMBERED_S
    assert reach.penalty("8.8.8.8") == 0, "it is tried again"


def test_what_is_remembered_is_bounded() -> None:
    reach = Reach(Seconds())
    for number in range(ADDRESSES_LIMIT + 500):
        reach.failed(f"10.0.{number >> 8}.{number & 255}")
    assert len(reach._failed) == ADDRESSES_LIMIT
    assert sum(map(len, reach._families.values())) == FAMILY_FAILURES


@pytest.mark.parametrize(
    ("given", "order"),
    [
        (["1.1.1.1", "1.1.1.2", "::1", "::2"], ["1.1.1.1", "::1", "1.1.1.2", "::2"]),
        (["::1", "::2", "1.1.1.1"], ["1.1.1.1", "::1", "::2"]),
        (["::1"], ["::1"]),
        ([], []),
    ],
)
def test_both_families_take_turns(given: list[str], order: list[str]) -> None:
    assert list(alternating(given)) == order


@pytest.fixture
def silent_port() -> Iterator[int]:
    """127.0.0.1 answers nobody there: its backlog is full, so that what comes is dropped."""
    with ExitStack() as stack:
        port = free_port()
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", port))
        listening.listen(0)
        for _ in range(3):
            taken = stack.enter_context(socket.socket())
            taken.setblocking(False)
            taken.connect_ex(("127.0.0.1", port))
        yield port


async def test_ipv6_takes_over_from_ipv4_that_is_dead_and_the_silence_is_waited_for_once(
    tmp_path: Path, dns_server: DnsServer, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgov.relay.scheduler.IDLE_S", 0.02)
    loop = asyncio.get_running_loop()
    with Sink(host="::1", port=silent_port) as alive:
        async with running(
            tmp_path,
            dns_server,
            alive,
            allow_networks=["127.0.0.0/8", "::1/128"],
            connect_timeout_s=SILENCE_S,
            mx_port=silent_port,
        ) as (node, scheduler):
            spent = []
            for number, domain in enumerate(("example.org", "other.example", "example.org")):
                dns_server.a(f"mx.{domain}", "127.0.0.1", "::1")
                before_s = loop.time()
                await put(node, queued(f"a@{domain}", queue_id=f"Q{number}"))
                await eventually(lambda n=number: len(alive.messages) == n + 1, "the message by IPv6")  # type: ignore[misc]
                spent.append(loop.time() - before_s)
                await eventually(lambda: not scheduler._lines, "the connection's end")
            assert not node.counters.values["deferred"]
        assert spent[0] >= SILENCE_S
        assert max(spent[1:]) < SILENCE_S / 2, "nobody waits for it again"
