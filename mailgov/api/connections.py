"""Who may hold an HTTP connection: silence costs its owner the place, not everybody the service.

uvicorn waits for a request for ever, and answers 503 to all once it has so many connections.
Here a request has a time, and who comes when all places are taken is given the place of the one
that has waited longest for a request, of the client that holds most.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from mailgov.identity.protection import network_of
from mailgov.settings import HttpSettings


class Places:
    """The connections of one process."""

    def __init__(self, settings: HttpSettings) -> None:
        self.request_timeout_s = settings.request_timeout_s
        self._limit = settings.connection_limit
        self._client_limit = settings.client_connection_limit
        self._proxies = tuple(ipaddress.ip_network(network) for network in settings.trusted_proxies)
        self._held: Counter[str] = Counter()
        self._idle: dict[BoundedProtocol, None] = {}
        """Those without a whole request, from the one that has waited longest."""

    def enter(self, connection: BoundedProtocol) -> bool:
        """Take a place; False where no other can be made to give way."""
        own = connection.network
        self._held[own] += 1
        room = True
        if self._held[own] > self._client_limit and not self._is_proxy(own):
            room = self._make_room(c for c in self._idle if c.network == own)
        elif self._held.total() > self._limit:
            most = max({c.network for c in self._idle}, key=self._held.__getitem__, default=None)
            room = self._make_room(c for c in self._idle if c.network == most)
        self._idle[connection] = None
        return room

    def leave(self, connection: BoundedProtocol) -> None:
        """Give the place back; once or more often."""
        self._idle.pop(connection, None)
        if connection.network and not connection.left:
            connection.left = True
            self._held[connection.network] -= 1
            if not self._held[connection.network]:
                del self._held[connection.network]

    def wait(self, connection: BoundedProtocol) -> None:
        """It is to send a request."""
        if not connection.left:
            self._idle.setdefault(connection)

    def work(self, connection: BoundedProtocol) -> None:
        """Its request is being answered: nobody takes the place of that."""
        self._idle.pop(connection, None)

    def _make_room(self, candidates: Iterable[BoundedProtocol]) -> bool:
        oldest = next(iter(candidates), None)
        if oldest is None:
            return False
        self.leave(oldest)
        oldest.transport.abort()
        return True

    def _is_proxy(self, network: str) -> bool:
        try:
            client = ipaddress.ip_network(network)
        except ValueError:
            return False
        return any(p.version == client.version and client.subnet_of(p) for p in self._proxies)  # type: ignore[arg-type]  # one version, by the test before it


class BoundedProtocol(H11Protocol):
    """One connection. A request's head and body, and each part of its answer, have `request_timeout_s`."""

    places: Places

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.network = ""
        self.left = False
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.network = network_of(self.client[0] if self.client else "")
        if not self.places.enter(self):
            self.limit_concurrency = 0  # uvicorn's way to answer 503
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        self.places.leave(self)
        for timer in (self._timer, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._settle()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self.places.request_timeout_s, self._cut)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    def _settle(self) -> None:
        """Let the time run while a request is awaited, and stand while it is answered."""
        cycle = self.cycle
        answering = cycle is not None and not cycle.response_complete  # type: ignore[redundant-expr]  # none at first
        if answering and not cycle.more_body:
            self.places.work(self)
        else:
            self.places.wait(self)
        keeping_alive = self.timeout_keep_alive_task is not None  # uvicorn's own time
        if keeping_alive or (answering and not cycle.more_body):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
        elif self._timer is None:
            self._timer = self.loop.call_later(self.places.request_timeout_s, self._cut)

    def _cut(self) -> None:
        self.transport.abort()


def bounded(settings: HttpSettings) -> type[BoundedProtocol]:
    """The protocol for `uvicorn.Config(http=…)`, with places of its own."""
    return type("BoundedProtocol", (BoundedProtocol,), {"places": Places(settings)})
