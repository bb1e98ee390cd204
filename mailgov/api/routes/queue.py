"""`/api/v1/queue`: what waits, and the acts on it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from mailgov.admin import queue
from mailgov.admin.errors import invalid
from mailgov.api.deps import Acting, Bare, Reading, Services, Text
from mailgov.api.paging import PageQuery
from mailgov.api.records import CommandBody, QueuePage, command_body, queue_body
from mailgov.api.schemas import problems

REASON_CHARACTERS = 500

router = APIRouter(tags=["queue"])


class QueueQuery(PageQuery):
    """Filters hold together."""

    state: Literal["queued", "deferred", "held"] | None = None
    agency: Text | None = Field(None, description="Code of the sending account's agency.")


class QueueAct(BaseModel):
    """`position` names one recipient of the message; without it the act is on all that wait."""

    model_config = ConfigDict(extra="forbid")
    position: int | None = Field(None, ge=0, le=1_000_000)
    reason: str | None = Field(None, min_length=1, max_length=REASON_CHARACTERS)


@router.get("/queue", responses=problems(401, 403, 404, 422, 503))
async def list_queue(call: Reading, asked: Annotated[QueueQuery, Query()]) -> QueuePage:
    """Recipients that wait, the oldest first."""
    found = await queue.list_queue(
        call.ctx,
        call.actor,
        state=asked.state,
        agency=asked.agency,
        after=asked.after_id() or 0,
        limit=asked.limit + 1,
    )
    page, following = asked.cut_rows(found)
    return QueuePage(items=[queue_body(one, call.ctx.settings) for one in page], next=following)


@router.post("/queue/{queue_id}/{act}", responses=problems(401, 403, 404, 409, 413, 422, 503, 504))
async def act_on_queue(
    services: Services,
    caller: Acting,
    queue_id: Annotated[str, Path(max_length=100)],
    act: Literal["hold", "release", "retry", "drop"],
    _bare: Bare,
    asked: QueueAct | None = None,
) -> CommandBody:
    """Hold, release, retry or drop what waits of a message; `drop` needs a reason.

    The relay worker that owns the message applies it, usually within a second. 409: it was
    refused, for instance because nothing waits any more. 504: no worker has answered yet; the
    act stays asked for.
    """
    asked = asked or QueueAct()
    ctx, actor = services.admin(), caller.actor
    if act == "drop":
        if asked.reason is None:
            raise invalid("dropping a message needs a reason")
        view = await queue.drop(ctx, actor, queue_id, reason=asked.reason, position=asked.position)
    else:
        do = {"hold": queue.hold, "release": queue.release, "retry": queue.retry}[act]
        view = await do(ctx, actor, queue_id, position=asked.position, reason=asked.reason)
    return command_body(view, services.settings)
