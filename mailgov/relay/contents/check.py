"""What a message carries: malware, spam, and attachments by what they really are."""

from __future__ import annotations

from mailgov.mail.headers import HeaderBlock
from mailgov.relay.contents.found import Content
from mailgov.relay.incoming import Incoming
from mailgov.relay.node import Node
from mailgov.store.spool import BodyWriter


async def check_content(
    _node: Node, _incoming: Incoming, _writer: BodyWriter, _header: HeaderBlock
) -> Content:
    """What the services that are set up and our own look find. Raises MailError 451 where one of them
    cannot be reached and must have spoken (its failure mode).
    """
    return Content()
