"""What a message's sender wishes of TLS (RFC 8689): REQUIRETLS, or the field `TLS-Required: No`."""

from __future__ import annotations

from typing import Any

from mailgov.mail.headers import HeaderBlock
from mailgov.relay.tls_out.demand import Wish
from mailgov.store.spool import QueuedMessage

KEY = "tls_wish"


def wish_of(message: QueuedMessage) -> Wish:
    """What was kept with the message."""
    found = message.context.get(KEY)
    return found if found in ("required", "waived") else None


def wish_context(*, required: bool, header: HeaderBlock) -> dict[str, Any]:
    """For the spool; empty where nothing is wished. REQUIRETLS stands above the field (RFC 8689 4.1)."""
    if required:
        return {KEY: "required"}
    values = header.all(b"tls-required")
    waived = len(values) == 1 and values[0].strip().lower() == b"no"  # RFC 8689 3: several are none
    return {KEY: "waived"} if waived else {}
