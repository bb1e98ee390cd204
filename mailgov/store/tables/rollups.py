"""Daily counts that figures are made from."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from mailgov.store.tables.base import ms


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
    messages: int = ms()
    to_others: int = ms()
    """Of `messages`, those with a recipient other than the account itself."""
    recipients: int = ms()
    recipients_internal: int = ms()
    recipients_outbound: int = ms()
    size_bytes: int = ms()


class RollupOutbound(SQLModel, table=True):
    """Accepted recipients outside the province on one day, by the class of their mail's host.

    Counted on the day of acceptance for the sending account's agency ("" where there is none).
    """

    __tablename__ = "rollup_outbound"
    local_date: date = Field(primary_key=True)
    agency_code: str = Field(primary_key=True)
    provider: str = Field(primary_key=True)
    sample: bool = Field(primary_key=True)
    recipients: int = ms()


class RollupDocument(SQLModel, table=True):
    """A document of an issuer in one calendar year, by who sent or received it, and since when.

    `flow` sent: `agency_code` is the issuer itself. `flow` received: the agency whose mailboxes
    it was delivered to, unless that is the issuer.
    """

    __tablename__ = "rollup_document"
    __table_args__ = (Index("ix_rollup_document_first", "first_date", "flow", "agency_code"),)
    document_key: str = Field(primary_key=True)
    """As `message.document_key`: the year is a part of it."""
    issuer: str = Field(primary_key=True)
    flow: str = Field(primary_key=True)
    agency_code: str = Field(primary_key=True)
    first_date: date
    """The first local day in that year; figures count it there, and nowhere else."""
    sample: bool = False
    """True when any of its messages is generated sample traffic."""
