"""Which form of an answer a caller prefers (RFC 9110 12.5.1)."""

from __future__ import annotations

ACCEPT_CHARACTERS = 1000
"""More of an Accept header is not read: nobody lists that many forms."""
JSON, CSV = "application/json", "text/csv"


def prefers_csv(accept: str) -> bool:
    """True when CSV is asked for by name, and JSON not at least as much."""
    weights = dict(_weighed(part) for part in accept[:ACCEPT_CHARACTERS].split(",") if part.strip())
    json = weights.get(JSON, weights.get("application/*", 0.0))
    return weights.get(CSV, 0.0) > json


def _weighed(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media, min(1.0, max(0.0, float(value)))
            except ValueError:
                return media, 0.0
    return media, 1.0
