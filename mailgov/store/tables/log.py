"""The audit log and its digests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from mailgov.store.tables.base import ms, row_id


class Audit(SQLModel, table=True):
    """One act. `hash` covers the one before it and `commitment`, not the content itself."""

    __table_args__ = (UniqueConstraint("writer", "sequence"),)
    id: int | None = row_id()
    writer: str
    sequence: int = ms()
    at_ms: int = ms(index=True)
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
    id: int | None = row_id()
    at_ms: int = ms()
    content: str
    signature: str
