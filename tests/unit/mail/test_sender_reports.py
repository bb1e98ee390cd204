"""DMARC aggregate and TLS reports: what is read, and that no bomb costs more than its bound."""

from __future__ import annotations

import base64
import gzip
import io
import json
import time
import zipfile
from collections.abc import Sequence

import pytest

from mailgov.mail.sender_reports import opened
from mailgov.mail.sender_reports.dmarc import read_dmarc
from mailgov.mail.sender_reports.found import ROWS_LIMIT, ReportError, ReportRow
from mailgov.mail.sender_reports.opened import reports_in
from mailgov.mail.sender_reports.tls import OCTETS_LIMIT, read_tls
from tests.support.reports import DMARC, TLS, bearing, dmarc

ROW = ReportRow("caobang.gov.vn", "192.0.2.7", "none", "pass", "fail")


def test_an_aggregate_report() -> None:
    report = read_dmarc(DMARC)
    assert (report.kind, report.reporter, report.report_id) == ("dmarc", "Example Mail", "a-1")
    assert (report.domain, report.begin_ms, report.end_ms) == (
        "caobang.gov.vn", 1_793_664_000_000, 1_793_750_399_000,
    )  # fmt: skip
    assert dict(report.rows) == {ROW: 3, ROW._replace(source="2001:db8::1", dkim="fail", result="reject"): 1}
    assert (report.records, report.cut) == (2, False)


def test_namespaces_and_encodings_do_not_matter() -> None:
    spaced = DMARC.replace(b"<feedback>", b'<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">')
    assert read_dmarc(spaced) == read_dmarc(DMARC)
    latin = DMARC.replace(b'encoding="UTF-8"', b'encoding="windows-1252"').replace(b"Example", b"Ex\xe4mple")
    assert read_dmarc(latin).reporter == "Exämple Mail"
    assert read_dmarc(DMARC.decode().replace("UTF-8", "UTF-16").encode("utf-16")) == read_dmarc(DMARC)


def test_odd_values_are_not_told() -> None:
    rows = dmarc([("=cmd()", "-5", "burn", "pass", "perhaps"), ("1.2.3.4", "9" * 30, "none", "", "")])
    assert dict(read_dmarc(rows).rows) == {
        ReportRow("caobang.gov.vn", "", "", "pass", ""): 0,
        ReportRow("caobang.gov.vn", "1.2.3.4", "none"): 0,
    }


LAUGHS = b'<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><feedback>&b;</feedback>'
XXE = b'<?xml version="1.0"?><!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]><feedback>&x;</feedback>'


@pytest.mark.parametrize(
    "data",
    [
        LAUGHS,
        XXE,
        b'<!DOCTYPE feedback SYSTEM "http://192.0.2.1/x.dtd"><feedback/>',
        b"<feedback>" + b"<a>" * 100_000,
        b"<feedback " + b"a" * 5_000_000,
        b"<feedback><!--" + b"-" * 5_000_000,
        b"<other></other>",
        b"<feedback></feedback>",
        b"<feedback><report_metadata>",
        b"<?xml version='1.0' encoding='nobodys'?><feedback/>",
        b"",
        b"\xff\xfe\x00",
        DMARC.replace(b"caobang.gov.vn", b"&undefined;"),
    ],
    ids=range(13),
)
def test_what_is_no_aggregate_report(data: bytes) -> None:
    with pytest.raises(ReportError):
        read_dmarc(data)


def test_records_beyond_the_limit_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailgov.mail.sender_reports.dmarc.RECORDS_LIMIT", 2000)
    many = dmarc([(f"10.0.{n >> 8}.{n & 255}", "1", "none", "pass", "pass") for n in range(3000)])
    report = read_dmarc(many)
    assert (report.records, report.cut, len(report.rows)) == (2000, True, ROWS_LIMIT + 1)
    assert sum(count for _, count in report.rows) == 2000
    assert report.rows[-1] == (ReportRow("", "", "none", "pass", "pass"), 1000)


def test_a_tls_report() -> None:
    report = read_tls(TLS)
    assert (report.kind, report.reporter, report.report_id) == ("tls", "Example Mail", "t-1")
    assert (report.domain, report.begin_ms, report.end_ms) == (
        "caobang.gov.vn", 1_793_664_000_000, 1_793_750_399_000,
    )  # fmt: skip
    assert dict(report.rows) == {
        ReportRow("caobang.gov.vn", "", "success", policy="sts"): 5326,
        ReportRow(
            "caobang.gov.vn", "192.0.2.9", "certificate-expired", policy="sts", host="mx1.caobang.gov.vn"
        ): 100,
        ReportRow("caobang.gov.vn", "", "failure", policy="sts", host=""): 3,
    }


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"{}",
        b"1" * 100_000,
        b"[" * 1_000_000,
        b'{"a":' * 500_000,
        b'{"policies": "x", "report-id": 7}',
        json.dumps({**json.loads(TLS), "date-range": {"start-datetime": "9" * 400}}).encode(),
        b" " * (OCTETS_LIMIT + 1),
    ],
    ids=range(9),
)
def test_what_is_no_tls_report(data: bytes) -> None:
    with pytest.raises(ReportError):
        read_tls(data)


def zipped(*files: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return made.getvalue()


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/gzip", gzip.compress(DMARC)),
        ("application/zip", zipped(("google.com!caobang.gov.vn!1!2.xml", DMARC))),
        ("application/octet-stream", zipped(("folder/", b""), ("folder/r.xml", DMARC))),
        ("text/xml", DMARC),
        ("application/xml", b"\xef\xbb\xbf" + DMARC),
        ("application/tlsrpt+gzip", gzip.compress(TLS)),
        ("application/tlsrpt+json", TLS),
    ],
)
def test_however_it_is_packed(kind: str, content: bytes) -> None:
    for alone in (True, False):
        found, problems = reports_in(bearing(kind, content, alone=alone))
        assert [report.domain for report in found] == ["caobang.gov.vn"], (kind, alone)
        assert problems == []


def bombs() -> Sequence[bytes]:
    zeros = bytes(20_000_000)
    once = gzip.compress(b"<?xml version='1.0'?><feedback>" + zeros, 9)
    return (
        once,
        gzip.compress(once),
        zipped(("a.xml", b"<feedback>" + zeros)),
        zipped(("a.zip", zipped(("b.xml", DMARC)))),
    )


def test_a_bomb_of_one_to_a_thousand_costs_its_bound_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "UNPACKED_OCTETS", 8_000_000)
    for bomb in bombs():
        found, problems = reports_in(bearing("application/gzip", bomb))
        assert (found, len(problems)) == ([], 1)


def test_other_mail_is_left_alone() -> None:
    for kind, content in (("application/pdf", b"%PDF-1.7"), ("text/plain", b"hello"), ("text/html", b"<p>x")):
        assert reports_in(bearing(kind, content)) == ([], [])
    many = bearing("application/gzip", gzip.compress(DMARC), times=9)
    found, problems = reports_in(many)
    assert (len(found), problems) == (2, ["more attachments than are looked at"])
    assert reports_in(bytes(opened.MESSAGE_OCTETS + 1)) == ([], ["the message is too large"])
    assert base64.b64encode(DMARC)[:8] not in bearing("text/plain", b"x")


@pytest.mark.parametrize("text", [b"\n", b"&#65;", b"a\n"])
def test_text_without_end_costs_no_call_for_each_line(text: bytes) -> None:
    """Expat tells of each line end and each reference by itself, unless it is asked to gather them."""
    begun = time.process_time()
    with pytest.raises(ReportError, match="no aggregate report"):
        read_dmarc(b"<feedback><a>" + text * (4_000_000 // len(text)) + b"</a></feedback>")
    assert time.process_time() - begun < 0.25


def test_elements_without_number_are_no_report() -> None:
    """Sixteen million empty elements pack into 64 KB, and each is a call into Python."""
    bomb = gzip.compress(b"<feedback>" + b"<a/>" * 1_000_000 + b"</feedback>")
    found, problems = reports_in(bearing("application/gzip", bomb))
    assert found == []
    assert problems == ["not read: too deep, or too many elements"]
