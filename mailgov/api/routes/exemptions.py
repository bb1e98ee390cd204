"""`/api/v1/exemptions`: who is outside an obligation, since when, and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import exemptions
from mailgov.admin.context import Actor, AdminContext
from mailgov.api.declared.exemptions import (
    EndAsked,
    ExemptionAsked,
    ExemptionBody,
    ExemptionPage,
    ExemptionQuery,
    exemption_body,
)
from mailgov.api.deps import Bare, Reading
from mailgov.api.etags import Load, changed, etag_of, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.schemas import created_problems, problems, write_problems
from mailgov.identity.roles import Act

router = APIRouter(tags=["exemptions"])

Id = Annotated[int, Path(ge=1, le=2**62)]


@router.get("/exemptions", responses=problems(401, 403, 404, 422, 503))
async def list_exemptions(call: Reading, asked: Annotated[ExemptionQuery, Query()]) -> ExemptionPage:
    """Exemptions, the oldest first, those that have ended too."""
    found = await exemptions.list_exemptions(
        call.ctx,
        call.actor,
        obligation=asked.obligation,
        agency=asked.agency,
        after=asked.after_id() or 0,
        limit=asked.limit + 1,
    )
    page, following = asked.cut_rows(found)
    zone = call.ctx.settings.province.timezone
    return ExemptionPage(items=[exemption_body(one, zone) for one in page], next=following)


@router.get("/exemptions/{number}", response_model=ExemptionBody, responses=problems(401, 403, 404, 422, 503))
async def show_exemption(call: Reading, number: Id, request: Request, _bare: Bare) -> Response:
    """One exemption, with its `ETag`."""
    return shown(request, await _load(number)(call.ctx, call.actor))


@router.post("/exemptions", status_code=201, response_model=ExemptionBody, responses=created_problems(404))
async def add_exemption(writing: Writing, asked: ExemptionAsked, _bare: Bare) -> Response:
    """Exempt an agency, or everyone, from an obligation whose document allows it."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        made = await exemptions.add_exemption(
            ctx,
            actor,
            asked.obligation,
            agency=asked.agency,
            valid_from=asked.valid_from,
            valid_until=asked.valid_until,
            reason=asked.reason,
        )
        body = exemption_body(made, ctx.settings.province.timezone)
        return created(body, f"/api/v1/exemptions/{made.id}", etag_of(body))

    return await once(writing, work)


@router.post("/exemptions/{number}/end", response_model=ExemptionBody, responses=write_problems())
async def end_exemption(writing: Writing, number: Id, _bare: Bare, asked: EndAsked | None = None) -> Response:
    """End an exemption; on its own first day it is withdrawn, and held on no day."""
    wanted = asked or EndAsked()

    async def do(ctx: AdminContext, actor: Actor) -> None:
        await exemptions.end_exemption(ctx, actor, number, on=wanted.on, reason=wanted.reason)

    return await changed(writing, Act.EXEMPTION_END, _load(number), do)


def _load(number: int) -> Load:
    async def load(ctx: AdminContext, actor: Actor) -> ExemptionBody:
        found = await exemptions.show_exemption(ctx, actor, number)
        return exemption_body(found, ctx.settings.province.timezone)

    return load
