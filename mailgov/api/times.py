"""Times as the interface says and reads them: ISO 8601 with the province's offset."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 1990, 2999


class TimeError(ValueError):
    """The text is neither a date nor a time with its offset."""


def iso(at_ms: int, timezone: str) -> str:
    """A moment (ms since 1970-01-01 UTC) such as `2026-11-21T18:00:00.000+07:00`."""
    utc = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
    return utc.astimezone(ZoneInfo(timezone)).isoformat(timespec="milliseconds")


def moment_ms(text: str, timezone: str) -> int:
    """A date (its first moment in the province) or an ISO 8601 time with offset, in ms.

    Raises TimeError; a time without an offset is refused, for it would be a guess.
    """
    try:
        if len(text) == len("2026-11-21"):
            moment = datetime.combine(date.fromisoformat(text), time(), ZoneInfo(timezone))
        else:
            moment = datetime.fromisoformat(text)
    except ValueError:
        raise TimeError(
            "expected a date such as 2026-11-21 or a time such as 2026-11-21T08:00:00+07:00"
        ) from None
    if moment.tzinfo is None:
        raise TimeError("a time needs its offset, such as +07:00 or Z")
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise TimeError(f"the year is not between {FIRST_YEAR} and {LAST_YEAR}")
    return int(moment.timestamp() * 1000)
