"""Accepts connections on a listening socket and gives each a session."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Protocol

import structlog

from mailgov.relay.door import Full, Place
from mailgov.relay.listener import Listener, address_from, inside
from mailgov.relay.node import Node
from mailgov.relay.proxied import NotProxied, client_behind
from mailgov.relay.server import factory
from mailgov.relay.tls import handshake_trouble

log = structlog.get_logger()

BACKLOG = 1024
NO_DESCRIPTORS_S = 0.5
"""A rest after an accept that the system refused (EMFILE, ENOBUFS): it would refuse the next one too."""


class Serving(Protocol):
    """A listening socket in use."""

    def close(self) -> None:
        """Accept no more. Sessions go on; what has not begun one yet is cut off."""


async def serve(node: Node, listener: Listener, listening: socket.socket) -> Serving:
    """Serve a listener on a socket that listens already and stays the caller's."""
    if listener.kind == "submissions" or node.settings.smtp.proxy_networks:
        return _Accepting(node, listener, listening)
    loop = asyncio.get_running_loop()
    return await loop.create_server(factory(node, listener), sock=listening, backlog=BACKLOG)


class _Accepting:
    """Connections with something before the session: a TLS handshake (RFC 8314 3.3), a PROXY header.

    `create_server` tells nobody of a connection before its handshake has ended, and those that
    never end would be bounded by nothing: here a connection has its place from the first. Where
    there is none it is closed without a word, since a word costs the handshake. Who speaks for
    others must say for whom before all else, and has no place of its own meanwhile.
    """

    def __init__(self, node: Node, listener: Listener, listening: socket.socket) -> None:
        self._node, self._listener = node, listener
        self._tls = listener.tls_context if listener.kind == "submissions" else None
        self._proxies = tuple(node.settings.smtp.proxy_networks)
        self._make = factory(node, listener)
        self._beginning: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.ensure_future(self._accept(listening.dup()))

    def close(self) -> None:
        self._accepting.cancel()
        for task in self._beginning:
            task.cancel()

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
                self._begin(connection, address_from(peer))

    def _begin(self, connection: socket.socket, peer: str) -> None:
        proxied = inside(peer, self._proxies)
        place = None
        if proxied and len(self._beginning) >= self._node.settings.smtp.session_limit:
            self._refuse(peer, "sessions")
            connection.close()
            return
        if not proxied and self._tls is not None:
            place = self._enter(peer)
            if place is None:
                connection.close()
                return
        task = asyncio.ensure_future(self._session(connection, peer, place, proxied=proxied))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    def _enter(self, address: str) -> Place | None:
        try:
            return self._node.door.enter(self._listener.kind, address)
        except Full as full:
            self._refuse(address, full.reason)
            return None

    def _refuse(self, address: str, reason: str, **more: object) -> None:
        self._node.counters.refuse(self._node.clock.now_ms(), self._listener.kind, address, reason, more)

    async def _session(
        self, connection: socket.socket, peer: str, place: Place | None, *, proxied: bool
    ) -> None:
        """What comes before the session, then the session; a connection that gets none is closed."""
        begun, client = False, peer
        try:
            if proxied:
                client = await self._client(connection, peer)
                if self._tls is not None:
                    place = self._enter(client)
                    if place is None:
                        return
            await self._connect(connection, client, place)
            begun = True
        except NotProxied as error:
            self._refuse(peer, "proxy_header")
            log.warning("no PROXY header", proxy=peer, listener=self._listener.kind, cause=str(error))
        except (OSError, EOFError) as error:  # of them ssl.SSLError
            self._refuse(client, "tls_handshake", cause=handshake_trouble(error))
        finally:
            if not begun:  # otherwise the session gives it back
                connection.close()
                if place is not None:
                    place.leave()

    async def _client(self, connection: socket.socket, peer: str) -> str:
        try:
            async with asyncio.timeout(self._node.settings.smtp.tls_handshake_timeout_s):
                return await client_behind(connection, peer)
        except TimeoutError:
            raise NotProxied("nothing came") from None

    async def _connect(self, connection: socket.socket, client: str, place: Place | None) -> None:
        loop, make = asyncio.get_running_loop(), partial(self._make, place, client)
        if self._tls is None:
            await loop.connect_accepted_socket(make, connection)
            return
        patience_s = self._node.settings.smtp.tls_handshake_timeout_s
        task = asyncio.current_task()
        if place is not None and task is not None:
            place.make_way = task.cancel
        await loop.connect_accepted_socket(make, connection, ssl=self._tls, ssl_handshake_timeout=patience_s)
