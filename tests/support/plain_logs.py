"""Our logs as one plain line each: structlog's own traceback pages take longer than many a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def plain_logs() -> Iterator[None]:
    """Inside the block; what stood before stands again behind it."""
    before = structlog.get_config()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )
    try:
        yield
    finally:
        structlog.configure(**before)
