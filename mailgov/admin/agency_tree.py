"""Which agency stands above which: from day to day a tree, never a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from mailgov.admin.errors import conflict
from mailgov.store.agencies import AgencySpan

MAX_ABOVE = 20
"""Agencies that may stand one above the other; a country has five or six."""

ByCode = Mapping[str, Sequence[AgencySpan]]
"""Spans by their agency's code in lower case."""
_Days = tuple[date, date]


def by_code(spans: Sequence[AgencySpan]) -> dict[str, list[AgencySpan]]:
    """The spans for `check_above`."""
    found: dict[str, list[AgencySpan]] = {}
    for span in spans:
        found.setdefault(span.code.lower(), []).append(span)
    return found


def check_above(span: AgencySpan, known: ByCode) -> None:
    """Raise AdminError where the agency would stand above itself on any day of its span."""
    if span.parent_code is not None:
        since, until = span.valid_from or date.min, span.valid_until or date.max
        _climb(span.parent_code.lower(), (since, until), known, [span.code.lower()])


def _climb(code: str, days: _Days, known: ByCode, path: list[str]) -> None:
    """Look at `code` and all above it on the days; `path` is what lies below, the first one first."""
    if code == path[0]:
        way = " below ".join([*path, code])
        raise conflict(f"the agency {path[0]} would be above itself: {way}")
    if code in path:
        return  # a circle of others, which is their rows' fault
    if len(path) > MAX_ABOVE:
        raise conflict(f"the agency {path[0]} would have more than {MAX_ABOVE} agencies above it")
    for span in known.get(code, ()):
        since = max(days[0], span.valid_from or date.min)
        until = min(days[1], span.valid_until or date.max)
        if since < until and span.parent_code is not None:
            _climb(span.parent_code.lower(), (since, until), known, [*path, code])
