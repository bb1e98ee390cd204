"""`/api/v1/messages`: traffic records."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator, Field

from mailgov.admin import messages
from mailgov.admin.context import agency_filter
from mailgov.admin.errors import not_found
from mailgov.admin.rules import shown
from mailgov.admin.sight import seen_by
from mailgov.api import cursor
from mailgov.api.deps import Bare, Parameters, Reading, Text, one_line
from mailgov.api.problem import Problem
from mailgov.api.records import MessagePage, TracedBody, message_body, traced_body
from mailgov.api.schemas import problems
from mailgov.api.times import TimeError, moment_ms
from mailgov.identity.roles import Act
from mailgov.mail.events import (
    Decided,
    Direction,
    MalwareWord,
    RecipientState,
    ResultWord,
    Risk,
    SpamWord,
)
from mailgov.store import traffic
from mailgov.store.search import Filter, Place

LIMIT_MAX = 500
MESSAGE_ID_CHARACTERS = 1000

router = APIRouter(tags=["messages"])


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("not an IP address") from None


MessageId = Annotated[str, Field(min_length=1, max_length=MESSAGE_ID_CHARACTERS), AfterValidator(one_line)]
Ip = Annotated[Text, AfterValidator(_address)]


class MessageQuery(Parameters):
    """Filters hold together; each is an exact match."""

    agency: Text | None = Field(None, description="Code of the sending account's or a recipient's agency.")
    account: Text | None = Field(None, description="Address of the sending account or of a mailbox.")
    sender: Text | None = Field(
        None,
        description="Who wrote from outside, by reverse-path or author: an address, or a domain.",
        examples=["dan@dan.test"],
    )
    recipient: Text | None = Field(
        None, description="An address that it went to, or that was written where an alias or list led there."
    )
    message_id: MessageId | None = Field(
        None, description="Message-ID, with or without its brackets.", examples=["<1@dan.test>"]
    )
    rule: Text | None = Field(
        None, description="Id of a rule that decided, or would have.", examples=["risky-attachment"]
    )
    decision: Decided | None = Field(
        None, description="By that rule, or by any; would-reject: of a rule in monitor mode."
    )
    spf: ResultWord | None = None
    dkim: ResultWord | None = None
    dmarc: ResultWord | None = None
    malware: MalwareWord | None = None
    spam: SpamWord | None = None
    risk: Risk | None = Field(None, description="What one of its attachments is.")
    client: Ip | None = Field(None, description="The IP address it came from.", examples=["203.0.113.9"])
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
    wanted = _filter(asked, agency, call.ctx.settings.province.timezone)
    marked = _marked(wanted)
    after = None if asked.cursor is None else _place(asked.cursor, marked)
    page = await messages.list_messages(call.ctx, call.actor, wanted, limit=asked.limit, after=after)
    items = [message_body(seen, call.ctx.settings) for seen in page.items]
    return MessagePage(items=items, next=None if page.next is None else cursor.encode(page.next, marked))


@router.get("/messages/{queue_id}", responses=problems(401, 403, 404, 422, 503))
async def show_message(
    call: Reading, queue_id: Annotated[str, Path(max_length=100)], _bare: Bare
) -> TracedBody:
    """One traffic record with all its recipients and decisions, and the history of its attempts."""
    seat = messages.seat(call.actor)
    found = await traffic.get(call.ctx.db, queue_id) if queue_id.isprintable() else None
    seen = None if found is None else await seen_by(call.ctx.db, found, seat)
    if seen is None:
        raise not_found("message", shown(queue_id))
    return traced_body(seen, await messages.history(call.ctx, seen), call.ctx.settings)


def _filter(asked: MessageQuery, agency: str | None, timezone: str) -> Filter:
    same: dict[str, Any] = {name: getattr(asked, name, None) for name in Filter.__slots__ if name != "seat"}
    same["agency"] = agency
    same["from_ms"] = _moment("from", asked.from_, timezone)
    same["until_ms"] = _moment("to", asked.to, timezone)
    return Filter(**same)


def _moment(name: str, text: str | None, timezone: str) -> int | None:
    try:
        return None if text is None else moment_ms(text, timezone)
    except TimeError as error:
        raise Problem(422, "invalid-request", f"query {name}: {error}") from None


def _marked(wanted: Filter) -> dict[str, Any]:
    """The filters that a cursor belongs to; who asks is no part of the question."""
    return {name: getattr(wanted, name) for name in Filter.__slots__ if name != "seat"}


def _place(text: str, marked: dict[str, Any]) -> Place:
    try:
        at_ms, row = cursor.decode(text, marked, 2)
    except cursor.CursorError as error:
        raise Problem(422, "invalid-request", f"query cursor: {error}") from None
    return at_ms, row
