"""What processes hand to each other, and what they say of themselves."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import JSON, Column, LargeBinary
from sqlmodel import Field, SQLModel

from mailgov.store.tables.base import ms, row_id


class Command(SQLModel, table=True):
    """An act on a queued message, for the owner of the spool to apply."""

    id: int | None = row_id()
    spool_id: str = Field(index=True)
    queue_id: str
    position: int | None = None
    act: str
    """hold, release, retry or drop"""
    actor: str
    reason: str | None = None
    expected_state: str | None = None
    created_ms: int = ms()
    done_ms: int | None = ms(default=None, index=True)
    result: str | None = None
    """done or refused, once applied"""
    result_text: str | None = None
    batch: str | None = Field(default=None, index=True)
    """What acts that were asked for together share."""


class OutgoingMail(SQLModel, table=True):
    """Mail of our own from a role without a relay, for a relay to take in."""

    __tablename__ = "outgoing_mail"
    id: int | None = row_id()
    idempotency_key: str = Field(unique=True)
    reverse_path: str
    recipients: list[str] = Field(sa_column=Column(JSON(none_as_null=True), nullable=False))
    content: bytes = Field(sa_type=LargeBinary)
    created_ms: int = ms()
    claimed_ms: int | None = ms(default=None)
    """When a relay last set out to take it in; the claim ends by itself."""
    taken_ms: int | None = ms(default=None, index=True)
    taken_by: str | None = None
    queue_id: str | None = None


class SpoolPosition(SQLModel, table=True):
    """How far each spool's events are applied; moves in the transaction that applies them."""

    __tablename__ = "spool_position"
    spool_id: str = Field(primary_key=True)
    applied_sequence: int = ms()
    node: str
    updated_ms: int = ms()


class UnappliedEvent(SQLModel, table=True):
    """An event that could not be applied, set aside so that its spool's stream goes on.

    A gap in the stream is one row too: `sequence` is its first missing number, `payload` empty.
    """

    __tablename__ = "unapplied_event"
    spool_id: str = Field(primary_key=True)
    sequence: int = ms(primary_key=True)
    payload: bytes = Field(sa_type=LargeBinary)
    """The event as `mail.events.encode` wrote it."""
    problem: str
    at_ms: int = ms()


class DoorCounter(SQLModel, table=True):
    """Refusals at the door, by minute; losable, and no traffic record."""

    __tablename__ = "door_counter"
    minute_ms: int = ms(primary_key=True)
    listener: str = Field(primary_key=True)
    address: str = Field(primary_key=True)
    """The peer's IP address, or "other" past the bound."""
    reason: str = Field(primary_key=True)
    count: int = ms()


class TlsResult(SQLModel, table=True):
    """Sessions with other servers, by UTC day and policy; losable: see `store.tls_results`."""

    __tablename__ = "tls_result"
    day: date = Field(primary_key=True)
    domain: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    """tlsa, sts or no-policy-found."""
    host: str = Field(primary_key=True)
    result: str = Field(primary_key=True)
    policy: str
    """Its text, as it was last."""
    count: int = ms()


class WorkerStatus(SQLModel, table=True):
    """What each worker last said of itself."""

    __tablename__ = "worker_status"
    node: str = Field(primary_key=True)
    worker: str = Field(primary_key=True)
    pid: int
    at_ms: int = ms()
    started_ms: int = ms()
    policy_hash: str | None = None
    policy_error: str | None = None
    directory_revision: int = ms()
    counters: dict[str, Any] = Field(sa_column=Column(JSON(none_as_null=True), nullable=False))


class PolicyVersion(SQLModel, table=True):
    """Every policy that a worker ever ran with: decisions are recomputed from it."""

    __tablename__ = "policy_version"
    hash: str = Field(primary_key=True)
    first_seen_ms: int = ms()
    files: dict[str, Any] = Field(sa_column=Column(JSON(none_as_null=True), nullable=False))
