"""A daily report to each domain that asks for one (RFC 8460 3): by mail or HTTPS, once."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP

import structlog

from mailgov.mail.text import one_line
from mailgov.mail.tls_report import HttpsPlace, SessionCount, report, wanted
from mailgov.relay.edits import mail_date
from mailgov.relay.node import Node
from mailgov.relay.tls_out.https import NoAnswer, Question
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
        """Look twice an hour whether a day is over, for ever; nothing while no report is to be sent."""
        while True:
            if self._node.settings.tls_out.reports_from:
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
        places = wanted(answer.values)
        made = self._made(day, domain, counts)
        posted = [await self._post(day, domain, place, made) for place in places.https]
        fresh = bool(places.mail) and await self._mail(day, domain, places.mail, made)
        return None if None in posted else fresh or any(posted)

    async def _post(self, day: date, domain: str, place: HttpsPlace, made: bytes) -> bool | None:
        """By HTTPS, once for the ledger; None where it is to be tried again."""
        node = self._node
        key = f"tls-report:{day}:{domain}:{place.host}{place.path}"
        if place.port not in (443, node.settings.tls_out.mta_sts_port):
            return False  # nobody is to be knocked at in our name
        if not await outgoing.claim(self._db, key, node.clock.now_ms()):
            return False
        fields = {"Content-Type": "application/tlsrpt+gzip"}
        try:
            answer = await node.tls.https.ask(Question(place.host, place.path, place.port, made, fields))
            if not 200 <= answer.status <= 299:
                raise NoAnswer(f"{place.host}: {answer.status}")
        except NoAnswer as error:
            log.info("TLS report not taken", domain=domain, cause=one_line(str(error), 300))
            await outgoing.give_up(self._db, key)
            return None
        log.info("TLS report", domain=domain, day=str(day), host=place.host)
        return True

    async def _mail(self, day: date, domain: str, recipients: Sequence[str], made: bytes) -> bool:
        """Into the outgoing mail, once for the ledger."""
        async with self._db.write() as session:
            fresh = await outgoing.put(
                session,
                idempotency_key=f"tls-report:{day}:{domain}",
                reverse_path=self._node.settings.tls_out.reports_from,
                recipients=recipients,
                content=self._content(day, domain, recipients, made),
                now_ms=self._node.clock.now_ms(),
            )
        if fresh:
            log.info("TLS report", domain=domain, day=str(day), recipients=len(recipients))
        return fresh

    def _made(self, day: date, domain: str, counts: Sequence[SessionCount]) -> bytes:
        author = self._node.settings.tls_out.reports_from
        submitter = author.rpartition("@")[2]
        made = report(
            domain,
            day,
            counts,
            organization=f"{self._node.settings.province.name} ({submitter})",
            contact=author,
            report_id=_id(day, domain, submitter),
        )
        return gzip.compress(json.dumps(made, ensure_ascii=False).encode(), mtime=0)

    def _content(self, day: date, domain: str, recipients: Sequence[str], made: bytes) -> bytes:
        node, author = self._node, self._node.settings.tls_out.reports_from
        submitter = author.rpartition("@")[2]
        report_id = _id(day, domain, submitter)
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
            made,
            maintype="application",
            subtype="tlsrpt+gzip",
            filename=f"{submitter}!{domain}!{begin}!{begin + 86_399}.json.gz",
        )
        mail.set_type("multipart/report")
        mail.set_param("report-type", "tlsrpt")
        return mail.as_bytes()


def _id(day: date, domain: str, submitter: str) -> str:
    """The same whoever makes it: who gets it twice knows it again."""
    return f"{day}.{domain}@{submitter}"
