"""What an administrator looks for: a row of the audit log, by way of the outbox as all that is told."""

from __future__ import annotations

from typing import Any

from mailgov.mail.events import AlarmEvent
from mailgov.relay.node import Node

SENDING_LIMIT = "sending.limit_reached"
CERTIFICATE = "certificate.needs_care"


def alarm(node: Node, act: str, target: str, **content: Any) -> AlarmEvent:
    """The event; `content` is plain JSON without secrets."""
    return AlarmEvent(
        queue_id=node.clock.queue_id(),
        at_ms=node.clock.now_ms(),
        node=node.settings.hostname,
        act=act,
        object=target,
        content=content,
        salt=f"{node.clock.random_bits(128):032x}",
    )
