"""One act on much of the queue: counted first, then asked for in pages, each audited and answered."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from mailgov.admin.context import Actor, AdminContext, change
from mailgov.admin.errors import conflict, invalid
from mailgov.admin.queue import Search, checked_reason, narrowed
from mailgov.identity.roles import Act
from mailgov.store import commands
from mailgov.store import queue as stored
from mailgov.store.queue import QueueFilter
from mailgov.store.traffic import PAGE_LIMIT

MANY_LIMIT = 100_000
"""Recipients that one call acts on: bounds how long it holds the ledger in all."""
WAIT_S = 10.0
LOOK_EVERY_S = 0.25
BATCH_OCTETS = 8
ACTS = {
    "hold": (Act.QUEUE_HOLD, ("queued", "deferred")),
    "release": (Act.QUEUE_RELEASE, ("held",)),
    "retry": (Act.QUEUE_RETRY, ("queued", "deferred")),
    "drop": (Act.QUEUE_DROP, ("queued", "deferred", "held")),
}
"""By the act's word: the permission, and the states of what it can move."""


@dataclass(frozen=True, slots=True)
class Many:
    """What an act on many came to, or (`applied` False) would be asked for."""

    act: str
    messages: int
    recipients: int
    applied: bool = False
    done: int = 0
    refused: int = 0
    """A delivery was under way, or it has left since."""
    unanswered: int = 0
    """Asked for; no relay has answered yet."""


async def preview(ctx: AdminContext, actor: Actor, act: str, search: Search) -> Many:
    """How much `act` would be asked for; nothing is."""
    recipients, messages = await stored.count(ctx.db, await _wanted(ctx, actor, act, search))
    return Many(act, messages, recipients)


async def act_on_many(
    ctx: AdminContext, actor: Actor, act: str, search: Search, *, at_most: int, reason: str | None = None
) -> Many:
    """Ask for `act` on all that is found, and wait a while for the relays' answers.

    Nothing is done where more than `at_most` recipients are found: what was counted before has grown.
    Raises AdminError.
    """
    told = None if reason is None else checked_reason(reason)
    if act == "drop" and not told:
        raise invalid("dropping messages needs a reason")
    wanted = await _wanted(ctx, actor, act, search)
    recipients, messages = await stored.count(ctx.db, wanted)
    if recipients > at_most:
        raise conflict(f"{recipients} recipients wait now, more than the {at_most} that were allowed for")
    if recipients > MANY_LIMIT:
        raise invalid(f"{recipients} recipients are more than {MANY_LIMIT}: narrow the search")
    batch = ctx.token_hex(BATCH_OCTETS)
    asked = await _ask(ctx, actor, act, search, wanted, told, batch, at_most)
    done, refused = await _answers(ctx, batch, asked)
    return Many(act, messages, asked, True, done, refused, asked - done - refused)


async def _wanted(ctx: AdminContext, actor: Actor, act: str, search: Search) -> QueueFilter:
    if act not in ACTS:
        raise invalid(f"no act {act!r}: hold, release, retry or drop")
    permission, states = ACTS[act]
    wanted = await narrowed(ctx, actor, permission, search)
    return replace(wanted, states=tuple(state for state in wanted.states if state in states))


async def _ask(
    ctx: AdminContext,
    actor: Actor,
    act: str,
    search: Search,
    wanted: QueueFilter,
    reason: str | None,
    batch: str,
    at_most: int,
) -> int:
    """Pages of requests, each with its audit row; the number of recipients."""
    asked = after = 0
    while asked < at_most:
        limit = min(PAGE_LIMIT, at_most - asked)
        page = await stored.waiting(ctx.db, wanted, after=after, limit=limit)
        if not page:
            break
        after = page[-1].id
        async with change(ctx, actor, ACTS[act][0], f"batch {batch}", directory=False) as step:
            rows = [(one.spool_id, one.queue_id, one.position) for one in page]
            await commands.enqueue_many(
                step.session, rows, act=act, actor=actor.name, reason=reason, batch=batch, now_ms=step.now_ms
            )
            queue_ids = list(dict.fromkeys(one.queue_id for one in page))
            step.content.update(
                search=search.content, reason=reason, recipients=len(page), queue_ids=queue_ids
            )
        asked += len(page)
    return asked


async def _answers(ctx: AdminContext, batch: str, asked: int) -> tuple[int, int]:
    loop = asyncio.get_running_loop()
    until = loop.time() + WAIT_S
    while True:
        done, refused = await commands.answered(ctx.db, batch)
        if done + refused >= asked or loop.time() >= until:
            return done, refused
        await asyncio.sleep(LOOK_EVERY_S)
