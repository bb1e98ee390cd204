"""A decision is a value: what was decided, by which rule, on which document, on what it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mailgov.mail.events import DecisionRecord
from mailgov.policy.facts import SECRECY_FACTS, Facts, FactValue, Stage, Unknown

Outcome = Literal["accept", "reject"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A condition that held, and the value that it saw."""

    fact: str
    condition: str
    value: FactValue | Unknown


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer at one stage. Equal facts under the same policy give equal decisions.

    `rule` is the rule that decided: it rejected, it allowed, it would have rejected but for an
    exception (`excepted`), or, with mode `monitor`, it was only watched. It is None when no rule
    had anything to say; then document, citation, article and texts are None too.
    `watched` lists the rules in monitor mode that would have rejected; `unsure` says of each rule
    that could not be told which fact was unknown and why. `seen` are the facts looked at.
    """

    id: str
    stage: Stage
    outcome: Outcome
    policy_hash: str
    rule: str | None = None
    document: str | None = None
    citation: str | None = None
    article: str | None = None
    mode: Literal["enforce", "monitor"] | None = None
    status: str | None = None
    """RFC 3463 status of a rejection, such as 5.7.1."""
    text_vi: str | None = None
    text_en: str | None = None
    secrecy: str | None = None
    """The mark that the message is stopped for: its record keeps this and nothing else of it."""
    matched: tuple[Seen, ...] = ()
    watched: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    seen: tuple[tuple[str, FactValue | Unknown], ...] = ()

    @property
    def rejected(self) -> bool:
        return self.outcome == "reject"

    @property
    def facts(self) -> dict[str, FactValue | Unknown]:
        """The facts looked at: enough to take the same decision again."""
        return dict(self.seen)

    def record(self, position: int | None = None) -> DecisionRecord:
        """The form that the ledger keeps; of a stop for secrecy it holds the mark alone."""
        facts = self.facts
        if self.secrecy is not None:
            facts = {name: v for name, v in facts.items() if name in SECRECY_FACTS and isinstance(v, str)}
        return DecisionRecord(
            id=self.id,
            stage=self.stage.value,
            outcome=self.outcome,
            rule=self.rule,
            document=self.document,
            article=self.article,
            mode=self.mode,
            policy_hash=self.policy_hash,
            facts=facts_to_json(facts),
            position=position,
            watched=self.watched if self.secrecy is None else (),
        )


def facts_to_json(facts: Facts) -> dict[str, Any]:
    """Facts as JSON has them: a list for a tuple, `{"unknown": reason}` for what is unknown."""
    return {name: _to_json(value) for name, value in facts.items()}


def _to_json(value: FactValue | Unknown) -> Any:
    if isinstance(value, Unknown):
        return {"unknown": value.reason}
    return list(value) if isinstance(value, tuple) else value


def facts_from_json(raw: Mapping[str, Any]) -> dict[str, FactValue | Unknown]:
    """The inverse of `facts_to_json`; what it does not understand comes back as unknown."""
    return {str(name): _from_json(value) for name, value in raw.items()}


def _from_json(value: Any) -> FactValue | Unknown:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if isinstance(value, dict) and isinstance(value.get("unknown"), str):
        return Unknown(value["unknown"])
    return Unknown("not a fact's value")
