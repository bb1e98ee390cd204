"""Files that hold secrets or must be whole: written aside, synced, then named."""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def private_folder(path: Path) -> None:
    """A folder that its owner alone enters, with the folders above it; stays as it is when there."""
    if path.is_dir():
        return
    if not path.parent.exists():
        private_folder(path.parent)
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def write_new(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Write a file that is not there yet; after a crash it is whole or absent.

    Raises FileExistsError and leaves the other file alone. Folders above it are made private.
    """
    private_folder(path.parent)
    aside = _aside(path, content, mode)
    try:
        os.link(aside, path)  # unlike rename, refuses to replace
    finally:
        aside.unlink()
    sync_folder(path.parent)


def replace(path: Path, content: bytes, mode: int = PRIVATE_FILE) -> None:
    """Write a file in the place of the one that is there, if any; readers see the old or the new one."""
    private_folder(path.parent)
    _aside(path, content, mode).replace(path)
    sync_folder(path.parent)


def _aside(path: Path, content: bytes, mode: int) -> Path:
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    aside.unlink(missing_ok=True)  # left by a process of this number that was killed
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(handle, mode)  # whatever the umask
        os.fsync(handle)
    return aside


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
