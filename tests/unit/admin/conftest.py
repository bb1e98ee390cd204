"""A small province on a real ledger, for the tests of administrative acts."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailgov.admin.context import AdminContext
from mailgov.config import default_policy_directory
from mailgov.settings import DatabaseSettings, PolicySettings, Settings
from mailgov.store import commands
from mailgov.store.commands import PendingCommand
from mailgov.store.engine import Database, migrate
from tests.unit.admin.province import NOW_MS, SPOOL, make_context, make_province


@pytest.fixture(scope="session")
def province_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger and keys of the small province, to be copied."""
    folder = tmp_path_factory.mktemp("province")

    async def make() -> None:
        ledger = Database.open(f"sqlite:///{folder}/ledger.sqlite", create=True)
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
    ledger = Database.open(url, create=True)
    settings = Settings(
        data_dir=folder,
        database=DatabaseSettings(url=url),
        policy=PolicySettings(directory=default_policy_directory()),
    )
    yield make_context(ledger, settings)
    await ledger.dispose()


@pytest.fixture
async def relay(ctx: AdminContext) -> AsyncIterator[list[PendingCommand]]:
    """Stands for the worker that owns the spool: does as told, but never releases recipient 2."""
    seen: list[PendingCommand] = []

    async def answer() -> None:
        while True:
            for command in await commands.pending(ctx.db, SPOOL):
                seen.append(command)
                refused = (command.act, command.position) == ("release", 2)
                result, text = ("refused", "it is not held") if refused else ("done", "1 recipient")
                await commands.finish(ctx.db, command.id, result, text, NOW_MS)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(answer())
    yield seen
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
