"""What a service listens on, by name: all that the supervisor needs to know of a role."""

from __future__ import annotations

from mailgov.settings import Settings

GATE = "imap.gate"
"""The listener that Dovecot alone asks; on any free port of loopback."""

Place = tuple[str, int]
"""Host and port."""


def relay_listeners(settings: Settings) -> dict[str, Place]:
    """mx, submission, submissions, trusted.0 and so on."""
    smtp = settings.smtp
    named = {"mx": smtp.mx, "submission": smtp.submission, "submissions": smtp.submissions}
    found = {name: (place.host, place.port) for name, place in named.items() if place is not None}
    for number, trusted in enumerate(smtp.trusted):
        found[f"trusted.{number}"] = (trusted.listen.host, trusted.listen.port)
    return found


def imap_listeners(settings: Settings) -> dict[str, Place]:
    """imap, imaps and the gate."""
    named = {"imap": settings.imap.listen, "imaps": settings.imap.imaps}
    return {name: (place.host, place.port) for name, place in named.items() if place is not None} | {
        GATE: ("127.0.0.1", 0)
    }


def listeners(settings: Settings, role: str) -> dict[str, Place]:
    """Of a role of `mailgov serve`."""
    if role == "relay":
        return relay_listeners(settings)
    if role == "imap":
        return imap_listeners(settings)
    if role == "web":
        return {"http": (settings.http.listen.host, settings.http.listen.port)}
    sink = settings.demo.sink
    return {} if sink is None else {"sink": (sink.host, sink.port)}
