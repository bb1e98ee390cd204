"""One open transaction in the shape of a ledger, for several queries on one state of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from mailgov.store.directory import Session
from mailgov.store.engine import Database


class HeldLedger(Database):
    """Queries that would begin a transaction of their own read in the one that is held.

    It lives no longer than that transaction, owns no connection and cannot write.
    """

    def __init__(self, db: Database, session: Session) -> None:
        self.dialect = db.dialect
        self._session = session

    @asynccontextmanager
    async def _held(self) -> AsyncIterator[Session]:
        yield self._session

    def read(self) -> AbstractAsyncContextManager[Session]:
        return self._held()

    def write(self) -> AbstractAsyncContextManager[Session]:
        raise RuntimeError("a held transaction only reads")

    async def dispose(self) -> None:
        """Nothing to close: the transaction's owner ends it."""
