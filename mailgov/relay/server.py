"""The SMTP server: aiosmtpd's session, with our own loop and commands where it falls short.

Overridden: the command loop, EHLO (what is advertised is what works), AUTH, MAIL, RCPT, DATA (read in
chunks into the spool), errors (451 and no traceback), limits. See `relay.session`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol

from mailgov.relay.door import Place
from mailgov.relay.listener import Listener
from mailgov.relay.node import Node
from mailgov.relay.session.content import Content


class RelayServer(Content):
    """One SMTP session of a listener, whole."""

    def __dir__(self) -> list[str]:
        """The commands alone: aiosmtpd looks through all members for them."""
        return _COMMANDS


_COMMANDS = [name for name in dir(RelayServer) if name.startswith("smtp_")]


class Factory(Protocol):
    """Makes the session of a connection."""

    def __call__(self, place: Place | None = None, client: str | None = None) -> RelayServer:
        """`place` is one that it has been given already; `client` its address where the socket tells none."""


def factory(node: Node, listener: Listener) -> Factory:
    """What makes the sessions of a listener."""
    pattern = RelayServer(node, listener, asyncio.get_running_loop())
    return partial(RelayServer.like, pattern)
