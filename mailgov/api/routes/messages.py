"""`/api/v1/messages`: traffic records."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from mailgov.admin.context import agency_filter
from mailgov.admin.errors import not_found
from mailgov.admin.rules import shown
from mailgov.api import cursor
from mailgov.api.deps import Bare, Call, Parameters, Reading, Text
from mailgov.api.problem import Problem
from mailgov.api.records import MessageBody, MessagePage, message_body
from mailgov.api.schemas import problems
from mailgov.api.sight import matches, seen_by
from mailgov.api.times import TimeError, moment_ms
from mailgov.identity.roles import Act
from mailgov.mail.address import key_of
from mailgov.mail.events import Direction, RecipientState
from mailgov.store import traffic
from mailgov.store.traffic import Filter

LIMIT_MAX = 500

router = APIRouter(tags=["messages"])


class MessageQuery(Parameters):
    """Filters hold together; each is an exact match."""

    agency: Text | None = Field(None, description="Code of the sending account's or a recipient's agency.")
    account: Text | None = Field(None, description="Address of the sending account or of a mailbox.")
    from_: Text | None = Field(
        None, alias="from", description="First moment: 2026-11-01 (a local day) or a time with its offset."
    )
    to: Text | None = Field(None, description="First moment outside, in the same form.")
    direction: Direction | None = Field(None, description="Of a recipient.")
    state: RecipientState | None = Field(None, description="Of that same recipient.")
    verdict: Literal["accepted", "rejected"] | None = None
    queue_id: Text | None = None
    limit: int = Field(50, ge=1, le=LIMIT_MAX)
    cursor: str | None = Field(None, max_length=cursor.CURSOR_LIMIT, description="`next` of the page before.")


@router.get("/messages", responses=problems(401, 403, 404, 422, 503))
async def list_messages(call: Reading, asked: Annotated[MessageQuery, Query()]) -> MessagePage:
    """Traffic records, the newest first, 50 or up to 500 a page.

    An agency's seat sees what its accounts sent and what reached it; a page may then be shorter
    than `limit`, and the list ends where `next` is null. Records that arrive meanwhile do not
    disturb the pages.
    """
    agency = agency_filter(call.actor, Act.MESSAGE_READ, asked.agency)
    seat = _seat(call)
    wanted = _filter(asked, agency, call.ctx.settings.province.timezone, seat=seat is not None)
    marked = _marked(wanted)
    after = None if asked.cursor is None else _place(asked.cursor, marked)
    found = await traffic.list_messages(call.ctx.db, wanted, limit=asked.limit + 1, after=after)
    page = found[: asked.limit]
    items = []
    for one in page:
        seen = await seen_by(call.ctx.db, one, seat)
        if seen is not None and (seat is None or matches(seen, wanted)):
            items.append(message_body(seen, call.ctx.settings))
    following = cursor.encode(page[-1].place, marked) if len(found) > len(page) else None
    return MessagePage(items=items, next=following)


@router.get("/messages/{queue_id}", responses=problems(401, 403, 404, 422, 503))
async def show_message(
    call: Reading, queue_id: Annotated[str, Path(max_length=100)], _bare: Bare
) -> MessageBody:
    """One traffic record with all its recipients and decisions."""
    seat = _seat(call)
    found = await traffic.get(call.ctx.db, queue_id) if queue_id.isprintable() else None
    seen = None if found is None else await seen_by(call.ctx.db, found, seat)
    if seen is None:
        raise not_found("message", shown(queue_id))
    return message_body(seen, call.ctx.settings)


def _seat(call: Call) -> str | None:
    """The agency that the caller is confined to, or None for the whole province."""
    return agency_filter(call.actor, Act.MESSAGE_READ, None)


def _filter(asked: MessageQuery, agency: str | None, timezone: str, *, seat: bool) -> Filter:
    try:
        from_ms = None if asked.from_ is None else moment_ms(asked.from_, timezone)
        until_ms = None if asked.to is None else moment_ms(asked.to, timezone)
    except TimeError as error:
        raise Problem(422, "invalid-request", f"query from/to: {error}") from None
    return Filter(
        agency=agency,
        account=None if asked.account is None else key_of(asked.account),
        queue_id=asked.queue_id,
        from_ms=from_ms,
        until_ms=until_ms,
        state=asked.state,
        direction=asked.direction,
        verdict=asked.verdict,
        seat=seat,
    )


def _marked(wanted: Filter) -> dict[str, Any]:
    """The filters that a cursor belongs to; who asks is no part of the question."""
    return {name: getattr(wanted, name) for name in Filter.__slots__ if name != "seat"}


def _place(text: str, marked: dict[str, Any]) -> traffic.Place:
    try:
        at_ms, row = cursor.decode(text, marked, 2)
    except cursor.CursorError as error:
        raise Problem(422, "invalid-request", f"query cursor: {error}") from None
    return at_ms, row
