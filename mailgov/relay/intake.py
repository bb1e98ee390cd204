"""The single way into the spool: SMTP sessions, our own notices and other roles' mail all pass here.

A message is looked at, decided on, edited, signed and stored; then, and only then, answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from mailgov.mail.document import classify
from mailgov.mail.events import (
    MessageEvent,
)
from mailgov.mail.family import family
from mailgov.mail.files import risky
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.mime import look
from mailgov.mail.reply import INTERNAL_ERROR, Reply
from mailgov.policy import Decision, Stage, render_reply
from mailgov.policy.facts import BODY_FACTS, CONTENT_FACTS
from mailgov.relay import edits, judge
from mailgov.relay.contents.check import at_hand, check_content
from mailgov.relay.documents import hash_of_attachments
from mailgov.relay.expand import Target
from mailgov.relay.incoming import Incoming, Seen, header_facts, reading
from mailgov.relay.legible import PARTS, NotLegible
from mailgov.relay.node import Node
from mailgov.relay.records import by_attachments, message_event, recipient_record, recorded, rejection
from mailgov.relay.senders.check import check_sender
from mailgov.relay.senders.seal import Seal, arc_set, key_for
from mailgov.relay.sign import SigningError, body_hash
from mailgov.relay.tls_out.wish import wish_context
from mailgov.store.calendar import local_date
from mailgov.store.snapshot import SigningKey
from mailgov.store.spool import (
    Body,
    BodyWriter,
    Change,
    QueuedMessage,
    QueuedRecipient,
    SpoolError,
    Variant,
)
from mailgov.store.spool.spool import LEASE_MS

log = structlog.get_logger()

SECRECY_RECORDS_PER_MINUTE = 60
"""From outside, by worker: a province's mail has none; a flood of them is an attack."""
CONTENT_RECORDS_PER_MINUTE = 60
"""Of strangers' mail refused for what it carries, by worker: so that a citizen who asks can be answered."""


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


@dataclass(frozen=True, slots=True)
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
    variant = await _variant(node, incoming, seen, now_ms)
    variants = (variant, *await _sealed(node, incoming, seen, variant, now_ms))
    body = await writer.finish()
    records = tuple(recipient_record(position, r) for position, r in enumerate(incoming.recipients))
    event = message_event(node, incoming, seen, records, size_bytes=body.size_bytes)
    due_ms = now_ms + LEASE_MS if leased else now_ms
    if all(r.rejected for r in incoming.recipients):
        return Prepared(replace(event, verdict="rejected"))
    return Prepared(event, _queued(incoming, body, variants, seen, facts, event, due_ms=due_ms))


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


async def _look(node: Node, incoming: Incoming, writer: BodyWriter, header: HeaderBlock) -> Seen:
    sign = bool(_signing_keys(node, incoming, header)) or bool(_led_outside(incoming))
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
            digest = body_hash(data, header.size) if sign else None
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


def _signing_keys(node: Node, incoming: Incoming, header: HeaderBlock) -> Sequence[SigningKey]:
    """The keys of the author's domain, for what our own accounts and we ourselves send."""
    authors = reading(incoming, header).authors
    if not incoming.submitted or not authors:
        return ()
    return node.directory.snapshot.signing_keys.get(authors[0].rpartition("@")[2], ())


def _led_outside(incoming: Incoming) -> list[Target]:
    """Recipients outside to whom an address of ours leads mail from outside."""
    if incoming.source != "mx":
        return []
    return [r.target for r in incoming.recipients if not r.rejected and not r.target.local]


def _sealing_key(node: Node, incoming: Incoming) -> SigningKey | None:
    """The key of an address of ours that leads out; None where a chain before us does not hold."""
    if incoming.sender.arc not in {"none", "pass"}:
        return None
    keys = node.directory.snapshot.signing_keys
    domains = (target.original.rpartition("@")[2].lower() for target in _led_outside(incoming))
    return next((key for domain in domains if (key := key_for(keys.get(domain, ())))), None)


async def _sealed(
    node: Node, incoming: Incoming, seen: Seen, variant: Variant, now_ms: int
) -> tuple[Variant, ...]:
    """The variant for recipients outside, with what we found sealed (RFC 8617); () where none is needed.

    Without a key at hand it goes unsealed: the next host has less to go by, and the mail is not held up.
    """
    key, digest, hostname = _sealing_key(node, incoming), seen.digest, node.settings.hostname
    if key is None or digest is None or seen.header.begins_folded:
        return ()
    head = variant.head(seen.header.raw)
    what = Seal(hostname, incoming.sender.results, now_ms // 1000)

    def work() -> bytes:
        return arc_set(what, key, node.signer.load(key), head, digest)

    try:
        fields = await asyncio.get_running_loop().run_in_executor(node.executor, work)
    except SigningError as error:
        log.error("forwarded without a seal", queue_id=incoming.queue_id, cause=str(error))
        node.counters.add("not_sealed")
        return ()
    return (Variant(fields + variant.prefix, variant.splices),) if fields else ()


def _queued(
    incoming: Incoming,
    body: Body,
    variants: tuple[Variant, ...],
    seen: Seen,
    facts: judge.Known,
    event: MessageEvent,
    *,
    due_ms: int,
) -> QueuedMessage:
    recipients = tuple(
        QueuedRecipient(
            position=position,
            address=str(r.target.address),
            destination=r.target.address.key if r.target.local else r.target.address.domain,
            variant=0 if r.target.local else len(variants) - 1,
            due_ms=due_ms,
            context={
                "account": r.target.account.address if r.target.account else None,
                "agency": r.target.account.agency if r.target.account else None,
                "original": r.target.original,
                "facts": _plain(r.facts) if not r.target.local else None,
                **r.wishes.context(),
            },
        )
        for position, r in enumerate(incoming.recipients)
        if not r.rejected
    )
    outside = any(not r.target.local for r in incoming.recipients)
    return QueuedMessage(
        queue_id=incoming.queue_id,
        received_ms=event.at_ms,
        reverse_path=incoming.reverse_path,
        body=body,
        variants=variants,
        recipients=recipients,
        smtputf8=_needs_utf8(incoming, seen.header),
        eight_bit=incoming.eight_bit,
        context={
            "document_class": event.document_class,
            "automatic": event.automatic,
            "message_id": event.message_id,
            **({"outside": incoming.sender.spf or "none"} if incoming.source == "mx" else {}),
            "facts": _plain(facts) if outside else None,
            **incoming.wishes.context(),
            **wish_context(required=incoming.requiretls, header=seen.header),
        },
    )


def _needs_utf8(incoming: Incoming, header: HeaderBlock) -> bool:
    """Whether the next hop must know SMTPUTF8 (RFC 6531 3.6): a client may announce it for nothing.

    An address that needs it does so whoever wrote it, an alias of ours included; raw octets in a
    header only where the client announced them.
    """
    addresses = (incoming.reverse_path, *(str(r.target.address) for r in incoming.recipients))
    if not all(address.isascii() for address in addresses):
        return True
    return incoming.smtputf8 and not header.raw.isascii()


def _plain(facts: judge.Known) -> dict[str, object]:
    """Known facts only, as JSON can hold them; what was unknown is asked for again."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in facts.items()
        if value is None or isinstance(value, (str, bool, int, tuple))
    }


async def _variant(node: Node, incoming: Incoming, seen: Seen, now_ms: int) -> Variant:
    header, hostname = seen.header, node.settings.hostname
    accepted = [r for r in incoming.recipients if not r.rejected]
    single = accepted[0].target.original if len(accepted) == 1 and len(incoming.recipients) == 1 else None
    prefix = b""
    if incoming.source != "own":
        prefix = edits.received_field(
            incoming.trace, hostname=hostname, queue_id=incoming.queue_id, now_ms=now_ms, single=single
        )
    if incoming.submitted:
        prefix += edits.missing_fields(
            header, now_ms=now_ms, new_message_id=lambda: incoming.new_message_id(hostname)
        )
    spam_told = incoming.source == "mx" and incoming.content.spam is not None
    found = incoming.sender.field + (incoming.content.field if spam_told else b"")
    if header.begins_folded:
        # It would go on in our last field. Behind an empty line it is the body, as Postfix has it too,
        # and what looks like fields behind it stays as it is.
        return Variant(found + prefix + b"\r\n", ())
    splices = await node.aside(
        lambda: edits.removals(
            header, submitted=incoming.submitted, authserv_id=hostname, spam_told=spam_told
        ),
        header.size,
    )
    prefix = found + prefix
    unsigned = Variant(prefix, splices)
    keys = _signing_keys(node, incoming, header)
    if not keys or seen.digest is None:
        return unsigned
    digest = seen.digest
    head = unsigned.head(header.raw)
    sign = node.signer.sign
    now_s = now_ms // 1000

    def work() -> bytes:
        return sign(keys, head, digest, now_s)

    # A third of a millisecond; a thread of its own adds half of that. A key that is read first takes long.
    signature = await node.aside(work, len(head), blocks=not node.signer.ready(keys))
    return Variant(signature + prefix, splices)
