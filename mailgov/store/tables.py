"""The ledger's tables.

Times are `BigInteger` milliseconds since 1970-01-01 UTC (`_ms`); days are local dates
(Asia/Ho_Chi_Minh); spans of days are half-open (`valid_until` is the first day outside).
Addresses are stored in their look-up form (`Address.key`). Codes of agencies refer to
`Agency.code`, never to a row, because an agency may have several dated rows.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

BIG_ID = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER."""


def _ms(**kw: Any) -> Any:
    return Field(sa_type=BigInteger, **kw)


def _id() -> Any:
    return Field(default=None, primary_key=True, sa_type=BIG_ID)


class Domain(SQLModel, table=True):
    """A mail domain of the province."""

    id: int | None = _id()
    name: str = Field(unique=True)
    created_ms: int = _ms()
    disabled_ms: int | None = _ms(default=None)


class Agency(SQLModel, table=True):
    """One span of an agency's life: a new name or level is a new row with the same code."""

    __table_args__ = (UniqueConstraint("code", "valid_from"),)
    id: int | None = _id()
    code: str = Field(index=True)
    name: str
    abbreviation: str | None = None
    level: str
    """province, district or commune"""
    parent_code: str | None = None
    mailbox: str | None = None
    """The agency's published address."""
    own_sector_mail: bool = False
    valid_from: date | None = None
    valid_until: date | None = None
    created_ms: int = _ms()
    sample: bool = False


class AgencySuccession(SQLModel, table=True):
    """Who took over from whom, and from which day; many to many."""

    __tablename__ = "agency_succession"
    id: int | None = _id()
    from_code: str = Field(index=True)
    to_code: str = Field(index=True)
    on_date: date


class Account(SQLModel, table=True):
    """A mailbox with a sign-in. `kind`: personal, shared or functional."""

    id: int | None = _id()
    address: str = Field(unique=True)
    kind: str
    display_name: str
    password_hash: str | None = None
    must_change_password: bool = False
    citizen_desk: bool = False
    created_ms: int = _ms()
    suspended_ms: int | None = _ms(default=None)
    sample: bool = False


class AccountPost(SQLModel, table=True):
    """Where an account's holder served, and in which class, over a span of days.

    `person_class`: can_bo, cong_chuc, vien_chuc, khac, or None for a mailbox of no one person.
    """

    __tablename__ = "account_post"
    id: int | None = _id()
    account_id: int = Field(foreign_key="account.id", index=True, sa_type=BIG_ID)
    agency_code: str = Field(index=True)
    person_class: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None


class AccountGrant(SQLModel, table=True):
    """An address, beside its own, that an account may write as."""

    __tablename__ = "account_grant"
    __table_args__ = (UniqueConstraint("account_id", "address"),)
    id: int | None = _id()
    account_id: int = Field(foreign_key="account.id", index=True, sa_type=BIG_ID)
    address: str


class RegisteredAddress(SQLModel, table=True):
    """An outside address that an account's holder or an agency has registered as its own."""

    __tablename__ = "registered_address"
    id: int | None = _id()
    account_id: int | None = Field(default=None, foreign_key="account.id", index=True, sa_type=BIG_ID)
    agency_code: str | None = Field(default=None, index=True)
    address: str = Field(index=True)


class Alias(SQLModel, table=True):
    """An address that stands for others. `kind`: alias, list or forward."""

    id: int | None = _id()
    address: str = Field(unique=True)
    kind: str
    created_ms: int = _ms()


class AliasTarget(SQLModel, table=True):
    __tablename__ = "alias_target"
    __table_args__ = (UniqueConstraint("alias_id", "address"),)
    id: int | None = _id()
    alias_id: int = Field(foreign_key="alias.id", index=True, sa_type=BIG_ID)
    address: str


class DkimKey(SQLModel, table=True):
    """A DKIM key's public side; the private key is a file of mode 0600 under the data folder."""

    __tablename__ = "dkim_key"
    __table_args__ = (UniqueConstraint("domain", "selector"),)
    id: int | None = _id()
    domain: str = Field(index=True)
    selector: str
    algorithm: str
    """rsa or ed25519"""
    public_key: str
    """The `p=` value of the key record, base64 (RFC 6376 3.6.1)."""
    key_file: str
    """Relative to the data folder."""
    state: str
    """pending, active or retired"""
    created_ms: int = _ms()


class Token(SQLModel, table=True):
    """A bearer token for programs: only its SHA-256 is kept."""

    id: int | None = _id()
    name: str
    hash: str = Field(unique=True)
    role: str
    agency_code: str | None = None
    created_ms: int = _ms()
    expires_ms: int | None = _ms(default=None)
    revoked_ms: int | None = _ms(default=None)
    last_used_ms: int | None = _ms(default=None)


class DirectoryState(SQLModel, table=True):
    """One row (id 1): revisions that workers watch."""

    __tablename__ = "directory_state"
    id: int = Field(primary_key=True)
    revision: int = _ms()
    policy_revision: int = _ms()


class Audit(SQLModel, table=True):
    """One act. `hash` covers the one before it and `commitment`, not the content itself."""

    __table_args__ = (UniqueConstraint("writer", "sequence"),)
    id: int | None = _id()
    writer: str
    sequence: int = _ms()
    at_ms: int = _ms(index=True)
    actor: str
    role: str
    act: str
    object: str
    salt: str | None = None
    content: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """Erasable with its salt: the commitment stays and the chain still verifies."""
    commitment: str
    previous_hash: str
    hash: str


class AuditDigest(SQLModel, table=True):
    """An hourly signed statement of all chains' heads and counts."""

    __tablename__ = "audit_digest"
    id: int | None = _id()
    at_ms: int = _ms()
    content: str
    signature: str


class Command(SQLModel, table=True):
    """An act on a queued message, for the owner of the spool to apply."""

    id: int | None = _id()
    spool_id: str = Field(index=True)
    queue_id: str
    position: int | None = None
    act: str
    """hold, release, retry or drop"""
    actor: str
    reason: str | None = None
    expected_state: str | None = None
    created_ms: int = _ms()
    done_ms: int | None = _ms(default=None, index=True)
    result: str | None = None
    """done or refused, once applied"""
    result_text: str | None = None


class OutgoingMail(SQLModel, table=True):
    """Mail of our own from a role without a relay, for a relay to take in."""

    __tablename__ = "outgoing_mail"
    id: int | None = _id()
    idempotency_key: str = Field(unique=True)
    reverse_path: str
    recipients: list[str] = Field(sa_column=Column(JSON(none_as_null=True), nullable=False))
    content: bytes = Field(sa_type=LargeBinary)
    created_ms: int = _ms()
    claimed_ms: int | None = _ms(default=None)
    """When a relay last set out to take it in; the claim ends by itself."""
    taken_ms: int | None = _ms(default=None, index=True)
    taken_by: str | None = None
    queue_id: str | None = None


class SpoolPosition(SQLModel, table=True):
    """How far each spool's events are applied; moves in the transaction that applies them."""

    __tablename__ = "spool_position"
    spool_id: str = Field(primary_key=True)
    applied_sequence: int = _ms()
    node: str
    updated_ms: int = _ms()


class UnappliedEvent(SQLModel, table=True):
    """An event that could not be applied, set aside so that its spool's stream goes on.

    A gap in the stream is one row too: `sequence` is its first missing number, `payload` empty.
    """

    __tablename__ = "unapplied_event"
    spool_id: str = Field(primary_key=True)
    sequence: int = _ms(primary_key=True)
    payload: bytes = Field(sa_type=LargeBinary)
    """The event as `mail.events.encode` wrote it."""
    problem: str
    at_ms: int = _ms()


class Message(SQLModel, table=True):
    """A traffic record: an accepted message or a policy rejection. See `mail.events`."""

    __table_args__ = (
        Index("ix_message_at", "at_ms", "id"),
        Index("ix_message_agency_at", "agency_code", "at_ms"),
        Index("ix_message_account_at", "account", "at_ms"),
    )
    id: int | None = _id()
    queue_id: str = Field(unique=True)
    spool_id: str
    at_ms: int = _ms()
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
    symbol: str | None = None
    urgency: str | None = None
    secrecy: str | None = None
    reply: bool = False
    forward: bool = False
    meeting: bool = False
    automatic: bool = False
    to_others: bool = False
    size_bytes: int | None = _ms(default=None)
    tls: str | None = None
    signatures: list[str] = Field(sa_column=Column(JSON(none_as_null=True), nullable=False))
    attachments: int = 0
    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    policy_hash: str
    sample: bool = False


class MessageRecipient(SQLModel, table=True):
    """One recipient of a traffic record, and what became of it."""

    __tablename__ = "message_recipient"
    __table_args__ = (UniqueConstraint("message_row", "position"),)
    id: int | None = _id()
    message_row: int = Field(foreign_key="message.id", sa_type=BIG_ID)
    position: int
    address: str | None = Field(default=None, index=True)
    original: str | None = None
    via: str | None = None
    direction: str | None = None
    account: str | None = None
    agency_code: str | None = Field(default=None, index=True)
    mx_provider: str | None = None
    """Who hosts the mail, by the MX last tried; until then as known at acceptance."""
    accepted_provider: str | None = None
    """The class that `rollup_outbound` counts it under; None for a recipient that is not counted."""
    mx_host: str | None = None
    state: str = Field(index=True)
    attempts: int = 0
    last_reply: str | None = None
    decision_id: str | None = None
    updated_ms: int = _ms()
    delivered_ms: int | None = _ms(default=None)
    delivered_date: date | None = Field(default=None, index=True)
    """The local date of `delivered_ms`: the day that the received flow counts it on."""


class DecisionRow(SQLModel, table=True):
    """A decision by a rule (enforced or watched), as `/why` and auditors look it up."""

    __tablename__ = "decision"
    __table_args__ = (Index("ix_decision_outcome_at", "outcome", "at_ms"),)
    id: str = Field(primary_key=True)
    at_ms: int = _ms()
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


class RollupDaily(SQLModel, table=True):
    """Messages of one day, by whom and of what kind; the figures are made from here.

    `flow` sent: one count per accepted message of an account of ours, on the day of
    acceptance. `flow` received: one per local mailbox that a message was delivered to, on
    the day of delivery. `account` and `agency_code` are "" where there is none.
    """

    __tablename__ = "rollup_daily"
    local_date: date = Field(primary_key=True)
    agency_code: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    flow: str = Field(primary_key=True)
    document_class: str = Field(primary_key=True)
    automatic: bool = Field(primary_key=True)
    personal: bool = Field(primary_key=True)
    sample: bool = Field(primary_key=True)
    messages: int = _ms()
    to_others: int = _ms()
    """Of `messages`, those with a recipient other than the account itself."""
    recipients: int = _ms()
    recipients_internal: int = _ms()
    recipients_outbound: int = _ms()
    size_bytes: int = _ms()


class RollupOutbound(SQLModel, table=True):
    """Accepted recipients outside the province on one day, by the class of their mail's host.

    Counted on the day of acceptance for the sending account's agency ("" where there is none).
    """

    __tablename__ = "rollup_outbound"
    local_date: date = Field(primary_key=True)
    agency_code: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    sample: bool = Field(primary_key=True)
    recipients: int = _ms()


class Correspondent(SQLModel, table=True):
    """When an outside address last wrote to an address of the province."""

    address: str = Field(primary_key=True)
    last_ms: int = _ms()
    updated_ms: int = _ms(index=True)


class DoorCounter(SQLModel, table=True):
    """Refusals at the door, by minute; losable, and no traffic record."""

    __tablename__ = "door_counter"
    minute_ms: int = _ms(primary_key=True)
    listener: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    """The peer's IP address, or "other" past the bound."""
    reason: str = Field(primary_key=True)
    count: int = _ms()


class WorkerStatus(SQLModel, table=True):
    """What each worker last said of itself."""

    __tablename__ = "worker_status"
    node: str = Field(primary_key=True)
    worker: str = Field(primary_key=True)
    pid: int
    at_ms: int = _ms()
    started_ms: int = _ms()
    policy_hash: str | None = None
    policy_error: str | None = None
    directory_revision: int = _ms()
    counters: dict[str, Any] = Field(sa_column=Column(JSON(none_as_null=True), nullable=False))


class PolicyVersion(SQLModel, table=True):
    """Every policy that a worker ever ran with: decisions are recomputed from it."""

    __tablename__ = "policy_version"
    hash: str = Field(primary_key=True)
    first_seen_ms: int = _ms()
    files: dict[str, Any] = Field(sa_column=Column(JSON(none_as_null=True), nullable=False))
