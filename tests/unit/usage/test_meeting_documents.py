"""UBND tỉnh's issue register against its mail, where the year turns."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from mailgov.mail.events import MessageEvent
from mailgov.store import declarations
from mailgov.store.agencies import AgencySpan
from mailgov.store.declarations import RegisterLine, Series
from mailgov.store.engine import Database
from mailgov.usage.periods import parse
from tests.unit.usage.traffic import Traffic, add_agencies, at_ms
from tests.unit.usage.yardsticks import figure, report_of, row

PT = "pt.meeting-documents"
LATER = at_ms("2027-03-10")


@pytest.fixture
async def committee(db: Database) -> Database:
    """UBND tỉnh mails its own new 3/GM-UBND on 05/01/2027, the day after 9/GM-UBND of December."""
    await add_agencies(db, AgencySpan("ubnd", "UBND tỉnh", "province"))
    traffic = Traffic()
    traffic.sent("vt", "ubnd", "2026-12-01", personal=False)
    for day, symbol in (("2027-01-04", "9/GM-UBND"), ("2027-01-05", "3/GM-UBND"), ("2027-02-02", None)):
        traffic.sent("vt", "ubnd", day, personal=False, document_class="GM" if symbol else None)
        number, event = traffic.events[-1]
        assert isinstance(event, MessageEvent)
        traffic.events[-1] = number, replace(event, symbol=symbol, issuer="ubnd", subject=symbol)
    await traffic.apply(db)
    return db


async def register(db: Database, period: str, *lines: RegisterLine, revision: int = 1) -> None:
    span = parse(period).span
    async with db.write() as session:
        await declarations.add(
            session,
            Series("register", "ubnd", span.start, span.end, ""),
            {"entries": len(lines)},
            revision=revision,
            actor="vt",
            now_ms=revision,
            reason="sửa" if revision > 1 else None,
            register=lines,
        )


async def test_a_number_of_the_new_year_is_another_document(committee: Database) -> None:
    await register(committee, "2026-12", RegisterLine("GM", date(2026, 12, 20), "3/GM-UBND"))
    await register(committee, "2027-01", RegisterLine("GM", date(2027, 1, 5), "3/GM-UBND"))
    december = row(await report_of(committee, "2026-12", now_ms=LATER), PT, "ubnd")
    january = row(await report_of(committee, "2027-01", now_ms=LATER), PT, "ubnd")
    assert (figure(december), december.met) == ((0, 1, 0.0), False)
    assert figure(january) == (1, 1, 100.0)


async def test_what_went_out_in_the_new_year_counts_by_its_link(committee: Database) -> None:
    queue_id = "spool-a-000002"
    line = RegisterLine("GM", date(2026, 12, 31), "9/GM-UBND")
    await register(committee, "2026-12", line)
    assert figure(row(await report_of(committee, "2026-12", now_ms=LATER), PT, "ubnd")) == (0, 1, 0.0)
    await register(committee, "2026-12", replace(line, queue_id=queue_id), revision=2)
    assert figure(row(await report_of(committee, "2026-12", now_ms=LATER), PT, "ubnd")) == (1, 1, 100.0)
    other = replace(line, symbol="8/GM-UBND", queue_id=queue_id)
    await register(committee, "2026-12", other, revision=3)
    assert figure(row(await report_of(committee, "2026-12", now_ms=LATER), PT, "ubnd")) == (0, 1, 0.0)
