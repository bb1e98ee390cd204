"""Daily reports to those who ask for them (RFC 8460): read back by the reader of such reports."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from mailgov.mail.sender_reports.found import ReportRow
from mailgov.mail.sender_reports.tls import read_tls
from mailgov.mail.tls_report import HttpsPlace, wanted
from mailgov.relay.node import Node
from mailgov.relay.tls_out.reports import TlsReports
from mailgov.store import outgoing, status
from mailgov.store.engine import Database, migrate
from mailgov.store.tallies import Policy
from tests.support.dns_server import DnsServer
from tests.support.relay_node import DOMAIN, node_settings, running_node
from tests.unit.relay.conftest import OwnTime
from tests.unit.relay.tls_out.conftest import There

AUTHOR = f"postmaster@{DOMAIN}"
STS = Policy("sts", "example.org", "mx.example.org", "version: STSv1\nmode: testing\nmx: *.example.org\n")
DAY_MS = 86_400_000


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}", create=True)
    await migrate(opened)
    yield opened
    await opened.dispose()


@pytest.fixture
async def reporting(tmp_path: Path, dns_server: DnsServer, time: OwnTime) -> AsyncIterator[Node]:
    dns = {"nameservers": [dns_server.address], "timeout_s": 2.0}
    settings = node_settings(tmp_path / "node", {"dns": dns, "tls_out": {"reports_from": AUTHOR}})
    time.ms -= time.ms % DAY_MS  # midnight, UTC
    with running_node(settings, clock=time.clock()) as node:
        yield node


async def tell(node: Node, ledger: Database, at_ms: int) -> None:
    for result in (None, None, "certificate-expired"):
        node.tls.tally.count(at_ms, STS, result)
    node.tls.tally.count(at_ms, Policy("no-policy-found", "silent.example", "mx.silent.example"), None)
    await status.report(
        ledger, node="n", worker="relay.0", pid=1, now_ms=at_ms, started_ms=1, policy_hash=None,
        policy_error=None, directory_revision=1, counters={}, door={}, tls=node.tls.tally.take(),
    )  # fmt: skip


async def test_a_day_is_reported_once_to_who_asks_for_it(
    reporting: Node, ledger: Database, dns_server: DnsServer, time: OwnTime
) -> None:
    dns_server.txt("_smtp._tls.example.org", "v=TLSRPTv1; rua=mailto:tls@example.org")
    await tell(reporting, ledger, time.ms)
    day = datetime.fromtimestamp(time.ms / 1000, UTC).date()
    time.ms += DAY_MS + 1_800_000
    assert await TlsReports(reporting, ledger).round() == 0  # workers may still tell of it
    time.ms += 1_800_000
    reports = TlsReports(reporting, ledger)
    dns_server.servfail("_smtp._tls.example.org")
    assert await reports.round() == 0
    dns_server.forget("_smtp._tls.example.org")
    dns_server.txt("_smtp._tls.example.org", "v=TLSRPTv1; rua=mailto:tls@example.org")
    assert await reports.round() == 1
    assert await TlsReports(reporting, ledger).round() == 0  # another worker's
    (mail,) = await outgoing.take(ledger, "spool", time.ms)
    assert (mail.reverse_path, mail.recipients) == (AUTHOR, ("tls@example.org",))
    parsed = message_from_bytes(mail.content, policy=policy.default)
    told = ("From", "TLS-Report-Domain", "TLS-Required")
    assert [parsed[name] for name in told] == [AUTHOR, "example.org", "No"]
    assert (parsed.get_content_type(), parsed.get_param("report-type")) == ("multipart/report", "tlsrpt")
    (attached,) = [part for part in parsed.walk() if part.get_content_type() == "application/tlsrpt+gzip"]
    octets = attached.get_payload(decode=True)
    assert isinstance(octets, bytes)
    found = read_tls(gzip.decompress(octets))
    assert (found.domain, found.report_id) == ("example.org", f"{day}.example.org@{DOMAIN}")
    assert dict(found.rows) == {
        ReportRow("example.org", "", "success", policy="sts"): 2,
        ReportRow("example.org", "", "certificate-expired", policy="sts", host="mx.example.org"): 1,
    }


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["v=TLSRPTv1; rua=mailto:a@example.org"], ("a@example.org",)),
        (["v=TLSRPTv1;rua=https://x.example/,mailto:a%2Bb@example.org?x=y"], ("a+b@example.org",)),
        (["v=TLSRPTv1; rua=mailto:a@example.org", "v=TLSRPTv1; rua=mailto:b@example.org"], ()),
        (["v=TLSRPTv2; rua=mailto:a@example.org"], ()),
        (["v=TLSRPTv1; rua=mailto:a%0D%0Ab@example.org"], ()),
        (["v=TLSRPTv1; rua=mailto:nobody"], ()),
        ([], ()),
    ],
)
def test_where_a_domain_wishes_to_have_them(texts: list[str], found: tuple[str, ...]) -> None:
    assert wanted(texts).mail == found


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("https://r.example.org/v1?x=y", (HttpsPlace("r.example.org", 443, "/v1?x=y"),)),
        ("https://r.example.org", (HttpsPlace("r.example.org", 443, "/"),)),
        ("https://r.example.org:8443/", (HttpsPlace("r.example.org", 8443, "/"),)),
        ("http://r.example.org/", ()),
        ("https://me:secret@r.example.org/", ()),
        ("https://localhost/", ()),
        ("https://r.example.org:99999/", ()),
        ("https://r.example.org/a b", ()),
        ("https://[::1]/", ()),
    ],
)
def test_where_it_may_be_put(uri: str, found: tuple[HttpsPlace, ...]) -> None:
    assert wanted([f"v=TLSRPTv1; rua={uri}"]).https == found


async def test_a_report_is_put_by_https_until_it_is_taken(there: There, ledger: Database) -> None:
    there.settings["tls_out"] = {"reports_from": AUTHOR}
    there.show_web(there.authority.issue(there.folder, "reports.example.org"))
    there.dns.a("reports.example.org", "127.0.0.1")
    place = f"https://reports.example.org:{there.web.port}/v1/tls"
    there.dns.txt("_smtp._tls.example.org", f"v=TLSRPTv1; rua={place}")
    there.time.ms -= there.time.ms % DAY_MS
    with there.relay() as relay:
        await tell(relay.node, ledger, there.time.ms)
        there.time.ms += DAY_MS + 3_600_000
        reports = TlsReports(relay.node, ledger)
        there.web.status = 503
        assert await reports.round() == 0
        there.web.status = 201
        assert await reports.round() == 1
        assert await TlsReports(relay.node, ledger).round() == 0
    there.folder /= "another-machine"
    with there.relay() as relay:
        assert await TlsReports(relay.node, ledger).round() == 0
    (_, refused), (method, taken) = [(asked[0], asked[3]) for asked in there.web.asked]
    assert (method, taken) == ("POST", refused)
    assert read_tls(gzip.decompress(taken)).domain == "example.org"
