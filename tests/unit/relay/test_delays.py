"""That mail waits is told once, after a while, to who wishes to hear it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailgov.mail.reply import Reply
from mailgov.relay.node import Node
from mailgov.relay.outcome import Outcome, settle
from mailgov.store.spool import QueuedMessage
from tests.support.relay_node import AN
from tests.unit.relay.conftest import START_MS, OwnTime, outcomes, queued, stored

LATER = Reply(451, "4.4.1", "not now", heard=True)
TO = "khach@example.org"
AFTER_MS = 14_400_000
"""The setting's default: 4 hours."""


def wishing(notify: list[str] | None, **context: Any) -> QueuedMessage:
    message = queued(TO)
    (recipient,) = message.recipients
    wished = replace(recipient, context={"dsn": {"notify": notify, "orcpt": None}} if notify else {})
    return replace(message, recipients=(wished,), context=context)


async def defer(node: Node, message: QueuedMessage) -> QueuedMessage:
    """An attempt that ends with 451; the message as the spool has it then."""
    await settle(node, node.spool, message, outcomes(message, LATER))
    found = await node.spool.find(message.queue_id)
    assert found is not None
    return found


async def reports(node: Node) -> list[bytes]:
    claimed = await node.spool.claim(2**60, 100)
    return [await node.spool.body_bytes(m) for m in claimed if m.queue_id != "01Q"]


@pytest.mark.parametrize(
    ("notify", "context", "told"),
    [
        (None, {}, True),
        (None, {"automatic": True}, False),
        (None, {"outside": "pass"}, False),
        (["DELAY"], {"outside": "none", "automatic": True}, True),
        (["FAILURE"], {}, False),
        (["NEVER"], {}, False),
    ],
)
async def test_who_is_told(
    node: Node, time: OwnTime, notify: list[str] | None, context: dict[str, Any], told: bool
) -> None:
    message = await stored(node, wishing(notify, **context))
    time.ms = START_MS + AFTER_MS
    await defer(node, message)
    found = await reports(node)
    assert len(found) == told
    if told:
        assert b"\r\nAction: delayed\r\nStatus: 4.4.1\r\n" in found[0]
        assert b"\r\nDiagnostic-Code: smtp; 451 4.4.1 not now\r\n" in found[0]
        assert b"\r\nWill-Retry-Until: Thu, 12 Nov 2026" in found[0]


async def test_it_is_told_once_and_only_after_a_while(node: Node, time: OwnTime) -> None:
    message = await stored(node, wishing(None))
    time.ms = START_MS + AFTER_MS - 1
    message = await defer(node, message)
    assert await reports(node) == []
    time.ms += 1
    message = await defer(node, message)
    assert len(await reports(node)) == 1
    time.ms += 10 * AFTER_MS
    await defer(node, message)
    assert await reports(node) == []


async def test_an_attempt_comes_when_the_delay_is_to_be_told(node: Node, time: OwnTime) -> None:
    """The schedule alone could have it told hours later; what is told is what was found then."""
    node.settings.delivery.retry_schedule_s[:] = [28_800]
    message = await stored(node, wishing(None))
    message = await defer(node, message)
    assert message.recipients[0].due_ms == START_MS + AFTER_MS
    time.ms = START_MS + AFTER_MS
    message = await defer(node, message)
    assert message.recipients[0].due_ms > time.ms + 20_000_000


async def test_zero_turns_it_off(node: Node, time: OwnTime) -> None:
    never = node.settings.delivery.model_copy(update={"delay_report_s": 0.0})
    node.settings = node.settings.model_copy(update={"delivery": never})
    message = await stored(node, wishing(["DELAY"]))
    time.ms += 10 * AFTER_MS
    await defer(node, message)
    assert await reports(node) == []


async def test_one_report_tells_all_that_an_attempt_came_to(node: Node, time: OwnTime) -> None:
    message = queued("a@x.org", "b@x.org", "c@x.org")
    wished = {"dsn": {"notify": ["SUCCESS", "FAILURE", "DELAY"], "orcpt": None}}
    recipients = tuple(replace(r, context=wished) for r in message.recipients)
    message = await stored(node, replace(message, recipients=recipients))
    time.ms += AFTER_MS
    replies = [Reply(250, "2.0.0", "ok"), LATER, Reply(550, "5.1.1", "no")]
    found = [
        Outcome(r, reply, "mx.x.org", taken="relayed") for r, reply in zip(recipients, replies, strict=True)
    ]
    await settle(node, node.spool, message, found)
    (report,) = await reports(node)
    assert [line for line in report.split(b"\r\n") if line.startswith((b"Action", b"Final"))] == [
        b"Final-Recipient: rfc822; a@x.org",
        b"Action: relayed",
        b"Final-Recipient: rfc822; b@x.org",
        b"Action: delayed",
        b"Final-Recipient: rfc822; c@x.org",
        b"Action: failed",
    ]
    assert f"To: <{AN}>".encode() in report
