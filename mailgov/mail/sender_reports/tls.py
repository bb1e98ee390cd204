"""SMTP TLS reports (RFC 8460): JSON."""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from mailgov.mail.sender_reports.found import (
    COUNT_LIMIT,
    ReportError,
    ReportRow,
    SenderReport,
    summed,
    text_of,
)

OCTETS_LIMIT = 8_388_608
"""A report is a few kilobytes; JSON is read whole, and takes a multiple of this in memory."""
DETAILS_LIMIT = 100_000
_POLICIES = frozenset({"tlsa", "sts", "no-policy-found"})
_FAILURES = frozenset(
    {
        "starttls-not-supported", "certificate-host-mismatch", "certificate-expired",
        "certificate-not-trusted", "validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required",
        "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid",
    }
)  # fmt: skip


def read_tls(data: bytes | bytearray) -> SenderReport:
    """The report in a JSON document. Raises ReportError."""
    if len(data) > OCTETS_LIMIT:
        raise ReportError("too large")
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ReportError(f"not read: {type(error).__name__}") from None
    report = _table(raw)
    span = _table(report.get("date-range"))
    counts: Counter[ReportRow] = Counter()
    domains: list[str] = []
    records = 0
    for row, count in _rows(report, domains):
        if records >= DETAILS_LIMIT:
            break
        records += 1
        counts[row] += count
    report_id = text_of(report.get("report-id"))
    if not report_id or not domains:
        raise ReportError("no TLS report: its id or its policies are missing")
    rows, merged = summed(counts)
    return SenderReport(
        kind="tls",
        reporter=text_of(report.get("organization-name")),
        report_id=report_id,
        domain=domains[0],
        begin_ms=_time(span.get("start-datetime")),
        end_ms=_time(span.get("end-datetime")),
        rows=rows,
        records=records,
        cut=merged or records >= DETAILS_LIMIT,
    )


def _rows(report: dict[str, Any], domains: list[str]) -> Iterator[tuple[ReportRow, int]]:
    for one in _list(report.get("policies")):
        policy, summary = _table(_table(one).get("policy")), _table(_table(one).get("summary"))
        domain = text_of(policy.get("policy-domain")).lower().rstrip(".")
        kind = _word(policy.get("policy-type"), _POLICIES)
        domains.append(domain)
        succeeded = _count(summary.get("total-successful-session-count"))
        if succeeded:
            yield ReportRow(domain, "", "success", policy=kind), succeeded
        details = [_table(detail) for detail in _list(_table(one).get("failure-details"))]
        for detail in details:
            row = ReportRow(
                domain,
                _address(detail.get("sending-mta-ip")),
                _word(detail.get("result-type"), _FAILURES) or "failure",
                policy=kind,
                host=text_of(detail.get("receiving-mx-hostname")).lower(),
            )
            yield row, _count(detail.get("failed-session-count"))
        failed = _count(summary.get("total-failure-session-count"))
        if failed and not details:
            yield ReportRow(domain, "", "failure", policy=kind), failed


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _word(value: object, known: frozenset[str]) -> str:
    return value if isinstance(value, str) and value in known else ""


def _count(value: object) -> int:
    return min(value, COUNT_LIMIT) if type(value) is int and value > 0 else 0


def _address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def _time(value: object) -> int:
    """RFC 3339 in ms. Raises ReportError."""
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ReportError("no time") from None
