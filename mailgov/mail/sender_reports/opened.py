"""The reports that a message carries, packed as providers pack them: gzip, zip, or plain."""

from __future__ import annotations

from collections.abc import Iterator

from mailgov.mail.files import zips
from mailgov.mail.files.kinds import GZIP
from mailgov.mail.files.source import Octets, of_compressed
from mailgov.mail.headers import HeaderBlock
from mailgov.mail.mime import Leaf, look
from mailgov.mail.sender_reports.dmarc import read_dmarc
from mailgov.mail.sender_reports.found import ReportError, SenderReport
from mailgov.mail.sender_reports.tls import read_tls
from mailgov.mail.transfer import decoded

MESSAGE_OCTETS = 15_000_000
"""A message that is larger is not looked at: reports are kilobytes, the largest some megabytes."""
UNPACKED_OCTETS = 16_777_216
"""Ten thousand records have 6 MB of XML; what grows past it is a bomb."""
REPORTS_LIMIT = 2
"""Looked at in one message: it brings one."""
MEMBERS_LIMIT = 4
_BLANK = b" \t\r\n\xef\xbb\xbf"


def reports_in(data: bytes) -> tuple[list[SenderReport], list[str]]:
    """The reports in a message, and why other attachments that look like one are none. Never raises."""
    if len(data) > MESSAGE_OCTETS:
        return [], ["the message is too large"]
    found: list[SenderReport] = []
    problems: list[str] = []
    seen = look(data, header=HeaderBlock.scan(data))
    looked_at = 0
    for leaf in seen.leaves:
        if leaf.inside is not None or not _may_be(data, leaf):
            continue
        if looked_at >= REPORTS_LIMIT:
            problems.append("more attachments than are looked at")
            break
        looked_at += 1
        try:
            content = b"".join(decoded(data, leaf.start, leaf.end, leaf.encoding))
            found.append(read(_unpacked(content)))
        except ReportError as error:
            problems.append(str(error))
    return found, problems


def read(data: Octets) -> SenderReport:
    """The report in a document, XML or JSON. Raises ReportError."""
    start = bytes(data[:64]).lstrip(_BLANK)[:1]
    return read_tls(data) if start == b"{" else read_dmarc(data)


def _may_be(data: bytes, leaf: Leaf) -> bool:
    head = next(decoded(data, leaf.start, min(leaf.end, leaf.start + 512), leaf.encoding), b"")
    return (
        head[:2] in (b"\x1f\x8b", b"PK")
        or head.lstrip(_BLANK)[:5] == b"<?xml"
        or (head.lstrip(_BLANK)[:1] in (b"{", b"<") and (b"feedback" in head or b"organization-name" in head))
    )


def _unpacked(content: bytes) -> Octets:
    if content[:2] == b"\x1f\x8b":
        whole = of_compressed(content, GZIP).whole(UNPACKED_OCTETS)
        if whole is None:
            raise ReportError("gzip is broken, or holds more than is read")
        return whole
    if content[:2] == b"PK":
        return _from_zip(content)
    return content


def _from_zip(content: bytes) -> Octets:
    try:
        for _, member in zip(range(MEMBERS_LIMIT), _files(content), strict=False):
            whole = member.source.whole(UNPACKED_OCTETS) if member.source is not None else None
            if whole is not None:
                return whole
    except zips.NotReadable as error:
        raise ReportError(f"zip: {error}") from None
    raise ReportError("zip holds nothing that is read, or more than is read")


def _files(content: bytes) -> Iterator[zips.Member]:
    return (member for member in zips.members(content) if not member.folder)
