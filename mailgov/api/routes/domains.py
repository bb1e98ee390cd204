"""`/api/v1/domains`."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import domains
from mailgov.admin.context import Actor, AdminContext
from mailgov.api.deps import Bare, Reading
from mailgov.api.directory.domains import (
    DomainDetailBody,
    DomainPage,
    NewDomain,
    detail_body,
    domain_body,
)
from mailgov.api.etags import Load, changed, etag_of, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import created_problems, problems, write_problems
from mailgov.identity.roles import Act

router = APIRouter(tags=["domains"])

Name = Annotated[str, Path(max_length=255, examples=["caobang.gov.vn"])]


@router.get("/domains", responses=problems(401, 403, 422, 503))
async def list_domains(call: Reading, asked: Annotated[PageQuery, Query()]) -> DomainPage:
    """All mail domains by name."""
    (after,) = asked.after() or ("",)
    found = sorted(await domains.list_domains(call.ctx, call.actor), key=lambda one: one.name)
    found = [one for one in found if one.name > after]
    page, following = asked.cut(found, lambda one: (one.name,))
    zone = call.ctx.settings.province.timezone
    return DomainPage(items=[domain_body(one, zone) for one in page], next=following)


@router.get("/domains/{name}", response_model=DomainDetailBody, responses=problems(401, 403, 404, 422, 503))
async def show_domain(call: Reading, name: Name, request: Request, _bare: Bare) -> Response:
    """One domain, with its `ETag`."""
    return shown(request, await _load(name)(call.ctx, call.actor))


@router.post("/domains", status_code=201, response_model=DomainDetailBody, responses=created_problems(404))
async def add_domain(writing: Writing, asked: NewDomain, _bare: Bare) -> Response:
    """A new domain with its postmaster@ and abuse@. Nothing is signed for it until it has a DKIM key."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        made = await domains.add_domain(ctx, actor, asked.name, postmaster=asked.postmaster)
        body = await _load(made.name)(ctx, actor)
        return created(body, f"/api/v1/domains/{made.name}", etag_of(body))

    return await once(writing, work)


@router.post("/domains/{name}/{act}", response_model=DomainDetailBody, responses=write_problems())
async def act_on_domain(
    writing: Writing, name: Name, act: Literal["disable", "enable"], _bare: Bare
) -> Response:
    """Take a domain out of use (its addresses become unknown, nothing is deleted), or into use again."""
    do = domains.disable_domain if act == "disable" else domains.enable_domain
    return await changed(writing, Act(f"domain.{act}"), _load(name), lambda ctx, actor: do(ctx, actor, name))


def _load(name: str) -> Load:
    async def load(ctx: AdminContext, actor: Actor) -> DomainDetailBody:
        found = await domains.show_domain(ctx, actor, name)
        return detail_body(found, ctx.settings.province.timezone)

    return load
