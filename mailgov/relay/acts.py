"""Acts on queued mail, asked for through the ledger and applied by the spool's owner."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from mailgov.mail.events import Event, OutcomeEvent, RecipientState
from mailgov.relay.node import Node
from mailgov.relay.own import prepare_own
from mailgov.relay.scheduler import Scheduler
from mailgov.store import commands, outgoing
from mailgov.store.commands import PendingCommand
from mailgov.store.engine import Database, LedgerUnavailable
from mailgov.store.spool import Change, Progress, QueuedMessage, QueuedRecipient, Spool, SpoolError

log = structlog.get_logger()

INTERVAL_S = 1.0
BATCH = 100

_AFTER: dict[str, tuple[str | None, RecipientState]] = {
    "hold": ("held", "held"),
    "release": ("ready", "queued"),
    "retry": ("ready", "queued"),
    "drop": (None, "dropped"),
}
_FROM = {"hold": ("ready",), "release": ("held",), "retry": ("ready",), "drop": ("ready", "held")}


class Acts:
    """Applies `command` rows to the spools held here, and takes in `outgoing_mail`."""

    def __init__(self, node: Node, db: Database, spools: Sequence[Spool], scheduler: Scheduler) -> None:
        self._node, self._db, self._scheduler = node, db, scheduler
        self._spools = {spool.id: spool for spool in spools}

    async def run(self) -> None:
        """Look once a second, for ever."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.round()
            except (LedgerUnavailable, SpoolError) as error:
                log.debug("commands not looked at", cause=str(error))

    async def round(self) -> None:
        for spool in self._spools.values():
            for command in await commands.pending(self._db, spool.id, limit=BATCH):
                result, text = await self._apply(spool, command)
                await commands.finish(self._db, command.id, result, text, self._node.clock.now_ms())
        await self._take_outgoing()

    async def _apply(self, spool: Spool, command: PendingCommand) -> tuple[str, str]:
        """("done" or "refused", why). Applying a command twice does no harm: the second is refused."""
        message = await spool.find(command.queue_id)
        if message is None:
            return "refused", "the message is no longer in the queue"
        if command.act not in _AFTER:
            return "refused", f"unknown act {command.act!r}"
        chosen = [r for r in message.recipients if command.position in (None, r.position)]
        busy = [r for r in chosen if self._scheduler.in_flight(message.queue_id, r.position)]
        if busy:
            return "refused", "a delivery is under way, try again when it has ended"
        movable = [r for r in chosen if r.state in _FROM[command.act]]
        if not movable:
            return "refused", f"no recipient of the message can be asked to {command.act} now"
        await spool.apply(self._change(message, movable, command))
        self._scheduler.wake()
        log.info("queue act", act=command.act, queue_id=message.queue_id, actor=command.actor)
        return "done", f"{len(movable)} recipient{'' if len(movable) == 1 else 's'}"

    def _change(
        self, message: QueuedMessage, recipients: Sequence[QueuedRecipient], command: PendingCommand
    ) -> Change:
        state, told = _AFTER[command.act]
        now_ms = self._node.clock.now_ms()
        progress = [
            Progress(message.queue_id, r.position, state, r.attempts, now_ms, r.last_reply)
            for r in recipients
        ]
        events: list[Event] = [
            OutcomeEvent(
                queue_id=message.queue_id,
                position=r.position,
                at_ms=now_ms,
                state=told,
                reply=f"{command.act} by {command.actor}" + (f": {command.reason}" if command.reason else ""),
                attempts=r.attempts,
                account=r.context.get("account"),
                agency=r.context.get("agency"),
            )
            for r in recipients
        ]
        return Change(progress=progress, events=events)

    async def _take_outgoing(self) -> None:
        """Mail from roles without a relay: stored here first, then marked; a crash between repeats it."""
        node = self._node
        for mail in await outgoing.take(self._db, node.spool.id, node.clock.now_ms(), limit=BATCH):
            try:
                prepared = await prepare_own(
                    node, node.spool, mail.content, mail.reverse_path, mail.recipients
                )
                if prepared is not None:
                    await node.spool.apply(prepared.change)
            except Exception as error:  # its claim runs out and it comes again; the others go on
                log.error("outgoing mail not taken in", id=mail.id, exc_info=error)
                node.counters.add("internal_errors")
                continue
            self._scheduler.wake()
            queue_id = prepared.event.queue_id if prepared is not None else None
            await outgoing.mark_taken(self._db, mail.id, queue_id, node.clock.now_ms())
