"""What a process loads before it does its work: each second of it is a second without mail after a crash."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("sqlalchemy", "sqlmodel", "alembic", "fastapi", "uvicorn", "jinja2", "psycopg", "aiosqlite")


@pytest.mark.parametrize(
    ("module", "more"),
    [
        # The supervisor: what a worker needs is the worker's.
        ("mailgov.serve", ("cryptography", "aiosmtpd", "dkim", "dns", "mailgov.policy", "typer")),
        ("mailgov.cli.service", ("cryptography", "aiosmtpd", "mailgov.admin")),
        # A relay worker until it serves: what speaks with the ledger comes after.
        ("mailgov.config.relay", ("mailgov.admin", "mailgov.usage", "typer")),
    ],
)
def test_a_process_loads_nothing_that_it_does_not_need(module: str, more: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert module in done.stdout.split()
    assert not {*HEAVY, *more} & set(done.stdout.split())
