"""`/api/v1/queue`: what waits, and the acts on it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from mailgov.admin import queue, queue_many
from mailgov.admin.errors import invalid
from mailgov.api import examples
from mailgov.api.deps import Acting, Bare, Parameters, Reading, Services, Text
from mailgov.api.paging import PageQuery
from mailgov.api.records import (
    CommandBody,
    ManyBody,
    QueuePage,
    TracedBody,
    command_body,
    many_body,
    queue_body,
    traced_body,
)
from mailgov.api.schemas import problems

REASON_CHARACTERS = 500
AGE_S_MAX = 400 * 86_400

router = APIRouter(tags=["queue"])


class QueueSearch(Parameters):
    """Filters hold together."""

    state: Literal["queued", "deferred", "held"] | None = None
    agency: Text | None = Field(None, description="Code of the sending account's agency.")
    queue_id: Text | None = None
    reverse_path: Text | None = Field(None, description="Its address, or the account's; `<>` for bounces.")
    recipient: Text | None = Field(None, description="Its address, as it was written or as it became.")
    domain: Text | None = Field(None, description="The recipient's.")
    reply: Text | None = Field(None, description="What the last reply contains.")
    older_than_s: int | None = Field(None, ge=0, le=AGE_S_MAX, description="Accepted before so many seconds.")
    newer_than_s: int | None = Field(None, ge=0, le=AGE_S_MAX, description="Accepted within so many seconds.")

    def search(self) -> queue.Search:
        """As `admin` takes it."""
        return queue.Search(**{name: getattr(self, name) for name in QueueSearch.model_fields})


class QueueQuery(QueueSearch, PageQuery):
    """The search, and which page of it."""


class QueueAct(BaseModel):
    """`position` names one recipient of the message; without it the act is on all that wait."""

    model_config = ConfigDict(extra="forbid")
    position: int | None = Field(None, ge=0, le=1_000_000)
    reason: str | None = Field(None, min_length=1, max_length=REASON_CHARACTERS)


class QueueActOnMany(BaseModel):
    """An act on all that a search finds. Without `at_most` it is only counted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": examples.ACT_ON_MANY})
    act: Literal["hold", "release", "retry", "drop"]
    search: QueueSearch
    reason: str | None = Field(None, min_length=1, max_length=REASON_CHARACTERS)
    at_most: int | None = Field(
        None, ge=0, le=queue_many.MANY_LIMIT, description="Where more recipients are found, nothing is done."
    )


@router.get("/queue", responses=problems(401, 403, 404, 422, 503))
async def list_queue(call: Reading, asked: Annotated[QueueQuery, Query()]) -> QueuePage:
    """Recipients that wait, the oldest first."""
    found = await queue.list_queue(
        call.ctx, call.actor, asked.search(), after=asked.after_id() or 0, limit=asked.limit + 1
    )
    page, following = asked.cut_rows(found)
    return QueuePage(items=[queue_body(one, call.ctx.settings) for one in page], next=following)


@router.get("/queue/{queue_id}", responses=problems(401, 403, 404, 422, 503))
async def show_queued(
    call: Reading, queue_id: Annotated[str, Path(max_length=100)], _bare: Bare
) -> TracedBody:
    """One message of which something waits, and what was tried so far, with the next hop's words."""
    found = await queue.show_queued(call.ctx, call.actor, queue_id)
    return traced_body(found.message, found.attempts, call.ctx.settings)


@router.post("/queue/acts", responses=problems(401, 403, 404, 409, 413, 422, 503))
async def act_on_many(services: Services, caller: Acting, _bare: Bare, asked: QueueActOnMany) -> ManyBody:
    """Hold, release, retry or drop all that a search finds; `drop` needs a reason.

    First without `at_most`, to see how much it is; then with it. The relay workers that own the
    messages apply it, and what they have not answered within ten seconds is still done. An agency's
    seat acts on its own accounts' mail alone. 409: more was found than `at_most`.
    """
    ctx, actor, search = services.admin(), caller.actor, asked.search.search()
    if asked.at_most is None:
        return many_body(await queue_many.preview(ctx, actor, asked.act, search))
    return many_body(
        await queue_many.act_on_many(
            ctx, actor, asked.act, search, at_most=asked.at_most, reason=asked.reason
        )
    )


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
