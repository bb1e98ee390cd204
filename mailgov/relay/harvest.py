"""Who names many addresses that do not exist is looking for those that do: he learns no more for a while.

RFC 5321 has an unknown recipient refused at RCPT, so each refusal tells something. Errors of one
session are bounded, but a session more costs nothing: here a client's are counted over all of its sessions.
"""

from __future__ import annotations

from mailgov.identity.protection import network_of
from mailgov.mail.reply import Reply

SPAN_S = 3600
CLIENTS_LIMIT = 20_000
"""Clients counted at once; beyond them the one that was counted first is forgotten."""
PUT_OFF = Reply(451, "4.7.1", "Too many unknown recipients from your side, please try again later")


class Harvest:
    """The unknown recipients of each client in this hour. It belongs to the event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hour = 0
        self._named: dict[str, int] = {}

    def note(self, client: str, now_s: float) -> None:
        """`client` named an address that does not exist; `now_s` is of a clock that only goes forward."""
        self._turn(now_s)
        key = network_of(client)
        if key not in self._named and len(self._named) >= CLIENTS_LIMIT:
            del self._named[next(iter(self._named))]
        self._named[key] = self._named.get(key, 0) + 1

    def suspects(self, client: str, now_s: float) -> bool:
        """Whether the client has named as many as it may."""
        self._turn(now_s)
        return 0 < self._limit <= self._named.get(network_of(client), 0)

    def _turn(self, now_s: float) -> None:
        hour = int(now_s // SPAN_S)
        if hour != self._hour:
            self._hour, self._named = hour, {}
