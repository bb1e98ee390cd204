"""What the relay changes in a header: added fields in front, splices in place, nothing else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from mailgov.mail.comments import without_comments
from mailgov.mail.headers import HeaderBlock

AUTHSERV_ID_OCTETS = 1000
"""How far into an Authentication-Results value its authserv-id and the semicolon behind it are looked for."""
_LOOSE_DOT = re.compile(r"\s*\.\s*")
_IDEOGRAPHIC_DOT = "\u3002"
"""A dot to whoever reads domains (UTS 46); NFKC leaves it."""
_NO_HOST = re.compile(r"[^a-z0-9.\-\s]+")
_NOT_SHOWN = re.compile(r"[^!#-'*-:=?-\[\]-~]")
"""Of a client's name: what is not printable ASCII, and what would mean something in a Received field."""
SPAM_FIELDS = frozenset(
    {
        b"x-spam", b"x-spam-flag", b"x-spam-status", b"x-spam-level", b"x-spam-score", b"x-spam-bar",
        b"x-spamd-bar", b"x-spamd-result",
    }
)  # fmt: skip
"""What filters go by, and only who checked a message may have written."""
LOCAL_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(slots=True)  # not frozen: each message makes one, and that would take it three times as long
class Trace:
    """What our Received field says (RFC 5321 4.4); `protocol` per RFC 3848: ESMTP, ESMTPSA and so on."""

    helo: str
    client_address: str
    protocol: str
    tls: str | None = None
    authenticated: bool = False


def mail_date(now_ms: int) -> str:
    """A date as RFC 5322 3.3 writes it, in the province's time."""
    return _date_of(now_ms // 1000)


@lru_cache(maxsize=8)
def _date_of(now_s: int) -> str:
    return format_datetime(datetime.fromtimestamp(now_s, LOCAL_ZONE))


def received_field(trace: Trace, *, hostname: str, queue_id: str, now_ms: int, single: str | None) -> bytes:
    """Our Received field with its CRLF.

    `single` is the only recipient, or None: naming one of several would tell blind copies
    (RFC 5321 7.2).
    """
    helo = _NOT_SHOWN.sub("?", trace.helo)
    literal = f"IPv6:{trace.client_address}" if ":" in trace.client_address else trace.client_address
    lines = [f"Received: from {helo[:255] or 'unknown'} ([{literal}])"]
    if trace.tls:
        lines.append(f"\t(using {trace.tls})")
    lines.append(f"\tby {hostname} with {trace.protocol} id {queue_id}")
    if single is not None:
        lines.append(f"\tfor <{single}>")
    lines[-1] += ";"
    lines.append(f"\t{mail_date(now_ms)}")
    return ("\r\n".join(lines) + "\r\n").encode()


def missing_fields(header: HeaderBlock, *, now_ms: int, new_message_id: Callable[[], str]) -> bytes:
    """Date and Message-ID where a submitted message lacks them (RFC 6409 8.1, 8.3)."""
    added = b""
    if not header.count(b"date"):
        added += f"Date: {mail_date(now_ms)}\r\n".encode()
    if not header.count(b"message-id"):
        added += f"Message-ID: {new_message_id()}\r\n".encode()
    return added


def removals(
    header: HeaderBlock, *, submitted: bool, authserv_id: str, spam_told: bool = False
) -> tuple[tuple[int, int, bytes], ...]:
    """Splices that take out what may not leave.

    Return-Path is ours to write at final delivery (RFC 5321 4.4); an Authentication-Results
    that may be read as from us is a forgery (RFC 8601 5); Bcc goes at submission (RFC 5322 3.6.3).
    `spam_told`: whether it is spam is ours to say, so what others say of it goes too.
    """
    unwanted = {b"return-path"} | ({b"bcc", b"resent-bcc"} if submitted else set())
    unwanted |= SPAM_FIELDS if spam_told else set()
    ours = authserv_id.lower()
    splices: list[tuple[int, int, bytes]] = []
    for field in header.fields:
        forged = field.name == b"authentication-results" and _claims(header.value(field), ours)
        if field.name not in unwanted and not forged:
            continue
        if splices and splices[-1][1] == field.start:
            splices[-1] = (splices[-1][0], field.end, b"")
        else:
            splices.append((field.start, field.end, b""))
    return tuple(splices)


def _claims(value: bytes, authserv_id: str) -> bool:
    """Whether anybody may read the value's authserv-id (RFC 8601 2.2) as ours.

    Lenient readers skip comments, quotes, blanks and what is no letter of a host, or stop there: in all of
    these readings it is looked for, as a name of its own. Where no id can be told, it is taken for ours too,
    as in an encoded word, which no id is (RFC 2047 5).
    """
    head, told, _ = without_comments(value[:AUTHSERV_ID_OCTETS]).partition(b";")
    if (not told and len(value) > AUTHSERV_ID_OCTETS) or b"=?" in head:
        return True
    text = unicodedata.normalize("NFKC", head.decode("utf-8", "replace")).lower().partition(";")[0]
    text = text.replace(_IDEOGRAPHIC_DOT, ".")
    ours = re.compile(rf"(?<![a-z0-9.\-]){re.escape(authserv_id)}\.?(?![a-z0-9.\-])")
    readings = [_LOOSE_DOT.sub(".", _NO_HOST.sub(instead, text)) for instead in ("", " ")]
    return not readings[0].strip(" .-\t") or any(ours.search(reading) for reading in readings)
