"""`/api/v1/aliases`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import aliases
from mailgov.admin.context import Actor, AdminContext
from mailgov.api.deps import Bare, Reading
from mailgov.api.directory.aliases import (
    AliasBody,
    AliasPage,
    AliasQuery,
    NewAlias,
    Target,
    Targets,
    alias_body,
)
from mailgov.api.etags import Load, changed, etag_of, removed, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.schemas import created_problems, problems, write_problems
from mailgov.identity.roles import Act

router = APIRouter(tags=["aliases"])

Address = Annotated[str, Path(max_length=320, examples=["ld-snv@caobang.gov.vn"])]


@router.get("/aliases", responses=problems(401, 403, 422, 503))
async def list_aliases(call: Reading, asked: Annotated[AliasQuery, Query()]) -> AliasPage:
    """Aliases of every kind by address."""
    (after,) = asked.after() or ("",)
    found = await aliases.list_aliases(
        call.ctx, call.actor, kind=asked.kind, after=after, limit=asked.limit + 1
    )
    page, following = asked.cut(found, lambda one: (one.address,))
    zone = call.ctx.settings.province.timezone
    return AliasPage(items=[alias_body(one, zone) for one in page], next=following)


@router.get("/aliases/{address}", response_model=AliasBody, responses=problems(401, 403, 404, 422, 503))
async def show_alias(call: Reading, address: Address, request: Request, _bare: Bare) -> Response:
    """One alias, with its `ETag`."""
    return shown(request, await _load(address)(call.ctx, call.actor))


@router.post("/aliases", status_code=201, response_model=AliasBody, responses=created_problems(404))
async def add_alias(writing: Writing, asked: NewAlias, _bare: Bare) -> Response:
    """A new alias. Targets of the province have to be there; outside ones are policy's matter."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        made = await aliases.add_alias(ctx, actor, asked.address, to=asked.targets, kind=asked.kind)
        body = await _load(made.address)(ctx, actor)
        return created(body, f"/api/v1/aliases/{made.address}", etag_of(body))

    return await once(writing, work)


@router.post("/aliases/{address}/extend", response_model=AliasBody, responses=write_problems())
async def extend_alias(writing: Writing, address: Address, asked: Targets, _bare: Bare) -> Response:
    """More targets."""
    return await changed(
        writing,
        Act.ALIAS_EXTEND,
        _load(address),
        lambda ctx, actor: aliases.extend_alias(ctx, actor, address, to=asked.targets),
    )


@router.post("/aliases/{address}/reduce", response_model=AliasBody, responses=write_problems())
async def reduce_alias(writing: Writing, address: Address, asked: Target, _bare: Bare) -> Response:
    """One target less; the last one goes only with the alias itself."""
    return await changed(
        writing,
        Act.ALIAS_REMOVE,
        _load(address),
        lambda ctx, actor: aliases.remove_alias(ctx, actor, address, target=asked.target),
    )


@router.delete("/aliases/{address}", status_code=204, response_model=None, responses=write_problems())
async def remove_alias(writing: Writing, address: Address, _bare: Bare) -> Response:
    """Remove an alias; postmaster@ and abuse@ stay."""
    return await removed(
        writing,
        Act.ALIAS_REMOVE,
        _load(address),
        lambda ctx, actor: aliases.remove_alias(ctx, actor, address),
    )


def _load(address: str) -> Load:
    async def load(ctx: AdminContext, actor: Actor) -> AliasBody:
        found = await aliases.show_alias(ctx, actor, address)
        return alias_body(found, ctx.settings.province.timezone)

    return load
