"""Who writes in: SPF, DKIM, DMARC and ARC of mail from outside (RFC 7208, 6376, 9989, 8617)."""

from __future__ import annotations

from mailgov.mail.headers import HeaderBlock
from mailgov.relay.incoming import Incoming
from mailgov.relay.node import Node
from mailgov.relay.senders.found import Sender
from mailgov.store.spool import BodyWriter


async def check_sender(_node: Node, _incoming: Incoming, _writer: BodyWriter, _header: HeaderBlock) -> Sender:
    """What can be found out of the sender of a complete message; nothing of mail of our own.

    Trouble with the DNS is `temperror`, and never an exception.
    """
    return Sender()
