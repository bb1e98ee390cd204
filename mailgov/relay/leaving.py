"""A message as it leaves: the fields put before it, its signature or seal, its rows in the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from mailgov.mail.events import MessageEvent
from mailgov.mail.headers import HeaderBlock
from mailgov.policy.facts import Unknown
from mailgov.relay import edits, judge
from mailgov.relay.expand import Target
from mailgov.relay.incoming import Incoming, Seen, reading
from mailgov.relay.node import Node
from mailgov.relay.notify import CAUSED_BY_STRANGER
from mailgov.relay.senders.seal import Seal, arc_set, key_for
from mailgov.relay.sign import SigningError
from mailgov.relay.tls_out.wish import wish_context
from mailgov.store.entries import SigningKey
from mailgov.store.spool import Body, QueuedMessage, QueuedRecipient, Variant

log = structlog.get_logger()


def signing_keys(node: Node, incoming: Incoming, header: HeaderBlock) -> Sequence[SigningKey]:
    """The keys of the author's domain, for what our own accounts and we ourselves send."""
    authors = reading(incoming, header).authors
    if not incoming.submitted or not authors:
        return ()
    return node.directory.snapshot.signing_keys.get(authors[0].rpartition("@")[2], ())


def led_outside(incoming: Incoming) -> list[Target]:
    """Recipients outside to whom an address of ours leads mail from outside."""
    if incoming.source != "mx":
        return []
    return [r.target for r in incoming.recipients if not r.rejected and not r.target.local]


def _sealing_key(node: Node, incoming: Incoming) -> SigningKey | None:
    """The key of an address of ours that leads out; None where a chain before us does not hold."""
    if incoming.sender.arc not in {"none", "pass"}:
        return None
    keys = node.directory.snapshot.signing_keys
    domains = (target.original.rpartition("@")[2].lower() for target in led_outside(incoming))
    return next((key for domain in domains if (key := key_for(keys.get(domain, ())))), None)


async def sealed(
    node: Node, incoming: Incoming, seen: Seen, first: Variant, now_ms: int
) -> tuple[Variant, ...]:
    """The variant for recipients outside, with what we found sealed (RFC 8617); () where none is needed.

    Without a key at hand it goes unsealed: the next host has less to go by, and the mail is not held up.
    """
    key, digest, hostname = _sealing_key(node, incoming), seen.digest, node.settings.hostname
    if key is None or digest is None or seen.header.begins_folded:
        return ()
    head = first.head(seen.header.raw)
    what = Seal(hostname, incoming.sender.results, now_ms // 1000)

    def work() -> bytes:
        return arc_set(what, key, node.signer.load(key), head, digest, node.signer.body_form)

    try:
        fields = await asyncio.get_running_loop().run_in_executor(node.executor, work)
    except SigningError as error:
        log.error("forwarded without a seal", queue_id=incoming.queue_id, cause=str(error))
        node.counters.add("not_sealed")
        return ()
    return (Variant(fields + first.prefix, first.splices),) if fields else ()


def queued(
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
            **({CAUSED_BY_STRANGER: True} if incoming.for_stranger else {}),
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
        name: list(value) if type(value) is tuple else value
        for name, value in facts.items()
        if type(value) is not Unknown
    }


async def variant(node: Node, incoming: Incoming, seen: Seen, now_ms: int) -> Variant:
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
    keys = signing_keys(node, incoming, header)
    if not keys or seen.digest is None:
        return unsigned
    digest = seen.digest
    head = unsigned.head(header.raw)
    sign = node.signer.sign
    now_s = None if node.steady.doubtful() else now_ms // 1000

    def work() -> bytes:
        return sign(keys, head, digest, now_s)

    # A third of a millisecond; a thread of its own adds half of that. A key that is read first takes long.
    signature = await node.aside(work, len(head), blocks=not node.signer.ready(keys))
    return Variant(signature + prefix, splices)
