"""One open transaction in the shape of a ledger, so that several acts commit together or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from mailgov.store.directory import Session
from mailgov.store.engine import Database, translated


class HeldChange(Database):
    """Acts that would begin a transaction of their own read and write in the one that is held.

    `session` is one of `Database.write()`, whose owner commits: an act that raises has to end
    it, because what the act wrote before is still there. It lives no longer than that
    transaction and owns no connection.
    """

    def __init__(self, db: Database, session: Session) -> None:
        self.dialect = db.dialect
        self._session = session

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[Session]:
        with translated():
            yield self._session

    def read(self) -> AbstractAsyncContextManager[Session]:
        return self._held()

    def write(self) -> AbstractAsyncContextManager[Session]:
        return self._held()

    async def dispose(self) -> None:
        """Nothing to close: the transaction's owner ends it."""
