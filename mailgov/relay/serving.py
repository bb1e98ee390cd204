"""Accepts connections on a listening socket and gives each a session."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

import structlog

from mailgov.relay.door import Full, Place
from mailgov.relay.listener import Listener, address_from
from mailgov.relay.node import Node
from mailgov.relay.server import factory

log = structlog.get_logger()

BACKLOG = 1024
NO_DESCRIPTORS_S = 0.5
"""A rest after an accept that the system refused (EMFILE, ENOBUFS): it would refuse the next one too."""


class Serving(Protocol):
    """A listening socket in use."""

    def close(self) -> None:
        """Accept no more. Sessions go on; what is still in its TLS handshake is cut off."""


async def serve(node: Node, listener: Listener, listening: socket.socket) -> Serving:
    """Serve a listener on a socket that listens already and stays the caller's."""
    if listener.kind == "submissions":
        return _ImplicitTls(node, listener, listening)
    loop = asyncio.get_running_loop()
    return await loop.create_server(factory(node, listener), sock=listening, backlog=BACKLOG)


class _ImplicitTls:
    """Connections whose first octets are a TLS handshake (RFC 8314 3.3).

    `create_server` tells nobody of a connection before its handshake has ended, and those that
    never end would be bounded by nothing: here a connection has its place from the first. Where
    there is none it is closed without a word, since a word costs the handshake.
    """

    def __init__(self, node: Node, listener: Listener, listening: socket.socket) -> None:
        self._node, self._listener = node, listener
        self._handshakes: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.ensure_future(self._accept(listening.dup()))

    def close(self) -> None:
        self._accepting.cancel()
        for handshake in self._handshakes:
            handshake.cancel()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listening:
            listening.setblocking(False)
            while True:
                try:
                    connection, peer = await loop.sock_accept(listening)
                except OSError as error:
                    log.error("connection not accepted", listener=self._listener.kind, cause=str(error))
                    await asyncio.sleep(NO_DESCRIPTORS_S)
                    continue
                place = self._enter(address_from(peer))
                if place is None:
                    connection.close()
                    continue
                handshake = asyncio.ensure_future(self._handshake(connection, address_from(peer), place))
                self._handshakes.add(handshake)
                handshake.add_done_callback(self._handshakes.discard)

    def _enter(self, address: str) -> Place | None:
        node = self._node
        try:
            return node.door.enter(self._listener.kind, address)
        except Full as full:
            node.counters.refuse(node.clock.now_ms(), self._listener.kind, address, full.reason)
            return None

    async def _handshake(self, connection: socket.socket, address: str, place: Place) -> None:
        node, listener = self._node, self._listener
        loop = asyncio.get_running_loop()
        begun = False
        try:
            await loop.connect_accepted_socket(
                factory(node, listener, place),
                connection,
                ssl=listener.tls_context,
                ssl_handshake_timeout=node.settings.smtp.tls_handshake_timeout_s,
            )
            begun = True
        except (OSError, EOFError):  # of them ssl.SSLError
            node.counters.refuse(node.clock.now_ms(), listener.kind, address, "tls_handshake")
        finally:
            if not begun:  # otherwise the session gives it back
                connection.close()
                place.leave()
