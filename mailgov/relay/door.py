"""Who may have a session: each listener has its own room, and no client may fill it.

A place is taken when the connection comes and given back when it is lost, so what never gets
as far as a session (a TLS handshake that does not end) counts like one.
"""

from __future__ import annotations

import ipaddress
from collections import Counter

from mailgov.identity.protection import network_of
from mailgov.mail.reply import Reply
from mailgov.settings import SmtpSettings

TOO_MANY_SESSIONS = Reply(421, "4.3.2", "Too many sessions, please try again later")
TOO_MANY_OF_CLIENT = Reply(421, "4.7.0", "Too many sessions from your side, please try again later")


class Full(Exception):
    """No place. `reply` is what the client hears, `reason` the name that it is counted under."""

    def __init__(self, reply: Reply, reason: str) -> None:
        super().__init__(reason)
        self.reply, self.reason = reply, reason


class Door:
    """The places of one worker. Not safe for threads: it belongs to the event loop."""

    def __init__(self, settings: SmtpSettings) -> None:
        self._listener_limit = settings.session_limit
        self._client_limit = settings.client_session_limit
        exempt = (*settings.unlimited_networks, *settings.gateway_networks)
        self._exempt = tuple(ipaddress.ip_network(network) for network in exempt)
        self._held: Counter[tuple[str, str]] = Counter()
        self.sessions = 0
        """Places taken, on all listeners."""

    def enter(self, listener: str, address: str) -> Place:
        """A place on a listener, by its kind. Raises Full.

        The clients of a trusted listener have no limit of their own: its networks are.
        """
        room = (listener, "")
        if self._held[room] >= self._listener_limit:
            raise Full(TOO_MANY_SESSIONS, "sessions")
        client = None if listener == "trusted" or self.unlimited(address) else (listener, network_of(address))
        if client is not None and self._held[client] >= self._client_limit:
            raise Full(TOO_MANY_OF_CLIENT, "client_sessions")
        return Place(self, room, client)

    def unlimited(self, address: str) -> bool:
        """True for an address through which many clients come."""
        if not self._exempt:
            return False
        try:
            client = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(client in network for network in self._exempt)

    def take(self, key: tuple[str, str]) -> None:
        self._held[key] += 1

    def give(self, key: tuple[str, str]) -> None:
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]

    def full_for(self, key: tuple[str, str]) -> bool:
        """Whether a client or an account has as many sessions as one may have."""
        return self._held[key] >= self._client_limit


class Place:
    """One connection's place, until `leave`."""

    def __init__(self, door: Door, room: tuple[str, str], client: tuple[str, str] | None) -> None:
        self._door, self._room, self._client = door, room, client
        self._left = False
        door.sessions += 1
        door.take(room)
        if client is not None:
            door.take(client)

    def sign_in(self, account: str) -> None:
        """From now on the session counts for the account. Raises Full.

        An office behind one address is many people: what strangers may have of it ends with the sign-in.
        """
        mine = (self._room[0], account)
        if self._door.full_for(mine):
            raise Full(TOO_MANY_OF_CLIENT, "account_sessions")
        if self._client is not None:
            self._door.give(self._client)
        self._door.take(mine)
        self._client = mine

    def leave(self) -> None:
        """Give the place back, once."""
        if self._left:
            return
        self._left = True
        self._door.sessions -= 1
        self._door.give(self._room)
        if self._client is not None:
            self._door.give(self._client)
