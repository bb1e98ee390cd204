"""How what leaves is signed, and when a new key is used."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mailgov.settings.values import Room


class DkimSettings(Room):
    """Signatures over what leaves, and their keys in the DNS ([dkim.md](dkim.md))."""

    canonicalization: Literal["relaxed/simple", "relaxed/relaxed"] = "relaxed/simple"
    """Header and body (RFC 6376 3.4). `relaxed/relaxed` bears a next hop that changes blanks in the body, and
    costs more on large bodies."""
    check_interval_s: float = Field(300.0, gt=0)
    """How often the DNS is asked for each key that signs or signed; a key that waits is asked for every
    minute at least."""
    settle_s: float = Field(900.0, ge=0)
    """A new key signs by itself once it was seen in the DNS for this long without a break: the zone's other
    name servers have it by then. `mailgov dkim rotate` does not wait."""
    in_flight_s: float = Field(432_000.0, ge=0)
    """How long others may hold mail of ours: for this long after `delivery.expire_s`, a key that signs no
    more stays published."""
