"""Statements by hand, for what is written for every message: SQL as text, values as the drivers take them.

SQLAlchemy's own statements cost a hop to the connection's thread each, and each row's values are
converted one by one. Here a whole piece of work runs in that thread at once, or on PostgreSQL on the
loop, in the session's transaction. Days are ISO 8601 text and JSON is text: both databases take them so.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from mailgov.store.sql import chunks, table

T = TypeVar("T")
Values = Sequence[Any]


class Statements(Protocol):
    """Runs statements with `?` for each value. Raises what the driver or SQLAlchemy raises."""

    postgresql: bool

    def rows(self, sql: str, values: Values = ()) -> list[Any]:
        """All rows of a query."""

    def change(self, sql: str, values: Values) -> int:
        """How many rows a statement changed."""

    def many(self, sql: str, rows: Sequence[Values]) -> None:
        """The statement once for each row of values; nothing for none."""


async def by_hand(session: AsyncSession, work: Callable[[Statements], T]) -> T:
    """What `work` returns, run in the session's transaction; it must keep neither rows nor statements.

    When the caller is cancelled, `work` still ends before the transaction is rolled back.
    """
    if session.get_bind().dialect.name == "postgresql":
        return await session.run_sync(lambda sync: work(_Postgresql(sync.connection())))
    raw = await (await session.connection()).get_raw_connection()
    driver: Any = raw.driver_connection
    # aiosqlite's own way to run something in the connection's thread, behind what was asked before.
    done: T = await driver._execute(work, _Sqlite(driver._conn))
    return done


class _Sqlite:
    postgresql = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, values: Values = ()) -> list[Any]:
        return self._connection.execute(sql, values).fetchall()

    def change(self, sql: str, values: Values) -> int:
        return self._connection.execute(sql, values).rowcount

    def many(self, sql: str, rows: Sequence[Values]) -> None:
        self._connection.executemany(sql, rows)


class _Postgresql:
    postgresql = True

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, values: Values = ()) -> list[Any]:
        return list(self._connection.exec_driver_sql(sql.replace("?", "%s"), tuple(values)))

    def change(self, sql: str, values: Values) -> int:
        return self._connection.exec_driver_sql(sql.replace("?", "%s"), tuple(values)).rowcount

    def many(self, sql: str, rows: Sequence[Values]) -> None:
        if rows:
            self._connection.exec_driver_sql(sql.replace("?", "%s"), [tuple(row) for row in rows])


def insert(model: type[SQLModel], names: Sequence[str]) -> str:
    """INSERT of these columns."""
    return f"INSERT INTO {table(model).name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - the schema's own names


def upsert(model: type[SQLModel], names: Sequence[str], change: Mapping[str, str]) -> str:
    """INSERT; where the key stands already, the columns of `change` are set to these expressions.

    In an expression `{stands}` is the row that is there and `{comes}` the new one; without any the row
    stays. Rows go in the order of their keys, so that two writers cannot wait for each other.
    """
    target = table(model)
    keys = ", ".join(column.name for column in target.primary_key)
    sets = ", ".join(
        f"{name} = {new.format(stands=target.name, comes='excluded')}" for name, new in change.items()
    )
    return f"{insert(model, names)} ON CONFLICT ({keys}) DO {f'UPDATE SET {sets}' if sets else 'NOTHING'}"


def find(statements: Statements, sql: str, values: Iterable[Any]) -> list[Any]:
    """The rows of a query that ends with `IN`, asked for so many values at a time."""
    return [
        row
        for some in chunks(values)
        for row in statements.rows(f"{sql} ({', '.join('?' * len(some))})", some)
    ]


def new_ids(statements: Statements, model: type[SQLModel], count: int) -> list[int]:
    """Numbers for so many new rows; nobody else gets them. SQLite's writer is alone until it commits."""
    name = table(model).name
    if statements.postgresql:
        query = "SELECT nextval(pg_get_serial_sequence(?, 'id')) FROM generate_series(1, ?)"
        return [row[0] for row in statements.rows(query, (name, count))]
    last = statements.rows(f"SELECT coalesce(max(id), 0) FROM {name}")[0][0]  # noqa: S608 - the schema's own name
    return list(range(last + 1, last + 1 + count))


def as_json(value: Any) -> str | None:
    """A JSON column's text; None is SQL's NULL."""
    return None if value is None else json.dumps(value)
