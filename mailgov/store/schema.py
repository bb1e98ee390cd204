"""The ledger's schema and its revisions, by Alembic, from inside the program."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from mailgov.store.engine import LedgerUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6D61696C676F76  # "mailgov": one process migrates, the others wait


def configuration(connection: Connection) -> Config:
    """Alembic's settings without a file; `connection` is where the migrations run."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at, or None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """The newest revision among the migrations."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Upgrade inside the connection's transaction; raises LedgerUnavailable if rows lost a parent."""
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    command.upgrade(configuration(connection), revision)
    if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
        raise LedgerUnavailable("the migration would leave rows whose parent is missing; nothing was changed")
