"""A policy rejection: its record where it is worth one, its line in the log, its reply."""

from __future__ import annotations

import structlog

from mailgov.mail.events import MessageEvent
from mailgov.mail.files import risky
from mailgov.mail.reply import INTERNAL_ERROR, Reply
from mailgov.policy import Decision, render_reply
from mailgov.policy.facts import CONTENT_FACTS
from mailgov.relay.incoming import Incoming
from mailgov.relay.node import Node
from mailgov.relay.records import by_attachments, rejection
from mailgov.store.spool import Change, SpoolError

log = structlog.get_logger()

SECRECY_RECORDS_PER_MINUTE = 60
"""From outside, by worker: a province's mail has none; a flood of them is an attack."""
CONTENT_RECORDS_PER_MINUTE = 60
"""Of strangers' mail refused for what it carries, by worker: so that a citizen who asks can be answered."""


async def reject_message(
    node: Node, incoming: Incoming, decision: Decision, event: MessageEvent | None = None
) -> Reply:
    """Record a policy rejection and make its reply; 451 where it cannot be recorded.

    A stranger's mail leaves no record but a counter, or an attack would fill the disk; of strangers'
    mail stopped for secrecy or for what it carries so many a minute are recorded, and the rest counted.
    """
    public_url = node.settings.http.public_url
    if incoming.source == "mx" and not _worth_a_record(node, decision):
        now_ms, address = node.clock.now_ms(), incoming.trace.client_address
        known = _told(incoming, decision)
        node.counters.refuse(now_ms, "mx", address, f"policy_{decision.rule}", known)
        found = _found(incoming, decision)
        return render_reply(
            decision,
            utf8=incoming.smtputf8,
            public_url=public_url,
            kept=False,
            found=found,
            abroad=True,
        )
    if event is None:
        event = rejection(node, incoming, decision)
    try:
        await node.spool.apply(Change(events=[event]))
    except SpoolError as error:
        log.error("rejection not recorded", cause=str(error))
        return INTERNAL_ERROR
    node.counters.add("rejected")
    log.info(
        "rejected",
        queue_id=incoming.queue_id,
        client=event.client,
        rule=decision.rule,
        decision=decision.id,
        **_attached(incoming, decision),
    )
    abroad, found = incoming.source == "mx", _found(incoming, decision)
    return render_reply(decision, utf8=incoming.smtputf8, public_url=public_url, found=found, abroad=abroad)


def _attached(incoming: Incoming, decision: Decision) -> dict[str, list[str]]:
    """For the log: which attachments, where they are why."""
    found = risky.recorded(incoming.content.risky) if by_attachments(decision) else []
    return {"attachments": found} if found else {}


def _told(incoming: Incoming, decision: Decision) -> dict[str, object] | None:
    """What the log tells of a stranger's mail that leaves no record; of a state secret nothing."""
    if decision.secrecy is not None:
        return None
    sender = incoming.sender
    return {
        **incoming.told,
        "rule": decision.rule,
        "listed": _listed(incoming),
        "spf": sender.spf,
        "dkim": sender.dkim,
        "dmarc": sender.dmarc,
        **_attached(incoming, decision),
    }


def _found(incoming: Incoming, decision: Decision) -> str:
    """Which lists name the client, where that is why: its administrator has to ask them (RFC 5782 5).

    Or which attachments are why, by the names that their author gave them.
    """
    if by_attachments(decision):
        return risky.told(incoming.content.risky)
    if not any(seen.fact == "sender.listed" for seen in decision.matched):
        return ""
    return f"[{incoming.trace.client_address}] is listed by {_listed(incoming)}"


def _listed(incoming: Incoming) -> str:
    listed = incoming.facts.get("sender.listed")
    return ", ".join(map(str, listed)) if isinstance(listed, tuple) else ""


def _worth_a_record(node: Node, decision: Decision) -> bool:
    now_ms, within = node.clock.now_ms(), node.counters.within
    if decision.secrecy is not None:
        return within(now_ms, "secrecy from outside", SECRECY_RECORDS_PER_MINUTE)
    carries = any(seen.fact in CONTENT_FACTS for seen in decision.matched)
    return carries and within(now_ms, "content from outside", CONTENT_RECORDS_PER_MINUTE)
