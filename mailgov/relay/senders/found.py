"""What was found of who writes in."""

from __future__ import annotations

from dataclasses import dataclass

from mailgov.policy.facts import FactValue


@dataclass(frozen=True, slots=True)
class Sender:
    """Results in the words of RFC 8601 2.7; None where nothing was checked."""

    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    dmarc_policy: str | None = None
    """none, quarantine or reject; None where the author's domain publishes nothing."""
    arc: str | None = None
    arc_sealer: str | None = None
    """The domain that sealed last; None unless the chain passes."""
    arc_instance: int = 0
    """The newest ARC set's number; 0 without a chain that passes."""
    results: str = ""
    """The body of our Authentication-Results behind the authserv-id; "" where nothing was checked."""
    field: bytes = b""
    """Our Authentication-Results with its CRLF, to stand in front of the header."""

    def facts(self) -> dict[str, FactValue]:
        """For the policy."""
        names = ("spf", "dkim", "dmarc", "dmarc_policy", "arc", "arc_sealer")
        return {f"sender.{name}": getattr(self, name) for name in names}
