"""The key that first passwords are hashed under: a file of the data folder, its owner's alone.

Machines that share a ledger need the same file: copy it where `admin` or the pages run. Losing
it locks nobody out for good; an administrator gives new first passwords.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from mailgov.ops import files

FILE = "first-password.key"
KEY_OCTETS = 32


def first_key(data_dir: Path, random: Callable[[int], bytes]) -> bytes:
    """The key, made on first use (mode 0600); `random(n)` gives n unpredictable octets.

    Raises OSError where the file can neither be read nor made, and ValueError for a damaged one.
    """
    path = data_dir / FILE
    if not path.exists():
        with contextlib.suppress(FileExistsError):  # another process was faster
            files.write_new(path, random(KEY_OCTETS))
    key = path.read_bytes()
    if len(key) != KEY_OCTETS:
        raise ValueError(f"{path} is damaged: it has {len(key)} octets instead of {KEY_OCTETS}")
    return key
