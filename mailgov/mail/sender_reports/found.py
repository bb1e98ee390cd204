"""A report as it is kept: summed up, and no larger than this, whatever a stranger wrote."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal, NamedTuple

ROWS_LIMIT = 1000
"""Rows kept of one report; the rarest beyond are one row for each result, without a source."""
COUNT_LIMIT = 1_000_000_000
TEXT_CHARACTERS = 200
Kind = Literal["dmarc", "tls"]


class ReportError(ValueError):
    """No report, or none that is read; the message is for the log."""


class ReportRow(NamedTuple):
    """What happened to messages (DMARC) or sessions (TLS) of one kind. "" is "not told"."""

    domain: str
    """In From (DMARC), or that the policy is for (TLS)."""
    source: str
    """The IP address that they came from."""
    result: str
    """DMARC: none, pass, quarantine, reject. TLS: success, or a failure of RFC 8460 4.3."""
    dkim: str = ""
    spf: str = ""
    policy: str = ""
    """TLS: tlsa, sts or no-policy-found."""
    host: str = ""
    """TLS: our exchanger."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`rows` with how often. `domain` is ours, as the reporter says; times in ms since 1970 UTC."""

    kind: Kind
    reporter: str
    report_id: str
    domain: str
    begin_ms: int
    end_ms: int
    rows: tuple[tuple[ReportRow, int], ...]
    records: int
    cut: bool
    """There was more than is read or kept."""


def text_of(value: object) -> str:
    """A stranger's text: one line of printable characters, bounded; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value[: 4 * TEXT_CHARACTERS].split())
    return "".join(sign for sign in line if sign.isprintable())[:TEXT_CHARACTERS]


def summed(counts: Counter[ReportRow]) -> tuple[tuple[tuple[ReportRow, int], ...], bool]:
    """The rows by frequency, at most about `ROWS_LIMIT`, and whether some were put together."""
    found = counts.most_common()
    kept, rest = found[:ROWS_LIMIT], found[ROWS_LIMIT:]
    others: Counter[ReportRow] = Counter()
    for row, count in rest:
        others[row._replace(domain="", source="", host="")] += count
    return tuple(kept) + tuple(others.most_common(ROWS_LIMIT)), bool(rest)
