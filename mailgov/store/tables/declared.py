"""What people declare, because no server can measure it."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from mailgov.store.tables.base import json, ms, refers_to, row_id


class Declaration(SQLModel, table=True):
    """What an agency declared for a span of days. The highest `revision` counts, the others are history.

    `kind`: headcount (for the last day of the span), documents, register or indicator;
    `subject` is the indicator's id for the last, otherwise "".
    """

    __table_args__ = (
        UniqueConstraint("kind", "subject", "agency_code", "from_date", "until_date", "revision"),
        Index("ix_declaration_span", "kind", "from_date", "until_date"),
    )
    id: int | None = row_id()
    kind: str
    subject: str = ""
    agency_code: str = Field(index=True)
    from_date: date
    until_date: date
    revision: int = 1
    content: dict[str, Any] = json(nullable=False)
    """Whole numbers by name; see `usage.declared`."""
    reason: str | None = None
    """Why it was corrected; for a jump, why it is right."""
    actor: str
    created_ms: int = ms()
    sample: bool = False


class RegisterEntry(SQLModel, table=True):
    """One line of an issue register of meeting documents, as declared."""

    __tablename__ = "register_entry"
    __table_args__ = (UniqueConstraint("declaration_id", "line"),)
    id: int | None = row_id()
    declaration_id: int = refers_to("declaration.id")
    line: int
    document_class: str
    symbol: str | None = None
    issued_on: date
    title: str | None = None
    exempt: str | None = None
    """secret or other-system: outside the target by its own words."""
    queue_id: str | None = None
    """For an entry without a symbol: the message that it went out with."""


class Exemption(SQLModel, table=True):
    """An agency, or everyone (""), is outside one obligation over a span of days, with a reason."""

    id: int | None = row_id()
    obligation: str = Field(index=True)
    agency_code: str = ""
    valid_from: date | None = None
    valid_until: date | None = None
    reason: str
    created_ms: int = ms()
    ended_ms: int | None = ms(default=None)


class ClassSample(SQLModel, table=True):
    """A message drawn at random in a month, for a person to confirm its class."""

    __tablename__ = "class_sample"
    __table_args__ = (UniqueConstraint("month", "queue_id"),)
    id: int | None = row_id()
    month: date
    """The month's first day."""
    queue_id: str
    agency_code: str
    rule_class: str | None = None
    confirmed_class: str | None = None
    confirmed_ms: int | None = ms(default=None)
    actor: str | None = None


class ClassChange(SQLModel, table=True):
    """A correction of a message's class by a person; the first one's `class_before` is the rule's."""

    __tablename__ = "class_change"
    id: int | None = row_id()
    queue_id: str = Field(index=True)
    at_ms: int = ms()
    actor: str
    class_before: str | None = None
    class_after: str | None = None
    symbol_before: str | None = None
    symbol_after: str | None = None
    reason: str


class SignIn(SQLModel, table=True):
    """Sign-ins of an account on one day by one protocol; shown beside figures, never part of them."""

    __tablename__ = "sign_in"
    local_date: date = Field(primary_key=True)
    account: str = Field(primary_key=True)
    protocol: str = Field(primary_key=True)
    """submission, imap or web"""
    count: int = ms()
    last_ms: int = ms()
