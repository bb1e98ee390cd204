"""Reports in the ledger: once each, summed up by day, bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from mailgov.mail.events import SenderReportEvent
from mailgov.mail.sender_reports.dmarc import read_dmarc
from mailgov.mail.sender_reports.tls import read_tls
from mailgov.store import sender_reports
from mailgov.store.engine import Database
from mailgov.store.ledger import apply_events, unapplied_count
from mailgov.store.sender_reports import Line, lines
from tests.support.reports import BEGIN_S, DMARC, TLS, dmarc

DAY = date(2026, 11, 3)
AT_MS = (BEGIN_S + 100_000) * 1000


async def told(database: Database, *contents: bytes, at_ms: int = AT_MS) -> None:
    first = await apply_events(database, "5f00", "node-1", [], at_ms) + 1
    reports = [read_tls(c) if c.startswith(b"{") else read_dmarc(c) for c in contents]
    events = [(first + n, SenderReportEvent(f"Q{n}", at_ms, r)) for n, r in enumerate(reports)]
    await apply_events(database, "5f00", "node-1", events, at_ms)
    assert await unapplied_count(database) == 0


async def shown(database: Database, kind: str = "dmarc", limit: int = 100) -> list[Line]:
    async with database.read() as session:
        return await lines(session, kind, DAY, date(2026, 11, 4), limit)


FROM_US = Line(DAY, "Example Mail", "caobang.gov.vn", "192.0.2.7", "none", "pass", "fail", "", "", 3)


async def test_reports_of_a_day_are_summed_and_none_counts_twice(database: Database) -> None:
    other = dmarc([("192.0.2.7", "40", "none", "pass", "fail")], report_id="a-2")
    await told(database, DMARC, other, DMARC, TLS)
    await told(database, DMARC)
    refused = replace(FROM_US, source="2001:db8::1", result="reject", dkim="fail", count=1)
    assert await shown(database) == [replace(FROM_US, count=43), refused]
    assert await shown(database, limit=1) == [replace(FROM_US, count=43)]
    assert [(line.result, line.count) for line in await shown(database, "tls")] == [
        ("success", 5326),
        ("certificate-expired", 100),
        ("failure", 3),
    ]


async def test_old_reports_go(database: Database) -> None:
    await told(database, DMARC)
    await told(database, dmarc([], report_id="later"), at_ms=AT_MS + 401 * 86_400_000)
    assert await shown(database) == []


async def test_past_the_bound_no_more_is_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_reports, "LINES_LIMIT", 3)
    await told(database, DMARC, dmarc([("192.0.2.1", "1", "none", "pass", "pass")] * 2, report_id="b"))
    await told(database, dmarc([("192.0.2.2", "9", "none", "pass", "pass")], report_id="c"))
    assert [line.count for line in await shown(database)] == [3, 2, 1]


async def test_text_that_a_database_would_not_take(database: Database) -> None:
    await told(
        database, dmarc([("192.0.2.1", "1", "none", "", "")], reporter="=HYPERLINK(1)\u202e&#13;&#10;x")
    )
    (line,) = await shown(database)
    assert line.reporter == "=HYPERLINK(1) x"
