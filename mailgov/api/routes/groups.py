"""`/api/v1/groups`: mailing lists."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import groups
from mailgov.admin.context import Actor, AdminContext
from mailgov.api.deps import Bare, Reading
from mailgov.api.directory.aliases import (
    GroupBody,
    GroupPage,
    Member,
    Members,
    NewGroup,
    group_body,
)
from mailgov.api.etags import Load, changed, etag_of, removed, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import created_problems, problems, write_problems
from mailgov.identity.roles import Act

router = APIRouter(tags=["groups"])

Address = Annotated[str, Path(max_length=320, examples=["all-snv@caobang.gov.vn"])]


@router.get("/groups", responses=problems(401, 403, 422, 503))
async def list_groups(call: Reading, asked: Annotated[PageQuery, Query()]) -> GroupPage:
    """Groups by address."""
    (after,) = asked.after() or ("",)
    found = await groups.list_groups(call.ctx, call.actor, after=after, limit=asked.limit + 1)
    page, following = asked.cut(found, lambda one: (one.address,))
    zone = call.ctx.settings.province.timezone
    return GroupPage(items=[group_body(one, zone) for one in page], next=following)


@router.get("/groups/{address}", response_model=GroupBody, responses=problems(401, 403, 404, 422, 503))
async def show_group(call: Reading, address: Address, request: Request, _bare: Bare) -> Response:
    """One group, with its `ETag`."""
    return shown(request, await _load(address)(call.ctx, call.actor))


@router.post("/groups", status_code=201, response_model=GroupBody, responses=created_problems(404))
async def add_group(writing: Writing, asked: NewGroup, _bare: Bare) -> Response:
    """A new group of at least one member."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        made = await groups.add_group(ctx, actor, asked.address, asked.members)
        body = await _load(made.address)(ctx, actor)
        return created(body, f"/api/v1/groups/{made.address}", etag_of(body))

    return await once(writing, work)


@router.post("/groups/{address}/join", response_model=GroupBody, responses=write_problems())
async def add_members(writing: Writing, address: Address, asked: Members, _bare: Bare) -> Response:
    """More members."""
    return await changed(
        writing,
        Act.ALIAS_EXTEND,
        _load(address),
        lambda ctx, actor: groups.add_members(ctx, actor, address, asked.members),
    )


@router.post("/groups/{address}/leave", response_model=GroupBody, responses=write_problems())
async def remove_member(writing: Writing, address: Address, asked: Member, _bare: Bare) -> Response:
    """One member less; the last one goes only with the group itself."""
    return await changed(
        writing,
        Act.ALIAS_REMOVE,
        _load(address),
        lambda ctx, actor: groups.remove_member(ctx, actor, address, asked.member),
    )


@router.delete("/groups/{address}", status_code=204, response_model=None, responses=write_problems())
async def remove_group(writing: Writing, address: Address, _bare: Bare) -> Response:
    """Remove a group; its members stay what they are."""
    return await removed(
        writing,
        Act.ALIAS_REMOVE,
        _load(address),
        lambda ctx, actor: groups.remove_group(ctx, actor, address),
    )


def _load(address: str) -> Load:
    async def load(ctx: AdminContext, actor: Actor) -> GroupBody:
        found = await groups.show_group(ctx, actor, address)
        return group_body(found, ctx.settings.province.timezone)

    return load
