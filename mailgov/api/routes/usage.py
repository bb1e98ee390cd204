"""`/api/v1/usage`: the figures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from mailgov.admin import figures
from mailgov.api.deps import Parameters, Reading, Text
from mailgov.api.schemas import UsageBody, problems

router = APIRouter(tags=["usage"])


class UsageQuery(Parameters):
    """Which days, and of whom."""

    period: Text | None = Field(
        None,
        description="2026, 2026-H2, 2026-Q4, 2026-11 or 2026-11-01..2026-11-30 (both days inside). "
        "Default: 30 days, today the last.",
        examples=["2026-Q4"],
    )
    calendar: Text = Field("civil", description="civil or administrative")
    agency: Text | None = Field(None, description="An agency's code.", examples=["snv"])


@router.get("/usage", response_model=UsageBody, responses=problems(401, 403, 404, 422, 503))
async def usage(call: Reading, asked: Annotated[UsageQuery, Query()]) -> UsageBody:
    """Messages and active persons per agency and for the province, with their definitions.

    Seats of an agency see that agency alone.
    """
    report = await figures.usage(
        call.ctx, call.actor, period=asked.period, calendar=asked.calendar, agency=asked.agency
    )
    return UsageBody.model_validate(report.to_json())
