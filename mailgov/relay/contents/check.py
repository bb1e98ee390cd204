"""What a message carries: malware, spam, and attachments by what they really are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import structlog

from mailgov.mail.files.risks import look_at_attachments
from mailgov.mail.files.risky import RiskyPart
from mailgov.mail.mime import MimeLook
from mailgov.mail.reply import MailError, Reply
from mailgov.relay.contents.clamd import Malware
from mailgov.relay.contents.found import Content
from mailgov.relay.contents.rspamd import RECIPIENTS_LIMIT, Spam
from mailgov.relay.contents.turn import Unavailable
from mailgov.relay.incoming import Incoming
from mailgov.relay.node import INLINE_BYTES, Node
from mailgov.relay.refusal_log import LINES_PER_MINUTE
from mailgov.settings import Failure
from mailgov.store.spool import BodyWriter

log = structlog.get_logger()

Looked = tuple[tuple[str, ...], tuple[RiskyPart, ...]]

SLICE_BYTES = 262_144
"""What is read from the disk at once of a message that lies there."""
NOT_CHECKED = Reply(451, "4.7.1", "The message cannot be checked now, please try again later")


class NotChecked(MailError):
    """The message is put off until it can be checked; the log knows why."""


def at_hand(node: Node, incoming: Incoming, seen: MimeLook) -> bool:
    """Whether `check_content` asks nobody and opens nothing, so that its answer costs nothing."""
    if incoming.source == "own":
        return True
    return _nothing_attached(seen) and not _asks(node, incoming)


def _asks(node: Node, incoming: Incoming) -> bool:
    """Whether a service is to be asked about mail of this source."""
    scanners, settings = node.scanners, node.settings
    return (scanners.clamd is not None and incoming.source in settings.clamd.sources) or (
        scanners.rspamd is not None and incoming.source in settings.rspamd.sources
    )


async def check_content(node: Node, incoming: Incoming, writer: BodyWriter, seen: MimeLook) -> Content:
    """What the services that are set up and our own look find.

    Raises MailError 451 where one of them gives no verdict and its failure mode is `defer`;
    SpoolError where the body cannot be read.
    """
    if incoming.source == "own":
        return Content()
    risks, risky = await _risks(node, writer, seen)
    if not _asks(node, incoming):
        return Content(risks=risks, risky=risky)
    asked = (_malware(node, incoming, writer), _spam(node, incoming, writer))
    malware, spam = await asyncio.gather(*asked, return_exceptions=True)
    if isinstance(malware, BaseException):  # not before both are done with the body
        raise malware
    if isinstance(spam, BaseException):
        raise spam
    return Content(
        malware=None if malware is None else malware.word,
        malware_name=None if malware is None else malware.name,
        spam=None if spam is None else spam.word,
        spam_score=None if spam is None else spam.score,
        risks=risks,
        risky=risky,
    )


def _nothing_attached(seen: MimeLook) -> bool:
    return not seen.leaves and seen.complete


async def _risks(node: Node, writer: BodyWriter, seen: MimeLook) -> Looked:
    if _nothing_attached(seen):
        return (), ()

    def work() -> Looked:
        with writer.view() as data:
            return look_at_attachments(data, seen)

    # What is in an archive is not bounded by the size of the message: never on the loop.
    risks, risky = await node.aside(work, max(writer.size_bytes, INLINE_BYTES + 1), blocks=writer.in_file)
    for risk in risks:
        node.counters.add(f"attachment_{risk.replace('-', '_')}")
    return risks, risky


async def _malware(node: Node, incoming: Incoming, writer: BodyWriter) -> Malware | None:
    clamd, settings = node.scanners.clamd, node.settings.clamd
    if clamd is None or incoming.source not in settings.sources:
        return None
    try:
        found = await clamd.scan(lambda limit: pieces(node, writer, limit), writer.size_bytes)
    except Unavailable as error:
        _not_checked(node, incoming, "malware", settings.failure, error)
        found = Malware("unchecked")
    node.counters.add(f"malware_{found.word}")
    return found


async def _spam(node: Node, incoming: Incoming, writer: BodyWriter) -> Spam | None:
    rspamd, settings = node.scanners.rspamd, node.settings.rspamd
    if rspamd is None or incoming.source not in settings.sources:
        return None
    envelope = _envelope(incoming, node.settings.hostname)
    try:
        found = await rspamd.check(envelope, lambda limit: pieces(node, writer, limit), writer.size_bytes)
    except Unavailable as error:
        _not_checked(node, incoming, "spam", settings.failure, error)
        found = Spam("unchecked")
    node.counters.add(f"spam_{found.word}")
    return found


def _envelope(incoming: Incoming, hostname: str) -> list[tuple[str, str]]:
    """Where the message comes from, in rspamd's words."""
    client = incoming.judged
    told = [("IP", client.address), ("Helo", client.helo)] if client.address else []
    told += [
        ("From", f"<{incoming.reverse_path}>"),
        ("Queue-Id", incoming.queue_id),
        ("MTA-Name", hostname),
    ]
    if incoming.account is not None:
        told.append(("User", incoming.account.address))
    accepted = [r.target for r in incoming.recipients if not r.rejected][:RECIPIENTS_LIMIT]
    return told + [("Rcpt", f"<{target.address}>") for target in accepted]


def _not_checked(node: Node, incoming: Incoming, what: str, failure: Failure, error: Unavailable) -> None:
    """Raises MailError where the message is to be put off."""
    now_ms = node.clock.now_ms()
    # That it is away was told when it began: see `Scanners`.
    if not error.away and node.counters.within(now_ms, "not checked", LINES_PER_MINUTE):
        log.warning("not checked", what=what, queue_id=incoming.queue_id, failure=failure, cause=str(error))
    if failure == "defer":
        node.counters.add(f"{what}_deferred")
        listener, client = str(incoming.facts["session.listener"]), incoming.trace.client_address
        node.counters.refusals.tell(now_ms, listener, client, f"{what}_not_checked", incoming.told)
        raise NotChecked(NOT_CHECKED, f"{what}: {error}")


async def pieces(node: Node, writer: BodyWriter, limit: int) -> AsyncIterator[bytes]:
    """The first `limit` octets of a message, of which a part at a time is in memory."""

    def cut(start: int) -> bytes:
        with writer.view() as data:
            return bytes(data[start : min(limit, start + SLICE_BYTES)])

    loop = asyncio.get_running_loop()
    for start in range(0, min(limit, writer.size_bytes), SLICE_BYTES):
        yield await loop.run_in_executor(node.executor, cut, start) if writer.in_file else cut(start)
