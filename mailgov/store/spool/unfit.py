"""Why a spool does not open, where only a person can help."""

from __future__ import annotations

import errno
import sqlite3

from mailgov.store.spool.model import SpoolUnfit

DAMAGED = (
    "is damaged: {}; move it away and keep it, a new one is made: see 'A queue that cannot be read' in"
    " docs/operations.md"
)
_CLOSED = (
    "cannot be opened: {}; it is tried again until its disk has room and its folder is the service's own"
)
_OF_THE_FOLDER = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
_OF_THE_FILE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}
_CODE = 0xFF
"""Of SQLite's extended codes the part that tells the kind."""


def why_unfit(error: BaseException) -> str | None:
    """What is wrong, to follow "the queue in …"; None for what may be another thing the next time."""
    if isinstance(error, SpoolUnfit):
        return str(error)
    if isinstance(error, OSError):
        return _CLOSED.format(error) if error.errno in _OF_THE_FOLDER else None
    if isinstance(error, sqlite3.OperationalError):
        return (
            _CLOSED.format(error) if getattr(error, "sqlite_errorcode", 0) & _CODE in _OF_THE_FILE else None
        )
    return DAMAGED.format(error) if isinstance(error, sqlite3.DatabaseError) else None
