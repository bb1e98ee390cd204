"""Which supervisors serve a data folder: each holds a lock on a file that has its process id for a name."""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import IO

FOLDER = "running"


def note(data_dir: Path) -> IO[bytes]:
    """Say that this process serves `data_dir`, for as long as what comes back is open. Raises OSError."""
    folder = data_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        if not _held(left):
            left.unlink(missing_ok=True)
    mark = (folder / str(os.getpid())).open("wb")
    fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return mark


def serves(data_dir: Path) -> list[int]:
    """Process ids of those that serve `data_dir`."""
    with suppress(FileNotFoundError):
        marks = sorted((data_dir / FOLDER).iterdir())
        return [int(mark.name) for mark in marks if mark.name.isdigit() and _held(mark)]
    return []


def hang_up(data_dir: Path) -> list[int]:
    """Send SIGHUP to each supervisor; their process ids. Raises PermissionError where one is another's."""
    told = serves(data_dir)
    for process in told:
        os.kill(process, signal.SIGHUP)
    return told


def _held(mark: Path) -> bool:
    with mark.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
