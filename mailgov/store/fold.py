"""Events into rows, in memory: what one batch changes in the ledger.

No SQL here. The rows that stand already are handed in, so that a message and its outcomes may
come in one batch or far apart and end the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, get_args

from mailgov.mail.correspondent import correspondent
from mailgov.mail.document_key import document_key, short_family
from mailgov.mail.events import (
    FINAL_STATES,
    AlarmEvent,
    DecisionRecord,
    Event,
    MessageEvent,
    OutcomeEvent,
    RecipientRecord,
    RecipientState,
    SenderReportEvent,
)
from mailgov.store import increments
from mailgov.store.calendar import local_date
from mailgov.store.increments import Counts, DocumentKey, Key, OutboundKey

STATES: frozenset[str] = frozenset(get_args(RecipientState))
ID_LIMIT = 200
"""Characters of what is indexed together with a document's key."""

Row = dict[str, Any]


class EventProblem(ValueError):
    """The event cannot be applied to what the ledger knows; it is set aside."""


@dataclass(slots=True)
class Fold:
    """One batch. `messages` and `recipients` start as the rows known, by queue id (and position).

    A row without an `id` is new.
    """

    spool_id: str
    timezone: str
    messages: dict[str, Row]
    recipients: dict[tuple[str, int], Row]
    changed: set[tuple[str, int]] = field(default_factory=set)
    attempts: dict[tuple[str, int, int, str], Row] = field(default_factory=dict)
    """By the key that their rows have."""
    decisions: dict[str, Row] = field(default_factory=dict)
    rollup: dict[Key, Counts] = field(default_factory=dict)
    outbound: Counter[OutboundKey] = field(default_factory=Counter)
    documents: dict[DocumentKey, tuple[date, bool]] = field(default_factory=dict)
    """First day, and whether it is sample traffic."""
    correspondents: dict[str, int] = field(default_factory=dict)

    reports: list[SenderReportEvent] = field(default_factory=list)
    """Of other providers, about mail in our name."""
    alarms: list[AlarmEvent] = field(default_factory=list)
    """For the audit log."""

    def apply(self, event: Event) -> None:
        """Take one event in; raises EventProblem and then has changed nothing."""
        if isinstance(event, MessageEvent):
            self._message(event)
        elif isinstance(event, SenderReportEvent):
            self.reports.append(event)
        elif isinstance(event, AlarmEvent):
            self.alarms.append(event)
        else:
            self._outcome(event)

    def _message(self, event: MessageEvent) -> None:
        known = self.messages.get(event.queue_id)
        if known is not None:
            # A spool that was restored under a new id tells its last events a second time.
            if (known["at_ms"], known["verdict"]) == (event.at_ms, event.verdict):
                return
            raise EventProblem("another message has this queue id")
        rows = {r.position: recipient_row(r, event.at_ms, self.timezone) for r in event.recipients}
        if len(rows) != len(event.recipients):
            raise EventProblem("two recipients have one position")
        message = message_row(event, self.spool_id, self.timezone)
        self.messages[event.queue_id] = message
        for position, row in rows.items():
            self.recipients[event.queue_id, position] = row
            self._count(increments.received(message, row))
            self._document(increments.document_received(message, row), message)
        for decision in event.decisions:
            self._decide(decision, event.queue_id, event.at_ms, decision.position)
        self._count(increments.sent(message, (row["direction"] for row in rows.values())))
        self._document(increments.document_sent(message), message)
        self.outbound.update(
            increments.outbound(message, (row["accepted_provider"] for row in rows.values()))
        )
        self._remember(event)

    def _outcome(self, event: OutcomeEvent) -> None:
        message = self.messages.get(event.queue_id)
        row = self.recipients.get((event.queue_id, event.position))
        if message is None:
            raise EventProblem("the message is unknown")
        if row is None:
            raise EventProblem("the recipient is unknown")
        if event.state not in STATES:
            raise EventProblem(f"unknown state {event.state!r}")
        at_ms, attempts = whole(event.at_ms), whole(event.attempts, 31)
        # Nearly all mail is delivered at once, which its recipient's row tells.
        tried = attempt_row(event) if event.state != "delivered" or attempts > 1 else None
        if event.decision is not None:
            self._decide(event.decision, event.queue_id, at_ms, event.position)
        if row["state"] in FINAL_STATES:
            return  # a repeated attempt or an event told twice: what is final stays
        if tried is not None:
            self.attempts[event.queue_id, event.position, at_ms, event.state] = tried
        row.update(
            state=event.state,
            attempts=max(row["attempts"], attempts),
            last_reply=text(event.reply, 1000) or row["last_reply"],
            mx_host=text(event.mx_host) or row["mx_host"],
            tls=text(event.tls, 100) if event.mx_host else row["tls"],
            mx_provider=text(event.mx_provider) or row["mx_provider"],
            account=text(event.account) or row["account"],
            agency_code=text(event.agency, 64) or row["agency_code"],
            decision_id=event.decision.id if event.decision else row["decision_id"],
            updated_ms=at_ms,
        )
        if event.state == "delivered":
            row.update(delivered_ms=at_ms, delivered_date=local_date(at_ms, self.timezone))
            self._count(increments.received(message, row))
            self._document(increments.document_received(message, row), message)
        if "id" in row:
            self.changed.add((event.queue_id, event.position))

    def _decide(self, decision: DecisionRecord, queue_id: str, at_ms: int, position: int | None) -> None:
        told = decision if decision.position is not None else replace(decision, position=position)
        self.decisions.setdefault(told.id, decision_row(told, queue_id, at_ms))

    def _count(self, increment: tuple[Key, Counts] | None) -> None:
        if increment is not None:
            key, counts = increment
            stands = self.rollup.get(key)
            self.rollup[key] = (
                counts if stands is None else Counts(*map(sum, zip(stands, counts, strict=True)))
            )

    def _document(self, found: tuple[DocumentKey, date] | None, message: Row) -> None:
        if found is not None:
            key, day = found
            stands, sample = self.documents.get(key, (day, False))
            self.documents[key] = min(day, stands), sample or message["sample"]

    def _remember(self, event: MessageEvent) -> None:
        """Whoever wrote to us from outside has written: answering them is no cold mail."""
        if event.source != "mx" or event.verdict != "accepted":
            return
        writer = correspondent(event.reverse_path, event.author, spf=event.spf, dmarc=event.dmarc)
        if writer is not None:
            self.correspondents[writer] = max(self.correspondents.get(writer, 0), event.at_ms)


def text(value: str | None, limit: int = 320) -> str | None:
    """The value as both databases keep it: no NUL, no lone surrogate, no longer than `limit`."""
    if value is None:
        return None
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    return value.replace("\x00", "\ufffd")[:limit]


def whole(value: Any, bits: int = 63) -> int:
    """The value when it is a whole number of so many bits from 0 on; raises EventProblem otherwise.

    SQLite would keep any value in any column and hand it to the sums.
    """
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise EventProblem(f"{value!r:.50} is not a number from 0 on")
    return value


def flag(value: Any) -> bool:
    """The value when it is a truth value; raises EventProblem otherwise."""
    if type(value) is not bool:
        raise EventProblem(f"{value!r:.50} is neither true nor false")
    return value


def message_row(event: MessageEvent, spool_id: str, timezone: str) -> Row:
    """A row of `message` without its id."""
    if event.verdict not in ("accepted", "rejected"):
        raise EventProblem(f"unknown verdict {event.verdict!r}")
    row = _message_row(event, spool_id, timezone)
    return {**row, "document_key": key_of(row)}


def _message_row(event: MessageEvent, spool_id: str, timezone: str) -> Row:
    return {
        "queue_id": text(event.queue_id, 128),
        "spool_id": spool_id,
        "at_ms": whole(event.at_ms),
        "local_date": local_date(event.at_ms, timezone),
        "verdict": event.verdict,
        "source": text(event.source, 32),
        "account": text(event.account) or None,
        "agency_code": text(event.agency, 64) or None,
        "personal": flag(event.personal),
        "reverse_path": text(event.reverse_path),
        "author": text(event.author, 1000),
        "subject": text(event.subject, 1000),
        "message_id": text(event.message_id, 1000),
        "document_class": text(event.document_class, 32) or None,
        "rule_class": None,
        "class_checked_ms": None,
        "symbol": text(event.symbol, 200),
        "issuer": _issuer(event),
        "thread_id": text(short_family(event.thread_id), ID_LIMIT) if event.thread_id else None,
        "attachments_hash": text(event.attachments_hash, ID_LIMIT) or None,
        "urgency": text(event.urgency, 64),
        "secrecy": text(event.secrecy, 64),
        "reply": flag(event.reply),
        "forward": flag(event.forward),
        "meeting": flag(event.meeting),
        "automatic": flag(event.automatic),
        "to_others": flag(event.to_others),
        "size_bytes": None if event.size_bytes is None else whole(event.size_bytes),
        "tls": text(event.tls, 100),
        "client": text(event.client, 64) or None,
        "helo": text(event.helo, 255) or None,
        "signatures": [text(signature, 32) for signature in event.signatures],
        "attachments": whole(event.attachments, 31),
        "spf": text(event.spf, 16),
        "dkim": text(event.dkim, 16),
        "dmarc": text(event.dmarc, 16),
        "arc": text(event.arc, 16),
        "malware": text(event.malware, 200),
        "spam": text(event.spam, 16),
        "spam_score": event.spam_score,
        "risks": [text(risk, 32) for risk in event.risks],
        "policy_hash": text(event.policy_hash),
        "sample": flag(event.sample),
    }


def _issuer(event: MessageEvent) -> str | None:
    """As told; an event from before it was told names the account's agency or the author's domain."""
    if event.verdict != "accepted":
        return None
    if event.issuer or event.agency:
        return text(event.issuer or event.agency, ID_LIMIT)
    author = (event.author or event.reverse_path or "").partition(",")[0]
    domain = author.rpartition("@")[2].strip().lower()
    return text(f"@{domain}", ID_LIMIT) if domain else None


def key_of(message: Mapping[str, Any]) -> str | None:
    """What a row of `message` counts as: see `mail.document_key`; None where it names no issuer."""
    if message["issuer"] is None:
        return None
    written = not (message["reply"] or message["forward"] or message["automatic"])
    return document_key(
        message["local_date"].year,
        document_class=message["document_class"],
        symbol=message["symbol"],
        family=message["thread_id"] or message["queue_id"],
        attachments_hash=message["attachments_hash"],
        counts=written and message["verdict"] == "accepted",
    )


def recipient_row(record: RecipientRecord, at_ms: int, timezone: str) -> Row:
    """A row of `message_recipient` without its ids."""
    if record.state not in STATES:
        raise EventProblem(f"unknown state {record.state!r}")
    delivered = record.state == "delivered"
    return {
        "position": whole(record.position, 31),
        "address": text(record.address),
        "original": text(record.original),
        "via": text(record.via),
        "direction": text(record.direction),
        "account": text(record.account) or None,
        "agency_code": text(record.agency, 64) or None,
        "mx_provider": text(record.mx_provider),
        "accepted_provider": increments.provider_at_acceptance(
            record.direction, record.state, record.mx_provider
        ),
        "mx_host": None,
        "tls": None,
        "state": record.state,
        "attempts": 0,
        "last_reply": text(record.last_reply, 1000),
        "decision_id": text(record.decision_id, 64),
        "updated_ms": at_ms,
        "delivered_ms": at_ms if delivered else None,
        "delivered_date": local_date(at_ms, timezone) if delivered else None,
    }


def attempt_row(event: OutcomeEvent) -> Row:
    """A row of `attempt` without its key."""
    return {
        "attempts": whole(event.attempts, 31),
        "reply": text(event.reply, 1000),
        "mx_host": text(event.mx_host),
        "due_ms": None if event.due_ms is None else whole(event.due_ms),
    }


def decision_row(decision: DecisionRecord, queue_id: str, at_ms: int) -> Row:
    """A row of `decision`."""
    return {
        "id": text(decision.id, 64),
        "at_ms": at_ms,
        "queue_id": queue_id,
        "position": decision.position,
        "stage": decision.stage,
        "outcome": decision.outcome,
        "rule": text(decision.rule),
        "document": text(decision.document),
        "article": text(decision.article),
        "mode": text(decision.mode, 64),
        "policy_hash": text(decision.policy_hash),
        "facts": decision.facts,
        "watched": None if decision.watched is None else [text(rule) for rule in decision.watched],
    }
