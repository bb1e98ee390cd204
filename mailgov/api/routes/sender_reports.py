"""`/api/v1/sender-reports`: what other providers say of mail in our name, and how we reached them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from mailgov.admin import sender_reports
from mailgov.api.deps import Parameters, Reading, Text
from mailgov.api.media import prefers_csv
from mailgov.api.schemas import Answer, problems
from mailgov.store.sender_reports import Line
from mailgov.usage.csv_text import MEDIA_TYPE

router = APIRouter(tags=["sender reports"])

_CSV: dict[str, Any] = {"text/csv": {"schema": {"type": "string"}, "example": "day;reporter;domain;…"}}


class SenderReportsQuery(Parameters):
    """Which reports, of which days."""

    kind: Literal["dmarc", "tls", "tls-out"]
    period: Text | None = Field(
        None, description="As of `/usage`. Default: 30 days, today the last.", examples=["2026-11"]
    )
    limit: int = Field(500, ge=1, le=sender_reports.LINES_SHOWN)
    format: Literal["json", "csv"] | None = Field(None, description="csv is the same as `Accept: text/csv`.")


class SenderReportLine(Answer):
    """How often, by day, reporter and source. Empty where it is not told, or does not belong to the kind."""

    day: date = Field(description="That the report's span begins on.")
    reporter: str
    domain: str = Field(description="In From (dmarc), or that the policy is for (tls).")
    source: str = Field(description="The IP address that it came from; empty for the rarest, put together.")
    result: str = Field(
        description="dmarc: none, pass, quarantine, reject; tls, tls-out: success, or why not."
    )
    dkim: str
    spf: str
    policy: str = Field(description="tls, tls-out: tlsa, sts or no-policy-found.")
    host: str = Field(description="tls: our exchanger; tls-out: theirs.")
    count: int


class SenderReports(Answer):
    """The latest day first, in it the most frequent. `more`: there are lines beyond the limit."""

    kind: str
    first: date
    last: date
    lines: list[SenderReportLine]
    more: bool


@router.get(
    "/sender-reports",
    response_model=SenderReports,
    responses={200: {"content": _CSV}, **problems(401, 403, 422, 503)},
)
async def show_sender_reports(
    call: Reading,
    asked: Annotated[SenderReportsQuery, Query()],
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> SenderReports | Response:
    """DMARC aggregate and TLS reports that reached the mailbox for them, summed up; `tls-out`: how we
    reached others, by UTC day. Operators only.
    """
    found = await sender_reports.show_reports(
        call.ctx, call.actor, asked.kind, period=asked.period, limit=asked.limit
    )
    if asked.format == "csv" or (asked.format is None and prefers_csv(accept)):
        name = f'attachment; filename="{found.kind}-{found.first}-{found.last}.csv"'
        return Response(found.to_csv(), media_type=MEDIA_TYPE, headers={"Content-Disposition": name})
    return SenderReports(
        kind=found.kind,
        first=found.first,
        last=found.last,
        lines=[_line(one) for one in found.lines],
        more=found.more,
    )


def _line(line: Line) -> SenderReportLine:
    return SenderReportLine(**{name: getattr(line, name) for name in sender_reports.COLUMNS})
