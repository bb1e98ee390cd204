"""A TLS report of ours to another domain, and where it wishes to have it (RFC 8460 3, 4.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from mailgov.mail.address import Address, AddressError

RECIPIENTS_LIMIT = 4
"""Addresses that one domain may have its reports sent to."""
_HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_PATH = re.compile(r"/[!-~]{0,1000}")
_PERCENT = re.compile("%[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True)
class SessionCount:
    """Sessions of one kind: `kind` tlsa, sts or no-policy-found, `result` success or RFC 8460 4.3's."""

    kind: str
    host: str
    result: str
    policy: str
    count: int


@dataclass(frozen=True, slots=True)
class HttpsPlace:
    """Where a report is put by HTTPS."""

    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where a domain wishes to have its reports: `RECIPIENTS_LIMIT` places of each kind at most."""

    mail: tuple[str, ...] = ()
    https: tuple[HttpsPlace, ...] = ()


def wanted(texts: Sequence[str]) -> Wanted:
    """By the one TLSRPTv1 record among a name's TXT records; nowhere without one."""
    uris = _uris(texts)
    mail = dict.fromkeys(address for uri in uris if (address := _mailto(uri)))
    https = dict.fromkeys(place for uri in uris if (place := _https(uri)))
    return Wanted(tuple(mail)[:RECIPIENTS_LIMIT], tuple(https)[:RECIPIENTS_LIMIT])


def _uris(texts: Sequence[str]) -> list[str]:
    records = [text for text in texts if text.split(";")[0].strip() == "v=TLSRPTv1"]
    if len(records) != 1:
        return []
    found: list[str] = []
    for field in records[0].split(";")[1:]:
        name, _, value = field.strip().partition("=")
        if name.strip() == "rua":
            found += [uri.strip() for uri in value.split(",")]
    return found


def _https(uri: str) -> HttpsPlace | None:
    try:
        parts = urlsplit(uri)
        port = parts.port or 443
    except ValueError:
        return None
    host = parts.hostname or ""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    usable = parts.scheme.lower() == "https" and _HOST.fullmatch(host) and "@" not in parts.netloc
    return HttpsPlace(host, port, path) if usable and _PATH.fullmatch(path) else None


def _mailto(uri: str) -> str:
    scheme, _, rest = uri.partition(":")
    if scheme.lower() != "mailto":
        return ""
    text = _PERCENT.sub(lambda match: chr(int(match[0][1:], 16)), rest.partition("?")[0])
    try:
        return str(Address.parse(text)) if text.isascii() else ""
    except AddressError:
        return ""


def report(
    domain: str, day: date, counts: Sequence[SessionCount], *, organization: str, contact: str, report_id: str
) -> dict[str, Any]:
    """The report of one UTC day, as JSON has it."""
    return {
        "organization-name": organization,
        "date-range": {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"},
        "contact-info": contact,
        "report-id": report_id,
        "policies": [
            _policy(domain, kind, [one for one in counts if one.kind == kind])
            for kind in sorted({one.kind for one in counts})
        ],
    }


def _policy(domain: str, kind: str, counts: Sequence[SessionCount]) -> dict[str, Any]:
    lines = dict.fromkeys(line for one in counts for line in one.policy.splitlines())
    failed = [one for one in counts if one.result != "success"]
    policy: dict[str, Any] = {"policy-type": kind, "policy-domain": domain}
    if lines:
        policy["policy-string"] = list(lines)
    if kind == "sts":
        policy["mx-host"] = [line[3:].strip() for line in lines if line.startswith("mx:")]
    return {
        "policy": policy,
        "summary": {
            "total-successful-session-count": sum(one.count for one in counts if one.result == "success"),
            "total-failure-session-count": sum(one.count for one in failed),
        },
        "failure-details": [
            {
                "result-type": one.result,
                "receiving-mx-hostname": one.host,
                "failed-session-count": one.count,
            }
            for one in failed
        ],
    }
