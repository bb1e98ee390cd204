"""What the ledger is told of a message: the traffic event, whole or reduced to a fact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mailgov.mail.events import ATTACHMENTS, DecisionRecord, MessageEvent, RecipientRecord, RecipientState
from mailgov.mail.files import risky as risky_parts
from mailgov.mail.headers import decode_text, is_automatic
from mailgov.policy import Decision
from mailgov.relay.documents import issuer_of
from mailgov.relay.incoming import Incoming, Recipient, Seen
from mailgov.relay.node import Node

NAME_LENGTH_LIMIT = 998
HELO_LENGTH_LIMIT = 255


def rejection(node: Node, incoming: Incoming, decision: Decision, seen: Seen | None = None) -> MessageEvent:
    if decision.secrecy is not None:
        # Nothing of a state secret stays but the fact: not its subject, not its recipients.
        outside = incoming.account is None and incoming.reverse_path
        return MessageEvent(
            verdict="rejected",
            queue_id=incoming.queue_id,
            at_ms=node.clock.now_ms(),
            source=None,
            policy_hash=decision.policy_hash,
            account=incoming.account.address if incoming.account else None,
            reverse_path=incoming.reverse_path.rpartition("@")[2] if outside else None,
            secrecy=decision.secrecy,
            decisions=(decision.record(),),
        )
    recipients = tuple(
        recipient_record(position, replace(r, rejected=True), decision.id)
        for position, r in enumerate(incoming.recipients)
    )
    event = message_event(node, incoming, seen, recipients)
    return replace(event, verdict="rejected", decisions=(*incoming.decisions, recorded(incoming, decision)))


def recorded(incoming: Incoming, decision: Decision) -> DecisionRecord:
    """The record of a decision on the whole message; one on attachments says which, without their names."""
    record, risky = decision.record(), incoming.content.risky
    if not risky or not by_attachments(decision):
        return record
    return replace(record, facts={**(record.facts or {}), ATTACHMENTS: risky_parts.recorded(risky)})


def by_attachments(decision: Decision) -> bool:
    """Whether what is attached is why."""
    return decision.secrecy is None and any(seen.fact == "content.risks" for seen in decision.matched)


def message_event(
    node: Node,
    incoming: Incoming,
    seen: Seen | None,
    recipients: tuple[RecipientRecord, ...],
    *,
    size_bytes: int = 0,
) -> MessageEvent:
    account = incoming.account
    own = account.addresses if account else frozenset[str]()
    return MessageEvent(
        verdict="accepted",
        queue_id=incoming.queue_id,
        at_ms=node.clock.now_ms(),
        source=incoming.source,
        policy_hash=node.policy.policy.hash,
        account=account.address if account else None,
        agency=account.agency if account else None,
        personal=account is not None and account.kind == "personal",
        reverse_path=incoming.reverse_path,
        to_others=any(r.target.address.key not in own for r in incoming.recipients),
        tls=incoming.trace.tls,
        client=incoming.trace.client_address or None,
        helo=incoming.trace.helo[:HELO_LENGTH_LIMIT] or None if incoming.source != "own" else None,
        recipients=recipients,
        decisions=tuple(incoming.decisions),
        size_bytes=size_bytes,
        **({} if seen is None else _told(node, incoming, seen)),
    )


def _told(node: Node, incoming: Incoming, seen: Seen) -> dict[str, Any]:
    """What the bytes of a message and those who looked at them say."""
    message_id = seen.header.first(b"message-id")
    content, sender = incoming.content, incoming.sender
    return {
        "author": ", ".join(seen.authors)[:NAME_LENGTH_LIMIT] or None,
        "subject": seen.subject,
        "message_id": decode_text(message_id)[:NAME_LENGTH_LIMIT] if message_id else None,
        "document_class": seen.document.document_class,
        "symbol": seen.document.symbol,
        "urgency": seen.document.urgency,
        "reply": seen.document.reply,
        "forward": seen.document.forward,
        "meeting": seen.document.meeting,
        "automatic": is_automatic(seen.header, incoming.reverse_path),
        "signatures": seen.mime.signatures,
        "attachments": seen.mime.attachments,
        "issuer": issuer_of(node.directory.snapshot, incoming.account, seen.authors, incoming.reverse_path),
        "thread_id": seen.family,
        "attachments_hash": seen.attachments_hash,
        "spf": sender.spf,
        "dkim": sender.dkim,
        "dmarc": sender.dmarc,
        "arc": sender.arc,
        "malware": " ".join(word for word in (content.malware, content.malware_name) if word) or None,
        "spam": content.spam,
        "spam_score": content.spam_score,
        "risks": content.risks,
    }


def recipient_record(position: int, recipient: Recipient, decision_id: str | None = None) -> RecipientRecord:
    target = recipient.target
    state: RecipientState = "rejected" if recipient.rejected else "queued"
    if decision_id is None and recipient.decision is not None:
        decision_id = recipient.decision.id
    return RecipientRecord(
        position=position,
        address=target.address.key,
        direction=recipient.direction,
        state=state,
        account=target.account.address if target.account else None,
        agency=target.account.agency if target.account else None,
        original=target.original,
        via=target.via,
        mx_provider=recipient.provider,
        decision_id=decision_id,
    )
