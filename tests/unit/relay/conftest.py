"""A node for the relay's unit tests: real parts, a clock that the test owns, no server and no ledger."""

from __future__ import annotations

import random
import time as real_time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailgov.mail.reply import Reply
from mailgov.relay.clock import Clock
from mailgov.relay.node import Node
from mailgov.relay.outcome import Outcome
from mailgov.store.spool import Body, Change, QueuedMessage, QueuedRecipient, Variant
from tests.support.dns_server import DnsServer
from tests.support.relay_node import AN, node_settings, running_node

START_MS = 1_794_000_000_000


@dataclass
class OwnTime:
    """Wall time that moves when told, and chance from a seed."""

    ms: int = START_MS
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    leapt_ms: int = 0
    """Of the time that went by, what the wall clock alone did."""
    bits: int | None = None
    """What every draw gives instead, as a share of its range in 1/65536."""

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return (self.ms - START_MS - self.leapt_ms) / 1000 + real_time.monotonic()

    def random_bits(self, count: int) -> int:
        if self.bits is not None and count == 16:
            return self.bits
        return self.chance.getrandbits(count)

    def clock(self) -> Clock:
        return Clock(now_ms=self.now_ms, monotonic=self.monotonic, random_bits=self.random_bits)


@pytest.fixture
def time() -> OwnTime:
    return OwnTime()


@pytest.fixture
async def node(tmp_path: Path, dns_server: DnsServer, time: OwnTime) -> AsyncIterator[Node]:
    """The province's node; its resolver asks `dns_server`."""
    settings = node_settings(
        tmp_path,
        {
            "dns": {"nameservers": [dns_server.address], "timeout_s": 2.0},
            "delivery": {"allow_networks": ["127.0.0.0/8"], "retry_schedule_s": [100, 200, 400]},
        },
    )
    with running_node(settings, clock=time.clock()) as running:
        yield running


def queued(
    *addresses: str,
    reverse_path: str = AN,
    data: bytes = b"From: <annv@caobang.gov.vn>\r\nSubject: 12/CV-UBND\r\n\r\nbody\r\n",
    received_ms: int = START_MS,
    attempts: int = 0,
    queue_id: str = "01Q",
) -> QueuedMessage:
    """A message as the intake stores it, with a Received field in front."""
    return QueuedMessage(
        queue_id=queue_id,
        received_ms=received_ms,
        reverse_path=reverse_path,
        body=Body(len(data), data=data),
        variants=(Variant(b"Received: by us\r\n"),),
        recipients=tuple(
            QueuedRecipient(position, address, address.rpartition("@")[2], attempts=attempts)
            for position, address in enumerate(addresses)
        ),
    )


async def stored(node: Node, message: QueuedMessage) -> QueuedMessage:
    """The message, in the spool."""
    await node.spool.apply(Change(messages=[message]))
    return message


def outcomes(message: QueuedMessage, *replies: Reply) -> list[Outcome]:
    """An outcome for each recipient in turn."""
    return [Outcome(r, reply) for r, reply in zip(message.recipients, replies, strict=True)]
