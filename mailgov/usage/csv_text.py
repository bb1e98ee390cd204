"""CSV as spreadsheets here read and write it: a BOM, `;`, and nothing that a spreadsheet would run.

Written: UTF-8 with a BOM, `;` between cells, CRLF. Read: UTF-8 with or without a BOM, with `;`,
`,` or tabs, whichever the header has. A cell that a spreadsheet would take for a formula gets an
apostrophe in front on the way out, and loses it on the way in.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

MEDIA_TYPE = "text/csv; charset=utf-8"
BOM = "\ufeff"
DELIMITERS = ";,\t"
CELL_CHARACTERS = 10_000
FILE_BYTES = 20_000_000
"""Far more than a province declares; a larger one is some other file."""

_FORMULA = re.compile(r"[\s'\"\u200b\ufeff]*[=+\-@\t\r＝＋－＠﹢﹣﹦﹫]")
_NOT_UTF8 = "is not UTF-8: in Excel, save it as “CSV UTF-8 (Comma delimited)”"


class CsvError(ValueError):
    """The file cannot be read; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row: cells by column, without those that are empty. `line` is where it begins, from 1.

    A row with a `fault` is no row of this table, and its cells are good for naming it alone.
    """

    line: int
    cells: dict[str, str]
    fault: str | None = None


def write(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The file's text, its BOM in front; None is an empty cell, a number stays a number."""
    text = io.StringIO()
    text.write(BOM)
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def defused(text: str) -> str:
    """The text as a cell that no spreadsheet runs."""
    return f"'{text}" if _FORMULA.match(text) else text


def _cell(value: object) -> object:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return "" if value is None else value
    return defused(str(value))


def read(data: bytes, columns: Collection[str]) -> list[Record]:
    """The rows of a file whose header names some of `columns`; blank rows are left out.

    Raises CsvError for a file that is no such table; what the cells say is the caller's to judge,
    and a row that does not fit has its fault beside it.
    """
    text = _text(data)
    lines = text.splitlines(keepends=True)
    skip = 1 if lines and re.fullmatch(r"sep=.\s*", lines[0]) else 0  # Excel's own hint
    body = "".join(lines[skip:])
    first = body.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    found: list[Record] = []
    start = skip + 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                if header:
                    found.append(_record(start, header, row))
                else:
                    header = _header(row, columns)
            start = skip + reader.line_num + 1
    except csv.Error as error:
        raise CsvError(f"line {start}: cannot be read as CSV: {error}") from error
    if not header:
        raise CsvError("the file is empty: its first line names the columns")
    return found


def _text(data: bytes) -> str:
    if len(data) > FILE_BYTES:
        raise CsvError(f"the file has {len(data)} bytes, more than {FILE_BYTES}: is it the right one?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CsvError(f"line {line}: {_NOT_UTF8}") from None
    if "\0" in text:
        raise CsvError(f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}: {_NOT_UTF8}")
    return text


def _header(row: Sequence[str], columns: Collection[str]) -> list[str]:
    names = [cell.strip().lower() for cell in row]
    while names and not names[-1]:
        names.pop()
    for at, name in enumerate(names, start=1):
        if name not in columns:
            shown = name[:40] if name.isprintable() else "?"
            raise CsvError(f"line 1: column {at} is {shown!r}; known are {', '.join(columns)}")
        if names.index(name) + 1 != at:
            raise CsvError(f"line 1: the column {name} stands twice")
    return names


def _record(line: int, header: Sequence[str], row: Sequence[str]) -> Record:
    fault = None
    if any(cell.strip() for cell in row[len(header) :]):
        fault = f"{len(row)} cells where the header has {len(header)}"
    cells = {}
    for name, cell in zip(header, row, strict=False):
        value = cell.strip()
        if len(value) > CELL_CHARACTERS:
            fault = f"{name}: more than {CELL_CHARACTERS} characters"
        if value.startswith("'") and _FORMULA.match(value[1:]):
            value = value[1:]
        if value:
            cells[name] = value
    return Record(line, cells, fault)
