"""`/api/v1/usage` and `/api/v1/targets`: the figures, and what is asked for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from mailgov.admin import figures
from mailgov.api.deps import Parameters, Reading, Services, Text
from mailgov.api.figures import TargetsBody, UsageBody
from mailgov.api.media import prefers_csv
from mailgov.api.schemas import problems
from mailgov.usage.csv_text import MEDIA_TYPE

router = APIRouter(tags=["usage"])

_PERIOD = "2026, 2026-H2, 2026-Q4, 2026-11 or 2026-11-01..2026-11-30 (both days inside)."
_CSV: dict[str, Any] = {"text/csv": {"schema": {"type": "string"}, "example": "indicator;directive;…"}}


class TargetsQuery(Parameters):
    """Which days, and whose wishes."""

    period: Text | None = Field(None, description=f"{_PERIOD} Default: today.", examples=["2026-Q4"])
    calendar: Text = Field("civil", description="civil or administrative")
    directive: Text | None = Field(
        None, description="Only what this document asks for, by its key.", examples=["binh-dinh"]
    )


class UsageQuery(TargetsQuery):
    """Which days, and of whom."""

    period: Text | None = Field(
        None, description=f"{_PERIOD} Default: 30 days, today the last.", examples=["2026-Q4"]
    )
    agency: Text | None = Field(None, description="An agency's code.", examples=["snv"])
    format: Literal["json", "csv"] | None = Field(
        None, description="csv is the same as `Accept: text/csv`: one flat table for a spreadsheet."
    )


@router.get(
    "/usage",
    response_model=UsageBody,
    responses={200: {"content": _CSV}, **problems(401, 403, 404, 422, 503)},
)
async def usage(
    call: Reading,
    services: Services,
    asked: Annotated[UsageQuery, Query()],
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> UsageBody | Response:
    """Counts and indicators per agency and for the province, with their definitions.

    Seats of an agency see that agency alone.
    """
    report = await figures.usage(
        call.ctx,
        call.actor,
        period=asked.period,
        calendar=asked.calendar,
        agency=asked.agency,
        directive=asked.directive,
        policy=services.policy(),
    )
    if asked.format == "csv" or (asked.format is None and prefers_csv(accept)):
        name = f'attachment; filename="usage-{report.period.text}.csv"'
        return Response(report.to_csv(), media_type=MEDIA_TYPE, headers={"Content-Disposition": name})
    return UsageBody.model_validate(report.to_json())


@router.get("/targets", response_model=TargetsBody, responses=problems(401, 403, 404, 422, 503))
async def targets(call: Reading, services: Services, asked: Annotated[TargetsQuery, Query()]) -> TargetsBody:
    """What the documents ask for over a period: every target, baseline and duty, and how it stands here."""
    report = await figures.list_targets(
        call.ctx,
        call.actor,
        period=asked.period,
        calendar=asked.calendar,
        directive=asked.directive,
        policy=services.policy(),
    )
    return TargetsBody.model_validate(report.to_json())
