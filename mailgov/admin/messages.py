"""Acts that look up traffic records."""

from __future__ import annotations

from mailgov.admin import rules
from mailgov.admin.context import Actor, AdminContext, require
from mailgov.admin.errors import not_found
from mailgov.identity.roles import Act, covers
from mailgov.store import traffic
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
    if message is None or not _visible(actor, message):
        raise not_found("message", shown)
    return message


def _visible(actor: Actor, message: MessageView) -> bool:
    agencies = {message.agency_code, *(one.agency_code for one in message.recipients)}
    return any(covers(actor.role, Act.MESSAGE_READ, actor.agency, agency) for agency in agencies)
