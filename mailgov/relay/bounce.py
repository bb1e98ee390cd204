"""Telling the author what failed: a DSN (RFC 3464), kept in the transaction that ends the recipient."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mailgov.mail.address import Address, AddressError
from mailgov.mail.dsn import HEADER_OCTETS, DsnRecipient, build_dsn
from mailgov.mail.reply import Reply
from mailgov.relay.edits import mail_date
from mailgov.relay.intake import Prepared
from mailgov.relay.node import Node
from mailgov.relay.notify import wants_failures
from mailgov.relay.own import prepare_own
from mailgov.store.spool import QueuedMessage, QueuedRecipient, Spool, SpoolError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient that failed for good, and the words of whoever said so."""

    recipient: QueuedRecipient
    reply: Reply
    mx_host: str | None = None


async def bounce(
    node: Node, spool: Spool, message: QueuedMessage, failures: Sequence[Failure], now_ms: int
) -> Prepared | None:
    """The DSN for these failures, for the caller to store with them.

    None for mail from the null reverse-path: a bounce is never bounced (RFC 5321 6.1); nor for
    recipients whose failure the sender does not wish to hear of (RFC 3461 4.1). It goes to the
    reverse-path from `<>`, with the header of what failed. Raises what `prepare_own` raises.
    """
    if not message.reverse_path:
        log.info("no bounce to the null reverse-path", queue_id=message.queue_id)
        return None
    failures = [failure for failure in failures if wants_failures(failure.recipient)]
    if not failures:
        log.info("no bounce wished for", queue_id=message.queue_id)
        return None
    content = build_dsn(
        reporting_mta=node.settings.hostname,
        author=f"postmaster@{_domain(node, message.reverse_path)}",
        to=message.reverse_path,
        date=mail_date(now_ms),
        message_id=f"<{node.clock.queue_id()}@{node.settings.hostname}>",
        boundary=f"=_{node.clock.random_bits(96):024x}",
        queue_id=message.queue_id,
        recipients=[_recipient(failure, now_ms) for failure in failures],
        arrival_date=mail_date(message.received_ms),
        returned=await _header(spool, message, failures[0].recipient.variant),
    )
    return await prepare_own(node, spool, content, "", [message.reverse_path])


def _domain(node: Node, reverse_path: str) -> str:
    """The author's own domain where it is ours, so that the report is signed as theirs."""
    domains = node.directory.snapshot.domains
    try:
        domain = Address.parse(reverse_path).domain
    except AddressError:
        domain = ""
    return domain if domain in domains else min(domains, default=node.settings.hostname)


def _recipient(failure: Failure, now_ms: int) -> DsnRecipient:
    reply, recipient = failure.reply, failure.recipient
    # A report of a failure has a status of class 5, whatever class the last reply had (RFC 3464 2.3.4).
    status = f"5{reply.enhanced[1:]}"
    original = recipient.context.get("original")
    return DsnRecipient(
        final=recipient.address,
        action="failed",
        status=status,
        original=f"rfc822;{original}" if original and original != recipient.address else None,
        diagnostic=reply.line(),
        remote_mta=failure.mx_host,
        last_attempt=mail_date(now_ms),
    )


async def _header(spool: Spool, message: QueuedMessage, variant: int) -> bytes:
    """The header of what failed, as it left; empty where it cannot be read any more."""
    file = spool.body_file(message)
    try:
        if file is None:
            start = await spool.body_bytes(message)
        else:
            with file.open("rb") as source:
                start = await asyncio.to_thread(source.read, HEADER_OCTETS + message.variants[variant].reach)
    except (OSError, SpoolError) as error:
        log.warning("bounced header not readable", queue_id=message.queue_id, cause=str(error))
        return b""
    return message.variants[variant].head(start).partition(b"\r\n\r\n")[0][:HEADER_OCTETS] + b"\r\n"
