"""What all tables share: how ids and times are declared."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Integer
from sqlmodel import Field

BIG_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER."""


def ms(**kw: Any) -> Any:
    """A number of 64 bits: milliseconds since 1970-01-01 UTC, a revision, a size."""
    return Field(sa_type=BigInteger, **kw)


def row_id() -> Any:
    """A number that the database gives."""
    return Field(default=None, primary_key=True, sa_type=BIG_ID)


def refers_to(column: str, **kw: Any) -> Any:
    """The id of a row of another table."""
    return Field(foreign_key=column, sa_type=BIG_ID, **kw)


def json(*, nullable: bool = True) -> Any:
    """A JSON value; None is SQL's NULL."""
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=nullable))
