"""The last step before 250: what was prepared goes to disk, or nothing of it stays."""

from __future__ import annotations

import structlog

from mailgov.logs import told
from mailgov.mail.correspondent import correspondent
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.reply import INTERNAL_ERROR, OUT_OF_STORAGE, MailError, Reply
from mailgov.policy import render_reply
from mailgov.relay.bounce import Fate, bounce
from mailgov.relay.contents.check import NotChecked
from mailgov.relay.incoming import Incoming
from mailgov.relay.intake import Prepared, prepare
from mailgov.relay.legible import NotLegible
from mailgov.relay.node import Node
from mailgov.relay.notify import RecipientWishes
from mailgov.relay.rejecting import reject_message
from mailgov.relay.sign import SigningError
from mailgov.store.spool import BodyWriter, Change, QueuedRecipient, SpoolError, SpoolFull

log = structlog.get_logger()

EXPANDED = Reply(250, "2.0.0", "Sent on to the members of the list")


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
        if prepared.rejection is not None:
            return await reject_message(node, incoming, prepared.rejection, prepared.event)
        await node.spool.apply(await _change(node, incoming, prepared))
        offered = prepared.message if leased else None
    except NotLegible as error:
        await writer.discard()
        listener, client = str(incoming.facts["session.listener"]), incoming.trace.client_address
        node.counters.refuse(node.clock.now_ms(), listener, client, error.why.reason, incoming.told)
        return error.why.reply
    except (SpoolError, SigningError, MailError) as error:
        await writer.discard()
        if not isinstance(error, NotChecked):
            log.error("message not kept", queue_id=incoming.queue_id, cause=str(error))
        node.counters.add("not_kept")
        if isinstance(error, MailError):
            return error.reply
        return OUT_OF_STORAGE if isinstance(error, SpoolFull) else INTERNAL_ERROR
    except BaseException:
        writer.discard_soon()
        raise
    finally:
        node.offer(offered, size if leased else 0)
    if incoming.source == "mx":
        _note_writers(node, prepared)
    node.counters.add("accepted")
    told(
        "accepted",
        queue_id=incoming.queue_id,
        source=incoming.source,
        client=prepared.event.client,
        size_bytes=prepared.event.size_bytes,
    )
    return Reply(250, "2.0.0", f"Ok: queued as {incoming.queue_id}")


async def _change(node: Node, incoming: Incoming, prepared: Prepared) -> Change:
    """The message, and what its author is to hear at once: lists reached, and who may not be written to.

    Who wrote from outside is told of no members of our lists: there the record alone tells.
    """
    rejected = [(position, r) for position, r in enumerate(incoming.recipients) if r.rejected]
    if prepared.message is None:
        return prepared.change
    public_url = node.settings.http.public_url
    fates = [_expanded(address, wishes) for address, wishes in incoming.expanded if incoming.reverse_path]
    for position, recipient in rejected if incoming.account is not None else ():
        target, decision = recipient.target, recipient.decision
        if decision is not None:
            waiting = QueuedRecipient(
                position,
                str(target.address),
                target.address.domain,
                context={"original": target.original, **recipient.wishes.context()},
            )
            fates.append(Fate(waiting, render_reply(decision, utf8=False, public_url=public_url)))
    if not fates:
        return prepared.change
    notice = await bounce(node, node.spool, prepared.message, fates, node.clock.now_ms())
    if notice is None:
        return prepared.change
    return Change(
        messages=[*prepared.change.messages, *notice.change.messages],
        events=[*prepared.change.events, *notice.change.events],
    )


def _expanded(address: str, wishes: RecipientWishes) -> Fate:
    """A list has the message (RFC 3461 5.2.7.3)."""
    listed = QueuedRecipient(-1, address, "", context={"original": address, **wishes.context()})
    return Fate(listed, EXPANDED, action="expanded")


def _note_writers(node: Node, prepared: Prepared) -> None:
    """Who wrote to us may be answered: known here at once, everywhere by the ledger."""
    event = prepared.event
    writer = correspondent(event.reverse_path, event.author, spf=event.spf, dmarc=event.dmarc)
    if writer is not None:
        node.executor.submit(node.guard.merge, [(writer, event.at_ms)])
