"""The ledger's connections: transactions that hold, faults that pass, nothing that leaks."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.store.directory import bump_revision
from mailgov.store.engine import Conflict, Database, LedgerUnavailable, migrate
from mailgov.store.snapshot import revisions
from mailgov.store.sql import table
from mailgov.store.tables import Domain
from tests.support.postgres import PostgresServer

Block = Callable[[AsyncSession], Any]


@asynccontextmanager
async def opened(url: str, *, pool_size: int = 5, timeout_s: float = 0.5) -> AsyncIterator[Database]:
    database = Database.open(url, pool_size=pool_size, timeout_s=timeout_s, create=True)
    try:
        yield database
    finally:
        await database.dispose()


async def add_domain(session: AsyncSession, name: str) -> None:
    await session.execute(insert(table(Domain)).values(name=name, created_ms=1))


async def write(database: Database, name: str = "caobang.gov.vn", *, fail: bool = False) -> None:
    async with database.write() as session:
        await add_domain(session, name)
        if fail:
            raise RuntimeError


async def count(database: Database) -> int:
    async with database.read() as session:
        return int(await session.scalar(text("SELECT count(*) FROM domain")) or 0)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://x/y",
        "sqlite://",
        "sqlite:///:memory:",
        "",
        "ledger.sqlite",
        "sqlite+pysqlite:///x",
        "sqlite:///x?mode=ro",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="neither sqlite"):
        Database.open(url, create=True)


async def test_a_relative_sqlite_url_starts_at_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened("sqlite:///var data/sổ %41 #1.sqlite") as database:
        monkeypatch.chdir("/")
        await migrate(database)
        assert await revisions(database) == (1, 1)
    assert (tmp_path / "var data" / "sổ A #1.sqlite").stat().st_size > 0


async def test_only_the_service_reads_the_sqlite_ledger(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        async with opened(f"sqlite:///{tmp_path}/new/ledger.sqlite") as database:
            await migrate(database)
            await write(database)
            files = list((tmp_path / "new").iterdir())
            assert {file.name for file in files} >= {
                "ledger.sqlite",
                "ledger.sqlite-wal",
                "ledger.sqlite-shm",
            }
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    finally:
        os.umask(before)


async def test_sqlite_is_as_durable_as_the_house_wants_it(tmp_path: Path) -> None:
    async with (
        opened(f"sqlite:///{tmp_path}/ledger.sqlite", timeout_s=1.5) as database,
        database.read() as session,
    ):
        found = [
            await session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 1500]


async def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError):
        await write(database, fail=True)
    assert await count(database) == 0
    await write(database)
    assert await count(database) == 1


async def test_a_cancelled_block_leaves_nothing_and_no_lock(database: Database) -> None:
    begun = asyncio.Event()

    async def wait_inside() -> None:
        async with database.write() as session:
            await add_domain(session, "a.vn")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait_inside())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await write(database, "b.vn")
    assert await count(database) == 1


async def test_a_broken_constraint_is_a_conflict(database: Database) -> None:
    await write(database)
    with pytest.raises(Conflict):
        await write(database)
    assert await count(database) == 1


async def test_a_missing_parent_is_a_conflict(database: Database) -> None:
    async def orphan() -> None:
        async with database.write() as session:
            await session.execute(
                text("INSERT INTO account_grant (account_id, address) VALUES (77, 'a@b.vn')")
            )

    with pytest.raises(Conflict):
        await orphan()


async def test_a_read_refuses_to_write(database: Database) -> None:
    async def write_in_read() -> None:
        async with database.read() as session:
            await bump_revision(session)

    with pytest.raises(LedgerUnavailable):
        await write_in_read()
    assert await revisions(database) == (1, 1)
    await write(database)


async def test_a_read_sees_one_state(database: Database) -> None:
    async with database.read() as session:
        before = await session.scalar(text("SELECT count(*) FROM domain"))
        await write(database)
        assert await session.scalar(text("SELECT count(*) FROM domain")) == before
    assert await count(database) == 1


async def test_errors_carry_no_values(database: Database) -> None:
    await write(database, "bí-mật.gov.vn")
    with pytest.raises(Conflict) as caught:
        await write(database, "bí-mật.gov.vn")
    cause = caught.value.__cause__
    assert cause is not None
    assert "bí-mật" not in str(cause).replace(str(caught.value), "")


async def test_a_locked_sqlite_ledger_is_unavailable_and_then_works_again(sqlite_url: str) -> None:
    async with opened(sqlite_url, timeout_s=0.2) as database:
        await write(database, "a.vn")
        other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerUnavailable, match="locked"):
            await write(database, "b.vn")
        assert await count(database) == 1, "reading goes on beside a writer"
        other.execute("COMMIT")
        other.close()
        await write(database, "b.vn")
        assert await count(database) == 2


async def test_a_table_locked_too_long_on_postgresql_is_unavailable(postgres_url: str) -> None:
    async with opened(postgres_url) as other, opened(postgres_url, timeout_s=0.2) as database:
        async with other.write() as session:
            await session.execute(text("LOCK TABLE domain IN EXCLUSIVE MODE"))
            with pytest.raises(LedgerUnavailable):
                await write(database)
        await write(database)


async def test_an_exhausted_pool_is_unavailable_and_then_works_again(database_url: str) -> None:
    async with opened(database_url, pool_size=1, timeout_s=0.2) as database:
        async with database.read():
            with pytest.raises(LedgerUnavailable, match="no free connection"):
                await count(database)
        assert await count(database) == 0


async def test_a_sqlite_file_that_is_away_stays_away_until_it_is_back(
    tmp_path: Path, sqlite_template: Path
) -> None:
    path = tmp_path / "ledger.sqlite"
    async with opened(f"sqlite:///{path}", pool_size=1) as database:
        path.unlink()
        with pytest.raises(LedgerUnavailable):
            await count(database)
        assert not path.exists(), "an empty ledger in its place would hide the loss"
        shutil.copyfile(sqlite_template, path)
        assert await count(database) == 0


async def test_a_damaged_sqlite_file_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is no database" * 1000)
    async with opened(f"sqlite:///{path}") as database:
        with pytest.raises(LedgerUnavailable):
            await count(database)


async def test_a_folder_that_cannot_be_made_is_told_at_the_first_use(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with opened(f"sqlite:///{tmp_path}/file/ledger.sqlite") as database:
        with pytest.raises(LedgerUnavailable):
            await count(database)


async def test_a_full_disk_is_unavailable_and_then_works_again(sqlite_url: str) -> None:
    async with opened(sqlite_url, pool_size=1) as database:
        async with database.read() as session:
            pages = await session.scalar(text("PRAGMA page_count"))
            await session.execute(text(f"PRAGMA max_page_count={pages}"))
        with pytest.raises(LedgerUnavailable, match="full"):
            await write(database, "x" * 100_000)
        async with database.read() as session:
            await session.execute(text("PRAGMA max_page_count=1000000"))
        await write(database, "x" * 100_000)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
async def test_postgresql_stopped_and_started(postgres: PostgresServer, number: signal.Signals) -> None:
    async with opened(postgres.url("postgres"), timeout_s=2) as database:

        async def ask() -> int:
            async with database.read() as session:
                return int(await session.scalar(text("SELECT 1")) or 0)

        assert tuple(await asyncio.gather(ask(), ask())) == (1, 1)
        postgres.stop(number)
        try:
            for _ in range(3):
                with pytest.raises(LedgerUnavailable):
                    await ask()
        finally:
            postgres.start()
        assert tuple(await asyncio.gather(ask(), ask(), ask())) == (1, 1, 1)


async def test_postgresql_that_ends_in_the_middle_of_a_transaction(postgres: PostgresServer) -> None:
    async with opened(postgres.url("postgres"), timeout_s=2) as database:

        async def interrupted() -> None:
            async with database.write() as session:
                await session.execute(text("SELECT 1"))
                postgres.stop(signal.SIGQUIT)
                await session.execute(text("SELECT 1"))

        try:
            with pytest.raises(LedgerUnavailable):
                await interrupted()
        finally:
            postgres.start()
        async with database.write() as session:
            assert await session.scalar(text("SELECT 1")) == 1


@pytest.mark.slow  # the driver takes 10 s to give its connection up
async def test_a_frozen_postgresql_is_unavailable_in_bounded_time(postgres: PostgresServer) -> None:
    async with opened(postgres.url("postgres"), timeout_s=0.2) as database:

        async def ask() -> None:
            async with database.read() as session:
                await session.scalar(text("SELECT 1"))

        await ask()
        with postgres.frozen(), pytest.raises(LedgerUnavailable):
            await ask()
        await ask()
