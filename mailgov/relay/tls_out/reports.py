"""A daily report to each domain that asks for one (RFC 8460 3): by mail, once, whichever worker makes it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP

import structlog

from mailgov.mail.tls_report import SessionCount, mail_recipients, report
from mailgov.relay.edits import mail_date
from mailgov.relay.node import Node
from mailgov.store import outgoing, tls_results
from mailgov.store.engine import Database, LedgerUnavailable

log = structlog.get_logger()

INTERVAL_S = 1800.0
SETTLED_S = 3600
"""A day is reported an hour after its end: by then every worker has told what it counted."""
DOMAINS_LIMIT = 2_000
"""Reports of one day."""


class TlsReports:
    """One worker's; the ledger keeps what was sent."""

    def __init__(self, node: Node, db: Database) -> None:
        self._node, self._db = node, db
        self._done: date | None = None

    async def run(self) -> None:
        """Look twice an hour whether a day is over, for ever; nothing where no report is to be sent."""
        while self._node.settings.tls_out.reports_from:
            await self.round()
            await asyncio.sleep(INTERVAL_S)

    async def round(self) -> int:
        """Put the reports of the last whole day into the outgoing mail; how many were new. Never raises for
        the ledger or the DNS: what could not be done is tried at the next look.
        """
        now = datetime.fromtimestamp(self._node.clock.now_ms() / 1000, UTC)
        day = (now - timedelta(seconds=SETTLED_S)).date() - timedelta(days=1)
        if day == self._done:
            return 0
        try:
            async with self._db.read() as session:
                found = await tls_results.of_day(session, day, DOMAINS_LIMIT)
            results = [await self._report(day, domain, counts) for domain, counts in found.items()]
        except LedgerUnavailable as error:
            log.info("TLS reports wait for the ledger", cause=str(error))
            return 0
        if None not in results:
            self._done = day
        return sum(map(bool, results))

    async def _report(self, day: date, domain: str, counts: Sequence[SessionCount]) -> bool | None:
        """Whether it is new; None where the DNS does not answer now."""
        answer = await self._node.resolver.texts(f"_smtp._tls.{domain}")
        if answer.status == "temporary":
            return None
        recipients = mail_recipients(answer.values)
        if not recipients:
            return False
        author = self._node.settings.tls_out.reports_from
        content = self._content(day, domain, counts, recipients)
        async with self._db.write() as session:
            fresh = await outgoing.put(
                session,
                idempotency_key=f"tls-report:{day}:{domain}",
                reverse_path=author,
                recipients=recipients,
                content=content,
                now_ms=self._node.clock.now_ms(),
            )
        if fresh:
            log.info("TLS report", domain=domain, day=str(day), recipients=len(recipients))
        return fresh

    def _content(
        self, day: date, domain: str, counts: Sequence[SessionCount], recipients: Sequence[str]
    ) -> bytes:
        node, author = self._node, self._node.settings.tls_out.reports_from
        submitter = author.rpartition("@")[2]
        report_id = f"{day}.{domain}@{submitter}"
        made = report(
            domain,
            day,
            counts,
            organization=f"{node.settings.province.name} ({submitter})",
            contact=author,
            report_id=report_id,
        )
        mail = EmailMessage(policy=SMTP)
        mail["From"], mail["To"] = author, ", ".join(recipients)
        mail["Date"] = mail_date(node.clock.now_ms())
        mail["Message-ID"] = f"<{node.clock.queue_id()}@{node.settings.hostname}>"
        mail["Subject"] = f"Report Domain: {domain} Submitter: {submitter} Report-ID: <{report_id}>"
        mail["TLS-Report-Domain"], mail["TLS-Report-Submitter"] = domain, submitter
        mail["TLS-Required"] = "No"  # RFC 8460 3: it goes although TLS with the domain fails
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(f"TLS report (RFC 8460) for {domain}, {day} UTC, from {submitter}.\n")
        begin = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        mail.add_attachment(
            gzip.compress(json.dumps(made, ensure_ascii=False).encode(), mtime=0),
            maintype="application",
            subtype="tlsrpt+gzip",
            filename=f"{submitter}!{domain}!{begin}!{begin + 86_399}.json.gz",
        )
        mail.set_type("multipart/report")
        mail.set_param("report-type", "tlsrpt")
        return mail.as_bytes()
