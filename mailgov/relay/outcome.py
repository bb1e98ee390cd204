"""From replies to the spool: delivered, to be tried again, or failed for good with a bounce."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mailgov.mail.events import DecisionRecord, Event, OutcomeEvent, RecipientState
from mailgov.mail.reply import Reply
from mailgov.relay.bounce import Failure, bounce
from mailgov.relay.node import Node
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


async def settle(node: Node, spool: Spool, message: QueuedMessage, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes of one attempt, and the bounce for those that failed, in one transaction.

    Raises SpoolError when it could not be written: then nothing of it was.
    """
    now_ms = node.clock.now_ms()
    progress: list[Progress] = []
    events: list[Event] = []
    failures: list[Failure] = []
    for outcome in outcomes:
        step, state, reply = _judge(node, message, outcome, now_ms)
        progress.append(step)
        events.append(_event(message, outcome, state, reply, step.attempts, now_ms))
        node.counters.add(state)
        if state == "bounced":
            failures.append(Failure(outcome.recipient, reply, outcome.mx_host))
        log.info(
            state, queue_id=message.queue_id, position=outcome.recipient.position, attempts=step.attempts,
            host=outcome.mx_host, reply=reply.line(),
        )  # fmt: skip
    if not failures and all(step.state is None for step in progress):
        # Losing this costs a repeated delivery after a crash, no more: it need not be waited for.
        spool.apply_later(Change(progress=progress, events=events))
        return
    notice = await bounce(node, spool, message, failures, now_ms) if failures else None
    messages = [notice.message] if notice is not None and notice.message is not None else []
    events += [notice.event] if notice is not None else []
    await spool.apply(Change(messages=messages, progress=progress, events=events))
    node.offer(None, 0)


def _judge(
    node: Node, message: QueuedMessage, outcome: Outcome, now_ms: int
) -> tuple[Progress, RecipientState, Reply]:
    recipient, reply = outcome.recipient, outcome.reply
    attempts = recipient.attempts + 1
    settings = node.settings.delivery
    if reply.positive:
        return Progress(message.queue_id, recipient.position, None, attempts), "delivered", reply
    if reply.transient:
        due_ms = now_ms + _wait_ms(node, attempts)
        if now_ms - message.received_ms < settings.expire_s * 1000:
            line = reply.line()
            return (
                Progress(message.queue_id, recipient.position, "ready", attempts, due_ms, line),
                "deferred",
                reply,
            )
        reply = Reply(EXPIRED.code, EXPIRED.enhanced, f"{EXPIRED.text}; last reply: {reply.line()}")
    return Progress(message.queue_id, recipient.position, None, attempts), "bounced", reply


def _wait_ms(node: Node, attempts: int) -> int:
    schedule = node.settings.delivery.retry_schedule_s
    wait_s = schedule[min(attempts, len(schedule)) - 1]
    chance = node.clock.random_bits(16) / 65_536  # 0 to 1
    return int(wait_s * 1000 * (1 + JITTER * (2 * chance - 1)))


def _event(
    message: QueuedMessage, outcome: Outcome, state: RecipientState, reply: Reply, attempts: int, now_ms: int
) -> OutcomeEvent:
    context = outcome.recipient.context
    return OutcomeEvent(
        queue_id=message.queue_id,
        position=outcome.recipient.position,
        at_ms=now_ms,
        state=state,
        reply=reply.line(),
        attempts=attempts,
        mx_host=outcome.mx_host,
        mx_provider=outcome.mx_provider,
        account=context.get("account"),
        agency=context.get("agency"),
        document_class=message.context.get("document_class"),
        automatic=bool(message.context.get("automatic")),
        size_bytes=message.body.size_bytes,
        decision=outcome.decision,
    )
