"""Traffic records and decisions."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import JSON, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from mailgov.store.tables.base import BIG_ID, ms, refers_to, row_id


class Message(SQLModel, table=True):
    """A traffic record: an accepted message or a policy rejection. See `mail.events`."""

    __table_args__ = (
        Index("ix_message_at", "at_ms", "id"),
        Index("ix_message_agency_at", "agency_code", "at_ms"),
        Index("ix_message_account_at", "account", "at_ms"),
        Index("ix_message_client_at", "client", "at_ms", "id"),
        Index("ix_message_document", "document_key", "issuer", "local_date"),
    )
    id: int | None = row_id()
    queue_id: str = Field(unique=True)
    spool_id: str
    at_ms: int = ms()
    local_date: date = Field(index=True)
    verdict: str
    source: str | None = None
    account: str | None = None
    agency_code: str | None = None
    personal: bool = False
    reverse_path: str | None = None
    author: str | None = None
    subject: str | None = None
    message_id: str | None = None
    document_class: str | None = None
    """As it counts: by rule, or as a clerk corrected it."""
    rule_class: str | None = None
    """The class by rule where a clerk has looked at it (`class_checked_ms`)."""
    class_checked_ms: int | None = ms(default=None)
    symbol: str | None = None
    issuer: str | None = None
    """Who issued it: the code of one of our agencies, or the domain of an author outside."""
    thread_id: str | None = None
    """The Message-ID that its conversation began with: its own, or the first of References."""
    attachments_hash: str | None = None
    """SHA-256 over the attachments of a document that has no symbol."""
    document_key: str | None = None
    """What makes two messages of one issuer one document; None for what counts as none."""
    urgency: str | None = None
    secrecy: str | None = None
    reply: bool = False
    forward: bool = False
    meeting: bool = False
    automatic: bool = False
    to_others: bool = False
    size_bytes: int | None = ms(default=None)
    tls: str | None = None
    client: str | None = None
    """The IP address it came from; `helo` is what that client called itself."""
    helo: str | None = None
    signatures: list[str] = Field(sa_column=Column(JSON(none_as_null=True), nullable=False))
    attachments: int = 0
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    arc: str | None = None
    malware: str | None = None
    spam: str | None = None
    spam_score: float | None = None
    risks: list[str] = Field(
        default_factory=list,
        sa_column=Column(JSON(none_as_null=True), nullable=False, server_default="[]"),
    )
    policy_hash: str
    sample: bool = False


class MessageRecipient(SQLModel, table=True):
    """One recipient of a traffic record, and what became of it."""

    __tablename__ = "message_recipient"
    __table_args__ = (UniqueConstraint("message_row", "position"),)
    id: int | None = row_id()
    message_row: int = refers_to("message.id")
    position: int
    address: str | None = Field(default=None, index=True)
    original: str | None = Field(default=None, index=True)
    """The address as it was written, where an address of ours led here."""
    via: str | None = None
    direction: str | None = None
    account: str | None = None
    agency_code: str | None = Field(default=None, index=True)
    mx_provider: str | None = None
    """Who hosts the mail, by the MX last tried; until then as known at acceptance."""
    accepted_provider: str | None = None
    """The class that `rollup_outbound` counts it under; None for a recipient that is not counted."""
    mx_host: str | None = None
    tls: str | None = None
    """Of the last session: version, suite, how the host was proven; None in the clear."""
    state: str = Field(index=True)
    attempts: int = 0
    last_reply: str | None = None
    decision_id: str | None = None
    updated_ms: int = ms()
    delivered_ms: int | None = ms(default=None)
    delivered_date: date | None = Field(default=None, index=True)
    """The local date of `delivered_ms`: the day that the received flow counts it on."""


class Attempt(SQLModel, table=True):
    """What an attempt or an act came to for a recipient that was not delivered at the first attempt."""

    queue_id: str = Field(primary_key=True)
    position: int = Field(primary_key=True)
    at_ms: int = ms(primary_key=True, index=True)
    state: str = Field(primary_key=True)
    attempts: int
    """So many there were by then."""
    reply: str | None = None
    mx_host: str | None = None
    due_ms: int | None = ms(default=None)
    """When the next attempt was due."""


class DecisionRow(SQLModel, table=True):
    """A decision by a rule (enforced or watched), as `/why` and auditors look it up."""

    __tablename__ = "decision"
    __table_args__ = (Index("ix_decision_outcome_at", "outcome", "at_ms"),)
    id: str = Field(primary_key=True)
    at_ms: int = ms()
    queue_id: str = Field(index=True)
    position: int | None = None
    stage: str
    outcome: str
    rule: str | None = Field(default=None, index=True)
    document: str | None = None
    article: str | None = None
    mode: str | None = None
    policy_hash: str
    facts: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    watched: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Rules in monitor mode that would have rejected."""


class MessageTerm(SQLModel, table=True):
    """A word that a traffic record is found by: see `store.terms`. `at_ms` is the record's."""

    __tablename__ = "message_term"
    term: str = Field(primary_key=True)
    at_ms: int = ms(primary_key=True)
    message_row: int = Field(primary_key=True, foreign_key="message.id", sa_type=BIG_ID)


class Correspondent(SQLModel, table=True):
    """When an outside address last wrote to an address of the province."""

    address: str = Field(primary_key=True)
    last_ms: int = ms()
    updated_ms: int = ms(index=True)
