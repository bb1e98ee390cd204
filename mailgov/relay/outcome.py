"""From replies to the spool: delivered, to be tried again, or failed for good with a bounce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from mailgov.mail.events import DecisionRecord, Event, OutcomeEvent, RecipientState
from mailgov.mail.reply import Reply
from mailgov.relay.bounce import Failure, bounce
from mailgov.relay.intake import Prepared
from mailgov.relay.node import Node
from mailgov.settings import DeliverySettings
from mailgov.store.spool import Change, Progress, QueuedMessage, QueuedRecipient, Spool

log = structlog.get_logger()

EXPIRED = Reply(554, "5.4.7", "Delivery time expired")
JITTER = 0.1
"""Waits vary by this share, so that a thousand deferred messages do not come back at once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to for one recipient."""

    recipient: QueuedRecipient
    reply: Reply
    mx_host: str | None = None
    mx_provider: str | None = None
    decision: DecisionRecord | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """What an outcome makes of its recipient."""

    outcome: Outcome
    progress: Progress
    state: RecipientState
    reply: Reply


async def settle(node: Node, spool: Spool, message: QueuedMessage, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes of one attempt, and the bounce for those that failed, in one transaction.

    Raises SpoolError when it could not be written: then nothing of it was.
    """
    now_ms = node.clock.now_ms()
    steps, notice = await _with_bounce(
        node, spool, message, [_judge(node, message, outcome, now_ms) for outcome in outcomes], now_ms
    )
    for step in steps:
        node.counters.add(step.state)
        log.info(
            step.state, queue_id=message.queue_id, position=step.progress.position,
            attempts=step.progress.attempts, host=step.outcome.mx_host, reply=step.reply.line(),
        )  # fmt: skip
    progress = [step.progress for step in steps]
    events: list[Event] = [_event(message, step, now_ms) for step in steps]
    if all(step.state == "delivered" for step in steps):
        # Losing this costs a repeated delivery after a crash, no more: it need not be waited for.
        spool.apply_later(Change(progress=progress, events=events))
        return
    messages = [notice.message] if notice is not None and notice.message is not None else []
    events += [notice.event] if notice is not None else []
    await spool.apply(Change(messages=messages, progress=progress, events=events))
    node.offer(None, 0)


async def _with_bounce(
    node: Node, spool: Spool, message: QueuedMessage, steps: list[_Step], now_ms: int
) -> tuple[list[_Step], Prepared | None]:
    """The steps and the bounce for those that failed.

    Where no bounce can be made now, they wait instead: nobody would be told, and the others of the
    attempt must be settled, or they would get the message again.
    """
    failures = [
        Failure(step.outcome.recipient, step.reply, step.outcome.mx_host)
        for step in steps
        if step.state == "bounced"
    ]
    if not failures:
        return steps, None
    try:
        return steps, await bounce(node, spool, message, failures, now_ms)
    except Exception as error:
        log.error("no bounce could be made", queue_id=message.queue_id, exc_info=error)
        node.counters.add("internal_errors")
    return [_deferred(node, step, now_ms) if step.state == "bounced" else step for step in steps], None


def _judge(node: Node, message: QueuedMessage, outcome: Outcome, now_ms: int) -> _Step:
    recipient, reply = outcome.recipient, outcome.reply
    final = Progress(message.queue_id, recipient.position, None, recipient.attempts + 1)
    if reply.positive:
        return _Step(outcome, final, "delivered", reply)
    if reply.transient:
        if now_ms - message.received_ms < node.settings.delivery.expire_s * 1000:
            return _deferred(node, _Step(outcome, final, "deferred", reply), now_ms)
        reply = Reply(EXPIRED.code, EXPIRED.enhanced, f"{EXPIRED.text}; last reply: {reply.line()}")
    return _Step(outcome, final, "bounced", reply)


def _deferred(node: Node, step: _Step, now_ms: int) -> _Step:
    """The recipient waits for another attempt, by the schedule."""
    attempts = step.progress.attempts
    due_ms = now_ms + _wait_ms(node, attempts)
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


def _event(message: QueuedMessage, step: _Step, now_ms: int) -> OutcomeEvent:
    outcome, context = step.outcome, step.outcome.recipient.context
    return OutcomeEvent(
        queue_id=message.queue_id,
        position=outcome.recipient.position,
        at_ms=now_ms,
        state=step.state,
        reply=step.reply.line(),
        attempts=step.progress.attempts,
        mx_host=outcome.mx_host,
        mx_provider=outcome.mx_provider,
        account=context.get("account"),
        agency=context.get("agency"),
        document_class=message.context.get("document_class"),
        automatic=bool(message.context.get("automatic")),
        size_bytes=message.body.size_bytes,
        decision=outcome.decision,
    )
