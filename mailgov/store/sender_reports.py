"""Reports of other providers, kept once each and shown summed up by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from mailgov.mail.events import SenderReportEvent
from mailgov.store.calendar import local_date
from mailgov.store.fold import text, whole
from mailgov.store.sql import columns, table
from mailgov.store.tables import SenderReportEntry, SenderReportLine

KEEP_DAYS = 400
"""Like the counters of the door: a year and a bit."""
LINES_LIMIT = 1_000_000
"""Of all reports (about 200 MB): whoever can write to the mailbox can make reports up."""


@dataclass(frozen=True, slots=True)
class Line:
    """What reporters said of a day, summed over reports."""

    day: date
    reporter: str
    domain: str
    source: str
    result: str
    dkim: str
    spf: str
    policy: str
    host: str
    count: int


async def keep(session: AsyncSession, events: Sequence[SenderReportEvent], *, timezone: str) -> None:
    """Keep the reports that are new, and forget old ones; past `LINES_LIMIT` no more is kept."""
    if not events:
        return
    entry, line = columns(SenderReportEntry), columns(SenderReportLine)
    newest = max(local_date(whole(event.at_ms), timezone) for event in events)
    old = select(entry.id).where(entry.local_date < newest - timedelta(days=KEEP_DAYS))
    await session.execute(delete(table(SenderReportLine)).where(line.report_row.in_(old)))
    await session.execute(
        delete(table(SenderReportEntry)).where(entry.local_date < newest - timedelta(days=KEEP_DAYS))
    )
    stand = int(await session.scalar(select(func.count()).select_from(table(SenderReportLine))) or 0)
    for event in events:
        if stand + len(event.report.rows) <= LINES_LIMIT:
            stand += await _keep_one(session, event, timezone)


async def _keep_one(session: AsyncSession, event: SenderReportEvent, timezone: str) -> int:
    entry, report = columns(SenderReportEntry), event.report
    names = {name: text(getattr(report, name)) or "" for name in ("kind", "domain", "reporter", "report_id")}
    known = select(entry.id).where(*(entry[name] == value for name, value in names.items()))
    if await session.scalar(known) is not None:
        return 0
    made = insert(table(SenderReportEntry)).values(
        **names,
        local_date=local_date(whole(report.begin_ms), timezone),
        begin_ms=whole(report.begin_ms),
        end_ms=whole(report.end_ms),
        received_ms=whole(event.at_ms),
        records=whole(report.records, 31),
        cut=bool(report.cut),
    )
    number = (await session.execute(made.returning(entry.id))).scalar_one()
    rows: list[dict[str, Any]] = [
        {name: text(value) or "" for name, value in row._asdict().items()}
        | {"report_row": number, "count": whole(count)}
        for row, count in report.rows
    ]
    if rows:
        await session.execute(insert(table(SenderReportLine)), rows)
    return len(rows)


async def lines(session: AsyncSession, kind: str, first: date, until: date, limit: int) -> list[Line]:
    """At most `limit` lines of the days [first, until), the latest day first, in it the most frequent."""
    entry, line = columns(SenderReportEntry), columns(SenderReportLine)
    by = (
        entry.local_date, entry.reporter, line.domain, line.source, line.result, line.dkim, line.spf,
        line.policy, line.host,
    )  # fmt: skip
    count = func.sum(line["count"])
    query = (
        select(*by, count)
        .join(table(SenderReportEntry), line.report_row == entry.id)
        .where(entry.kind == kind, entry.local_date >= first, entry.local_date < until)
        .group_by(*by)
        .order_by(entry.local_date.desc(), count.desc(), *by[1:])
        .limit(limit)
    )
    names = [one.name for one in fields(Line)]
    return [
        Line(**dict(zip(names, (*row[:-1], int(row[-1])), strict=True)))
        for row in await session.execute(query)
    ]
