"""The single way into the spool: SMTP sessions, our own notices and other roles' mail all pass here.

A message is looked at, decided on, edited, signed and stored; then, and only then, answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog

from mailgov.mail.address import key_of
from mailgov.mail.document import Document, classify
from mailgov.mail.events import (
    DecisionRecord,
    Direction,
    MessageEvent,
    RecipientRecord,
    RecipientState,
    Source,
)
from mailgov.mail.headers import HeaderBlock, author_addresses, decode_text, is_automatic
from mailgov.mail.mime import MimeLook, look
from mailgov.mail.reply import INTERNAL_ERROR, OUT_OF_STORAGE, MailError, Reply
from mailgov.mail.secrecy import highest, secrecy_mark
from mailgov.policy import Decision, Stage, render_reply
from mailgov.relay import edits, judge
from mailgov.relay.expand import Target
from mailgov.relay.node import Node
from mailgov.relay.sign import SigningError, body_hash
from mailgov.store.snapshot import AccountEntry, SigningKey
from mailgov.store.spool import (
    Body,
    BodyWriter,
    Change,
    QueuedMessage,
    QueuedRecipient,
    SpoolError,
    SpoolFull,
    Variant,
)
from mailgov.store.spool.spool import LEASE_MS

log = structlog.get_logger()

NAME_LENGTH_LIMIT = 998


@dataclass(frozen=True, slots=True)
class Recipient:
    """One final recipient of a message on its way in; `rejected` tells why it gets nothing."""

    target: Target
    direction: Direction
    facts: judge.Known
    decision: Decision | None = None
    rejected: bool = False

    @property
    def provider(self) -> str | None:
        value = self.facts.get("recipient.mx_provider")
        return value if isinstance(value, str) else ("unknown" if value is not None else None)


@dataclass(slots=True)
class Incoming:
    """A message being taken in, before its bytes are known."""

    queue_id: str
    source: Source
    account: AccountEntry | None
    reverse_path: str
    """As it was given; "" for the null reverse-path."""
    trace: edits.Trace
    facts: judge.Known
    """Session, account and path facts."""
    smtputf8: bool = False
    eight_bit: bool = False
    recipients: list[Recipient] = field(default_factory=list)
    decisions: list[DecisionRecord] = field(default_factory=list)

    @property
    def submitted(self) -> bool:
        """True for mail of our own people and systems: what it lacks is added, and it is signed."""
        return self.source != "mx"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the bytes say."""

    header: HeaderBlock
    mime: MimeLook
    document: Document
    subject: str
    authors: tuple[str, ...]
    digest: bytes | None


def header_facts(incoming: Incoming, header: HeaderBlock) -> judge.Known:
    """What the policy may know once the header has ended."""
    subject = subject_of(header)
    authors = authors_of(header)
    addresses = incoming.account.addresses if incoming.account else frozenset[str]()
    itself = incoming.source == "own" or (bool(authors) and all(a in addresses for a in authors))
    return {
        "message.author": authors,
        "message.author_is_account": itself,
        "message.subject": subject,
        "message.secrecy": highest([secrecy_mark(decode_text(value)) for value in header.all(b"subject")]),
        "message.hops": header.count(b"received"),
    }


def subject_of(header: HeaderBlock) -> str:
    """All Subject fields, decoded: a second one must not hide a mark from us that a reader sees."""
    return " ".join(decode_text(value) for value in header.all(b"subject"))


def authors_of(header: HeaderBlock) -> tuple[str, ...]:
    """The addresses of every From field, in look-up form; () when one of the fields is malformed.

    What cannot be read as addresses must not hide behind a field that can.
    """
    fields = [author_addresses(value) for value in header.all(b"from")]
    return tuple(dict.fromkeys(a for field in fields for a in field)) if all(fields) else ()


async def judge_header(node: Node, incoming: Incoming, header: HeaderBlock) -> Decision | None:
    """The decision that the header alone allows; None when the body is to be read first."""
    facts = {**incoming.facts, **header_facts(incoming, header)}
    return await judge.decide(node, Stage.DATA, facts, header_only=True)


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

    `leased`: the scheduler will attempt it from memory. Raises SpoolError, SigningError or
    MailError; the caller discards the body then.
    """
    seen = await _look(node, incoming, writer, header)
    facts = {**incoming.facts, **header_facts(incoming, header), **_body_facts(seen, writer)}
    decision = await judge.decide(node, Stage.DATA, facts)
    if decision is not None and decision.rejected:
        return Prepared(_rejection(node, incoming, decision, seen), rejection=decision)
    if decision is not None and (decision.rule or decision.watched):
        incoming.decisions.append(decision.record())
    now_ms = node.clock.now_ms()
    variant = await _variant(node, incoming, seen, now_ms)
    body = await writer.finish()
    records = tuple(_record(position, r) for position, r in enumerate(incoming.recipients))
    event = replace(_event(node, incoming, seen, records), size_bytes=body.size_bytes)
    due_ms = now_ms + LEASE_MS if leased else now_ms
    if all(r.rejected for r in incoming.recipients):
        return Prepared(replace(event, verdict="rejected"))
    return Prepared(event, _queued(incoming, body, variant, seen, facts, event, due_ms=due_ms))


async def take_in(node: Node, incoming: Incoming, writer: BodyWriter, header: HeaderBlock) -> Reply:
    """Decide on a complete message and keep it. The reply is 250 only when it is on disk.

    On any other reply nothing of the body is left. Never raises for the message's own faults.
    """
    size = writer.size_bytes
    leased = node.admit(size)
    offered = None
    try:
        prepared = await prepare(node, incoming, writer, header, leased=leased)
        if prepared.message is None:
            await writer.discard()
        await node.spool.apply(prepared.change)
        offered = prepared.message if leased else None
    except (SpoolError, SigningError, MailError) as error:
        await writer.discard()
        log.error("message not kept", queue_id=incoming.queue_id, cause=str(error))
        node.counters.add("not_kept")
        if isinstance(error, MailError):
            return error.reply
        return OUT_OF_STORAGE if isinstance(error, SpoolFull) else INTERNAL_ERROR
    finally:
        node.offer(offered, size if leased else 0)
    return _answer(node, incoming, prepared)


def _answer(node: Node, incoming: Incoming, prepared: Prepared) -> Reply:
    decision = prepared.rejection
    if decision is not None:
        return _say_rejected(node, incoming, decision)
    if incoming.source == "mx":
        _note_writers(node, prepared)
    node.counters.add("accepted")
    log.info(
        "accepted", queue_id=incoming.queue_id, source=incoming.source, size_bytes=prepared.event.size_bytes
    )
    return Reply(250, "2.0.0", f"Ok: queued as {incoming.queue_id}")


def _note_writers(node: Node, prepared: Prepared) -> None:
    """Who wrote to us may be answered: known here at once, everywhere by the ledger."""
    event = prepared.event
    writers = {event.reverse_path or "", *(event.author or "").split(", ")} - {""}
    seen = [(key_of(writer), event.at_ms) for writer in writers]
    if seen:
        node.executor.submit(node.guard.merge, seen)


async def reject_message(
    node: Node, incoming: Incoming, decision: Decision, seen: _Seen | None = None
) -> Reply:
    """Record a policy rejection and make its reply; 451 where it cannot be recorded."""
    event = _rejection(node, incoming, decision, seen)
    try:
        await node.spool.apply(Change(events=[event]))
    except SpoolError as error:
        log.error("rejection not recorded", cause=str(error))
        return INTERNAL_ERROR
    return _say_rejected(node, incoming, decision)


def _say_rejected(node: Node, incoming: Incoming, decision: Decision) -> Reply:
    node.counters.add("rejected")
    log.info("rejected", queue_id=incoming.queue_id, rule=decision.rule, decision=decision.id)
    return render_reply(decision, utf8=incoming.smtputf8, public_url=node.settings.http.public_url)


def _rejection(node: Node, incoming: Incoming, decision: Decision, seen: _Seen | None) -> MessageEvent:
    if decision.secrecy is not None:
        # Nothing of a state secret stays but the fact: not its subject, not its recipients.
        outside = incoming.account is None and incoming.reverse_path
        return MessageEvent(
            verdict="rejected",
            queue_id=incoming.queue_id,
            at_ms=node.clock.now_ms(),
            source=None,
            policy_hash=decision.policy_hash,
            account=incoming.account.address if incoming.account else None,
            reverse_path=incoming.reverse_path.rpartition("@")[2] if outside else None,
            secrecy=decision.secrecy,
            decisions=(decision.record(),),
        )
    recipients = tuple(
        _record(position, replace(r, rejected=True), decision.id)
        for position, r in enumerate(incoming.recipients)
    )
    event = _event(node, incoming, seen, recipients)
    return replace(event, verdict="rejected", decisions=(*incoming.decisions, decision.record()))


def _event(
    node: Node, incoming: Incoming, seen: _Seen | None, recipients: tuple[RecipientRecord, ...]
) -> MessageEvent:
    account = incoming.account
    own = account.addresses if account else frozenset[str]()
    event = MessageEvent(
        verdict="accepted",
        queue_id=incoming.queue_id,
        at_ms=node.clock.now_ms(),
        source=incoming.source,
        policy_hash=node.policy.policy.hash,
        account=account.address if account else None,
        agency=account.agency if account else None,
        personal=account is not None and account.kind == "personal",
        reverse_path=incoming.reverse_path,
        to_others=any(r.target.address.key not in own for r in incoming.recipients),
        tls=incoming.trace.tls,
        recipients=recipients,
        decisions=tuple(incoming.decisions),
    )
    if seen is None:
        return event
    message_id = seen.header.first(b"message-id")
    return replace(
        event,
        author=", ".join(seen.authors)[:NAME_LENGTH_LIMIT] or None,
        subject=seen.subject,
        message_id=decode_text(message_id)[:NAME_LENGTH_LIMIT] if message_id else None,
        document_class=seen.document.document_class,
        symbol=seen.document.symbol,
        urgency=seen.document.urgency,
        reply=seen.document.reply,
        forward=seen.document.forward,
        meeting=seen.document.meeting,
        automatic=is_automatic(seen.header, incoming.reverse_path),
        signatures=seen.mime.signatures,
        attachments=seen.mime.attachments,
    )


def _record(position: int, recipient: Recipient, decision_id: str | None = None) -> RecipientRecord:
    target = recipient.target
    state: RecipientState = "rejected" if recipient.rejected else "queued"
    if decision_id is None and recipient.decision is not None:
        decision_id = recipient.decision.id
    return RecipientRecord(
        position=position,
        address=target.address.key,
        direction=recipient.direction,
        state=state,
        account=target.account.address if target.account else None,
        agency=target.account.agency if target.account else None,
        original=target.original,
        via=target.via,
        mx_provider=recipient.provider,
        decision_id=decision_id,
    )


async def _look(node: Node, incoming: Incoming, writer: BodyWriter, header: HeaderBlock) -> _Seen:
    sign = bool(_signing_keys(node, incoming, header))
    vocabulary = node.policy.policy.vocabulary

    def work() -> _Seen:
        with writer.view() as data:
            mime = look(data, header=header)
            digest = body_hash(data, header.size) if sign else None
        subject = subject_of(header)
        document = classify(subject, mime.attachment_names, vocabulary)
        return _Seen(header, mime, document, subject, authors_of(header), digest)

    if writer.in_file:
        return await asyncio.get_running_loop().run_in_executor(node.executor, work)
    return work()


def _body_facts(seen: _Seen, writer: BodyWriter) -> judge.Known:
    return {
        "message.attachment_secrecy": highest([secrecy_mark(name) for name in seen.mime.attachment_names]),
        "message.document_class": seen.document.document_class,
        "message.size_bytes": writer.size_bytes,
    }


def _signing_keys(node: Node, incoming: Incoming, header: HeaderBlock) -> Sequence[SigningKey]:
    """The keys of the author's domain, for what our own accounts and we ourselves send."""
    authors = authors_of(header)
    if not incoming.submitted or not authors:
        return ()
    return node.directory.snapshot.signing_keys.get(authors[0].rpartition("@")[2], ())


def _queued(
    incoming: Incoming,
    body: Body,
    variant: Variant,
    seen: _Seen,
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
            due_ms=due_ms,
            context={
                "account": r.target.account.address if r.target.account else None,
                "agency": r.target.account.agency if r.target.account else None,
                "original": r.target.original,
                "facts": _plain(r.facts) if not r.target.local else None,
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
        variants=(variant,),
        recipients=recipients,
        smtputf8=incoming.smtputf8 and _needs_utf8(incoming, seen.header),
        eight_bit=incoming.eight_bit,
        context={
            "document_class": event.document_class,
            "automatic": event.automatic,
            "message_id": event.message_id,
            "facts": _plain(facts) if outside else None,
        },
    )


def _needs_utf8(incoming: Incoming, header: HeaderBlock) -> bool:
    """Whether anything that SMTPUTF8 is for is really there: a client may announce it for nothing."""
    addresses = (incoming.reverse_path, *(str(r.target.address) for r in incoming.recipients))
    return not all(address.isascii() for address in addresses) or not header.raw.isascii()


def _plain(facts: judge.Known) -> dict[str, object]:
    """Known facts only, as JSON can hold them; what was unknown is asked for again."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in facts.items()
        if value is None or isinstance(value, (str, bool, int, tuple))
    }


async def _variant(node: Node, incoming: Incoming, seen: _Seen, now_ms: int) -> Variant:
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
            header, now_ms=now_ms, new_message_id=lambda: f"<{incoming.queue_id}@{hostname}>"
        )
    splices = edits.removals(header, submitted=incoming.submitted, authserv_id=hostname)
    unsigned = Variant(prefix, splices)
    keys = _signing_keys(node, incoming, header)
    if not keys or seen.digest is None:
        return unsigned
    digest = seen.digest
    head = unsigned.head(header.raw)
    sign = node.signer.sign
    now_s = now_ms // 1000
    signature = await asyncio.get_running_loop().run_in_executor(
        node.executor, lambda: sign(keys, head, digest, now_s)
    )
    return Variant(signature + prefix, splices)
