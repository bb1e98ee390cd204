"""Debian's PostgreSQL in a temporary folder, on a loopback port, as an unprivileged account."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.support.processes import Program, children, free_port, wait_until
from tests.support.programs import find_program, program

START_LIMIT_S = 30.0


def missing() -> str | None:
    """Why PostgreSQL cannot run here, or None when it can."""
    if not (find_program("initdb") and find_program("postgres")):
        return "PostgreSQL is not installed"
    if os.geteuid() == 0 and not find_program("setpriv"):
        return "PostgreSQL refuses to run as root and setpriv is not installed"
    return None


class PostgresServer:
    """A server of its own. It can be stopped and started again on the same port and data."""

    def __init__(self, folder: Path) -> None:
        """Make a cluster under `folder`, which must be empty and reachable for other accounts."""
        self._folder = folder
        self._as_user = _unprivileged(folder)
        self._program: Program | None = None
        self.port = free_port()
        data = folder / "data"
        options = [
            "--auth=trust",
            "--username=mailgov",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
        ]
        initdb = [*self._as_user, program("initdb"), *options, "--no-sync", "-D", str(data)]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder)

    def start(self) -> None:
        """Start and wait until it answers; fsync stays on, as in production."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 60,
            "shared_buffers": "32MB",
        }
        argv = [*self._as_user, program("postgres"), "-D", str(self._folder / "data")]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        self._program = Program(argv, log=self._folder / "log", cwd=self._folder)
        wait_until(self._answers, timeout_s=START_LIMIT_S, what="PostgreSQL", program=self._program)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it; SIGINT is PostgreSQL's fast shutdown, SIGQUIT looks like a crash."""
        if self._program is not None:
            self._program.send_signal(number)
            self._program.wait(START_LIMIT_S)
            self._program.kill()
            self._program = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server takes connections (the kernel does) but answers nothing inside the block."""
        assert self._program is not None
        pids = [self._program.pid, *children(self._program.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def url(self, database: str = "postgres") -> str:
        """What `[database] url` takes."""
        return f"postgresql://mailgov@127.0.0.1:{self.port}/{database}"

    def create(self, name: str, template: str = "template1") -> str:
        """Make a database as a copy of another; returns its url."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.url(name)

    def empty(self, name: str, rows: dict[str, list[dict[str, object]]]) -> None:
        """Delete every row of a database's public tables, number from 1 again, then insert `rows`.

        Far quicker than a new database or TRUNCATE, which both make and sync files.
        """
        with psycopg.connect(self.url(name)) as connection:
            connection.execute("SET session_replication_role = replica")  # no foreign keys meanwhile
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname='public' AND tablename != 'alembic_version'"
            )
            for (table,) in tables.fetchall():
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
            connection.execute("SELECT setval(seqrelid, seqstart, false) FROM pg_sequence")
            for table, inserted in rows.items():
                for row in inserted:
                    names = sql.SQL(", ").join(map(sql.Identifier, row))
                    values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
                    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})")
                    connection.execute(
                        statement.format(sql.Identifier(table), names, values), list(row.values())
                    )

    def drop(self, name: str) -> None:
        """Remove a database and whoever is still connected to it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A started server; it and its files are gone afterwards. Skips where it cannot run."""
    if reason := missing():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="mailgov-postgres-"))
    try:
        server = PostgresServer(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> list[str]:
    """The words before a command that make it run as an account that PostgreSQL accepts."""
    if os.geteuid() != 0:
        return []
    accounts = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in accounts else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return [program("setpriv"), *ids, "--pdeathsig=QUIT"]
