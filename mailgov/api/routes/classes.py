"""`/api/v1/messages/<queue id>/class` and `/api/v1/class-samples`: what messages count as."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from mailgov.admin import classes
from mailgov.admin.context import Actor, AdminContext
from mailgov.api.declared.classes import (
    ClassAsked,
    ClassBody,
    ConfirmAsked,
    SampleAsked,
    SampleBody,
    SampleDrawn,
    SamplePage,
    SampleQuery,
    class_body,
    first_day,
    sample_body,
)
from mailgov.api.deps import Bare, Reading
from mailgov.api.etags import Load, changed, shown
from mailgov.api.idempotency import Answered, Writing, created, once
from mailgov.api.schemas import created_problems, problems, write_problems
from mailgov.identity.roles import Act

router = APIRouter(tags=["classes"])

QueueId = Annotated[str, Path(max_length=100)]


@router.get(
    "/messages/{queue_id}/class", response_model=ClassBody, responses=problems(401, 403, 404, 409, 422, 503)
)
async def show_class(call: Reading, queue_id: QueueId, request: Request, _bare: Bare) -> Response:
    """What a message counts as, with its `ETag`, and who corrected it when and why.

    For seats of the agency that sent it, or that issued the document.
    """
    return shown(request, await _load(queue_id)(call.ctx, call.actor))


@router.patch("/messages/{queue_id}/class", response_model=ClassBody, responses=write_problems())
async def correct_class(writing: Writing, queue_id: QueueId, asked: ClassAsked, _bare: Bare) -> Response:
    """Correct what a message counts as. Figures of its days move with it, reported ones too.

    409: it counts as that already, or it was rejected.
    """
    return await changed(
        writing,
        Act.CLASS_CORRECT,
        _load(queue_id),
        lambda ctx, actor: classes.correct_class(
            ctx, actor, queue_id, asked.document_class, reason=asked.reason, symbol=asked.named
        ),
    )


@router.get("/class-samples", responses=problems(401, 403, 404, 422, 503))
async def list_samples(call: Reading, asked: Annotated[SampleQuery, Query()]) -> SamplePage:
    """A month's random sample by queue id, with what people confirmed."""
    (after,) = asked.after() or ("",)
    found = await classes.list_sample(call.ctx, call.actor, first_day(asked.month), agency=asked.agency)
    ordered = [one for one in sorted(found, key=lambda one: one.queue_id) if one.queue_id > after]
    page, following = asked.cut(ordered, lambda one: (one.queue_id,))
    zone = call.ctx.settings.province.timezone
    return SamplePage(items=[sample_body(one, zone) for one in page], next=following)


@router.post("/class-samples", status_code=201, response_model=SampleDrawn, responses=created_problems())
async def draw_sample(writing: Writing, asked: SampleAsked, _bare: Bare) -> Response:
    """Draw a month's sample, once, when the month is over."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        found = await classes.draw_sample(ctx, actor, first_day(asked.month), size=asked.size)
        body = SampleDrawn(month=asked.month, drawn=len(found))
        return created(body, f"/api/v1/class-samples?month={asked.month}")

    return await once(writing, work)


@router.post(
    "/class-samples/{queue_id}/confirm",
    response_model=SampleBody,
    responses=problems(401, 403, 404, 409, 413, 422, 429, 503),
)
async def confirm_class(writing: Writing, queue_id: QueueId, asked: ConfirmAsked, _bare: Bare) -> Response:
    """Say what a sampled message is; where it counts as something else, that is corrected with it."""

    async def work(ctx: AdminContext, actor: Actor) -> Answered:
        done = await classes.confirm_class(ctx, actor, queue_id, asked.document_class)
        return Answered(sample_body(done, ctx.settings.province.timezone))

    return await once(writing, work)


def _load(queue_id: str) -> Load:
    async def load(ctx: AdminContext, actor: Actor) -> ClassBody:
        view = await classes.show_class(ctx, actor, queue_id)
        return class_body(view, ctx.settings.province.timezone)

    return load
