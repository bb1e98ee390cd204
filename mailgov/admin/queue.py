"""Acts on messages on their way. The worker that owns the spool applies them; here they are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from mailgov.admin import rules
from mailgov.admin.checks import agency_code
from mailgov.admin.context import Actor, AdminContext, agency_filter, change, require, require_over
from mailgov.admin.errors import AdminError, conflict, invalid, not_found, unfinished
from mailgov.identity.roles import Act
from mailgov.mail.address import key_of
from mailgov.store import commands, traffic
from mailgov.store import queue as stored
from mailgov.store.commands import CommandView
from mailgov.store.queue import AttemptView, QueueEntry, QueueFilter
from mailgov.store.traffic import MessageView

WAIT_S = 10.0
"""Workers look for commands every second or so; longer means that none runs."""
LOOK_EVERY_S = 0.1
REASON_CHARACTERS = 500
NULL_PATH = "<>"


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for among what waits, as people say it; None leaves it open, and all hold together."""

    state: str | None = None
    agency: str | None = None
    """Code of the sending account's."""
    queue_id: str | None = None
    reverse_path: str | None = None
    """An address; `<>` for the null reverse-path."""
    recipient: str | None = None
    domain: str | None = None
    """The recipient's."""
    reply: str | None = None
    """What the last reply contains."""
    older_than_s: float | None = None
    newer_than_s: float | None = None

    @property
    def content(self) -> dict[str, object]:
        """What was said, for the audit log."""
        return {name: value for name, value in asdict(self).items() if value is not None}


ANYTHING = Search()


async def list_queue(
    ctx: AdminContext, actor: Actor, search: Search = ANYTHING, *, after: int = 0, limit: int = 100
) -> list[QueueEntry]:
    """Recipients that wait, oldest first, past the entry `after`."""
    wanted = await narrowed(ctx, actor, Act.QUEUE_READ, search)
    return await stored.waiting(ctx.db, wanted, after=after, limit=limit)


async def narrowed(ctx: AdminContext, actor: Actor, act: Act, search: Search) -> QueueFilter:
    """The search within what the actor's seat may do `act` on."""
    confined = agency_filter(actor, act, search.agency)
    if confined is not None:
        confined = await agency_code(ctx, confined)
    if search.state is not None:
        rules.one_of(search.state, traffic.WAITING, "state of a waiting recipient")
    now_ms, path = ctx.now_ms(), search.reverse_path
    older, newer = search.older_than_s, search.newer_than_s
    return QueueFilter(
        states=traffic.WAITING if search.state is None else (search.state,),
        agency=confined,
        queue_id=None if search.queue_id is None else search.queue_id.upper(),
        reverse_path=None if path is None else "" if path == NULL_PATH else key_of(path),
        recipient=None if search.recipient is None else key_of(search.recipient),
        domain=None if search.domain is None else search.domain.lower().removeprefix("@"),
        reply=search.reply,
        from_ms=None if newer is None else now_ms - int(newer * 1000),
        until_ms=None if older is None else now_ms - int(older * 1000),
    )


@dataclass(frozen=True, slots=True)
class QueuedView:
    """A message and what was tried so far."""

    message: MessageView
    attempts: list[AttemptView]


async def show_queued(ctx: AdminContext, actor: Actor, queue_id: str) -> QueuedView:
    """One message of which something waits with the history of its attempts, or AdminError `not-found`."""
    require(actor, Act.QUEUE_READ)
    message = await _message(ctx, actor, Act.QUEUE_READ, queue_id)
    if not _waiting(message):
        told = "nothing of it waits any more; trace (GET /api/v1/messages/<queue id>) tells what became of it"
        raise AdminError("not-found", "Not found", f"{message.queue_id}: {told}", 404)
    return QueuedView(message, await stored.attempts(ctx.db, message.queue_id))


async def hold(
    ctx: AdminContext, actor: Actor, queue_id: str, *, position: int | None = None, reason: str | None = None
) -> CommandView:
    """Keep a message, or one recipient of it, from leaving until it is released."""
    return await _act(ctx, actor, Act.QUEUE_HOLD, queue_id, position, reason)


async def release(
    ctx: AdminContext, actor: Actor, queue_id: str, *, position: int | None = None, reason: str | None = None
) -> CommandView:
    """Let what is held go on."""
    return await _act(ctx, actor, Act.QUEUE_RELEASE, queue_id, position, reason)


async def retry(
    ctx: AdminContext, actor: Actor, queue_id: str, *, position: int | None = None, reason: str | None = None
) -> CommandView:
    """Try now what is waiting for its next attempt."""
    return await _act(ctx, actor, Act.QUEUE_RETRY, queue_id, position, reason)


async def drop(
    ctx: AdminContext, actor: Actor, queue_id: str, *, reason: str, position: int | None = None
) -> CommandView:
    """Give a message, or one recipient of it, up for good. `reason` is on record."""
    if not reason.strip():
        raise invalid("dropping a message needs a reason")
    return await _act(ctx, actor, Act.QUEUE_DROP, queue_id, position, reason)


async def _act(
    ctx: AdminContext, actor: Actor, act: Act, queue_id: str, position: int | None, reason: str | None
) -> CommandView:
    """Ask, wait for the owner's answer, and give it. Raises AdminError when it was refused or is late."""
    require(actor, act)
    told = None if reason is None else checked_reason(reason)
    message = await _message(ctx, actor, act, queue_id)
    _check_position(message, position)
    async with change(ctx, actor, act, message.queue_id, directory=False) as step:
        command_id = await commands.enqueue(
            step.session,
            spool_id=message.spool_id,
            queue_id=message.queue_id,
            position=position,
            act=act.value.removeprefix("queue."),
            actor=actor.name,
            reason=told,
            expected_state=None,
            now_ms=step.now_ms,
        )
        step.content.update(command=command_id, position=position, reason=told)
    return await _answer(ctx, command_id, message.queue_id)


async def _answer(ctx: AdminContext, command_id: int, queue_id: str) -> CommandView:
    loop = asyncio.get_running_loop()
    until = loop.time() + WAIT_S
    while True:
        view = await commands.get(ctx.db, command_id)
        if view is not None and view.result == "done":
            return view
        if view is not None and view.result is not None:
            raise conflict(f"{queue_id}: {view.result_text or 'the relay refused'}")
        if loop.time() >= until:
            raise unfinished(
                f"{queue_id}: asked for, but no relay has answered yet; it is applied when one runs"
            )
        await asyncio.sleep(LOOK_EVERY_S)


async def _message(ctx: AdminContext, actor: Actor, act: Act, queue_id: str) -> MessageView:
    shown = rules.shown(queue_id)
    message = await traffic.get(ctx.db, queue_id) if queue_id.isascii() and queue_id.isalnum() else None
    if message is None:
        raise not_found("message", shown)
    require_over(actor, act, message.agency_code, "message", shown)
    return message


def _waiting(message: MessageView) -> Sequence[int]:
    return [one.position for one in message.recipients if one.state in traffic.WAITING]


def _check_position(message: MessageView, position: int | None) -> None:
    waiting = _waiting(message)
    if not waiting:
        raise conflict(f"{message.queue_id}: nothing of it waits any more")
    if position is not None and position not in waiting:
        raise conflict(f"{message.queue_id}: no recipient {position} waits")


def checked_reason(text: str) -> str:
    """A reason as it goes on record: one line."""
    reason = " ".join(text.split())
    if len(reason) > REASON_CHARACTERS or not reason.isprintable():
        raise invalid(f"a reason is one line of at most {REASON_CHARACTERS} characters")
    return reason
