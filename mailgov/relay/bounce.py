"""Telling the author what became of a message: a DSN (RFC 3464), kept in the transaction that settles it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mailgov.mail.address import Address, AddressError
from mailgov.mail.dsn import HEADER_OCTETS, Action, DsnRecipient, build_dsn
from mailgov.mail.encoded_words import decode_text
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.reply import Reply
from mailgov.relay.edits import mail_date
from mailgov.relay.intake import Prepared
from mailgov.relay.node import Node
from mailgov.relay.notify import envelope_id, is_strangers, original_recipient, returned, wants_failures
from mailgov.relay.own import prepare_own
from mailgov.relay.tls_out.wish import wish_of
from mailgov.store.spool import QueuedMessage, QueuedRecipient, Spool, SpoolError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one recipient, and the words of whoever said so."""

    recipient: QueuedRecipient
    reply: Reply
    mx_host: str | None = None
    action: Action = "failed"
    last: Reply | None = None
    """What the last attempt came to, where `reply` is what we made of it."""


async def bounce(
    node: Node, spool: Spool, message: QueuedMessage, fates: Sequence[Fate], now_ms: int
) -> Prepared | None:
    """The DSN for these fates, for the caller to store with them.

    None for mail from the null reverse-path: a bounce is never bounced (RFC 5321 6.1); for recipients
    whose failure the sender does not wish to hear of (RFC 3461 4.1); and for strangers' mail past the
    bounds of `relay.backscatter`. That other fates are wished to be told is the caller's to know. It
    goes to the reverse-path from `<>`, with the header of the message, or with all of a failed one
    where RET said so. Raises what `prepare_own` raises.
    """
    if not message.reverse_path:
        log.info("no bounce to the null reverse-path", queue_id=message.queue_id)
        return None
    fates = [fate for fate in fates if fate.action != "failed" or wants_failures(fate.recipient)]
    if not fates:
        log.info("no bounce wished for", queue_id=message.queue_id)
        return None
    if not _within_bounds(node, message, fates, now_ms):
        log.warning("report withheld", queue_id=message.queue_id, recipients=len(fates))
        node.counters.add("reports_withheld")
        return None
    domain = _domain_of(message.reverse_path)
    ours = node.directory.snapshot.is_local(domain)
    wish = wish_of(message)  # what comes back is protected as the message was, no more (RFC 8689 5)
    back, full = await _original(node, spool, message, fates)
    content = build_dsn(
        reporting_mta=node.settings.hostname,
        author=f"postmaster@{_own_domain(node, domain)}",
        to=message.reverse_path,
        date=mail_date(now_ms),
        message_id=f"<{node.clock.queue_id()}@{node.settings.hostname}>",
        boundary=f"=_{node.clock.random_bits(96):024x}",
        queue_id=message.queue_id,
        recipients=[_recipient(node, message, fate, now_ms) for fate in fates],
        arrival_date=mail_date(message.received_ms),
        envelope_id=envelope_id(message),
        returned=back,
        full=full,
        subject=_subject(back) if ours else "",
        eight_bit=ours,
        tls_waived=wish == "waived",
    )
    required, strangers = wish == "required", is_strangers(message)
    return await prepare_own(
        node, spool, content, "", [message.reverse_path], requiretls=required, for_stranger=strangers
    )


def _within_bounds(node: Node, message: QueuedMessage, fates: Sequence[Fate], now_ms: int) -> bool:
    if not is_strangers(message):
        return True
    asked_for = all(fate.action != "failed" for fate in fates)
    proven = message.context["outside"] == "pass"
    return node.reports_sent.take(message.reverse_path, proven, now_ms, asked_for=asked_for)


def _subject(original: bytes) -> str:
    """For our own people's words: a victim of a forger would read the forger's words first."""
    value = HeaderBlock.scan(original).first(b"subject")
    return "" if value is None else decode_text(value)


def _domain_of(reverse_path: str) -> str:
    try:
        return Address.parse(reverse_path).domain
    except AddressError:
        return ""


def _own_domain(node: Node, domain: str) -> str:
    """The author's own domain where it is ours, so that the report is signed as theirs."""
    domains = node.directory.snapshot.domains
    return domain if domain in domains else min(domains, default=node.settings.hostname)


def _recipient(node: Node, message: QueuedMessage, fate: Fate, now_ms: int) -> DsnRecipient:
    reply, recipient, action = fate.reply, fate.recipient, fate.action
    said = fate.last or reply
    # The status has the class of the action, whatever class the last reply had (RFC 3464 2.3.4).
    status = f"{_CLASSES.get(action, '2')}{reply.enhanced[1:]}"
    context = recipient.context
    original, orcpt = context.get("original"), (context.get("dsn") or {}).get("orcpt")
    written = original if original and original != recipient.address else None
    last = action in {"failed", "delayed"} or fate.mx_host is not None
    until_ms = message.received_ms + int(node.settings.delivery.expire_s * 1000)
    return DsnRecipient(
        final=_final(message, recipient),
        action=action,
        status=status,
        original=original_recipient(orcpt) if orcpt else f"rfc822;{written}" if written else None,
        written=written,
        diagnostic=said.line() if last else None,
        heard=said.heard,
        cause=said.enhanced,
        remote_mta=fate.mx_host,
        last_attempt=mail_date(now_ms) if last else None,
        retry_until=mail_date(until_ms) if action == "delayed" else None,
    )


_CLASSES = {"failed": "5", "delayed": "4"}


def _final(message: QueuedMessage, recipient: QueuedRecipient) -> str:
    """A stranger learns no more than the address that he wrote to (RFC 3464 2.3.2: confidential forwards)."""
    original = recipient.context.get("original")
    return str(original) if original and is_strangers(message) else recipient.address


async def _original(
    node: Node, spool: Spool, message: QueuedMessage, fates: Sequence[Fate]
) -> tuple[bytes, bool]:
    """What comes back, and whether it is the whole: RET is about failures alone (RFC 3461 4.3)."""
    failed = [fate for fate in fates if fate.action == "failed"]
    wished = bool(failed) and returned(message) == "FULL"
    full = wished and message.body.size_bytes <= node.settings.delivery.return_limit_bytes
    variant = message.variants[(failed or list(fates))[0].recipient.variant]
    octets = message.body.size_bytes if full else HEADER_OCTETS + variant.reach
    file = spool.body_file(message)
    try:
        if file is None:
            start = await spool.body_bytes(message)
        else:
            with file.open("rb") as source:
                start = await asyncio.to_thread(source.read, octets)
    except (OSError, SpoolError) as error:
        log.warning("bounced message not readable", queue_id=message.queue_id, cause=str(error))
        return b"", False
    data = variant.head(start)
    if full:
        return data, True
    return data.partition(b"\r\n\r\n")[0][:HEADER_OCTETS] + b"\r\n", False
