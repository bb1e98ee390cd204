"""Delivery status notifications: multipart/report (RFC 6522) with RFC 3464 and words for people.

All that a report repeats was written by strangers: the remote server's reply, the addresses,
the returned header. Each value is brought to one line of ASCII before it enters a field, and
the whole has CRLF and lines under 998 octets. It is 7-bit but for a whole message that is not.
"""

from __future__ import annotations

import base64
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

from mailgov.mail import dsn_texts
from mailgov.mail.dsn_texts import Text, explain
from mailgov.mail.encoded_words import encode_text
from mailgov.mail.text import one_line, without_marks

Action = Literal["failed", "delayed", "delivered", "relayed", "expanded"]

HEADER_OCTETS = 65_536
"""Most that is returned of an original header."""

DIAGNOSTIC_CHARACTERS = 2000
_SHOWN_RECIPIENTS = 50  # in the words for people; the machine's part lists all
_SHOWN_REPLY = 500
_FIELD_WIDTH = 78  # RFC 5322 2.1.1
_LINE_OCTETS = 998

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\Z")
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=?]{1,60}\Z")
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9\-]{1,40}\Z")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_NOT_XTEXT = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x5b\x5d-\x7e]")


@dataclass(frozen=True, slots=True)
class DsnRecipient:
    """What became of one recipient (RFC 3464 2.3). Dates are RFC 5322 texts.

    `original` is the ORCPT value with its xtext undone ("rfc822;an@example.org"), `diagnostic`
    the remote server's reply or, where it was not `heard`, our own reason; `cause` its status code.
    """

    final: str
    action: Action
    status: str
    original: str | None = None
    diagnostic: str | None = None
    remote_mta: str | None = None
    last_attempt: str | None = None
    retry_until: str | None = None
    heard: bool = True
    cause: str | None = None
    written: str | None = None
    """The address of ours that led here: an alias, a forward, a list."""


def build_dsn(
    *,
    reporting_mta: str,
    author: str,
    to: str,
    date: str,
    message_id: str,
    boundary: str,
    queue_id: str,
    recipients: Sequence[DsnRecipient],
    arrival_date: str | None = None,
    envelope_id: str | None = None,
    returned: bytes = b"",
    full: bool = False,
    subject: str = "",
    eight_bit: bool = False,
    tls_waived: bool = False,
) -> bytes:
    """One report as bytes, to be sent from the null reverse-path.

    `author` is our From address, `to` the reverse-path of the original message; `message_id`
    has its angle brackets; `boundary` should be random. `returned` is the original's header
    (`full`: its header and body, returned whole when it is 7-bit, or 8-bit where that is known to
    arrive (`eight_bit`) and its header is ASCII; else its header alone).
    `subject` is told in the words for people, where it is there. With `tls_waived` the report says of itself
    that it would rather arrive than be protected (`TLS-Required: No`, RFC 8689 3).
    Raises ValueError for an empty `to` or no recipients: a report to the null reverse-path must not exist
    (RFC 5321 6.1).
    """
    if to in {"", "<>"} or not recipients:
        raise ValueError("a report needs a reverse-path and a recipient")
    boundary = boundary if _BOUNDARY.match(boundary) else "report"
    while boundary.encode() in returned:
        boundary += "_"
    actions = [recipient.action for recipient in recipients]
    gravest = next(action for action in dsn_texts.TITLES if action in actions)
    title = dsn_texts.TITLES[gravest]
    header = [
        f"From: {encode_text(dsn_texts.DISPLAY_NAME)}\r\n <{_ascii(author)}>",
        f"To: {_to(to)}",
        f"Subject: {encode_text(f'{title.vi} / {title.en}')}",
        f"Date: {_ascii(date)}",
        f"Message-ID: {_ascii(message_id)}",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
    ]
    if tls_waived:
        header.append("TLS-Required: No")
    parts = [
        _words(queue_id, arrival_date, subject, recipients),
        _status(reporting_mta, queue_id, arrival_date, envelope_id, recipients),
    ]
    if returned:
        parts.append(_returned(returned, full=full, eight_bit=eight_bit))
    if not all(part.isascii() for part in parts):
        header.append("Content-Transfer-Encoding: 8bit")
    delimiter = f"--{boundary}".encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts)
    return "\r\n".join(header).encode("ascii", "replace") + b"\r\n\r\n" + body + delimiter + b"--\r\n"


def _ascii(text: str, limit: int = 900) -> str:
    """One line of printable ASCII. Vietnamese letters lose their marks, others become "?"."""
    return without_marks(one_line(text, limit)).encode("ascii", "replace").decode()


def _to(address: str) -> str:
    """The To value; an address that needs SMTPUTF8 is named by a group without members (RFC 6857 3.1.8)."""
    clean = one_line(address, 900)
    return f"<{clean.strip('<>')}>" if clean.isascii() else f"{encode_text(clean)} :;"


def _words(
    queue_id: str, arrival_date: str | None, subject: str, recipients: Sequence[DsnRecipient]
) -> bytes:
    """The part for people, in base64."""
    vietnamese, english = (_speech(n, queue_id, arrival_date, subject, recipients) for n in (0, 1))
    text = "\r\n".join([*vietnamese, "", "-" * 60, "", *english, ""])
    encoded = base64.encodebytes(text.encode("utf-8", "replace")).replace(b"\n", b"\r\n")
    return (
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Description: Notification\r\n\r\n" + encoded
    )


def _speech(
    language: int, queue_id: str, arrival_date: str | None, subject: str, recipients: Sequence[DsnRecipient]
) -> list[str]:
    """The lines in one language (0 Vietnamese, 1 English): recipients of one reason stand together."""
    arrival = dsn_texts.ARRIVAL[language].format(date=_moment(language, arrival_date)) if arrival_date else ""
    introduction = dsn_texts.INTRODUCTION[language]
    lines = _wrapped(introduction.format(queue_id=one_line(queue_id, 100), arrival=arrival))
    if subject:
        lines += _wrapped(dsn_texts.SUBJECT[language].format(subject=one_line(subject, _SHOWN_REPLY)))
    groups: dict[Text, list[DsnRecipient]] = {}
    for recipient in recipients[:_SHOWN_RECIPIENTS]:
        groups.setdefault(
            explain(
                recipient.action,
                recipient.status,
                heard=recipient.heard,
                cause=recipient.cause,
                led_on=recipient.written is not None,
            ),
            [],
        ).append(recipient)
    for text, members in groups.items():
        lines.append("")
        for recipient in members:
            lines += _recipient_lines(language, recipient)
        lines += _wrapped(text[language])
    if (more := len(recipients) - _SHOWN_RECIPIENTS) > 0:
        lines += ["", dsn_texts.MORE[language].format(count=more)]
    return [*lines, "", *_wrapped(dsn_texts.CLOSING[language])]


def _recipient_lines(language: int, recipient: DsnRecipient) -> list[str]:
    lines = [f"  <{one_line(recipient.final, 320)}>"]
    details: list[str] = []
    if recipient.written and recipient.written != recipient.final:
        details.append(dsn_texts.LEADS_HERE[language].format(original=one_line(recipient.written, 320)))
    if recipient.diagnostic:
        host = f" {one_line(recipient.remote_mta, 255)}" if recipient.remote_mta else ""
        reply = one_line(recipient.diagnostic, _SHOWN_REPLY)
        words = dsn_texts.REPLY if recipient.heard else dsn_texts.NOTED
        details.append(words[language].format(host=host, reply=reply))
    if recipient.retry_until and recipient.action == "delayed":
        details.append(dsn_texts.RETRY_UNTIL[language].format(date=_moment(language, recipient.retry_until)))
    for detail in details:
        lines += _wrapped(detail, "    ")
    return lines


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Lines for people; a host's name is not cut at its hyphen."""
    return textwrap.wrap(text, 76, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _moment(language: int, date: str) -> str:
    """A date of RFC 5322 for people: Vietnamese write it in their own order."""
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return one_line(date, 100)
    return f"{moment:%H:%M} ngày {moment:%d/%m/%Y}" if language == 0 else one_line(date, 100)


def _status(
    reporting_mta: str,
    queue_id: str,
    arrival_date: str | None,
    envelope_id: str | None,
    recipients: Sequence[DsnRecipient],
) -> bytes:
    """The part for machines (RFC 3464 2.1): fields of the message, then a block for each recipient."""
    blocks = [
        _block(
            ("Original-Envelope-Id", envelope_id),
            ("Reporting-MTA", f"dns; {reporting_mta}"),
            ("X-Mailgov-Queue-Id", queue_id),
            ("Arrival-Date", arrival_date),
        )
    ]
    for recipient in recipients:
        status = recipient.status if _STATUS.match(recipient.status) else _default_status(recipient.action)
        blocks.append(
            _block(
                ("Original-Recipient", _original(recipient.original)),
                ("Final-Recipient", _typed(recipient.final)),
                ("Action", recipient.action),
                ("Status", status),
                ("Remote-MTA", f"dns; {recipient.remote_mta}" if recipient.remote_mta else None),
                ("Diagnostic-Code", _diagnostic(recipient)),
                ("Last-Attempt-Date", recipient.last_attempt),
                ("Will-Retry-Until", recipient.retry_until if recipient.action == "delayed" else None),
            )
        )
    head = b"Content-Type: message/delivery-status\r\nContent-Description: Delivery report\r\n\r\n"
    return head + "\r\n".join(blocks).encode("ascii", "replace")


def _block(*fields: tuple[str, str | None]) -> str:
    return "".join(_field(name, value) for name, value in fields if value)


def _field(name: str, value: str) -> str:
    """A field with its CRLF, folded at spaces; a word longer than a line is cut."""
    text = f"{name}: {_ascii(value, DIAGNOSTIC_CHARACTERS)}"
    lines = textwrap.wrap(
        text, _FIELD_WIDTH, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False
    )
    pieces = [line[at : at + 900] for line in lines for at in range(0, len(line), 900)]
    return "\r\n ".join(piece.lstrip(" ") for piece in pieces) + "\r\n"


def _default_status(action: Action) -> str:
    return {"failed": "5.0.0", "delayed": "4.0.0"}.get(action, "2.0.0")


def _typed(address: str) -> str:
    """`rfc822; address`, or RFC 6533 3's 7-bit form of an address outside ASCII."""
    clean = one_line(address, 1000)
    if clean.isascii():
        return f"rfc822; {clean}"
    return "utf-8; " + _NOT_XTEXT.sub(lambda match: f"\\x{{{ord(match[0]):X}}}", clean)


def _original(orcpt: str | None) -> str | None:
    if not orcpt:
        return None
    kind, separator, address = orcpt.partition(";")
    if not separator or not _ADDRESS_TYPE.match(kind) or kind.lower() in {"rfc822", "utf-8"}:
        return _typed(address if separator else orcpt)
    return f"{kind}; {address}"


def _diagnostic(recipient: DsnRecipient) -> str | None:
    """A next hop's reply begins with its code; what we say ourselves is marked as ours (RFC 3464 2.3.6)."""
    reply = recipient.diagnostic
    if not reply:
        return None
    heard = recipient.heard and re.match(r"[2-5]\d\d[ \-]", reply)
    return f"smtp; {reply}" if heard else f"x-mailgov; {reply}"


def _returned(original: bytes, *, full: bool, eight_bit: bool) -> bytes:
    """The original: whole as message/rfc822 where that can be, else its header as text/rfc822-headers.

    A message in a message may be 8-bit but never encoded (RFC 2046 5.2.1), and its header is ASCII.
    """
    if full and _is_tidy(original):
        plain = original.isascii()
        if plain or (eight_bit and original.partition(b"\r\n\r\n")[0].isascii()):
            head = b"Content-Type: message/rfc822\r\nContent-Description: Undelivered message\r\n"
            return head + (b"\r\n" if plain else b"Content-Transfer-Encoding: 8bit\r\n\r\n") + original
    header = _header_of(original)
    head = b"Content-Type: text/rfc822-headers\r\nContent-Description: Header of the message\r\n"
    if _is_plain(header):
        return head + b"\r\n" + header
    encoded = base64.encodebytes(header).replace(b"\n", b"\r\n")
    return head + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded


def _is_plain(data: bytes) -> bool:
    """7-bit data in the sense of RFC 2045 2.7."""
    return data.isascii() and _is_tidy(data)


def _is_tidy(data: bytes) -> bool:
    """8-bit data at most, in the sense of RFC 2045 2.8."""
    return (
        b"\0" not in data
        and data.count(b"\r\n") == data.count(b"\r") == data.count(b"\n")
        and max(map(len, data.split(b"\r\n"))) <= _LINE_OCTETS
    )


def _header_of(original: bytes) -> bytes:
    """The header with CRLF, without the blank line, cut at a line's end."""
    header = _LINE_END.sub(b"\r\n", original[: HEADER_OCTETS * 2]).partition(b"\r\n\r\n")[0][:HEADER_OCTETS]
    if len(header) == HEADER_OCTETS:
        header = header[: header.rfind(b"\r\n") + 2]
    return header.rstrip(b"\r\n") + b"\r\n"
