"""Which revision the ledger's schema has, as the supervisor asks before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from mailgov.store.engine import Database
from mailgov.store.revision import is_newest, newest
from mailgov.store.schema import head


def test_the_newest_revision_is_told_by_the_files() -> None:
    assert newest() == head()


async def test_a_ledger_is_asked_for_its_revision(database: Database, database_url: str) -> None:
    assert is_newest(database_url, 2) is True
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert is_newest(database_url, 2) is False
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = :newest"), {"newest": newest()})


async def test_one_that_is_empty_has_none_and_one_that_is_away_tells_nothing(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    assert is_newest(f"sqlite:///{file}", 0.1) is None
    assert not file.exists(), "nobody makes an empty ledger"
    Database.open(f"sqlite:///{file}", create=True)
    assert is_newest(f"sqlite:///{file}", 0.1) is False
    file.write_bytes(b"no database" * 100)
    assert is_newest(f"sqlite:///{file}", 0.1) is None


@pytest.mark.parametrize("url", ["mysql://somewhere/x", "postgresql://127.0.0.1:1/x", "postgresql://?bad=1"])
def test_what_is_no_ledger_tells_nothing(url: str) -> None:
    assert is_newest(url, 0.1) is None
