"""Traffic records as answers. Subjects stay in the ledger: no list needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from pydantic import Field

from mailgov.admin.queue_many import Many
from mailgov.api.schemas import Answer
from mailgov.api.times import iso
from mailgov.settings import Settings
from mailgov.store.commands import CommandView
from mailgov.store.queue import AttemptView, QueueEntry
from mailgov.store.traffic import DecisionView, MessageView, RecipientView

# What the ledger holds is answered as it is: a word of a newer version must not fail a list.
Direction = Annotated[str, Field(description="inbound, outbound or internal")]
State = Annotated[str, Field(description="queued, deferred, delivered, bounced, dropped, held or rejected")]


class DecisionBody(Answer):
    """A decision by a rule. `position` null: about the whole message."""

    id: str
    stage: str
    outcome: str = Field(description="accept or reject")
    rule: str | None
    document: str | None
    article: str | None
    mode: str | None
    position: int | None
    policy_hash: str
    attachments: list[str] = Field(description="Which were why, by place and kind: 2/5: executable.")
    watched: list[str] = Field(description="Rules in monitor mode that would have rejected.")
    why: str = Field(description="A page without sign-in that explains rule and article.")


class RecipientBody(Answer):
    position: int
    address: str | None
    original: str | None = Field(description="The address as it was written, where an alias led here.")
    via: str | None
    direction: Direction | None
    account: str | None
    agency: str | None
    state: State
    attempts: int
    last_reply: str | None
    mx_host: str | None
    tls: str | None = Field(
        description="Of the session with `mx_host`: version, suite, and how the host was proven "
        "(verified=dane, sts, ca or no). Null in the clear."
    )
    mx_provider: str | None
    decision_id: str | None
    updated_at: str
    delivered_at: str | None


class MessageBody(Answer):
    """A traffic record. Of a stop for secrecy nearly everything is null, on purpose."""

    queue_id: str
    time: str
    verdict: str = Field(description="accepted or rejected")
    source: str | None
    account: str | None
    agency: str | None = Field(description="The agency of the account that sent it.")
    reverse_path: str | None
    author: str | None
    message_id: str | None
    document_class: str | None
    symbol: str | None
    urgency: str | None
    secrecy: str | None
    automatic: bool
    size_bytes: int | None
    tls: str | None
    client: str | None = Field(description="The IP address it came from.")
    helo: str | None = Field(description="What that client called itself; unproven.")
    spf: str | None
    dkim: str | None
    dmarc: str | None
    arc: str | None
    malware: str | None = Field(description="clean, unchecked, or found and what was found")
    spam: str | None = Field(description="ham, likely, spam or unchecked")
    spam_score: float | None
    risks: list[str] = Field(description="What its attachments really are, where that is a risk.")
    signatures: list[str]
    attachments: int
    policy_hash: str
    sample: bool
    recipients: list[RecipientBody]
    recipients_total: int = Field(description="A list shows the first 100 of a message.")
    decision: DecisionBody | None = Field(description="The one that settled it; see `decisions` for all.")
    decisions: list[DecisionBody]


class MessagePage(Answer):
    items: list[MessageBody]
    next: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one.")


class QueueBody(Answer):
    """A recipient that waits, as the ledger knows it; the spool may be a moment ahead."""

    queue_id: str
    position: int
    time: str
    account: str | None
    agency: str | None
    reverse_path: str | None
    address: str | None
    direction: Direction | None
    state: State
    attempts: int
    last_reply: str | None
    size_bytes: int | None
    updated_at: str


class QueuePage(Answer):
    items: list[QueueBody]
    next: str | None


class AttemptBody(Answer):
    """What an attempt, or an act of somebody, came to for one recipient."""

    position: int
    time: str
    state: State
    attempts: int = Field(description="So many there were by then.")
    reply: str | None = Field(description="The next hop's words, or ours.")
    mx_host: str | None
    next_attempt: str | None


class TracedBody(MessageBody):
    """A message with what was tried; what was delivered at the first attempt has no row in `history`."""

    history: list[AttemptBody]


class ManyBody(Answer):
    """What an act on many came to; `applied` false: what it would be, and nothing was done."""

    act: str
    messages: int
    recipients: int
    applied: bool
    done: int
    refused: int = Field(description="A delivery was under way, or it has left since.")
    unanswered: int = Field(description="Asked for; no worker has answered yet.")


class CommandBody(Answer):
    """An act on the queue that was applied."""

    id: int
    queue_id: str
    position: int | None
    act: str
    actor: str
    reason: str | None
    result: str | None
    result_text: str | None
    asked_at: str
    done_at: str | None


def message_body(seen: MessageView, settings: Settings) -> MessageBody:
    """A record, already cut down to its reader."""
    zone = settings.province.timezone
    decisions = [_decision(one, settings) for one in seen.decisions]
    return MessageBody(
        queue_id=seen.queue_id,
        time=iso(seen.at_ms, zone),
        verdict=seen.verdict,
        source=seen.source,
        account=seen.account,
        agency=seen.agency_code,
        reverse_path=seen.reverse_path,
        author=seen.author,
        message_id=seen.message_id,
        document_class=seen.document_class,
        symbol=seen.symbol,
        urgency=seen.urgency,
        secrecy=seen.secrecy,
        automatic=seen.automatic,
        size_bytes=seen.size_bytes,
        tls=seen.tls,
        client=seen.client,
        helo=seen.helo,
        spf=seen.spf,
        dkim=seen.dkim,
        dmarc=seen.dmarc,
        arc=seen.arc,
        malware=seen.malware,
        spam=seen.spam,
        spam_score=seen.spam_score,
        risks=list(seen.risks),
        signatures=list(seen.signatures),
        attachments=seen.attachments,
        policy_hash=seen.policy_hash,
        sample=seen.sample,
        recipients=[_recipient(one, zone) for one in seen.recipients],
        recipients_total=seen.recipients_total,
        decision=_settling(decisions),
        decisions=decisions,
    )


def queue_body(entry: QueueEntry, settings: Settings) -> QueueBody:
    """A waiting recipient."""
    zone = settings.province.timezone
    return QueueBody(
        queue_id=entry.queue_id,
        position=entry.position,
        time=iso(entry.at_ms, zone),
        account=entry.account,
        agency=entry.agency_code,
        reverse_path=entry.reverse_path,
        address=entry.address,
        direction=entry.direction,
        state=entry.state,
        attempts=entry.attempts,
        last_reply=entry.last_reply,
        size_bytes=entry.size_bytes,
        updated_at=iso(entry.updated_ms, zone),
    )


def traced_body(message: MessageView, attempts: Sequence[AttemptView], settings: Settings) -> TracedBody:
    """A record with its history, both already cut down to their reader."""
    zone = settings.province.timezone
    history = [
        AttemptBody(
            position=one.position,
            time=iso(one.at_ms, zone),
            state=one.state,
            attempts=one.attempts,
            reply=one.reply,
            mx_host=one.mx_host,
            next_attempt=None if one.due_ms is None else iso(one.due_ms, zone),
        )
        for one in attempts
    ]
    return TracedBody(**message_body(message, settings).model_dump(), history=history)


def many_body(many: Many) -> ManyBody:
    """An act on many, counted or done."""
    return ManyBody(**asdict(many))


def command_body(view: CommandView, settings: Settings) -> CommandBody:
    """An act as it was answered."""
    zone = settings.province.timezone
    return CommandBody(
        id=view.id,
        queue_id=view.queue_id,
        position=view.position,
        act=view.act,
        actor=view.actor,
        reason=view.reason,
        result=view.result,
        result_text=view.result_text,
        asked_at=iso(view.created_ms, zone),
        done_at=None if view.done_ms is None else iso(view.done_ms, zone),
    )


def _recipient(one: RecipientView, zone: str) -> RecipientBody:
    return RecipientBody(
        position=one.position,
        address=one.address,
        original=one.original,
        via=one.via,
        direction=one.direction,
        account=one.account,
        agency=one.agency_code,
        state=one.state,
        attempts=one.attempts,
        last_reply=one.last_reply,
        mx_host=one.mx_host,
        tls=one.tls,
        mx_provider=one.mx_provider,
        decision_id=one.decision_id,
        updated_at=iso(one.updated_ms, zone),
        delivered_at=None if one.delivered_ms is None else iso(one.delivered_ms, zone),
    )


def _decision(one: DecisionView, settings: Settings) -> DecisionBody:
    return DecisionBody(
        id=one.id,
        stage=one.stage,
        outcome=one.outcome,
        rule=one.rule,
        document=one.document,
        article=one.article,
        mode=one.mode,
        position=one.position,
        policy_hash=one.policy_hash,
        attachments=one.attachments,
        watched=one.would_reject,
        why=f"{settings.http.public_url.rstrip('/')}/why/{one.id}",
    )


def _settling(decisions: list[DecisionBody]) -> DecisionBody | None:
    """A rejection before anything else, of the whole message first; then the last rule enforced."""
    rejections = [one for one in decisions if one.outcome == "reject"]
    if rejections:
        return next((one for one in rejections if one.position is None), rejections[0])
    enforced = [one for one in decisions if one.mode == "enforce"]
    return enforced[-1] if enforced else None
