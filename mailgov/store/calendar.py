"""Local dates: a day of the province begins at its own midnight."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

TIMEZONE = "Asia/Ho_Chi_Minh"


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local_date(at_ms: int, timezone: str = TIMEZONE) -> date:
    """The local date of a moment in milliseconds since 1970-01-01 UTC."""
    return _date_of(at_ms // 1000, timezone)


@lru_cache(maxsize=64)
def _date_of(at_s: int, timezone: str) -> date:
    return datetime.fromtimestamp(at_s, _zone(timezone)).date()
