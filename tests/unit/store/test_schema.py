"""Migrations: they end at the models, on both databases, with rows in them too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, insert, select
from sqlmodel import SQLModel

from mailgov.store import schema
from mailgov.store.engine import Database, current_revision, migrate
from mailgov.store.snapshot import revisions
from mailgov.store.sql import table
from mailgov.store.tables import Account, AccountPost, Message, MessageRecipient
from tests.support.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/empty.sqlite"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create("empty")
    database = Database.open(url, create=True)
    yield database
    await database.dispose()
    if request.param == "postgresql":
        server.drop("empty")


def heads() -> tuple[str, ...]:
    return tuple(ScriptDirectory(str(schema.MIGRATIONS)).get_heads())


async def test_an_empty_database_becomes_the_models(empty: Database) -> None:
    assert await current_revision(empty) is None
    await migrate(empty)
    assert (await current_revision(empty),) == heads()
    assert await revisions(empty) == (1, 1)
    async with empty.read() as session:
        connection = await session.connection()
        assert await connection.run_sync(_differences) == []


def _differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), SQLModel.metadata))


async def test_migrating_again_changes_nothing(empty: Database) -> None:
    await migrate(empty)
    await migrate(empty)
    assert await revisions(empty) == (1, 1)


async def test_processes_that_start_together_migrate_once(empty: Database) -> None:
    await asyncio.gather(*(migrate(empty) for _ in range(3)))
    assert (await current_revision(empty),) == heads()
    assert await revisions(empty) == (1, 1)


async def test_a_migration_keeps_the_rows_of_tables_that_refer_to_each_other(
    empty: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SQLite changes a column by making its table anew: what refers to the old one must survive."""
    await migrate(empty)
    await _fill(empty)
    before = await _rows(empty)
    _next_revision(tmp_path, monkeypatch)
    await migrate(empty)
    assert await current_revision(empty) == "next"
    after = await _rows(empty)
    assert after == before
    async with empty.read() as session:
        connection = await session.connection()
        found = await connection.run_sync(_reflected_columns)
    assert "nickname" in found


def _reflected_columns(connection: Connection) -> set[str]:
    metadata = MetaData()
    metadata.reflect(connection, only=["account"])
    return set(metadata.tables["account"].columns.keys())


def _next_revision(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the migrations with one more, which alters two parent tables."""
    copy = folder / "migrations"
    for file in schema.MIGRATIONS.rglob("*"):
        if file.suffix in {".py", ".mako"}:
            target = copy / file.relative_to(schema.MIGRATIONS)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    (copy / "versions" / "next.py").write_text(
        f"""
import sqlalchemy as sa
from alembic import op
revision = "next"
down_revision = {heads()[0]!r}

def upgrade():
    with op.batch_alter_table("account") as batch:
        batch.add_column(sa.Column("nickname", sa.String()))
        batch.alter_column("display_name", existing_type=sa.String(), nullable=True)
    with op.batch_alter_table("message") as batch:
        batch.alter_column("policy_hash", existing_type=sa.String(), nullable=True)
"""
    )
    monkeypatch.setattr(schema, "MIGRATIONS", copy)


async def _fill(database: Database) -> None:
    account = {"address": "an@caobang.gov.vn", "kind": "personal", "display_name": "An", "created_ms": 1}
    flags = {"must_change_password": False, "citizen_desk": False, "sample": False}
    async with database.write() as session:
        await session.execute(insert(table(Account)).values(id=1, **account, **flags))
        await session.execute(insert(table(AccountPost)).values(id=1, account_id=1, agency_code="H14.01"))
        session.add(
            Message(
                id=1,
                queue_id="q",
                spool_id="s",
                at_ms=1,
                local_date=date(2026, 1, 1),
                verdict="accepted",
                source="mx",
                signatures=[],
                policy_hash="h",
            )
        )
        await session.flush()
        session.add(MessageRecipient(id=1, message_row=1, position=0, state="queued", updated_ms=1))


async def _rows(database: Database) -> list[Any]:
    found: list[Any] = []
    async with database.read() as session:
        for model, name in ((Account, "address"), (AccountPost, "agency_code"), (Message, "queue_id")):
            found += (await session.execute(select(table(model).c[name]))).all()
        found += (await session.execute(select(table(MessageRecipient).c.state))).all()
    return found
