"""A small province on a real ledger, for the tests of administrative acts."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailgov.admin.context import AdminContext
from mailgov.settings import DatabaseSettings, Settings
from mailgov.store.engine import Database, migrate
from tests.unit.admin.province import make_context, make_province


@pytest.fixture(scope="session")
def province_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger and keys of the small province, to be copied."""
    folder = tmp_path_factory.mktemp("province")

    async def make() -> None:
        ledger = Database.open(f"sqlite:///{folder}/ledger.sqlite")
        await migrate(ledger)
        await make_province(make_context(ledger, Settings(data_dir=folder)))
        await ledger.dispose()

    asyncio.run(make())
    return folder


@pytest.fixture
async def ctx(province_template: Path, tmp_path: Path) -> AsyncIterator[AdminContext]:
    """The small province, the test's own copy."""
    folder = tmp_path / "var"
    shutil.copytree(province_template, folder)
    url = f"sqlite:///{folder}/ledger.sqlite"
    ledger = Database.open(url)
    yield make_context(ledger, Settings(data_dir=folder, database=DatabaseSettings(url=url)))
    await ledger.dispose()
