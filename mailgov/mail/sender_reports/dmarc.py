"""DMARC aggregate reports: XML as RFC 9990 has it, and as RFC 7489 C had it before."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import NoReturn
from xml.parsers import expat  # nosec - declarations of entities and documents are refused below

from mailgov.mail.sender_reports.found import (
    COUNT_LIMIT,
    ReportError,
    ReportRow,
    SenderReport,
    summed,
    text_of,
)

RECORDS_LIMIT = 10_000
"""The largest providers' reports on a province have some hundreds."""
ELEMENTS_LIMIT = 400_000
"""A record has about 25; each costs about a microsecond of Python, which runs one thread at a time."""
DEPTH_LIMIT = 16
VALUE_CHARACTERS = 1024
TOKEN_OCTETS = 1 << 20
"""Expat keeps what it has not seen the end of, and reads it again with each piece."""
_STEP_OCTETS = 1 << 16
_RESULTS = frozenset({"pass", "fail"})
_DISPOSITIONS = frozenset({"none", "pass", "quarantine", "reject"})
_WANTED = frozenset(
    {
        "report_metadata/org_name",
        "report_metadata/report_id",
        "report_metadata/date_range/begin",
        "report_metadata/date_range/end",
        "policy_published/domain",
        "record/row/source_ip",
        "record/row/count",
        "record/row/policy_evaluated/disposition",
        "record/row/policy_evaluated/dkim",
        "record/row/policy_evaluated/spf",
        "record/identifiers/header_from",
    }
)


class _Enough(Exception):
    """As many records as are read."""


def read_dmarc(data: bytes | bytearray) -> SenderReport:
    """The report in an XML document. Raises ReportError.

    Namespaces do not matter, unknown elements are passed over. A document type, entities, over
    16 levels and what is no XML are refused; records beyond `RECORDS_LIMIT` are cut.
    """
    reader = _Reader()
    cut = False
    try:
        reader.read(data)
    except _Enough:
        cut = True
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ReportError(f"not read: {error}") from None
    return reader.report(cut=cut)


class _Reader:
    def __init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._length = 0
        self._values: dict[str, str] = {}
        self._record: dict[str, str] = {}
        self._counts: Counter[ReportRow] = Counter()
        self._records = self._elements = 0

    def read(self, data: bytes | bytearray) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        # Or each line end and each character reference would be a call of its own: 16 million of them.
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._characters
        # Without declarations there is nothing to expand, and nothing to fetch from elsewhere.
        parser.StartDoctypeDeclHandler = self._refused
        parser.EntityDeclHandler = self._refused
        view = memoryview(data)
        for at in range(0, len(view), _STEP_OCTETS):
            parser.Parse(bytes(view[at : at + _STEP_OCTETS]), False)
            if at - parser.CurrentByteIndex > TOKEN_OCTETS:
                raise ReportError("a name, an attribute or a comment without end")
        parser.Parse(b"", True)

    def report(self, *, cut: bool) -> SenderReport:
        values = self._values
        begin, end = (_number(values.get(f"report_metadata/date_range/{name}")) for name in ("begin", "end"))
        domain = text_of(values.get("policy_published/domain")).lower().rstrip(".")
        if not begin or not end or not domain or not values.get("report_metadata/report_id"):
            raise ReportError("no aggregate report: metadata are missing")
        rows, merged = summed(self._counts)
        return SenderReport(
            kind="dmarc",
            reporter=text_of(values.get("report_metadata/org_name")),
            report_id=text_of(values["report_metadata/report_id"]),
            domain=domain,
            begin_ms=begin * 1000,
            end_ms=end * 1000,
            rows=rows,
            records=self._records,
            cut=cut or merged,
        )

    def _refused(self, *_: object) -> NoReturn:
        raise ReportError("a document type or an entity is declared")

    def _start(self, name: str, _attributes: object) -> None:
        self._elements += 1
        if len(self._path) >= DEPTH_LIMIT or self._elements > ELEMENTS_LIMIT:
            raise ReportError("too deep, or too many elements")
        self._path.append(name.rpartition(" ")[2][:64])
        if len(self._path) == 1 and self._path[0] != "feedback":
            raise ReportError("the root is no feedback")
        self._text, self._length = [], 0

    def _characters(self, data: str) -> None:
        if self._text is not None and self._length < VALUE_CHARACTERS:
            self._text.append(data[:VALUE_CHARACTERS])
            self._length += len(data)

    def _end(self, _name: str) -> None:
        path, text = "/".join(self._path[1:]), self._text
        self._path.pop()
        self._text = None
        if text is not None and path in _WANTED:
            holder = self._record if path.startswith("record/") else self._values
            holder.setdefault(path, "".join(text)[:VALUE_CHARACTERS].strip())
        elif path == "record":
            self._close()

    def _close(self) -> None:
        if self._records >= RECORDS_LIMIT:
            raise _Enough
        record, self._record = self._record, {}
        self._records += 1
        evaluated = "record/row/policy_evaluated/"
        row = ReportRow(
            domain=text_of(record.get("record/identifiers/header_from")).lower().rstrip("."),
            source=_address(record.get("record/row/source_ip")),
            result=_word(record.get(f"{evaluated}disposition"), _DISPOSITIONS),
            dkim=_word(record.get(f"{evaluated}dkim"), _RESULTS),
            spf=_word(record.get(f"{evaluated}spf"), _RESULTS),
        )
        self._counts[row] += min(_number(record.get("record/row/count")), COUNT_LIMIT)


def _word(value: str | None, known: frozenset[str]) -> str:
    word = (value or "").lower()
    return word if word in known else ""


def _number(value: str | None) -> int:
    """0 for what is none."""
    digits = value or ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 12 else 0


def _address(value: str | None) -> str:
    try:
        return str(ipaddress.ip_address(value or ""))
    except ValueError:
        return ""
