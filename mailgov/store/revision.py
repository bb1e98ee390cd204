"""Which revision the ledger's schema has, asked without all that a user of the ledger loads (`store.engine`).

`serve` asks it before anything else; what it cannot answer, `store.schema` does.
"""

from __future__ import annotations

import contextlib
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

MIGRATIONS = Path(__file__).parent / "migrations" / "versions"
_QUESTION = "SELECT version_num FROM alembic_version"


def newest() -> str:
    """The newest revision of the schema that this version knows: the files are numbered by theirs."""
    return max(file.name.partition("_")[0] for file in MIGRATIONS.glob("[0-9]*_*.py"))


def is_newest(url: str, timeout_s: float) -> bool | None:
    """Whether the ledger has the newest schema; None while it cannot be asked. Blocks; never raises."""
    scheme, _, path = url.partition(":///")
    if scheme == "sqlite":
        return _sqlite(Path(path), timeout_s)
    return _postgresql(url, timeout_s) if scheme.startswith("postgres") else None


def _sqlite(file: Path, timeout_s: float) -> bool | None:
    if not file.is_file():  # an error of its own would say no more
        return None
    # Not mode=ro: after a crash the first who opens the file must take over what its log holds.
    place = f"file:{quote(str(file.absolute()))}?mode=rw"
    try:
        with closing(sqlite3.connect(place, uri=True, timeout=timeout_s)) as ledger:
            return ledger.execute(_QUESTION).fetchall() == [(newest(),)]
    except sqlite3.OperationalError as error:
        return False if "no such table" in str(error) else None
    except sqlite3.Error:
        return None


def _postgresql(url: str, timeout_s: float) -> bool | None:
    import psycopg  # noqa: PLC0415 - for those who have such a ledger

    with contextlib.suppress(psycopg.Error):
        try:
            with psycopg.connect(url, connect_timeout=max(2, round(timeout_s))) as ledger:
                ledger.execute("SET LOCAL statement_timeout = '5s'")
                return ledger.execute(_QUESTION).fetchall() == [(newest(),)]
        except psycopg.errors.UndefinedTable:
            return False
    return None
