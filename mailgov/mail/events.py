"""What the relay tells the ledger: the traffic events of the outbox.

An event is written in the spool's transaction and forwarded later, so its form is a
contract between two stores and outlives an upgrade: fields are added, never renamed.
Times are milliseconds since 1970-01-01 UTC. None means "not known" or "not told".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields
from itertools import compress
from operator import attrgetter, is_not
from typing import Any, Literal, get_args

from pydantic_core import to_json

from mailgov.mail.sender_reports.found import ReportRow, SenderReport

Direction = Literal["inbound", "outbound", "internal"]
RecipientState = Literal["queued", "deferred", "delivered", "bounced", "dropped", "held", "rejected"]
Source = Literal["submission", "mx", "trusted", "own"]

ResultWord = Literal["pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror"]
"""Of SPF, DKIM, DMARC and ARC (RFC 8601 2.7)."""
MalwareWord = Literal["clean", "found", "unchecked"]
SpamWord = Literal["ham", "likely", "spam", "unchecked"]
Risk = Literal["executable", "script", "macro", "double-extension", "encrypted", "nested", "disguised"]
"""`nested`: deeper or larger than is looked into; `disguised`: named as what it is not."""
ATTACHMENTS = "content.attachments"
"""Among a decision's facts: which attachments were risky, as `mail.files.risky.recorded` has them."""
Decided = Literal["reject", "accept", "would-reject"]
"""What a rule decided; `would-reject`: one in monitor mode."""

RESULT_WORDS: tuple[str, ...] = get_args(ResultWord)
MALWARE_WORDS: tuple[str, ...] = get_args(MalwareWord)
SPAM_WORDS: tuple[str, ...] = get_args(SpamWord)
ATTACHMENT_RISKS: tuple[str, ...] = get_args(Risk)

FINAL_STATES: frozenset[str] = frozenset({"delivered", "bounced", "dropped", "rejected"})


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """A decision as the ledger keeps it; `facts` holds the values that were looked at."""

    id: str
    stage: str
    outcome: str
    rule: str | None
    document: str | None
    article: str | None
    mode: str | None
    policy_hash: str
    facts: dict[str, Any] | None
    position: int | None = None
    """The recipient that it is about, or None for the whole message."""
    watched: tuple[str, ...] | None = None
    """Rules in monitor mode that would have rejected; None in records from before it was told."""


@dataclass(slots=True)  # not frozen: each message makes one, and that would take it three times as long
class RecipientRecord:
    """One recipient after alias expansion; `position` is its place in the message, from 0.

    `address` is None only for a stop for secrecy, which keeps no recipient.
    """

    position: int
    address: str | None
    direction: Direction | None
    state: RecipientState
    account: str | None = None
    agency: str | None = None
    original: str | None = None
    via: str | None = None
    mx_provider: str | None = None
    last_reply: str | None = None
    decision_id: str | None = None


@dataclass(slots=True)  # not frozen: each message makes one, and that would take it three times as long
class MessageEvent:
    """A message was accepted, or rejected by policy (`verdict`)."""

    verdict: Literal["accepted", "rejected"]
    queue_id: str
    at_ms: int
    source: Source | None
    """Where it came in; None in the record of a stop for secrecy, which keeps nothing else."""
    policy_hash: str
    account: str | None = None
    """The account that signed in or that the listener stands for; None for mail from outside."""
    agency: str | None = None
    personal: bool = False
    """True when the account is a person's own."""
    reverse_path: str | None = None
    author: str | None = None
    subject: str | None = None
    message_id: str | None = None
    document_class: str | None = None
    symbol: str | None = None
    urgency: str | None = None
    secrecy: str | None = None
    reply: bool = False
    forward: bool = False
    meeting: bool = False
    automatic: bool = False
    to_others: bool = False
    """At least one recipient is not the account itself (nor an alias of it alone)."""
    size_bytes: int | None = None
    tls: str | None = None
    signatures: tuple[str, ...] = ()
    attachments: int = 0
    issuer: str | None = None
    """Who issued what it carries: the code of one of our agencies, or "@" and the author's domain."""
    thread_id: str | None = None
    """What it shares with the messages that belong together with it: see `mail.family`."""
    attachments_hash: str | None = None
    """Of what is attached, where that tells documents apart: see `relay.documents`."""
    spf: str | None = None
    """The results of RFC 8601 2.7 for mail from outside; None where nothing was checked."""
    dkim: str | None = None
    dmarc: str | None = None
    arc: str | None = None
    malware: str | None = None
    """A word of `MALWARE_WORDS`, and for `found` a space and the name that the scanner gave it."""
    spam: str | None = None
    """A word of `SPAM_WORDS`."""
    spam_score: float | None = None
    """As rspamd counts; higher is worse."""
    risks: tuple[str, ...] = ()
    """Kinds of `ATTACHMENT_RISKS` that its attachments are, by what they really are."""
    recipients: tuple[RecipientRecord, ...] = ()
    decisions: tuple[DecisionRecord, ...] = ()
    sample: bool = False
    client: str | None = None
    """The IP address it came from, behind a load balancer the one that the PROXY header names."""
    helo: str | None = None
    """What the client called itself in EHLO or HELO: as it said it, unproven."""


@dataclass(slots=True)  # not frozen: each delivery makes one, and that would take it three times as long
class OutcomeEvent:
    """What became of one recipient. `account` and `agency` are the local mailbox's, or None."""

    queue_id: str
    position: int
    at_ms: int
    state: RecipientState
    reply: str | None = None
    attempts: int = 0
    mx_host: str | None = None
    mx_provider: str | None = None
    account: str | None = None
    agency: str | None = None
    document_class: str | None = None
    automatic: bool = False
    size_bytes: int = 0
    sample: bool = False
    decision: DecisionRecord | None = None
    tls: str | None = None
    """Of the session with the next hop: version, suite and how it was proven; None in the clear."""
    due_ms: int | None = None
    """When the next attempt is due, where there is to be one."""


@dataclass(frozen=True, slots=True)
class SenderReportEvent:
    """A DMARC aggregate or TLS report about one of our domains: see `mail.sender_reports`."""

    queue_id: str
    """Of the message that brought it."""
    at_ms: int
    report: SenderReport


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """What the service saw and an administrator looks for: a row of the audit log by the service itself."""

    queue_id: str
    """Its own id; no message has it."""
    at_ms: int
    node: str
    act: str
    """Such as `sending.limit_reached`."""
    object: str
    content: dict[str, Any]
    salt: str
    """128 random bits in hexadecimal: see `store.audit`."""


Event = MessageEvent | OutcomeEvent | SenderReportEvent | AlarmEvent


KINDS: dict[type, str] = {
    MessageEvent: "message",
    OutcomeEvent: "outcome",
    SenderReportEvent: "sender-report",
    AlarmEvent: "alarm",
}


def _told(of: type[Any], always: frozenset[str] = frozenset()) -> Callable[[Any], dict[str, Any]]:
    """What makes a dict of a record's fields; those at their default are left out, but for `always`.

    This runs for each message: `dataclasses.asdict` copies every value and takes ten times as long.
    """
    names = [one.name for one in fields(of)]
    defaults = [MISSING if one.name in always else one.default for one in fields(of)]
    values = attrgetter(*names)

    def known(record: Any) -> dict[str, Any]:
        # By identity: a value that only equals its default (0 for False) is told as it is.
        told = values(record)
        return dict(compress(zip(names, told, strict=True), map(is_not, told, defaults)))

    return known


# Versions before read these fields whether they were told or not.
_told_message = _told(MessageEvent, frozenset({"signatures", "recipients", "decisions"}))
_told_outcome = _told(OutcomeEvent, frozenset({"decision"}))
_told_recipient, _told_decision = _told(RecipientRecord), _told(DecisionRecord)


def encode(event: Event) -> bytes:
    """The event as JSON in UTF-8, with `kind` `message`, `outcome`, `sender-report` or `alarm`.

    What is at its default may be left out. Raises ValueError, TypeError or AttributeError for a value
    that no field of this version has.
    """
    if type(event) is OutcomeEvent:
        raw = _told_outcome(event)
        if event.decision is not None:
            raw["decision"] = _told_decision(event.decision)
    elif type(event) is MessageEvent:
        raw = _told_message(event)
        raw["recipients"] = [_told_recipient(one) for one in event.recipients]
        raw["decisions"] = [_told_decision(one) for one in event.decisions]
    else:
        raw = asdict(event)
    raw["kind"] = KINDS[type(event)]
    return to_json(raw)


def _decision(raw: dict[str, Any] | None) -> DecisionRecord | None:
    return None if raw is None else DecisionRecord(**raw)


def decode(data: bytes) -> Event:
    """The inverse of `encode`. Raises ValueError for what this version does not know."""
    raw = json.loads(data)
    kind = raw.pop("kind", None)
    if kind == "message":
        raw["recipients"] = tuple(RecipientRecord(**r) for r in raw["recipients"])
        raw["decisions"] = tuple(DecisionRecord(**d) for d in raw["decisions"])
        raw["signatures"] = tuple(raw["signatures"])
        raw["risks"] = tuple(raw.get("risks", ()))
        return MessageEvent(**raw)
    if kind == "outcome":
        raw["decision"] = _decision(raw["decision"])
        return OutcomeEvent(**raw)
    if kind == "alarm":
        return AlarmEvent(**raw)
    if kind == "sender-report":
        report = raw["report"]
        rows = tuple((ReportRow(*row), count) for row, count in report["rows"])
        return SenderReportEvent(**{**raw, "report": SenderReport(**{**report, "rows": rows})})
    raise ValueError(f"unknown event kind {kind!r}")
