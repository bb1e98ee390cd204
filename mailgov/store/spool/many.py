"""Many rows by one statement.

A statement lets other threads have the interpreter while the database runs it, and then waits for its turn
again: under load that costs more than the row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

Rows = Sequence[Sequence[Any]]

_PIECES = (32, 16, 8, 4, 2, 1)
"""Rows in one statement: so few forms that SQLite keeps them all prepared."""


def insert(connection: sqlite3.Connection, head: str, rows: Rows) -> int:
    """`head` is all before VALUES. The last row's id; those of the others are just before it."""
    last = 0
    for some in _pieces(rows):
        sql = _inserting(head, len(some[0]), len(some))
        last = connection.execute(sql, tuple(chain.from_iterable(some))).lastrowid or 0
    return last


def delete(connection: sqlite3.Connection, head: str, source: str, rows: Rows) -> None:
    """`head` is all before the list of ids; `source` joins them, as `r`, with the rows `v (column1, …)`."""
    for some in _pieces(rows):
        sql = _deleting(head, source, len(some[0]), len(some))
        connection.execute(sql, tuple(chain.from_iterable(some)))


def _pieces(rows: Rows) -> Iterator[Rows]:
    done = 0
    for size in _PIECES:
        while len(rows) - done >= size:
            yield rows[done : done + size]
            done += size


@lru_cache(maxsize=64)
def _inserting(head: str, width: int, count: int) -> str:
    return f"{head} {_values(width, count)}"


@lru_cache(maxsize=16)
def _deleting(head: str, source: str, width: int, count: int) -> str:
    return f"{head} (SELECT r.id FROM ({_values(width, count)}) v {source})"  # noqa: S608 - constants


def _values(width: int, count: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"VALUES {','.join([row] * count)}"
