"""An empty ledger with its schema up to date, on SQLite."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailgov.store.engine import Database, migrate


async def _migrated(path: Path) -> None:
    db = Database.open(f"sqlite:///{path}", create=True)
    await migrate(db)
    await db.dispose()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "template.sqlite"
    asyncio.run(_migrated(path))
    return path


@pytest.fixture
async def db(migrated: Path, tmp_path: Path) -> AsyncIterator[Database]:
    shutil.copyfile(migrated, tmp_path / "ledger.sqlite")
    ledger = Database.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}", timeout_s=2, create=True)
    yield ledger
    await ledger.dispose()


@pytest.fixture
async def away(tmp_path: Path) -> AsyncIterator[Database]:
    """A ledger whose file is gone."""
    path = tmp_path / "away.sqlite"
    ledger = Database.open(f"sqlite:///{path}", timeout_s=1, create=True)
    path.unlink()
    yield ledger
    await ledger.dispose()
    # A driver thread whose connect failed still reports to the loop: let it, before the loop closes.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 10)
