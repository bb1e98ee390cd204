"""The single way into the spool: SMTP sessions, our own notices and other roles' mail all pass here.

A message is looked at, decided on, edited, signed and stored; then, and only then, answered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from mailgov.mail.document import classify
from mailgov.mail.events import (
    MessageEvent,
)
from mailgov.mail.family import family
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.mime import look
from mailgov.policy import Decision, Stage
from mailgov.policy.facts import BODY_FACTS, CONTENT_FACTS
from mailgov.relay import judge
from mailgov.relay.contents.check import at_hand, check_content
from mailgov.relay.documents import hash_of_attachments
from mailgov.relay.incoming import Incoming, Seen, header_facts, reading
from mailgov.relay.leaving import led_outside, queued, sealed, signing_keys, variant
from mailgov.relay.legible import PARTS, NotLegible
from mailgov.relay.node import Node
from mailgov.relay.records import message_event, recipient_record, recorded, rejection
from mailgov.relay.senders.check import check_sender
from mailgov.relay.sign import body_hash
from mailgov.store.calendar import local_date
from mailgov.store.spool import (
    BodyWriter,
    Change,
    QueuedMessage,
)
from mailgov.store.spool.spool import LEASE_MS

log = structlog.get_logger()


async def judge_header(node: Node, incoming: Incoming, header: HeaderBlock) -> Decision | None:
    """The decision that the header alone allows; None when the body is to be read first."""
    await node.aside(lambda: reading(incoming, header), header.size)
    facts = _known(node, incoming, header)
    return await judge.decide(node, Stage.DATA, facts, without=BODY_FACTS)


def _known(node: Node, incoming: Incoming, header: HeaderBlock) -> judge.Known:
    """What session and header say. An author from outside that cannot be read is whoever is seen in it."""
    facts = {**incoming.facts, **header_facts(incoming, header)}
    if incoming.source == "mx" and judge.shown_ours(node, reading(incoming, header).shown):
        facts["message.author_ours"] = True
    return facts


@dataclass(slots=True)  # not frozen: each message makes one, and that would take it three times as long
class Prepared:
    """A message ready for the spool, or a policy rejection to be recorded (`rejection`)."""

    event: MessageEvent
    message: QueuedMessage | None = None
    rejection: Decision | None = None

    @property
    def change(self) -> Change:
        return Change(messages=[self.message] if self.message else [], events=[self.event])


async def prepare(
    node: Node, incoming: Incoming, writer: BodyWriter, header: HeaderBlock, *, leased: bool
) -> Prepared:
    """Look at a complete message, decide, edit and sign it; nothing is stored yet but its body.

    `leased`: the scheduler will attempt it from memory. Raises NotLegible, SpoolError, SigningError
    or MailError; the caller discards the body then.
    """
    seen = await _look(node, incoming, writer, header)
    incoming.sender = await check_sender(node, incoming, writer, header)
    facts = _known(node, incoming, header) | _body_facts(seen, writer)
    facts |= incoming.sender.facts()
    # What is refused anyway no service is asked about, and a state secret is shown to none.
    decision = None
    if not at_hand(node, incoming, seen.mime):
        decision = await judge.decide(node, Stage.DATA, dict(facts), without=CONTENT_FACTS)
    if decision is None or not decision.rejected:
        incoming.content = await check_content(node, incoming, writer, seen.mime)
        facts |= incoming.content.facts()
        decision = await judge.decide(node, Stage.DATA, facts)
    if decision is not None and decision.rejected:
        return Prepared(rejection(node, incoming, decision, seen), rejection=decision)
    if not seen.mime.complete:
        _look_cut_short(node, incoming)
    if decision is not None and (decision.rule or decision.watched):
        incoming.decisions.append(recorded(incoming, decision))
    now_ms = node.clock.now_ms()
    first = await variant(node, incoming, seen, now_ms)
    variants = (first, *await sealed(node, incoming, seen, first, now_ms))
    body = await writer.finish()
    records = tuple(recipient_record(position, r) for position, r in enumerate(incoming.recipients))
    event = message_event(node, incoming, seen, records, size_bytes=body.size_bytes)
    due_ms = now_ms + LEASE_MS if leased else now_ms
    if all(r.rejected for r in incoming.recipients):
        return Prepared(replace(event, verdict="rejected"))
    return Prepared(event, queued(incoming, body, variants, seen, facts, event, due_ms=due_ms))


async def _look(node: Node, incoming: Incoming, writer: BodyWriter, header: HeaderBlock) -> Seen:
    sign = bool(signing_keys(node, incoming, header)) or bool(led_outside(incoming))
    vocabulary = node.policy.policy.vocabulary
    read = reading(incoming, header)
    subject, authors = read.subject, read.authors
    author = authors[0] if authors else incoming.reverse_path.lower()
    day = local_date(node.clock.now_ms(), node.settings.province.timezone)
    belongs = family(header, subject, author=author, day=day)
    if belongs is None and incoming.submitted:
        belongs = incoming.new_message_id(node.settings.hostname)

    def work() -> Seen:
        with writer.view() as data:
            mime = look(data, header=header)
            digest = body_hash(data, header.size, node.signer.body_form) if sign else None
            document = classify(subject, mime.attachment_names, vocabulary)
            attached = hash_of_attachments(incoming, document, belongs, data, mime)
        return Seen(header, mime, document, subject, authors, digest, belongs, attached)

    return await node.aside(work, writer.size_bytes, blocks=writer.in_file)


def _look_cut_short(node: Node, incoming: Incoming) -> None:
    """Behind the part that was seen, a mark may stand. Raises NotLegible for our own accounts' mail.

    From outside it is taken: see docs/policy.md, "What cannot be read".
    """
    if incoming.account is not None:
        raise NotLegible(PARTS)
    node.counters.add("looks_cut_short")
    log.warning("parts not seen whole", queue_id=incoming.queue_id, source=incoming.source)


def _body_facts(seen: Seen, writer: BodyWriter) -> judge.Known:
    return {
        "message.attachment_secrecy": seen.mime.secrecy,
        "message.document_class": seen.document.document_class,
        "message.size_bytes": writer.size_bytes,
    }
