"""Who names many addresses that do not exist is looking for those that do: he learns no more for a while.

RFC 5321 has an unknown recipient refused at RCPT, so each refusal tells something. Errors of one
session are bounded, but a session more costs nothing: here a client's are counted over all of its sessions.

A large provider's machine is many people's: one of them must not shut out the others. So whoever brings more
messages that are taken than names that do not exist is not put off.
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
        self._taken: dict[str, int] = {}
        """Messages; those of an hour before count half in the next."""

    def note(self, client: str, now_s: float) -> None:
        """`client` named an address that does not exist; `now_s` is of a clock that only goes forward."""
        self._turn(now_s)
        _count(self._named, network_of(client))

    def note_taken(self, client: str, now_s: float) -> None:
        """A message of `client` was taken."""
        self._turn(now_s)
        _count(self._taken, network_of(client))

    def suspects(self, client: str, now_s: float) -> bool:
        """Whether the client has named as many as it may."""
        self._turn(now_s)
        if not self._named:
            return False
        key = network_of(client)
        named = self._named.get(key, 0)
        return 0 < self._limit <= named and named > self._taken.get(key, 0)

    def _turn(self, now_s: float) -> None:
        hours = int(now_s // SPAN_S) - self._hour
        if hours:
            self._hour, self._named = self._hour + hours, {}
            self._taken = {
                key: half for key, count in self._taken.items() if (half := count >> min(hours, 63))
            }


def _count(table: dict[str, int], key: str) -> None:
    if key not in table and len(table) >= CLIENTS_LIMIT:
        del table[next(iter(table))]
    table[key] = table.get(key, 0) + 1
