"""The last settings that a worker ran with: for one that is started anew while the file cannot be used.

They lie in memory behind a descriptor that the workers inherit, and on no disk: they may hold a password.
"""

from __future__ import annotations

import os

from pydantic import ValidationError

from mailgov.settings import Settings

LIMIT_BYTES = 16_777_216


def keep(fd: int, settings: Settings) -> None:
    """These are in force."""
    text = settings.model_dump_json().encode()
    os.ftruncate(fd, 0)
    os.pwrite(fd, text, 0)


def kept(fd: int) -> Settings | None:
    """What was kept; None where nothing was, or a worker died over it."""
    try:
        return Settings.model_validate_json(os.pread(fd, LIMIT_BYTES, 0))
    except (OSError, ValidationError):
        return None
