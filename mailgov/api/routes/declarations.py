"""`/api/v1/declarations`: what agencies declare, and how it is corrected."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import declarations
from mailgov.admin.context import Actor, AdminContext
from mailgov.admin.declaring import NewDeclaration, days_of
from mailgov.api.declared.declarations import (
    CorrectionAsked,
    DeclarationAsked,
    DeclarationBody,
    DeclarationHistory,
    DeclarationPage,
    DeclarationQuery,
    declaration_body,
)
from mailgov.api.deps import Bare, Call, Reading
from mailgov.api.etags import Load, changed, etag_of, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.schemas import created_problems, problems, write_problems
from mailgov.identity.roles import Act
from mailgov.store.declarations import Filter
from mailgov.usage.declared import PROVINCE
from mailgov.usage.periods import Span

router = APIRouter(tags=["declarations"])

Id = Annotated[int, Path(ge=1, le=2**62)]


@router.get("/declarations", responses=problems(401, 403, 404, 422, 503))
async def list_declarations(call: Reading, asked: Annotated[DeclarationQuery, Query()]) -> DeclarationPage:
    """What is declared now, the newest first; earlier revisions are in each one's history."""
    found = await declarations.list_declarations(
        call.ctx, call.actor, _filter(call, asked), before=asked.after_id(), limit=asked.limit + 1
    )
    page, following = asked.cut_rows(found)
    zone = call.ctx.settings.province.timezone
    items = [declaration_body(one, call.actor, zone, whole=False) for one in page]
    return DeclarationPage(items=items, next=following)


@router.get(
    "/declarations/{number}",
    response_model=DeclarationBody,
    responses=problems(401, 403, 404, 422, 503),
)
async def show_declaration(call: Reading, number: Id, request: Request, _bare: Bare) -> Response:
    """One revision, with the lines of its register and its `ETag`."""
    return shown(request, await _load(number)(call.ctx, call.actor))


@router.get("/declarations/{number}/history", responses=problems(401, 403, 404, 422, 503))
async def show_history(call: Reading, number: Id, _bare: Bare) -> DeclarationHistory:
    """Every revision of what this one is about, the first one first."""
    return DeclarationHistory(items=await _history(call.ctx, call.actor, number))


@router.post(
    "/declarations", status_code=201, response_model=DeclarationBody, responses=created_problems(404)
)
async def declare(writing: Writing, asked: DeclarationAsked, _bare: Bare) -> Response:
    """Declare for a period, from its last day on. 0 is declared; what is left out is not.

    409 `conflict` where it is declared already: correct that one. 409 `needs-reason` where the numbers
    look like a slip: a jump of more than 30% and more than 5 against the one before, or parts that do not
    add up; the same with a `reason` is accepted.
    """

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        new = NewDeclaration(
            kind=asked.kind,
            agency=PROVINCE if asked.agency is None else asked.agency,
            days=days_of(ctx, asked.period, asked.calendar),
            content=asked.numbers,
            subject=asked.subject or "",
            register=asked.lines(),
            reason=asked.reason,
        )
        made = (await declarations.declare(ctx, actor, new)).made
        body = await _load(made.id)(ctx, actor)
        return created(body, f"/api/v1/declarations/{made.id}", etag_of(body))

    return await once(writing, work)


@router.post("/declarations/{number}/correct", response_model=DeclarationBody, responses=write_problems())
async def correct(writing: Writing, number: Id, asked: CorrectionAsked, _bare: Bare) -> Response:
    """Replace what is declared with another revision, and say why. The answer is the new revision."""

    async def do(ctx: AdminContext, actor: Actor) -> DeclarationBody:
        series = (await declarations.show_declaration(ctx, actor, number)).series
        new = NewDeclaration(
            kind=series.kind,
            agency=series.agency,
            days=Span(series.from_date, series.until_date),
            content=asked.numbers,
            subject=series.subject,
            register=asked.lines(),
            correct=True,
            reason=asked.reason,
        )
        made = (await declarations.declare(ctx, actor, new)).made
        return (await _history(ctx, actor, made.id))[-1]

    return await changed(writing, Act.DECLARATION_CORRECT, _load(number), do)


def _load(number: int) -> Load:
    async def load(ctx: AdminContext, actor: Actor) -> DeclarationBody:
        return next(one for one in await _history(ctx, actor, number) if one.id == number)

    return load


async def _history(ctx: AdminContext, actor: Actor, number: int) -> list[DeclarationBody]:
    found = await declarations.show_history(ctx, actor, number)
    last, zone = found[-1].id, ctx.settings.province.timezone
    return [
        declaration_body(one, actor, zone, superseded_by=None if one.id == last else last) for one in found
    ]


def _filter(call: Call, asked: DeclarationQuery) -> Filter:
    days = None if asked.period is None else days_of(call.ctx, asked.period, asked.calendar)
    since, until = (days.start, days.end) if days else (None, None)
    return Filter(asked.kind, asked.subject, asked.agency, since, until)
