"""Small helpers over SQLAlchemy Core that both databases share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlmodel import SQLModel

CHUNK = 500
"""Values in one IN (…): PostgreSQL plans it quickly and SQLite allows 32,766 parameters."""

Change = Mapping[str, Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[Any]]]
"""Per column, its new value from the one that stands and the one that comes."""


def table(model: type[SQLModel]) -> Table:
    """The Core table of a model."""
    return cast(Table, model.__table__)  # type: ignore[attr-defined]  # set by the metaclass for table=True


def columns(model: type[SQLModel]) -> ReadOnlyColumnCollection[str, Any]:
    """The columns of a model, for Core expressions."""
    return table(model).c


def chunks(values: Iterable[Any], size: int = CHUNK) -> list[list[Any]]:
    """The values in lists of at most `size`."""
    all_values = list(values)
    return [all_values[start : start + size] for start in range(0, len(all_values), size)]


async def upsert(
    session: AsyncSession,
    model: type[SQLModel],
    rows: Sequence[Mapping[str, Any]],
    change: Change | None = None,
) -> None:
    """Insert the rows; where the primary key stands already, apply `change` (None: leave it).

    Rows are written in the order of their keys, so that two writers cannot wait for each other.
    """
    if not rows:
        return
    target = table(model)
    keys = [column.name for column in target.primary_key]
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(target)
    if change is None:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    else:
        statement = statement.on_conflict_do_update(
            index_elements=keys,
            set_={name: new(target.c[name], statement.excluded[name]) for name, new in change.items()},
        )
    await session.execute(statement, sorted(rows, key=lambda row: tuple(row[key] for key in keys)))


def add(stands: ColumnElement[Any], comes: ColumnElement[Any]) -> ColumnElement[Any]:
    """For `upsert`: the sum of both."""
    return stands + comes


def replace(_stands: ColumnElement[Any], comes: ColumnElement[Any]) -> ColumnElement[Any]:
    """For `upsert`: the new value."""
    return comes
