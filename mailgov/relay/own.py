"""Mail that we make ourselves enters by the same intake as everybody's."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from mailgov.mail.address import Address, AddressError
from mailgov.mail.headers import HeaderBlock
from mailgov.policy import Stage
from mailgov.relay import intake, judge
from mailgov.relay.edits import Trace
from mailgov.relay.expand import Target, TooManyTargets, UnknownRecipient, resolve
from mailgov.relay.incoming import Incoming, Recipient
from mailgov.relay.node import Node
from mailgov.store.spool import Spool

log = structlog.get_logger()


async def prepare_own(
    node: Node,
    spool: Spool,
    content: bytes,
    reverse_path: str,
    recipients: Sequence[str],
    *,
    requiretls: bool = False,
    for_stranger: bool = False,
) -> intake.Prepared | None:
    """A message of ours, decided on and signed, for the caller to store in `spool`, where its body lies.

    `for_stranger`: a report that he has caused, whose delivery must take no place of others.
    None when there is nobody to send it to: logged and counted. Raises SpoolError, SigningError
    or MailError when it cannot be made now: nothing is left of it, and it is to be tried again.
    """
    incoming = _incoming(node, reverse_path, eight_bit=not content.isascii())
    incoming.requiretls, incoming.for_stranger = requiretls, for_stranger
    for text in recipients:
        for target in _targets(node, text):
            facts = judge.recipient_facts(node, target)
            decision = await judge.decide(node, Stage.RCPT, {**incoming.facts, **facts})
            rejected = decision is not None and decision.rejected
            told = decision if decision is not None and (decision.rule or decision.watched) else None
            direction = "internal" if target.local else "outbound"
            incoming.recipients.append(
                Recipient(target, direction, facts, told, rejected)  # type: ignore[arg-type]  # literals
            )
            if told is not None:
                incoming.decisions.append(told.record(len(incoming.recipients) - 1))
    if not incoming.recipients:
        log.warning("own mail has no recipient", recipients=len(recipients))
        node.counters.add("own_mail_dropped")
        return None
    writer = spool.body_writer(incoming.queue_id, node.settings.smtp.memory_body_bytes)
    header_end = content.find(b"\r\n\r\n")
    header = HeaderBlock.scan(content[: header_end + 4] if header_end >= 0 else content)
    try:
        await writer.write(content)
        return await intake.prepare(node, incoming, writer, header, leased=False)
    except BaseException:
        writer.discard_soon()
        raise


def _incoming(node: Node, reverse_path: str, *, eight_bit: bool) -> Incoming:
    facts = judge.session_facts(node, listener="own", authenticated=False, tls=False, client="")
    facts |= judge.account_facts(None) | judge.path_facts(None, reverse_path.lower(), own=True)
    trace = Trace(node.settings.hostname, "", "local")
    # SMTPUTF8 is announced only where an address or the header needs it: see `intake`.
    return Incoming(
        node.clock.queue_id(), "own", None, reverse_path, trace, facts, smtputf8=True, eight_bit=eight_bit
    )


def _targets(node: Node, text: str) -> Sequence[Target]:
    snapshot = node.directory.snapshot
    try:
        address = Address.parse(text)
        if not snapshot.is_local(address.domain):
            return (Target(address, text),)
        return resolve(snapshot, address, node.settings.province.renamed_domains)
    except (AddressError, UnknownRecipient, TooManyTargets) as error:
        log.warning("own mail cannot reach its recipient", cause=type(error).__name__)
        return ()
