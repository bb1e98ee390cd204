"""A real clamd with one signature: EICAR's test file, which harms nobody. Needs `needs("clamd")`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import Program, wait_until
from tests.support.programs import program

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
NAME = "Eicar-Test-Signature.UNOFFICIAL"
"""clamd marks what is not of ClamAV's own database."""
STREAM_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RunningClamd:
    """A clamd that listens on the Unix socket `address`."""

    address: str
    program: Program


@contextmanager
def running_clamd(folder: Path) -> Iterator[RunningClamd]:
    """A clamd with a database of one line, ready to be asked; `STREAM_LIMIT` octets of a message at most."""
    database, socket = folder / "signatures", folder / "clamd.sock"
    database.mkdir()
    (database / "eicar.ndb").write_text(f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n")
    lines = [
        f"DatabaseDirectory {database}",
        f"LocalSocket {socket}",
        f"TemporaryDirectory {folder}",
        f"StreamMaxLength {STREAM_LIMIT}",
        "Foreground yes",
        "SelfCheck 0",
        "ConcurrentDatabaseReload no",
    ]
    if os.geteuid() == 0:
        lines.append("User root")
    configuration = folder / "clamd.conf"
    configuration.write_text("\n".join([*lines, ""]))
    argv: list[str | Path] = [program("clamd"), "--config-file", configuration]
    with Program(argv, log=folder / "clamd.log") as running:
        wait_until(socket.exists, timeout_s=30, what="clamd's socket", program=running)
        yield RunningClamd(str(socket), running)
