"""What other providers say of mail in our name, and how encrypted we reached others."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, timedelta

from mailgov.admin import rules
from mailgov.admin.context import Actor, AdminContext, require
from mailgov.admin.errors import invalid
from mailgov.identity.roles import Act
from mailgov.store import sender_reports, tls_results
from mailgov.store.sender_reports import Line
from mailgov.store.tallies import Key as TlsKey
from mailgov.usage import csv_text
from mailgov.usage.periods import PeriodError, parse

KINDS = ("dmarc", "tls", "tls-out")
LAST_DAYS = 30
LINES_SHOWN = 5000
COLUMNS = tuple(one.name for one in fields(Line))


@dataclass(frozen=True, slots=True)
class ReportedLines:
    """Lines of the days from `first` to `last`; `more`: there are rarer or older ones."""

    kind: str
    first: date
    last: date
    lines: tuple[Line, ...]
    more: bool

    def to_csv(self) -> str:
        """For a spreadsheet, which runs none of what a stranger wrote."""
        rows = [[getattr(line, name) for name in COLUMNS] for line in self.lines]
        return csv_text.write(COLUMNS, rows)


def _out(key: TlsKey, count: int) -> Line:
    """What we saw ourselves, in the same form; the day is UTC's (RFC 8460 4.2)."""
    return Line(key.day, "", key.domain, "", key.result, "", "", key.kind, key.host, count)


async def show_reports(
    ctx: AdminContext, actor: Actor, kind: str, *, period: str | None = None, limit: int = LINES_SHOWN
) -> ReportedLines:
    """What was reported of a period (default: 30 days, today the last), summed up by day and source."""
    require(actor, Act.SENDER_REPORT_READ)
    rules.one_of(kind, KINDS, "kind of report")
    today = ctx.today()
    try:
        span = parse(period or f"{today - timedelta(days=LAST_DAYS - 1)}..{today}").span
    except PeriodError as error:
        raise invalid(str(error)) from error
    async with ctx.db.read() as session:
        if kind == "tls-out":
            counted = await tls_results.lines(session, span.start, span.end, limit + 1)
            found = [_out(key, count) for key, count in counted]
        else:
            found = await sender_reports.lines(session, kind, span.start, span.end, limit + 1)
    return ReportedLines(
        kind, span.start, span.end - timedelta(days=1), tuple(found[:limit]), len(found) > limit
    )
