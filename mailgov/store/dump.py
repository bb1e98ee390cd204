"""The whole ledger as rows that either database can take: what a backup holds.

Tables are read as they stand, not as this version's models: a ledger of an older schema comes
out as it is, and is loaded into that schema before it is upgraded.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable
from datetime import date
from itertools import islice
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Date,
    LargeBinary,
    MetaData,
    Table,
    delete,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

PAGE = 2000
"""Rows held in memory at once."""
VERSION_TABLE = "alembic_version"


async def tables(session: AsyncSession) -> list[Table]:
    """The tables that there are, those that others refer to first; not the schema's own version."""
    connection = await session.connection()
    metadata = MetaData()
    await connection.run_sync(lambda sync: _reflect(sync, metadata))
    return [table for table in metadata.sorted_tables if table.name != VERSION_TABLE]


def _reflect(connection: Connection, metadata: MetaData) -> None:
    metadata.reflect(connection)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type = JSON(none_as_null=True)  # as the models have it: None is SQL's NULL


async def rows(session: AsyncSession, table: Table) -> AsyncIterator[dict[str, Any]]:
    """The table's rows as JSON has them, by primary key."""
    query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=PAGE)
    async for row in await session.stream(query):
        yield {name: _plain(value) for name, value in row._mapping.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, date) else value


async def load(session: AsyncSession, table: Table, found: Iterable[dict[str, Any]]) -> int:
    """Put rows into a table that the migrations may have given a first row; returns how many.

    Raises KeyError or ValueError for rows of another table.
    """
    readers = {column.name: _reader(column.type) for column in table.columns}
    await session.execute(delete(table))
    count = 0
    waiting = iter(found)
    while page := list(islice(waiting, PAGE)):
        values = [
            {name: None if value is None else readers[name](value) for name, value in row.items()}
            for row in page
        ]
        await session.execute(insert(table), values)
        count += len(values)
    if count:
        await _go_on_counting(session, table)
    return count


def _reader(kind: Any) -> Any:
    if isinstance(kind, LargeBinary):
        return base64.b64decode
    return date.fromisoformat if isinstance(kind, Date) else _same


def _same(value: Any) -> Any:
    return value


async def _go_on_counting(session: AsyncSession, table: Table) -> None:
    """PostgreSQL numbers new rows from a sequence that knows nothing of loaded ones."""
    key = table.primary_key.columns.values()
    if session.get_bind().dialect.name != "postgresql" or len(key) != 1 or key[0].name != "id":
        return
    if (highest := await session.scalar(select(func.max(key[0])))) is not None:
        statement = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :highest)")
        if await session.scalar(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name}):
            await session.execute(statement, {"name": table.name, "highest": highest})
