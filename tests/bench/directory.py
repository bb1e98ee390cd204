"""How long an import of a province takes: `python -m tests.bench.directory --accounts 10000`."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mailgov.admin import directory_files, domains
from mailgov.admin.context import Actor, AdminContext
from mailgov.identity.roles import Role
from mailgov.settings import Settings
from mailgov.store.engine import Database, migrate
from tests.support.postgres import running_postgres

DOMAIN = "caobang.gov.vn"
LIMIT_S = 30.0
"""For ten thousand accounts."""
ACTOR = Actor("bench", Role.OPERATOR)
AGENCIES = 100


def file_of(accounts: int) -> bytes:
    """A province as a spreadsheet."""
    rows = ["code;name;level;address;kind;agency;class;from"]
    rows += [f"xa{n};UBND xã {n};commune;;;;;" for n in range(AGENCIES)]
    rows += [
        f";Nguyễn Văn {n};;nv{n}@{DOMAIN};personal;xa{n % AGENCIES};cong_chuc;2026-01-01"
        for n in range(accounts)
    ]
    return "\r\n".join(rows).encode()


async def measure(url: str, folder: Path, accounts: int) -> bool:
    """Import, export, import again; True when the first took no longer than it may."""
    ledger = Database.open(url, create=True)
    await migrate(ledger)
    ctx = AdminContext(
        ledger, Settings(data_dir=folder), lambda: time.time_ns() // 1_000_000, secrets.token_hex
    )
    await domains.add_domain(ctx, ACTOR, DOMAIN, postmaster=f"operator@{DOMAIN}")
    data = file_of(accounts)
    took: dict[str, float] = {}
    with timed(took.__setitem__, "import"):
        done = await directory_files.import_directory(ctx, ACTOR, data)
    with timed(took.__setitem__, "export"):
        out = await directory_files.export_directory(ctx, ACTOR)
    with timed(took.__setitem__, "import again"):
        again = await directory_files.import_directory(ctx, ACTOR, out.text.encode())
    await ledger.dispose()
    assert (done.accounts, again.accounts) == (accounts, 0)
    limit_s = LIMIT_S * accounts / 10_000
    print(f"{ledger.dialect}, {accounts} accounts, {AGENCIES} agencies; the first may take {limit_s:.0f} s")
    for name, seconds in took.items():
        print(f"  {name:14}{seconds:6.2f} s")
    return took["import"] <= limit_s


@contextmanager
def timed(note: Callable[[str, float], None], name: str) -> Iterator[None]:
    began_s = time.monotonic()
    yield
    note(name, time.monotonic() - began_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fits = asyncio.run(measure(f"sqlite:///{folder}/ledger.sqlite", folder, asked.accounts))
        if asked.postgresql:
            with running_postgres() as server:
                fits &= asyncio.run(measure(server.create("bench"), folder, asked.accounts))
    return 0 if fits else 1


if __name__ == "__main__":
    raise SystemExit(main())
