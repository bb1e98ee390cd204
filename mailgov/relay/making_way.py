"""Attempts that last without a session make way for lanes that wait, where every connection is taken."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from mailgov.relay.attempt import LaneSession
from mailgov.relay.lanes import Line


class MakingWay:
    """One worker's."""

    def __init__(self) -> None:
        self._slow: dict[LaneSession, None] = {}
        """Sessions whose attempt lasts, the longest first."""
        self._giving = 0

    def lasts(self, session: LaneSession) -> None:
        """Its attempt waits for the other side."""
        self._slow[session] = None

    def over(self, session: LaneSession) -> None:
        """Its attempt has ended."""
        self._slow.pop(session, None)

    def left(self, session: LaneSession) -> None:
        """Its place is free."""
        self._giving -= session.gave_way

    def make(self, waiting: Iterable[Line]) -> None:
        """End one attempt that found no session yet, unless as many end already as lanes have no place."""
        wanting = (line for line in waiting if line.jobs and not line.runners and not line.lane.aside)
        if next(islice(wanting, self._giving, None), None) is None:
            return
        for session in list(self._slow):
            if session.connection is not None:
                del self._slow[session]
            elif session.give_way():
                del self._slow[session]
                self._giving += 1
                return
