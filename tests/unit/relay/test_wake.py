"""Mail that waits does not wait for hours where its way has changed, or is open again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mailgov.mail.events import OutcomeEvent
from mailgov.relay.node import Node
from mailgov.relay.route import Router
from mailgov.relay.wake import Waker
from mailgov.settings import DeliverySettings
from mailgov.store.spool import Change, Progress
from tests.support.dns_server import DnsServer
from tests.support.sink import Act, Sink
from tests.unit.relay.conftest import START_MS, queued
from tests.unit.relay.test_scheduler import eventually, put, running

HOURS_MS = 8 * 3_600_000
WAITING = {
    "A": "a@bo.gov.vn",
    "B": "b@example.org",
    "C": "annv@caobang.gov.vn",
}


async def waiting(node: Node, **routes: str) -> set[str]:
    """Which of the messages a worker with these routes has due at once."""
    settings = DeliverySettings(routes=routes)
    router = Router(settings, node.resolver, node.settings.hostname)
    await Waker(node, [node.spool], lambda: None).heed_routes(node.spool, router.told())
    return {message.queue_id for message in await node.spool.claim(node.clock.now_ms(), 100)}


@pytest.mark.parametrize(
    ("changed", "due"),
    [
        ({"bo.gov.vn": "smtp:10.0.0.1:25"}, set()),
        ({"bo.gov.vn": "smtp:10.0.0.2:25"}, {"A"}),
        ({}, {"A"}),
        ({"bo.gov.vn": "smtp:10.0.0.1:25", "example.org": "smtp:10.0.0.3:25"}, {"B"}),
        ({"bo.gov.vn": "smtp:10.0.0.1:25", "caobang.gov.vn": "lmtp:/run/lmtp"}, {"C"}),
        ({"bo.gov.vn": "smtp:10.0.0.1:25", "*": "smtp:10.0.0.4:25"}, {"A", "B"}),
    ],
)
async def test_another_route_is_tried_at_once(node: Node, changed: dict[str, str], due: set[str]) -> None:
    for queue_id, address in WAITING.items():
        message = queued(address, queue_id=queue_id)
        (one,) = message.recipients
        mailbox = replace(one, destination=address if queue_id == "C" else one.destination)
        await node.spool.apply(Change(messages=[replace(message, recipients=(mailbox,))]))
        put_off = Progress(queue_id, 0, "ready", attempts=3, due_ms=START_MS + HOURS_MS)
        await node.spool.apply(Change(progress=[put_off]))
    assert await waiting(node, **{"bo.gov.vn": "smtp:10.0.0.1:25"}) == set(), (
        "nothing is known to have changed"
    )
    assert await waiting(node, **changed) == due
    assert await waiting(node, **changed) == set()


async def test_what_waits_for_a_next_hop_that_was_away_comes_as_soon_as_one_message_got_through(
    tmp_path: Path, dns_server: DnsServer, sink: Sink
) -> None:
    """The schedule alone would have them wait an hour for their second attempt."""
    sink.on("connect", Act.DROP)
    async with running(tmp_path, dns_server, sink, destination_concurrency=2, retry_schedule_s=[3600]) as (
        node,
        scheduler,
    ):
        scheduler._throttles._away_s = 0.2
        await put(node, *(queued("a@example.org", queue_id=f"Q{n:03}") for n in range(20)))
        await eventually(lambda: node.counters.values["deferred"] == 20 and not scheduler._in_flight)
        sink.behave()
        fresh = 0

        def through() -> bool:
            return bool(sink.messages)

        while not through():
            fresh += 1
            before = node.counters.values["deferred"]
            await put(node, queued("a@example.org", queue_id=f"R{fresh}"))
            await eventually(lambda b=before: through() or node.counters.values["deferred"] > b)  # type: ignore[misc]
            await eventually(lambda: not scheduler._in_flight)
        await eventually(lambda: len(sink.messages) == 20 + fresh, "the others")
        for n in range(20):  # outcomes are written a little later
            while (left := await node.spool.find(f"Q{n:03}")) is not None:
                assert left.recipients[0].attempts <= 1
        told = [event for _, event in await node.spool.events(0, 1000) if isinstance(event, OutcomeEvent)]
        assert max(event.attempts for event in told) == 2
