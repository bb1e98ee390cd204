"""What was found in a message."""

from __future__ import annotations

from dataclasses import dataclass

from mailgov.mail.files.risky import RiskyPart
from mailgov.policy.facts import FactValue


@dataclass(frozen=True, slots=True)
class Content:
    """In the words of `mail.events`; None where nothing looked."""

    malware: str | None = None
    malware_name: str | None = None
    spam: str | None = None
    spam_score: float | None = None
    risks: tuple[str, ...] = ()
    risky: tuple[RiskyPart, ...] = ()
    """Which attachments they are."""

    @property
    def field(self) -> bytes:
        """Fields by which mail programs and filters know likely spam, with their CRLF; b"" for others.

        The names are those of rspamd's own proxy and of SpamAssassin; neither has a standard.
        """
        if self.spam not in {"likely", "spam"}:  # spam gets this far where its rule only watches
            return b""
        score = "" if self.spam_score is None else f", score={self.spam_score:.2f}"
        return f"X-Spam: Yes\r\nX-Spam-Flag: YES\r\nX-Spam-Status: Yes{score}\r\n".encode()

    def facts(self) -> dict[str, FactValue]:
        """For the policy."""
        return {
            "content.malware": self.malware,
            "content.malware_name": self.malware_name,
            "content.spam": self.spam,
            "content.spam_score": None if self.spam_score is None else round(self.spam_score * 100),
            "content.risks": self.risks,
        }
