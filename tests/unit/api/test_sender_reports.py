"""Reports about mail in our name, over HTTP."""

from __future__ import annotations

import csv
import io

from mailgov.mail.events import SenderReportEvent
from mailgov.mail.sender_reports.dmarc import read_dmarc
from mailgov.store import status
from mailgov.store.ledger import apply_events
from mailgov.store.tallies import Policy, TlsTally
from tests.support.reports import dmarc
from tests.unit.api.conftest import Api
from tests.unit.api.test_app import check_problem
from tests.unit.api.world import NOW_MS

PATH = "/api/v1/sender-reports"
BEGIN_S = NOW_MS // 1000 - 2 * 86_400


async def reported(api: Api) -> None:
    rows = [("192.0.2.7", "3", "none", "pass", "fail"), ("192.0.2.8", "2", "reject", "fail", "fail")]
    report = read_dmarc(dmarc(rows, reporter="=cmd|' /C calc'!A0&lt;script>", begin_s=BEGIN_S))
    await apply_events(api.services.db, "reports", "n", [(1, SenderReportEvent("Q", NOW_MS, report))], NOW_MS)


async def test_what_was_reported(filled: Api) -> None:
    await reported(filled)
    body = (await filled.get(PATH, kind="dmarc")).json()
    assert (body["kind"], body["more"]) == ("dmarc", False)
    assert [(line["source"], line["count"]) for line in body["lines"]] == [("192.0.2.7", 3), ("192.0.2.8", 2)]
    assert (await filled.get(PATH, kind="tls")).json()["lines"] == []
    assert (await filled.get(PATH, kind="dmarc", period="2020")).json()["lines"] == []
    first = (await filled.get(PATH, kind="dmarc", limit="1")).json()
    assert (len(first["lines"]), first["more"]) == (1, True)


async def test_a_spreadsheet_runs_nothing_of_it(filled: Api) -> None:
    await reported(filled)
    answer = await filled.get(PATH, kind="dmarc", format="csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    header, first, _ = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";")
    assert dict(zip(header, first, strict=True))["reporter"] == "'=cmd|' /C calc'!A0<script>"


async def test_operators_alone(filled: Api) -> None:
    for seat in ("auditor", "agency_admin.snv", "clerk.snv", "head.snv", "owner"):
        assert (await filled.get(PATH, seat, kind="dmarc")).status_code == 403, seat


async def test_what_cannot_be_asked(filled: Api) -> None:
    check_problem(await filled.get(PATH), 422)
    check_problem(await filled.get(PATH, kind="arf"), 422)
    check_problem(await filled.get(PATH, kind="tls", period="2026-13"), 422)
    check_problem(await filled.get(PATH, kind="tls", limit="5001"), 422)


async def test_how_we_reached_others(filled: Api) -> None:
    """`tls-out` is what workers counted themselves."""
    tally = TlsTally()
    tally.count(NOW_MS, Policy("sts", "example.org", "mx.example.org"), "certificate-expired")
    await status.report(
        filled.services.db, node="n", worker="relay.0", pid=1, now_ms=NOW_MS, started_ms=1, policy_hash=None,
        policy_error=None, directory_revision=1, counters={}, door={}, tls=tally.take(),
    )  # fmt: skip
    (line,) = (await filled.get(PATH, kind="tls-out")).json()["lines"]
    assert (line["domain"], line["policy"], line["host"], line["result"], line["count"]) == (
        "example.org", "sts", "mx.example.org", "certificate-expired", 1,
    )  # fmt: skip
