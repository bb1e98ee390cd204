"""What a session with one host must have, as a value; and what it turned out to have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from mailgov.mail.reply import MailError, Reply
from mailgov.relay.route import Hop
from mailgov.relay.tls_out.tlsa import Tlsa

Check = Literal["none", "pkix", "dane"]
Floor = Literal["clear", "tls", "checked"]
By = Literal["none", "sts", "tlsa", "minimum", "requiretls"]
Wish = Literal["required", "waived"] | None
"""A sender's: REQUIRETLS, or `TLS-Required: No` (RFC 8689)."""

_ASKED_BY = {
    "none": "our settings",
    "sts": "its domain's MTA-STS policy",
    "tlsa": "its DANE records",
    "minimum": "our settings",
    "requiretls": "the sender",
}


@dataclass(frozen=True, slots=True)
class Demand:
    """Decided before the connection. `check` is what is tried first, `floor` what is still good enough."""

    check: Check = "none"
    floor: Floor = "clear"
    by: By = "none"
    names: tuple[str, ...] = ()
    """Whose certificate: see `names.fits`."""
    ca_file: Path | None = None
    tlsa: tuple[Tlsa, ...] = ()
    requiretls: bool = False
    """The host must say that it hands mail on in the same way (RFC 8689)."""
    waived: bool = False
    """The sender would rather have it in the clear than not at all: only mail that says so may use it."""

    @property
    def ways(self) -> tuple[Check | Literal["clear"], ...]:
        """What is tried, each on a connection of its own."""
        if self.floor == "checked":
            return (self.check,)
        checked: tuple[Check, ...] = ("none",) if self.check == "none" else (self.check, "none")
        return checked if self.floor == "tls" else (*checked, "clear")

    def server_name(self, check: Check | Literal["clear"], host: str) -> str:
        """Whom the handshake asks for: with DANE the name that the records are of (RFC 7672 8.1)."""
        return self.names[0] if check == "dane" else host

    def refusal(self, host: str, result: str) -> MailError:
        """Why this host gets no mail; the sender's own wish is refused for good (RFC 8689 4.2.1)."""
        asked = _ASKED_BY[self.by]
        lacking = result == "starttls-not-supported"
        text = f"{host} offers no TLS" if lacking else f"No trusted TLS with {host} ({result})"
        if self.requiretls:
            return MailError(Reply(550, "5.7.10", f"{text}: required by the sender (REQUIRETLS)"))
        return MailError(Reply(451, "4.7.4" if lacking else "4.7.5", f"{text}: required by {asked}"))


OPPORTUNISTIC = Demand()
"""TLS where it is offered, whatever the certificate (RFC 7435)."""


@dataclass(frozen=True, slots=True)
class Security:
    """What a session has. `verified`: dane, sts, ca (another reason to verify), or no."""

    version: str
    suite: str
    verified: Literal["dane", "sts", "ca", "no"] = "no"

    def __str__(self) -> str:
        return f"{self.version} {self.suite} verified={self.verified}"


@dataclass(frozen=True, slots=True)
class Opened:
    """How a session came to be. `trouble`: what of TLS went wrong on the way, by RFC 8460 4.3's name."""

    demand: Demand = OPPORTUNISTIC
    security: Security | None = None
    trouble: str | None = None


class TlsRefused(MailError):
    """The host does not have what of TLS is demanded; `result` by RFC 8460 4.3's name."""

    def __init__(self, refusal: MailError, result: str | None) -> None:
        super().__init__(refusal.reply)
        self.result = result


class Gate(Protocol):
    """What the way to one destination asks of its hosts, and who is told how it went."""

    async def demand(self, hop: Hop) -> Demand:
        """Raises MailError where the host may not be used at all."""
        ...

    def told(self, hop: Hop, demand: Demand, result: str | None) -> None:
        """A session was tried: None, or the first trouble by RFC 8460 4.3's name."""
        ...


class _Open:
    """Asks for nothing and tells nobody."""

    async def demand(self, hop: Hop) -> Demand:
        return OPPORTUNISTIC

    def told(self, hop: Hop, demand: Demand, result: str | None) -> None:
        return None


OPEN: Gate = _Open()
