"""Which of the two languages a page is written in. No cookie: the address or the browser says it."""

from __future__ import annotations

from typing import Literal

from fastapi import Request

Language = Literal["vi", "en"]
HEADER_CHARACTERS = 500


def asked_for(request: Request) -> Language | None:
    """The language that the address asks for (`?lang=en`), if any."""
    asked = request.query_params.get("lang")
    return "en" if asked == "en" else "vi" if asked == "vi" else None


def language_of(request: Request) -> Language:
    """`?lang=` first, then Accept-Language (RFC 9110 12.5.4); Vietnamese where neither prefers English."""
    return asked_for(request) or _accepted(request.headers.get("accept-language", ""))


def _accepted(header: str) -> Language:
    weights = {"vi": 0.0, "en": 0.0}
    for part in header[:HEADER_CHARACTERS].split(","):
        tag, _, parameters = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in weights:
            weights[language] = max(weights[language], _weight(parameters))
    # A browser in English on a desk here mostly lists Vietnamese too, and then reads it.
    return "en" if weights["en"] > 0 and weights["vi"] == 0 else "vi"


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
