"""The SMTP server: aiosmtpd's session and command loop, with our own commands where it falls short.

Overridden: EHLO (what is advertised is what works), AUTH, MAIL, RCPT, DATA (read in chunks
into the spool), errors (451 and no traceback), limits. See `relay.session`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mailgov.relay.door import Place
from mailgov.relay.listener import Listener
from mailgov.relay.node import Node
from mailgov.relay.session.content import Content


class RelayServer(Content):
    """One SMTP session of a listener, whole."""

    def __dir__(self) -> list[str]:
        """The commands alone: aiosmtpd looks through all members of each new session for them."""
        return _COMMANDS


_COMMANDS = [name for name in dir(RelayServer) if name.startswith("smtp_")]


def factory(
    node: Node, listener: Listener, place: Place | None = None, client: str | None = None
) -> Callable[[], RelayServer]:
    """What makes the session of a connection; `place` is one that it has been given already.

    `client` is the client's address where the socket does not tell it.
    """
    loop = asyncio.get_running_loop()
    return lambda: RelayServer(node, listener, loop, place, client)
