"""What was found in a message."""

from __future__ import annotations

from dataclasses import dataclass

from mailgov.policy.facts import FactValue


@dataclass(frozen=True, slots=True)
class Content:
    """In the words of `mail.events`; None where nothing looked."""

    malware: str | None = None
    malware_name: str | None = None
    spam: str | None = None
    spam_score: float | None = None
    risks: tuple[str, ...] = ()

    def facts(self) -> dict[str, FactValue]:
        """For the policy."""
        return {
            "content.malware": self.malware,
            "content.malware_name": self.malware_name,
            "content.spam": self.spam,
            "content.spam_score": None if self.spam_score is None else round(self.spam_score * 100),
            "content.risks": self.risks,
        }
