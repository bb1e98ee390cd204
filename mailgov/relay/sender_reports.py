"""Reports of other providers that reach the mailbox for them: read, summed up, told to the ledger."""

from __future__ import annotations

import asyncio

import structlog

from mailgov.mail.events import SenderReportEvent
from mailgov.mail.sender_reports.found import SenderReport
from mailgov.mail.sender_reports.opened import MESSAGE_OCTETS, reports_in
from mailgov.relay.content import Content
from mailgov.relay.node import Node
from mailgov.store.spool import Change, QueuedMessage, QueuedRecipient, Spool, SpoolError

log = structlog.get_logger()

WAITING_LIMIT = 20
"""Messages that wait to be read as reports, in one worker; the others are delivered all the same."""
AGE_MS = 60 * 86_400_000
AHEAD_MS = 2 * 86_400_000
"""A report is of the day before; what claims another time than about now is not believed."""


def meant_for(node: Node, recipient: QueuedRecipient) -> bool:
    """Whether this delivery is to the mailbox for reports, or was addressed to its alias."""
    mailbox, original = node.settings.reports.mailbox, recipient.context.get("original")
    return bool(mailbox) and mailbox in (recipient.destination, str(original or "").lower())


async def note(node: Node, spool: Spool, message: QueuedMessage, content: Content) -> None:
    """Look for reports in a message that was delivered. Never raises: the message is in its mailbox."""
    if content.size_bytes > MESSAGE_OCTETS:
        _refused(node, message, "the message is too large")
        return

    def work() -> tuple[list[SenderReport], list[str]]:
        rest = b""
        if content.file is not None:
            with content.file.open("rb") as source:
                source.seek(content.offset)
                rest = source.read(MESSAGE_OCTETS)
        return reports_in(content.head + rest)

    if node.reports_waiting >= WAITING_LIMIT:
        _refused(node, message, "too many reports at once")
        return
    node.reports_waiting += 1
    try:
        # What is packed is not bounded by the size of the message: never on the loop, and one at a time,
        # in no place that mail itself waits for.
        async with node.reports_turn:
            loop = asyncio.get_running_loop()
            found, problems = await loop.run_in_executor(node.executor, work)
    except Exception as error:  # a stranger's bytes must not stop a delivery that is done
        log.error("sender report not read", queue_id=message.queue_id, exc_info=error)
        node.counters.add("internal_errors")
        return
    finally:
        node.reports_waiting -= 1
    now_ms = node.clock.now_ms()
    believed = [report for report in found if _believed(node, report, now_ms)]
    for problem in [*problems, *["of another domain or time"] * (len(found) - len(believed))]:
        _refused(node, message, problem)
    if not believed:
        return
    events = [SenderReportEvent(message.queue_id, now_ms, report) for report in believed]
    try:
        await spool.apply(Change(events=events))
    except SpoolError as error:
        _refused(node, message, str(error))
        return
    for report in believed:
        node.counters.add(f"sender_reports_{report.kind}")


def _believed(node: Node, report: SenderReport, now_ms: int) -> bool:
    """It is about a domain of ours, or one below it, and about these days."""
    labels = report.domain.split(".")
    snapshot = node.directory.snapshot
    ours = any(snapshot.is_local(".".join(labels[start:])) for start in range(min(len(labels), 20)))
    timely = now_ms - AGE_MS <= report.begin_ms <= report.end_ms <= now_ms + AHEAD_MS
    return ours and timely


def _refused(node: Node, message: QueuedMessage, problem: str) -> None:
    node.counters.add("sender_reports_refused")
    if node.counters.within(node.clock.now_ms(), "sender report refused", 10):
        log.warning("sender report not taken", queue_id=message.queue_id, problem=problem)
