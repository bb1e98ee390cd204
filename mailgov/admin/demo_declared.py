"""The demo's declarations: of the last whole month and quarter in both calendars, all marked as sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from mailgov.admin.context import AdminContext
from mailgov.admin.declarations import Row, declare_all, list_declarations
from mailgov.admin.declaring import NewDeclaration
from mailgov.admin.setup import INIT
from mailgov.ops.demo import declared
from mailgov.ops.demo.people import DemoAgency, Person
from mailgov.store import search, traffic
from mailgov.store.declarations import Filter, RegisterLine
from mailgov.store.traffic import MessageView
from mailgov.usage.declared import DOCUMENTS, HEADCOUNT, REGISTER
from mailgov.usage.issue_register import missing_numbers
from mailgov.usage.periods import Calendar, Period, Span, parse

MEETING_CLASSES = ("GM", "LCT", "TB", "TLH")
REASON = "số liệu mẫu"
ON_PAPER = "Phát hành trên giấy"
"""The title of what no message matches: a demo at 100% would show nothing."""
PAGE = 500


async def declare_sample(ctx: AdminContext, places: Sequence[DemoAgency], persons: Sequence[Person]) -> None:
    """Declare for every agency, and the register of UBND tỉnh; nothing when it was done before."""
    if await list_declarations(ctx, INIT, Filter(), limit=1):
        return
    codes = [place.span.code for place in places if place.current]
    people = declared.headcounts(persons, codes)
    rows, counted = [], set()
    committee = ctx.settings.province.committee
    for period in _last_periods(ctx):
        months = len(period.months)
        for code in codes:
            rows.append(_row(DOCUMENTS, code, period.span, declared.documents(code, months)))
            if period.end not in counted:
                rows.append(_row(HEADCOUNT, code, period.span, people[code]))
        counted.add(period.end)
        if committee in codes and months == 1:
            lines = await _register(ctx, committee, period.span)
            rows.append(_row(REGISTER, committee, period.span, {}, lines))
    done = await declare_all(ctx, INIT, rows)
    assert not done.faults, done.faults  # the demo is ours: what it declares can be


def _last_periods(ctx: AdminContext) -> list[Period]:
    """The last whole month and quarter, first by the calendar and then by the reporting cut-off."""
    today, cut_off_day = ctx.today(), ctx.settings.province.cut_off_day
    found = []
    for calendar in Calendar:
        for texts in (_months(today), _quarters(today)):
            periods = (parse(text, calendar, cut_off_day) for text in texts)
            found.append(next(period for period in periods if period.end <= today))
    return found


def _months(today: date) -> Iterable[str]:
    """The month of today and those before it."""
    for back in range(4):
        month = today.year * 12 + today.month - 1 - back
        yield f"{month // 12}-{month % 12 + 1:02d}"


def _quarters(today: date) -> Iterable[str]:
    """The quarter of today and those before it."""
    for back in range(4):
        quarter = today.year * 4 + (today.month - 1) // 3 - back
        yield f"{quarter // 4}-Q{quarter % 4 + 1}"


def _row(
    kind: str, agency: str, days: Span, content: dict[str, int], register: Sequence[RegisterLine] = ()
) -> Row:
    numbers = content if register or kind != REGISTER else {"entries": 0}
    new = NewDeclaration(kind, agency, days, numbers, register=tuple(register), reason=REASON, sample=True)
    return Row(new, (f"{kind} {agency} {days.start}",))


async def _register(ctx: AdminContext, agency: str, days: Span) -> list[RegisterLine]:
    """What the agency's sample mail shows; the numbers between went on paper, one document is secret."""
    lines: dict[str, RegisterLine] = {}
    for message in await _sent(ctx, agency, days):
        if message.document_class in MEETING_CLASSES or (message.meeting and message.document_class == "CV"):
            key = message.symbol or message.queue_id
            lines[key] = RegisterLine(
                message.document_class or "",
                message.local_date,
                message.symbol,
                message.subject,
                queue_id=None if message.symbol else message.queue_id,
            )
    sent = sorted(lines.values(), key=lambda line: line.issued_on)
    for gap in missing_numbers(sent, days.start).missing:
        for number in range(gap.first, gap.last + 1):
            symbol = f"{number}{gap.series}"
            code = gap.series.lstrip("/").partition("-")[0]
            day = min((one.issued_on for one in sent if _number(one) > number), default=days.last)
            lines[symbol] = RegisterLine(code, day, symbol, ON_PAPER)
    early = days.start + timedelta(days=2)
    lines["paper"] = RegisterLine("TLH", early, title=ON_PAPER)
    lines["secret"] = RegisterLine("TB", early, exempt="secret")
    return sorted(lines.values(), key=lambda line: (line.issued_on, line.symbol or ""))


def _number(line: RegisterLine) -> int:
    """The number that a symbol begins with; 0 without one."""
    return int((line.symbol or "0").partition("/")[0])


async def _sent(ctx: AdminContext, agency: str, days: Span) -> list[MessageView]:
    """The agency's own messages of these days, the newest first, that may carry a document of its own."""
    found: list[MessageView] = []
    after: search.Place | None = None
    wanted = search.Filter(agency=agency, verdict="accepted")
    while page := await traffic.list_messages(ctx.db, wanted, limit=PAGE, after=after):
        found += page
        after = page[-1].place
    return [
        one
        for one in found
        if one.agency_code == agency
        and not (one.automatic or one.reply or one.forward)
        and days.start <= one.local_date < days.end
    ]
