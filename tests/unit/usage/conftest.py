"""An empty ledger with its schema up to date, on SQLite."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailgov.store.engine import Database, migrate


async def _migrated(path: Path) -> None:
    db = Database.open(f"sqlite:///{path}")
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
    ledger = Database.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}", timeout_s=2)
    yield ledger
    await ledger.dispose()
