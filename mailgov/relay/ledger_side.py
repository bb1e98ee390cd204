"""What of a relay worker speaks with the ledger. Mail comes in and goes out without it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mailgov.relay.acts import Acts
from mailgov.relay.follow import Follower
from mailgov.relay.forward import Forwarder
from mailgov.relay.key_watch import KeyWatch
from mailgov.relay.report import Reporter
from mailgov.relay.tls_out.reports import TlsReports
from mailgov.store.engine import Database


@dataclass(slots=True)
class LedgerSide:
    """Built by `mailgov.config.ledger_side`; `look`, then `run`, then `stop`."""

    db: Database
    follower: Follower
    forwarder: Forwarder
    reporter: Reporter
    acts: Acts
    tls_reports: TlsReports
    key_watch: KeyWatch
    _forwarding: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """The directory as it stands in the ledger, where it can be reached."""
        await self.follower.round()

    def run(self) -> list[Callable[[], Awaitable[None]]]:
        """Starts the forwarder; the rest, each to be run for ever, comes back."""
        self._forwarding = asyncio.ensure_future(self.forwarder.run())
        return [
            self.follower.run, self.reporter.run, self.acts.run, self.tls_reports.run, self.key_watch.run,
        ]  # fmt: skip

    async def stop(self) -> None:
        """The last words to the ledger; the other tasks have ended."""
        self.forwarder.stop()
        if self._forwarding is not None:
            await asyncio.wait([self._forwarding], timeout=5.0)
        await self.reporter.round()
