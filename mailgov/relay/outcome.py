"""From replies to the spool: delivered, to be tried again, or failed for good with a bounce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from mailgov.logs import told
from mailgov.mail.dsn import Action
from mailgov.mail.events import DecisionRecord, Event, OutcomeEvent, RecipientState
from mailgov.mail.reply import Reply, set_aside
from mailgov.relay.bounce import Fate, bounce
from mailgov.relay.intake import Prepared
from mailgov.relay.node import Node
from mailgov.relay.notify import wants_delays, wants_success
from mailgov.settings import DeliverySettings
from mailgov.store.spool import Change, Progress, QueuedMessage, QueuedRecipient, Spool

log = structlog.get_logger()

EXPIRED = Reply(554, "5.4.7", "Delivery time expired")
BROKE = "broke"
"""In a recipient's context: so many attempts broke inside."""
DELAY_TOLD = "delay_told"
"""In a recipient's context: its sender has heard that it waits."""
JITTER = 0.1
"""Waits vary by this share, so that a thousand deferred messages do not come back at once."""


@dataclass(slots=True)  # not frozen: each delivery makes one, and that would take it three times as long
class Outcome:
    """What one attempt came to for one recipient."""

    recipient: QueuedRecipient
    reply: Reply
    mx_host: str | None = None
    mx_provider: str | None = None
    decision: DecisionRecord | None = None
    taken: Literal["delivered", "relayed", "passed"] = "delivered"
    """What a positive reply means for a report of success (RFC 3461 5.2): it is in the mailbox; a next
    hop has it that reports nothing; or one that reports itself, since it was told what the sender wishes."""
    tls: str | None = None
    """Of the session, as the traffic record tells it."""
    broke: bool = False
    """The attempt raised what nobody expects: perhaps it is the message."""


@dataclass(slots=True)
class _Step:
    """What an outcome makes of its recipient."""

    outcome: Outcome
    progress: Progress
    state: RecipientState
    reply: Reply


async def settle(node: Node, spool: Spool, message: QueuedMessage, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes of one attempt, and what the author is to hear of them, in one transaction.

    Raises SpoolError when it could not be written: then nothing of it was.
    """
    now_ms = node.clock.now_ms()
    steps = [_judge(node, message, outcome, now_ms) for outcome in outcomes]
    notice = None
    if any(_action(node, message, step, now_ms) for step in steps):
        steps, notice = await _with_report(node, spool, message, steps, now_ms)
    progress, events, lost_is_repeated = [], list[Event](), notice is None
    for step in steps:
        line = step.reply.line()
        node.counters.add(step.state)
        told(
            step.state, queue_id=message.queue_id, position=step.progress.position,
            attempts=step.progress.attempts, host=step.outcome.mx_host, reply=line,
        )  # fmt: skip
        progress.append(step.progress)
        events.append(_event(message, step, line, now_ms))
        lost_is_repeated = lost_is_repeated and step.state == "delivered"
    if lost_is_repeated:
        # Losing this costs a repeated delivery after a crash, no more: it need not be waited for.
        spool.apply_later(Change(progress=progress, events=events))
        return
    messages = [notice.message] if notice is not None and notice.message is not None else []
    events += [notice.event] if notice is not None else []
    await spool.apply(Change(messages=messages, progress=progress, events=events))
    node.offer(None, 0)


async def _with_report(
    node: Node, spool: Spool, message: QueuedMessage, steps: list[_Step], now_ms: int
) -> tuple[list[_Step], Prepared | None]:
    """The steps, and one report of all that the author is to hear.

    Where it cannot be made now, those that failed wait instead: nobody would be told, and the others
    of the attempt must be settled, or they would get the message again. Delays are told at the next
    attempt then; that a message arrived is not, for it must not arrive twice.
    """
    fates: list[Fate] = []
    told = list(steps)
    for number, step in enumerate(steps):
        action = _action(node, message, step, now_ms)
        if action is None:
            continue
        fates.append(
            Fate(step.outcome.recipient, step.reply, step.outcome.mx_host, action, step.outcome.reply)
        )
        if action == "delayed":
            context = {**(step.progress.context or step.outcome.recipient.context), DELAY_TOLD: True}
            told[number] = replace(step, progress=replace(step.progress, context=context))
    try:
        return told, await bounce(node, spool, message, fates, now_ms)
    except Exception as error:
        log.error("no report could be made", queue_id=message.queue_id, exc_info=error)
        node.counters.add("internal_errors")
    return [
        _deferred(node, message, step, now_ms) if step.state == "bounced" else step for step in steps
    ], None


def _action(node: Node, message: QueuedMessage, step: _Step, now_ms: int) -> Action | None:
    """What is to be told of a step; None for nothing."""
    recipient = step.outcome.recipient
    if step.state == "bounced":
        return "failed"
    if not message.reverse_path:
        return None
    if step.state == "delivered":
        taken = step.outcome.taken
        return taken if taken != "passed" and wants_success(recipient) else None
    at_ms = _delay_report_ms(node, message, recipient)
    return "delayed" if at_ms is not None and now_ms >= at_ms else None


def _delay_report_ms(node: Node, message: QueuedMessage, recipient: QueuedRecipient) -> int | None:
    """When the author is to hear that this recipient waits; None: never, or he was told."""
    after_s = node.settings.delivery.delay_report_s
    if not after_s or not message.reverse_path or recipient.context.get(DELAY_TOLD):
        return None
    return message.received_ms + int(after_s * 1000) if wants_delays(message, recipient) else None


def _judge(node: Node, message: QueuedMessage, outcome: Outcome, now_ms: int) -> _Step:
    recipient, reply = outcome.recipient, outcome.reply
    final = Progress(message.queue_id, recipient.position, None, recipient.attempts + 1)
    if reply.positive:
        return _Step(outcome, final, "delivered", reply)
    if outcome.broke:
        return _broken(node, message, _Step(outcome, final, "deferred", reply), now_ms)
    if reply.transient:
        if now_ms - message.received_ms < node.settings.delivery.expire_s * 1000 or node.steady.doubtful():
            return _deferred(node, message, _Step(outcome, final, "deferred", reply), now_ms)
        reply = Reply(EXPIRED.code, EXPIRED.enhanced, f"{EXPIRED.text}; last reply: {reply.line()}")
    return _Step(outcome, final, "bounced", reply)


def _broken(node: Node, message: QueuedMessage, step: _Step, now_ms: int) -> _Step:
    """It waits as any other; after so many times a person has to look, and it stops nobody meanwhile."""
    recipient = step.outcome.recipient
    times = int(recipient.context.get(BROKE, 0)) + 1
    step = _deferred(node, message, step, now_ms)
    progress = replace(step.progress, context={**recipient.context, BROKE: times})
    if times < node.settings.spool.set_aside_after:
        return replace(step, progress=progress)
    log.error("message set aside: attempts break on it", queue_id=message.queue_id, times=times)
    reply = set_aside(times)
    held = replace(progress, state="held", last_reply=reply.line())
    return replace(step, progress=held, state="held", reply=reply)


def _deferred(node: Node, message: QueuedMessage, step: _Step, now_ms: int) -> _Step:
    """The recipient waits for another attempt, by the schedule; one more comes before a delay is told.

    The last one comes when its time is over: a notice of delay says until when it is tried.
    """
    attempts = step.progress.attempts
    due_ms = now_ms + _wait_ms(node, attempts)
    report_ms = _delay_report_ms(node, message, step.outcome.recipient)
    end_ms = message.received_ms + int(node.settings.delivery.expire_s * 1000)
    for moment_ms in (report_ms, end_ms):
        if moment_ms is not None and now_ms < moment_ms < due_ms:
            due_ms = moment_ms
    progress = replace(step.progress, state="ready", due_ms=due_ms, last_reply=step.reply.line())
    return replace(step, progress=progress, state="deferred")


def _wait_ms(node: Node, attempts: int) -> int:
    schedule = node.settings.delivery.retry_schedule_s
    wait_s = schedule[min(attempts, len(schedule)) - 1]
    chance = node.clock.random_bits(16) / 65_536  # 0 to 1
    return int(wait_s * 1000 * (1 + JITTER * (2 * chance - 1)))


def longest_wait_ms(delivery: DeliverySettings) -> int:
    """No recipient waits longer than this for its next attempt."""
    return int(max(delivery.retry_schedule_s) * 1000 * (1 + JITTER))


def _event(message: QueuedMessage, step: _Step, reply: str, now_ms: int) -> OutcomeEvent:
    outcome, context = step.outcome, step.outcome.recipient.context
    return OutcomeEvent(
        queue_id=message.queue_id,
        position=outcome.recipient.position,
        at_ms=now_ms,
        state=step.state,
        reply=reply,
        attempts=step.progress.attempts,
        mx_host=outcome.mx_host,
        mx_provider=outcome.mx_provider,
        account=context.get("account"),
        agency=context.get("agency"),
        document_class=message.context.get("document_class"),
        automatic=bool(message.context.get("automatic")),
        size_bytes=message.body.size_bytes,
        decision=outcome.decision,
        tls=outcome.tls,
        due_ms=step.progress.due_ms if step.state == "deferred" else None,
    )
