"""The ledger for the store's tests: each test gets an empty one, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailgov.store.engine import Database, migrate
from tests.support.postgres import PostgresServer, running_postgres

LEDGER = "ledger"
FIRST_ROWS: dict[str, list[dict[str, object]]] = {
    "directory_state": [{"id": 1, "revision": 1, "policy_revision": 1}]
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server with one migrated database."""
    with running_postgres() as server:
        _migrate(server.create(LEDGER))
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("ledger") / "template.sqlite"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The url of an empty ledger in a file."""
    path = tmp_path / "ledger.sqlite"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The url of an empty ledger on the server."""
    yield postgres.url(LEDGER)
    postgres.empty(LEDGER, FIRST_ROWS)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The url of an empty ledger whose schema is up to date."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty ledger, open."""
    ledger = Database.open(database_url, timeout_s=5, create=True)
    yield ledger
    await ledger.dispose()


def _migrate(url: str) -> None:
    """In a thread: a fixture may be asked for first by a test whose loop runs already."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _migrated(url)).result()


async def _migrated(url: str) -> None:
    ledger = Database.open(url, create=True)
    await migrate(ledger)
    await ledger.dispose()
