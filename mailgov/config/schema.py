"""The ledger's schema, brought up before the service uses it."""

from __future__ import annotations

import structlog

from mailgov.config.parts import open_database
from mailgov.settings import Settings
from mailgov.store.engine import LedgerUnavailable, current_revision, head_revision, migrate

log = structlog.get_logger()


async def bring_up_schema(settings: Settings) -> bool:
    """False while the ledger is away or empty. Raises ConfigError for a database that none can be."""
    db = open_database(settings)
    try:
        found = await current_revision(db)
        if found == head_revision():
            return True  # nothing to wait for, though somebody may hold the ledger's lock
        if found is None:
            # An empty ledger is a lost one: filling it would turn the province into nobody.
            log.error("the ledger is empty: restore it, or make a new installation with `mailgov init`")
            return False
        await migrate(db)
    except LedgerUnavailable as error:
        log.warning("ledger away, its schema waits", cause=str(error))
        return False
    finally:
        await db.dispose()
    return True
