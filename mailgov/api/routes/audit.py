"""`/api/v1/audit`: who did what, and what the service itself saw."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from mailgov.admin import audit_log
from mailgov.api.deps import Reading, Text
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import Answer, problems
from mailgov.api.times import iso

router = APIRouter(tags=["audit"])


class AuditQuery(PageQuery):
    """Which rows."""

    act: Text | None = Field(None, description="One act alone.", examples=["sending.limit_reached"])
    object: Text | None = Field(
        None, description="What it was done to, to the letter.", examples=["annv@caobang.gov.vn"]
    )


class AuditBody(Answer):
    """A row of the audit log."""

    id: int
    time: str
    actor: str = Field(description="`service:` and a host for what the service itself saw.")
    role: str
    act: str
    object: str
    content: dict[str, Any] | None = Field(description="null where there was none, or it was erased.")


class AuditPage(Answer):
    items: list[AuditBody]
    next: str | None = Field(description="Pass it as `cursor` for the next page; null on the last one.")


@router.get("/audit", responses=problems(401, 403, 422, 503))
async def list_audit(call: Reading, asked: Annotated[AuditQuery, Query()]) -> AuditPage:
    """The audit log, the latest row first. Operators only."""
    found = await audit_log.list_audit(
        call.ctx,
        call.actor,
        limit=asked.limit + 1,
        before=asked.after_id(),
        act=asked.act,
        target=asked.object,
    )
    page, following = asked.cut_rows(found)
    zone = call.ctx.settings.province.timezone
    return AuditPage(
        items=[
            AuditBody(
                id=one.id,
                time=iso(one.at_ms, zone),
                actor=one.actor,
                role=one.role,
                act=one.act,
                object=one.object,
                content=one.content,
            )
            for one in page
        ],
        next=following,
    )
