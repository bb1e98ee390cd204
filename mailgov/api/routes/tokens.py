"""`/api/v1/tokens`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import tokens
from mailgov.admin.context import Actor, AdminContext
from mailgov.api.deps import Bare, Reading
from mailgov.api.directory.tokens import (
    MOVING,
    NewTokenAsked,
    NewTokenBody,
    TokenBody,
    TokenPage,
    token_body,
)
from mailgov.api.etags import Load, changed, etag_of, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.paging import PageQuery
from mailgov.api.schemas import created_problems, problems, write_problems
from mailgov.identity.roles import Act

router = APIRouter(tags=["tokens"])

Id = Annotated[int, Path(alias="id", ge=1, le=2**63 - 1)]


@router.get("/tokens", responses=problems(401, 403, 422, 503))
async def list_tokens(call: Reading, asked: Annotated[PageQuery, Query()]) -> TokenPage:
    """All tokens, the oldest first, without their texts."""
    (after,) = asked.after() or ("0",)
    found = await tokens.list_tokens(call.ctx, call.actor)
    rest = [one for one in found if one.id > int(after if after.isdecimal() else 0)]
    page, following = asked.cut(rest, lambda one: (str(one.id),))
    zone = call.ctx.settings.province.timezone
    return TokenPage(items=[token_body(one, zone) for one in page], next=following)


@router.get("/tokens/{id}", response_model=TokenBody, responses=problems(401, 403, 404, 422, 503))
async def show_token(call: Reading, token_id: Id, request: Request, _bare: Bare) -> Response:
    """One token without its text, with its `ETag`."""
    return shown(request, await _load(token_id)(call.ctx, call.actor), ignore=MOVING)


@router.post("/tokens", status_code=201, response_model=NewTokenBody, responses=created_problems(404))
async def create_token(writing: Writing, asked: NewTokenAsked, _bare: Bare) -> Response:
    """A new token; its text is in the answer, this once."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        made = await tokens.create_token(
            ctx, actor, asked.name, role=asked.role, agency=asked.agency, days=asked.days
        )
        body = token_body(made.token, ctx.settings.province.timezone)
        told = NewTokenBody(**body.model_dump(), token=made.text)
        return created(told, f"/api/v1/tokens/{made.token.id}", etag_of(body, ignore=MOVING))

    return await once(writing, work)


@router.post("/tokens/{id}/revoke", response_model=TokenBody, responses=write_problems())
async def revoke_token(writing: Writing, token_id: Id, _bare: Bare) -> Response:
    """End a token for good, from this moment."""
    return await changed(
        writing,
        Act.TOKEN_REVOKE,
        _load(token_id),
        lambda ctx, actor: tokens.revoke_token(ctx, actor, token_id),
        ignore=MOVING,
    )


def _load(token_id: int) -> Load:
    async def load(ctx: AdminContext, actor: Actor) -> TokenBody:
        found = await tokens.show_token(ctx, actor, token_id)
        return token_body(found, ctx.settings.province.timezone)

    return load
