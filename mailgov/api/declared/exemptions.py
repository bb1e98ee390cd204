"""Exemptions as answers and questions."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from mailgov.api.deps import Text
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import Answer, Asked
from mailgov.api.times import iso
from mailgov.store.exemptions import ExemptionView

Reason = Annotated[str, Field(min_length=1, max_length=500)]


class ExemptionBody(Answer):
    """Who is outside an obligation over the half-open days from `valid_from` to `valid_until`."""

    id: int
    obligation: str
    agency: str | None = Field(description="Null for everyone.")
    valid_from: date | None
    valid_until: date | None
    reason: str
    added_at: str
    ended_at: str | None = Field(description="When its end was decided, if it was.")


class ExemptionPage(Answer):
    items: list[ExemptionBody]
    next: str | None


class ExemptionQuery(PageQuery):
    """Filters hold together."""

    obligation: Text | None = Field(None, examples=["cb.official-mailboxes"])
    agency: Text | None = Field(None, description="What holds for this agency: its own and everyone's.")


class ExemptionAsked(Asked):
    obligation: Text = Field(examples=["cb.official-mailboxes"])
    agency: Text | None = Field(description="An agency's code, or null for everyone.")
    valid_from: date | None = None
    valid_until: date | None = Field(None, description="The first day without it.")
    reason: Reason


class EndAsked(Asked):
    on: date | None = Field(None, description="The first day without it. Default: today.")
    reason: Reason | None = None


def exemption_body(view: ExemptionView, zone: str) -> ExemptionBody:
    return ExemptionBody(
        id=view.id,
        obligation=view.obligation,
        agency=view.agency or None,
        valid_from=view.valid_from,
        valid_until=view.valid_until,
        reason=view.reason,
        added_at=iso(view.created_ms, zone),
        ended_at=None if view.ended_ms is None else iso(view.ended_ms, zone),
    )
