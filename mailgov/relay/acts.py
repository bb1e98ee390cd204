"""Acts on queued mail, asked for through the ledger and applied by the spool's owner."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

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
BATCH = 500
BATCHES = 50
"""So many times a round asks for more of one spool's: an act on many leaves time for other work."""

Answer = tuple[int, str, str]
"""A command's id, `done` or `refused`, and why."""

_AFTER: dict[str, tuple[str | None, RecipientState]] = {
    "hold": ("held", "held"),
    "release": ("ready", "queued"),
    "retry": ("ready", "queued"),
    "drop": (None, "dropped"),
}
_WHY_NOT = {
    "hold": "held already",
    "release": "not held: it goes on by itself",
    "retry": "held: release it first",
    "drop": "nobody waits whom this is for",
}
_FROM = {"hold": ("ready",), "release": ("held",), "retry": ("ready",), "drop": ("ready", "held")}


_UNDER_WAY = "a delivery is under way, try again when it has ended"


def _answer(number: int, moved: Collection[int], left: int) -> Answer:
    """To a request whose recipients could be asked but for `left`; they may have been leased since."""
    if not moved:
        return number, "refused", _UNDER_WAY
    told = f"{len(moved)} recipient{'' if len(moved) == 1 else 's'}"
    return number, "done", f"{told}; a delivery to {left} more is under way" if left else told


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
            for _ in range(BATCHES):
                asked = await commands.pending(self._db, spool.id, limit=BATCH)
                if not asked:
                    break
                answers = await self._apply_all(spool, asked)
                await commands.finish_many(self._db, answers, self._node.clock.now_ms())
                if len(answers) < len(asked):
                    break
        await self._take_outgoing()

    async def _apply_all(self, spool: Spool, asked: Sequence[PendingCommand]) -> list[Answer]:
        """Answers to the requests, but for those that the spool could not take now.

        Messages go side by side and share the spool's commits; what is asked of one message goes in order.
        """
        by_message: dict[str, list[PendingCommand]] = {}
        for one in asked:
            by_message.setdefault(one.queue_id, []).append(one)
        found = await asyncio.gather(
            *(self._apply_in_order(spool, of_one) for of_one in by_message.values()), return_exceptions=True
        )
        self._scheduler.wake()
        answers: list[Answer] = []
        for one_found in found:
            if isinstance(one_found, SpoolError):
                log.warning("acts not applied", spool=spool.id, cause=str(one_found))
            elif isinstance(one_found, BaseException):
                raise one_found
            else:
                answers += one_found
        return answers

    async def _apply_in_order(self, spool: Spool, asked: Sequence[PendingCommand]) -> list[Answer]:
        """Requests for one message; those of one act that come together are one change.

        Applying a command twice does no harm: the second is refused.
        """
        answers: list[Answer] = []
        for _, alike in groupby(asked, lambda one: (one.act, one.actor, one.reason)):
            answers += await self._apply(spool, list(alike))
        return answers

    async def _apply(self, spool: Spool, asked: Sequence[PendingCommand]) -> list[Answer]:
        """("done" or "refused", why) for each of some requests of one act on one message."""
        message, act = await spool.find(asked[0].queue_id), asked[0].act
        if message is None or act not in _AFTER:
            why = f"unknown act {act!r}" if message is not None else "the message is no longer in the queue"
            return [(one.id, "refused", why) for one in asked]
        answers: list[Answer] = []
        wanted: dict[int, QueuedRecipient] = {}
        chosen: dict[int, tuple[set[int], int]] = {}
        for one in asked:
            movable = self._movable(message, one, wanted)
            if isinstance(movable, str):
                answers.append((one.id, "refused", movable))
                continue
            wanted.update({r.position: r for r in movable})
            busy = sum(self._busy(message, r) for r in message.recipients) if act != "release" else 0
            chosen[one.id] = {r.position for r in movable}, busy
        if not wanted:
            return answers
        change = self._change(message, list(wanted.values()), asked[0])
        moved = await spool.act(change, _FROM[act])
        log.info("queue act", act=act, queue_id=message.queue_id, actor=asked[0].actor, recipients=len(moved))
        for number, (of_one, busy) in chosen.items():
            done = of_one.intersection(moved)
            answers.append(_answer(number, done, len(of_one) - len(done) + busy))
        return answers

    def _busy(self, message: QueuedMessage, recipient: QueuedRecipient) -> bool:
        return self._scheduler.in_flight(message.queue_id, recipient.position)

    def _movable(
        self, message: QueuedMessage, command: PendingCommand, wanted: Mapping[int, QueuedRecipient]
    ) -> list[QueuedRecipient] | str:
        """The recipients that a request is to move, or why there are none; `wanted` are asked for already.

        One that is being delivered holds up no others of the message: its next hop may hang for minutes.
        """
        chosen = [
            r
            for r in message.recipients
            if command.position in (None, r.position) and r.position not in wanted
        ]
        idle = [r for r in chosen if not self._busy(message, r)]
        movable = [r for r in idle if r.state in _FROM[command.act]]
        if movable:
            return movable
        if len(idle) < len(chosen):
            return _UNDER_WAY
        return _WHY_NOT[command.act] if chosen else "asked for a moment ago, or nobody waits whom this is for"

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
