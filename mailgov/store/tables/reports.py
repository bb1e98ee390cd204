"""What other providers report of mail in our name."""

from __future__ import annotations

from datetime import date

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from mailgov.store.tables.base import ms, refers_to, row_id


class SenderReportEntry(SQLModel, table=True):
    """A report; the same one is kept once. `kind`: dmarc or tls."""

    __tablename__ = "sender_report"
    __table_args__ = (UniqueConstraint("kind", "domain", "reporter", "report_id"),)
    id: int | None = row_id()
    kind: str
    reporter: str
    report_id: str
    domain: str
    local_date: date = Field(index=True)
    """That its span begins on."""
    begin_ms: int = ms()
    end_ms: int = ms()
    received_ms: int = ms()
    records: int
    cut: bool


class SenderReportLine(SQLModel, table=True):
    """How often something happened, as a report has it: see `mail.sender_reports.found.ReportRow`."""

    __tablename__ = "sender_report_row"
    id: int | None = row_id()
    report_row: int = refers_to("sender_report.id", index=True)
    domain: str
    source: str
    result: str
    dkim: str
    spf: str
    policy: str
    host: str
    count: int = ms()
