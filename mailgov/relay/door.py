"""Who may have a session: each listener has its own room, and no client may fill it.

A place is taken when the connection comes and given back when it is lost, so what never gets
as far as a session (a TLS handshake that does not end) counts like one. In a full room who comes takes
the place of whoever has brought nothing for the longest: else a few clients that send an octet now and
then would keep all others out.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable

from mailgov.identity.protection import network_of
from mailgov.mail.reply import Reply
from mailgov.settings import SmtpSettings

TOO_MANY_SESSIONS = Reply(421, "4.3.2", "Too many sessions, please try again later")
TOO_MANY_OF_CLIENT = Reply(421, "4.7.0", "Too many sessions from your side, please try again later")


STALE_S = 10.0
"""How long a session of a full room may bring nothing (Postfix's timeout under stress is 10 s too)."""


OWN_DESCRIPTORS = 64
"""What a worker has open for itself: sockets, databases, logs."""
SESSIONS_FLOOR = 8


def sessions_for(descriptors: int) -> int:
    """So many sessions these descriptors allow: with each, a body's file or a connection out may be open.

    Past them a client hears 421; without a descriptor nobody could say it.
    """
    return max(SESSIONS_FLOOR, (descriptors - OWN_DESCRIPTORS) // 2)


class Full(Exception):
    """No place. `reply` is what the client hears, `reason` the name that it is counted under."""

    def __init__(self, reply: Reply, reason: str) -> None:
        super().__init__(reason)
        self.reply, self.reason = reply, reason


class Door:
    """The places of one worker. Not safe for threads: it belongs to the event loop."""

    def __init__(
        self, settings: SmtpSettings, now_s: Callable[[], float], descriptors: int = 1_048_576
    ) -> None:
        """`descriptors` is how many files and sockets the process may have open."""
        self.now_s = now_s
        self._limit = sessions_for(descriptors)
        self._listener_limit = settings.session_limit
        self._client_limit = settings.client_session_limit
        exempt = (*settings.unlimited_networks, *settings.gateway_networks)
        self._exempt = tuple(ipaddress.ip_network(network) for network in exempt)
        self._held: Counter[tuple[str, str]] = Counter()
        self._places: dict[tuple[str, str], dict[Place, None]] = {}
        self.sessions = 0
        """Places taken, on all listeners."""

    def enter(self, listener: str, address: str) -> Place:
        """A place on a listener, by its kind. Raises Full.

        The clients of a trusted listener have no limit of their own: its networks are.
        """
        room = (listener, "")
        client = None if listener == "trusted" or self.unlimited(address) else (listener, network_of(address))
        if client is not None and self._held[client] >= self._client_limit:
            raise Full(TOO_MANY_OF_CLIENT, "client_sessions")
        if self._held[room] >= self._listener_limit and not self._make_room(room):
            raise Full(TOO_MANY_SESSIONS, "sessions")
        if self.sessions >= self._limit and not self._make_room(room):
            raise Full(TOO_MANY_SESSIONS, "descriptors")
        return Place(self, room, client)

    def _make_room(self, room: tuple[str, str]) -> bool:
        """Whether somebody who has brought nothing for long made way."""
        stale_s = self.now_s() - STALE_S
        places = sorted(self._places.get(room, ()), key=lambda place: place.progress_s)
        for place in places:
            if place.progress_s > stale_s:
                return False
            if place.make_way():
                place.leave()
                return True
        return False

    def unlimited(self, address: str) -> bool:
        """True for an address through which many clients come."""
        if not self._exempt:
            return False
        try:
            client = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(client in network for network in self._exempt)

    def stand(self, room: tuple[str, str], place: Place) -> None:
        """A place of a room is taken."""
        self._places.setdefault(room, {})[place] = None

    def stand_down(self, room: tuple[str, str], place: Place) -> None:
        """It is given back."""
        self._places[room].pop(place, None)

    def take(self, key: tuple[str, str]) -> None:
        self._held[key] += 1

    def give(self, key: tuple[str, str]) -> None:
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]

    def full_for(self, key: tuple[str, str]) -> bool:
        """Whether a client or an account has as many sessions as one may have."""
        return self._held[key] >= self._client_limit


def _stay() -> bool:
    return False


class Place:
    """One connection's place, until `leave`."""

    def __init__(self, door: Door, room: tuple[str, str], client: tuple[str, str] | None) -> None:
        self._door, self._room, self._client = door, room, client
        self._left = False
        self.progress_s = door.now_s()
        """When its holder came, or last brought something."""
        self.make_way: Callable[[], bool] = _stay
        """Asks its holder to go, and tells whether he does."""
        door.sessions += 1
        door.stand(room, self)
        door.take(room)
        if client is not None:
            door.take(client)

    def progress(self) -> None:
        """Its holder has brought something."""
        self.progress_s = self._door.now_s()

    def sign_in(self, account: str) -> None:
        """From now on the session counts for the account. Raises Full.

        An office behind one address is many people: what strangers may have of it ends with the sign-in.
        """
        if self._left:
            return  # it made way, or the client went, while the password was looked at
        mine = (self._room[0], account)
        if self._door.full_for(mine):
            raise Full(TOO_MANY_OF_CLIENT, "account_sessions")
        if self._client is not None:
            self._door.give(self._client)
        self._door.take(mine)
        self._client = mine

    def leave(self) -> None:
        """Give the place back, once. From now on it asks nobody, and so holds nobody."""
        self.make_way = _stay
        if self._left:
            return
        self._left = True
        self._door.stand_down(self._room, self)
        self._door.sessions -= 1
        self._door.give(self._room)
        if self._client is not None:
            self._door.give(self._client)
