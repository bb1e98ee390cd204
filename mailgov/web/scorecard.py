"""`/`: the scorecard, each target against its line, for whoever may read figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from mailgov.admin import agencies, figures, rules
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError, invalid
from mailgov.admin.people import Person
from mailgov.identity.roles import Act, Role, Scope, scope
from mailgov.mail.text import in_order
from mailgov.usage.periods import Calendar, Period, Span, parse
from mailgov.usage.report import UsageReport
from mailgov.web.app import page_router
from mailgov.web.language import Language, language_of
from mailgov.web.people import SeeOther, SignedIn
from mailgov.web.render import render
from mailgov.web.score_view import scorecard
from mailgov.web.services import PageServices

MONTHS_OFFERED = 13
ACCOUNT = "/account"


class Choice(BaseModel):
    """What the page's form asks for; an empty field is a default."""

    period: str = Field("", max_length=40)
    calendar: str = Field("", max_length=20)
    agency: str = Field("", max_length=80)


def scorecard_router(services: PageServices) -> APIRouter:
    """The router of the scorecard."""
    router = page_router()

    @router.get("/")
    async def show(request: Request, person: SignedIn, choice: Annotated[Choice, Query()]) -> Response:
        if not person.may(Act.USAGE_READ):
            raise SeeOther(ACCOUNT)  # a mailbox's owner has no figures but the own ones
        ctx = services.admin()
        calendar = next((one for one in Calendar if one.value == choice.calendar), Calendar.CIVIL)
        offered = periods(ctx, calendar, language_of(request), await figures.observed(ctx, person.actor))
        asked = choice.period or offered[0].value
        agency, wrong = choice.agency, None
        try:
            if choice.calendar not in ("", calendar.value):
                raise invalid(f"no such calendar: {rules.shown(choice.calendar)}")
            report = await _report(services, person, asked, calendar, agency)
        except AdminError as error:
            wrong, asked = error, offered[0].value
            agency = ""
            report = await _report(services, person, asked, calendar, agency)
        return render(
            request,
            "scorecard.html",
            person=person,
            status=200 if wrong is None else wrong.status,
            report=report,
            card=scorecard(report, language_of(request)),
            wrong=None if wrong is None else _said(wrong, choice, calendar, language_of(request)),
            offered=offered,
            agencies=await _agencies(ctx, person, report.period),
            chosen={
                "period": asked,
                "calendar": calendar.value,
                "agency": agency,
            },
            query=_query(asked, calendar, agency),
        )

    return router


def _said(wrong: AdminError, choice: Choice, calendar: Calendar, lang: Language) -> str:
    """The refusal in the page's language; the acts speak English."""
    if lang == "en":
        return wrong.detail
    if choice.calendar not in ("", calendar.value):
        return f"không có cách tính kỳ “{rules.shown(choice.calendar)}”."
    if wrong.code == "not-found":
        return (
            f"không có cơ quan “{rules.shown(choice.agency)}”, hoặc cơ quan đó ngoài phạm vi của người xem."
        )
    return (
        f"“{rules.shown(choice.period)}” không phải là một kỳ; viết 2026, 2026-H2, 2026-Q4, 2026-11"
        " hoặc 2026-11-01..2026-11-30."
    )


async def _report(
    services: PageServices, person: Person, period: str, calendar: Calendar, agency: str
) -> UsageReport:
    return await figures.usage(
        services.admin(),
        person.actor,
        period=period,
        calendar=calendar.value,
        agency=agency or None,
        policy=services.policy(),
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """A choice in a list."""

    value: str
    label: str


def periods(ctx: AdminContext, calendar: Calendar, lang: Language, observed: Span | None) -> list[Offer]:
    """The periods that the page offers, newest first of each kind; before them the one to begin with:
    the last quarter, else the last month, that was observed whole (None: nothing was observed yet).
    """
    today, cut_off = ctx.today(), ctx.settings.province.cut_off_day

    def offer(text: str) -> tuple[Period, Offer]:
        period = parse(text, calendar, cut_off)
        return period, Offer(text, period.label_en if lang == "en" else period.label_vi)

    year = today.year
    texts = [f"{y}-Q{q}" for y in (year + 1, year, year - 1) for q in (4, 3, 2, 1)]
    texts += _months(today)
    texts += [f"{y}-H{h}" for y in (year + 1, year, year - 1) for h in (2, 1)]
    texts += [f"{y}" for y in (year + 1, year, year - 1)]
    begun = [(period, one) for period, one in map(offer, texts) if period.start <= today]
    whole = [(period, one) for period, one in begun if period.progress(today) == "whole"]
    days = observed or Span(today, today)
    seen = [one for period, one in whole if days.overlap_days(period.span) == period.span.days]
    first = next(iter(seen), whole[0][1])
    return [first, *(one for _, one in begun if one != first)]


def _months(today: date) -> list[str]:
    """The months that may have begun by either calendar, the newest first."""
    last = today.year * 12 + today.month  # the month after this one: an administrative one begins early
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(last, last - MONTHS_OFFERED, -1)]


async def _agencies(ctx: AdminContext, person: Person, period: Period) -> list[Offer]:
    """The agencies to choose from, with the province first; none for a seat of one agency."""
    if scope(Role(person.seat.role), Act.USAGE_READ) is not Scope.ALL:
        return []
    found = await agencies.list_agencies(ctx, person.actor, day=min(period.span.last, ctx.today()))
    return [Offer(span.code, span.name) for span in sorted(found, key=lambda span: in_order(span.name))]


def _query(period: str, calendar: Calendar, agency: str) -> str:
    """The same question for the interface of programs."""
    asked = {"period": period, "calendar": calendar.value}
    return urlencode({**asked, "agency": agency} if agency else asked)
