"""Acts that look up traffic records."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mailgov.admin import rules
from mailgov.admin.context import Actor, AdminContext, agency_filter, require
from mailgov.admin.errors import not_found
from mailgov.admin.sight import matches, seen_by
from mailgov.identity.roles import Act
from mailgov.mail.address import key_of
from mailgov.store import traffic
from mailgov.store.queue import AttemptView, attempts
from mailgov.store.search import Filter, Place
from mailgov.store.traffic import MessageView

ID_CHARACTERS = 64


async def trace(ctx: AdminContext, actor: Actor, any_id: str) -> MessageView:
    """The record of a queue id, or of the message that a decision id is about.

    An agency's own seat sees what its accounts sent and what its mailboxes were sent.
    """
    require(actor, Act.MESSAGE_READ)
    shown = rules.shown(any_id)
    if not (any_id.isascii() and any_id.isalnum() and len(any_id) <= ID_CHARACTERS):
        raise not_found("message", shown)
    message = await traffic.get(ctx.db, any_id.upper()) or await traffic.get(ctx.db, any_id)
    if message is None:
        decision = await traffic.decision(ctx.db, any_id.lower())
        message = await traffic.get(ctx.db, decision.queue_id) if decision is not None else None
    seen = None if message is None else await seen_by(ctx.db, message, seat(actor))
    if seen is None:
        raise not_found("message", shown)
    return seen


async def history(ctx: AdminContext, seen: MessageView) -> list[AttemptView]:
    """Attempts and acts of the recipients that are in the record as it is seen, oldest first."""
    positions = {one.position for one in seen.recipients}
    return [one for one in await attempts(ctx.db, seen.queue_id) if one.position in positions]


@dataclass(frozen=True, slots=True)
class Page:
    """Records as the actor may see them; `next` is the place to go on after, None at the end."""

    items: list[MessageView]
    next: Place | None


async def list_messages(
    ctx: AdminContext, actor: Actor, wanted: Filter, *, limit: int = 50, after: Place | None = None
) -> Page:
    """Traffic records that answer a filter, newest first.

    An agency's seat may get fewer than `limit` though there are more. Raises AdminError for an
    agency that is not the seat's.
    """
    agency = agency_filter(actor, Act.MESSAGE_READ, wanted.agency)
    own = seat(actor)
    wanted = _normal(replace(wanted, agency=agency, seat=own is not None))
    found = await traffic.list_messages(ctx.db, wanted, limit=limit + 1, after=after)
    page = found[:limit]
    items = []
    for one in page:
        seen = await seen_by(ctx.db, one, own)
        if seen is not None and (own is None or matches(seen, wanted)):
            items.append(seen)
    return Page(items, page[-1].place if len(found) > len(page) else None)


def seat(actor: Actor) -> str | None:
    """The agency that the actor is confined to, or None for the whole province."""
    return agency_filter(actor, Act.MESSAGE_READ, None)


def _normal(wanted: Filter) -> Filter:
    """With addresses in the form that records have."""
    account = None if wanted.account is None else key_of(wanted.account)
    recipient = None if wanted.recipient is None else key_of(_bare(wanted.recipient))
    return replace(wanted, account=account, recipient=recipient)


def _bare(address: str) -> str:
    return address.strip().removeprefix("<").removesuffix(">")
