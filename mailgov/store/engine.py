"""The ledger's connections: one `Database` per process, SQLite or PostgreSQL.

A transaction is the unit of every use: `read()` sees one snapshot and writes nothing,
`write()` commits when its block ends well and rolls back when it does not. What the
database does wrong comes out as `LedgerUnavailable`, so that callers can go on without.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite
from sqlalchemy import Connection, event, exc
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool, Pool

SCHEMA_WAIT_S = 60.0
"""Another process that starts at the same time may be migrating a large ledger."""
CREATE_TRIES, CREATE_WAIT_S = 100, 0.02
"""How often, and after what pause, a new file is put into WAL mode while others do the same."""
_WRITES = "mailgov_writes"
_NOT_OUR_SCHEMA = {"42P01", "42703", "42501"}
"""PostgreSQL: no such table, no such column, no right to it. A migration or an operator mends that."""


class LedgerUnavailable(Exception):
    """The ledger is locked, full, away or damaged; a later call may succeed.

    The text is fit for an operator; the driver's error is `__cause__` and carries no values.
    """


class Conflict(Exception):
    """The change breaks a constraint (a name taken, a row missing); nothing was written."""


class Database:
    """The ledger of this process. Open it, `await migrate(...)` once, `await dispose()` at the end."""

    def __init__(self, url: URL, *, pool_size: int, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self.dialect = url.get_backend_name()
        """`sqlite` or `postgresql`."""
        self._engine = build_engine(url, timeout_s=timeout_s, pool_size=pool_size)
        self._writer = self._engine.execution_options(**{_WRITES: True})
        self._file = Path(url.database or "").absolute() if self.dialect == "sqlite" else None
        self._inode: int | None = None

    @classmethod
    def open(cls, url: str, *, pool_size: int = 5, timeout_s: float = 5.0, create: bool = False) -> Database:
        """Make ready for `sqlite:///path` or `postgresql://…`; raises ValueError for another form.

        `timeout_s` bounds each wait for a connection or a lock. No connection is made yet. With
        `create` a SQLite file that does not exist is made (0600) with its folder (0700);
        without it a missing file is a ledger that is away: an unmounted disk must not turn
        into an empty province.
        """
        parsed = _parse(url)
        if create and parsed.get_backend_name() == "sqlite":
            _create_file(Path(parsed.database or ""))
        return cls(parsed, pool_size=pool_size, timeout_s=timeout_s)

    def read(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A transaction that sees one state of the ledger and refuses to write."""
        return self._transaction(self._engine)

    def write(self) -> AbstractAsyncContextManager[AsyncSession]:
        """A transaction that writes; SQLite takes the write lock at its start."""
        return self._transaction(self._writer)

    async def dispose(self) -> None:
        """Close every connection; the database can be used again afterwards."""
        await self._engine.dispose()

    @asynccontextmanager
    async def schema_change(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes the schema: it waits long for its lock, foreign keys rest."""
        engine = build_engine(self._url, timeout_s=max(self._timeout_s, SCHEMA_WAIT_S), schema=True)
        try:
            with translated():
                async with engine.execution_options(**{_WRITES: True}).begin() as connection:
                    yield connection
        finally:
            await engine.dispose()

    async def _check_file(self) -> None:
        """A file that was moved away or replaced is not the one that our connections hold open.

        What they wrote would be lost with it, so they are closed and the path is opened anew.
        """
        if self._file is None:
            return
        try:
            inode = self._file.stat().st_ino
        except OSError as error:
            await self._engine.dispose()
            self._inode = None
            raise LedgerUnavailable(f"the ledger cannot be used: {error.strerror}: {self._file}") from error
        if self._inode not in (None, inode):
            await self._engine.dispose()
        self._inode = inode

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
        await self._check_file()
        with translated():
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                await self._begin(session)
                yield session

    async def _begin(self, session: AsyncSession) -> None:
        """Connect and begin, in bounded time even where a server is frozen.

        The driver may take 10 s more to give such a connection up.
        """
        if self.dialect == "sqlite":  # a file's waits are bounded by pool and busy timeouts
            _ = await session.connection()
            return
        try:
            async with asyncio.timeout(2 * self._timeout_s + 1):
                _ = await session.connection()
        except TimeoutError as error:
            raise LedgerUnavailable("the ledger does not answer") from error


async def migrate(database: Database, revision: str = "head") -> None:
    """Upgrade the schema to `revision` in one transaction; nothing happens when it is there already.

    Safe when several processes start at once. Raises LedgerUnavailable.
    """
    from mailgov.store import schema  # noqa: PLC0415 - Alembic takes a while to import and few need it

    async with database.schema_change() as connection:
        await connection.run_sync(schema.upgrade, revision)


async def current_revision(database: Database) -> str | None:
    """The schema's revision, or None for an empty database."""
    from mailgov.store import schema  # noqa: PLC0415 - as above

    async with database.read() as session:
        connection = await session.connection()
        return await connection.run_sync(schema.revision_of)


async def damage(database: Database) -> list[str]:
    """What a SQLite ledger's own checks find, a line each; a PostgreSQL server has its own tools."""
    if database.dialect != "sqlite":
        return []
    async with database.read() as session:
        connection = await session.connection()
        pages = (await connection.exec_driver_sql("PRAGMA integrity_check(10)")).all()
        orphans = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).mappings().all()
    found = [str(row[0]) for row in pages if row[0] != "ok"]
    lost = [f"row {row['rowid']} of {row['table']} has lost its {row['parent']}" for row in orphans[:10]]
    return found + lost


def head_revision() -> str | None:
    """The newest revision of the schema that this version knows."""
    from mailgov.store import schema  # noqa: PLC0415 - as above

    return schema.head()


class translated:  # noqa: N801 - a context manager used as a verb
    """Turn the driver's errors in the block into `LedgerUnavailable` or `Conflict`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, sqlite3.Error):
            _tell_sqlite(error)
        if isinstance(error, exc.IntegrityError):
            raise Conflict(str(error.orig)) from error
        if isinstance(error, exc.TimeoutError):
            raise LedgerUnavailable("no free connection to the ledger") from error
        if isinstance(error, exc.DBAPIError) and not _fault_of_ours(error):
            raise LedgerUnavailable(f"the ledger cannot be used: {error.orig}") from error


def _tell_sqlite(error: sqlite3.Error) -> None:
    """What the driver says of statements by hand (`store.hand`), which SQLAlchemy does not see."""
    if isinstance(error, sqlite3.IntegrityError):
        raise Conflict(str(error)) from error
    if not isinstance(error, (sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.NotSupportedError)):
        raise LedgerUnavailable(f"the ledger cannot be used: {error}") from error


def _fault_of_ours(error: exc.DBAPIError) -> bool:
    """True when the values or the statement are wrong, so that the same call can never succeed."""
    if error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _NOT_OUR_SCHEMA:
        return False
    return isinstance(error, (exc.ProgrammingError, exc.DataError, exc.NotSupportedError))


def build_engine(
    url: URL, *, timeout_s: float, pool_size: int | None = None, schema: bool = False
) -> AsyncEngine:
    """An engine whose connections begin, wait and check keys as the house wants it."""
    sqlite = url.get_backend_name() == "sqlite"
    pool: dict[str, Any] = {"poolclass": NullPool}
    if not schema:
        pool_class: type[Pool] = AsyncAdaptedQueuePool
        pool = {"poolclass": pool_class, "pool_size": pool_size, "max_overflow": 0, "pool_timeout": timeout_s}
    arguments: dict[str, Any]
    if sqlite:
        # Our own BEGIN says whether a transaction writes, so sqlite3 must not begin by itself.
        arguments = {"timeout": timeout_s, "isolation_level": None, "async_creator_fn": _open_sqlite}
    else:
        arguments = {
            "connect_timeout": max(1, round(timeout_s)),
            # Prepared statements would be lost behind a pooler that changes servers underneath.
            "prepare_threshold": None,
            # A server whose machine is gone is noticed within a minute, in the middle of a statement too.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        }
    engine = create_async_engine(
        _file_url(url) if sqlite else url,
        connect_args=arguments,
        hide_parameters=True,  # values are personal data and stay out of errors and logs
        pool_pre_ping=not sqlite,
        **pool,
    )
    if sqlite:
        _on_sqlite(engine, foreign_keys=not schema)
    else:
        _on_postgresql(engine, timeout_s)
    return engine


async def _open_sqlite(*args: Any, **kw: Any) -> aiosqlite.Connection:
    """Connect; when that fails, the connection's thread is gone before the error is told."""
    connection = aiosqlite.connect(*args, **kw)
    thread = connection._thread
    thread.daemon = True  # a statement that hangs must not keep the process from ending
    try:
        return await connection
    except BaseException:
        await asyncio.shield(asyncio.to_thread(thread.join))
        raise


def _on_sqlite(engine: AsyncEngine, *, foreign_keys: bool) -> None:
    def connected(connection: Any, _record: Any) -> None:
        try:
            cursor = connection.cursor()
            # A change of schema re-creates tables, which foreign keys would take for deletions.
            for pragma in ("journal_mode=WAL", "synchronous=FULL", f"foreign_keys={int(foreign_keys)}"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except BaseException:
            connection.close()  # the pool forgets a connection that fails here, its thread would stay
            raise

    def begun(connection: Connection) -> None:
        writes = bool(connection.get_execution_options().get(_WRITES))
        adapted: Any = connection.connection.dbapi_connection
        # One hop to the connection's thread; each statement through a cursor would be four.
        adapted.run_async(lambda driver: driver._execute(_begin_sqlite, driver._conn, writes))

    event.listen(engine.sync_engine, "connect", connected)
    event.listen(engine.sync_engine, "begin", begun)


def _begin_sqlite(connection: sqlite3.Connection, writes: bool) -> None:
    connection.execute(f"PRAGMA query_only={int(not writes)}")
    # A read that turned into a write could not wait for the lock: busy_timeout does not help there.
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def _on_postgresql(engine: AsyncEngine, timeout_s: float) -> None:
    wait = f"SET LOCAL lock_timeout = {max(1, round(timeout_s * 1000))}"

    def begun(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES):
            connection.exec_driver_sql(wait)
        else:
            connection.exec_driver_sql(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; {wait}")

    event.listen(engine.sync_engine, "begin", begun)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise ValueError("the database url is neither sqlite:///path nor postgresql://…") from None
    named = parsed.database not in {None, "", ":memory:"}
    if parsed.drivername == "sqlite" and named and not parsed.query:
        return parsed.set(database=str(Path(parsed.database or "").absolute()))
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError("the database url is neither sqlite:///path nor postgresql://…")


def _file_url(url: URL) -> URL:
    """The file in a form that opens but never creates: a ledger that went away stays away."""
    path = Path(url.database or "").absolute()
    return URL.create(
        "sqlite+aiosqlite", database="file:" + quote(str(path)), query={"mode": "rw", "uri": "true"}
    )


def _create_file(path: Path) -> None:
    """A file that is in WAL mode from the start: the change of mode heeds no busy timeout."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        for _ in range(CREATE_TRIES):
            with closing(sqlite3.connect(path)) as connection, suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA journal_mode=WAL")
                return
            time.sleep(CREATE_WAIT_S)  # another process makes the same change at this moment
    except (OSError, sqlite3.Error):
        return  # the first use finds no ledger there and raises LedgerUnavailable
