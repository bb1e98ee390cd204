"""Declarations as CSV, in and out: one row each, a register a row per line.

What is written can be read again. Cells that do not belong to a row's kind stay empty.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from mailgov.admin import rules
from mailgov.admin.context import Actor, AdminContext, require
from mailgov.admin.declarations import Fault, Import, Row, declare_all
from mailgov.admin.declaring import NewDeclaration, days_of
from mailgov.admin.errors import AdminError, invalid
from mailgov.identity.roles import Act
from mailgov.store.declarations import DeclarationView, RegisterLine, Series
from mailgov.usage import csv_text
from mailgov.usage.csv_text import CsvError, Record
from mailgov.usage.declared import (
    DOCUMENT_COUNTS,
    ENTRIES,
    KINDS,
    LONG_LEAVE,
    PERSON_CLASSES,
    PROVINCE,
    REGISTER,
)
from mailgov.usage.declared_checks import COUNT, SHARE, TOTAL, names_of

LINE_COLUMNS = ("document_class", "symbol", "issued_on", "title", "exempt", "queue_id")
NUMBER_COLUMNS = (*PERSON_CLASSES, LONG_LEAVE, TOTAL, *DOCUMENT_COUNTS, ENTRIES, *SHARE, COUNT)
COMMON_COLUMNS = ("kind", "agency", "period", "calendar", "subject")
COLUMNS = (*COMMON_COLUMNS, *NUMBER_COLUMNS, *LINE_COLUMNS, "correct", "reason")
_YES, _NO = ("1", "x", "yes", "có"), ("0", "no", "không")
NUMBER_DIGITS = 10
WHOLE_PROVINCE = "*"
"""The agency of an indicator of the province as a whole; an empty cell might be a slip."""


@dataclass(slots=True)
class Reading:
    """What a file declares, and what is wrong with it."""

    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


async def import_file(
    ctx: AdminContext,
    actor: Actor,
    data: bytes,
    given: Mapping[str, str | None],
    *,
    columns: Collection[str] = COLUMNS,
    dry_run: bool = False,
) -> Import:
    """Declare what a CSV file says: all of it or nothing, with every fault by its line.

    `given` fills what the file's own `columns` leave open. With `dry_run` nothing is kept in any
    case. Raises AdminError where the whole file is refused.
    """
    require(actor, Act.DECLARATION_ADD)
    reading = read_file(ctx, data, given, columns)
    if not reading.rows and not reading.faults:
        raise invalid("the file has no line below its header: there is nothing to declare")
    keep = not (dry_run or reading.faults)
    result = await declare_all(ctx, actor, reading.rows, dry_run=not keep)
    result.faults = sorted(reading.faults + result.faults, key=lambda fault: int(fault.place.split()[-1]))
    return result


def read_file(
    ctx: AdminContext, data: bytes, given: Mapping[str, str | None], columns: Collection[str] = COLUMNS
) -> Reading:
    """The declarations of a CSV file. `given` fills cells that the file leaves empty.

    Raises AdminError for a file that is no table at all; what is wrong with a row is a fault.
    """
    try:
        records = csv_text.read(data, columns)
    except CsvError as error:
        raise invalid(str(error)) from error
    reading = Reading()
    registers: dict[tuple[object, ...], list[tuple[str, NewDeclaration]]] = {}
    for record in records:
        place = f"line {record.line}"
        try:
            new = _declaration(ctx, record, {name: text for name, text in given.items() if text})
        except AdminError as error:
            reading.faults.append(Fault(place, error.detail))
            continue
        if new.kind == REGISTER:
            registers.setdefault((new.agency.lower(), new.days), []).append((place, new))
        else:
            reading.rows.append(Row(new, (place,)))
    for parts in registers.values():
        _join(parts, reading)
    return reading


def _join(parts: Sequence[tuple[str, NewDeclaration]], reading: Reading) -> None:
    """One register of its rows."""
    places = tuple(place for place, _ in parts)
    news = [new for _, new in parts]
    lines = tuple(line for new in news for line in new.register)
    empty = [place for place, new in parts if not new.register]
    if empty and len(parts) > 1:
        detail = f"{ENTRIES} 0 says that none was issued, but {parts[0][0]} belongs to the same register"
        reading.faults.append(Fault(empty[-1], detail))
        return
    whole = replace(
        news[0],
        register=lines,
        correct=any(new.correct for new in news),
        reason=next((new.reason for new in news if new.reason), None),
    )
    reading.rows.append(Row(whole, places))


def _declaration(ctx: AdminContext, record: Record, given: Mapping[str, str]) -> NewDeclaration:
    if record.fault is not None:
        raise invalid(record.fault)
    cells = {**given, **record.cells}
    kind = rules.one_of(_needed(cells, "kind"), KINDS, "kind of declaration")
    _check_columns(kind, record.cells)
    new = NewDeclaration(
        kind=kind,
        agency=PROVINCE if _needed(cells, "agency") == WHOLE_PROVINCE else cells["agency"],
        days=days_of(ctx, _needed(cells, "period"), cells.get("calendar", "civil")),
        content={name: _number(name, cells[name]) for name in NUMBER_COLUMNS if name in cells},
        subject=cells.get("subject", ""),
        correct=_flag(cells.get("correct", "0")),
        reason=cells.get("reason"),
    )
    if kind != REGISTER or (ENTRIES in cells and not any(name in cells for name in LINE_COLUMNS)):
        return new
    return replace(new, content={}, register=(_line(cells),))


def _check_columns(kind: str, cells: Mapping[str, str]) -> None:
    own = {*COMMON_COLUMNS, *names_of(kind), "correct", "reason"}
    own |= set(LINE_COLUMNS) if kind == REGISTER else set()
    if strange := [name for name in cells if name not in own]:
        raise invalid(f"{', '.join(strange)}: no column of a {kind} declaration; leave the cell empty")
    if kind == REGISTER and ENTRIES in cells and any(name in cells for name in LINE_COLUMNS):
        raise invalid(f"{ENTRIES} is written for a register without lines alone: leave the cell empty")


def _line(cells: Mapping[str, str]) -> RegisterLine:
    return RegisterLine(
        document_class=cells.get("document_class", ""),
        issued_on=_day(_needed(cells, "issued_on")),
        symbol=cells.get("symbol"),
        title=cells.get("title"),
        exempt=cells.get("exempt"),
        queue_id=cells.get("queue_id"),
    )


def _needed(cells: Mapping[str, str], name: str) -> str:
    if name not in cells:
        raise invalid(f"{name} is missing")
    return cells[name]


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS):
        raise invalid(
            f"{name} is {rules.shown(text)!r}, no whole number: write digits alone, 0 where there is none"
        )
    return int(text)


def _flag(text: str) -> bool:
    if text.lower() not in _YES + _NO:
        raise invalid(f"correct is {rules.shown(text)!r}: write x for a correction, or leave it empty")
    return text.lower() in _YES


def _day(text: str) -> date:
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            pass
    raise invalid(f"issued_on is {rules.shown(text)!r}, not a day: write 2026-03-01 or 01/03/2026")


def write_file(views: Iterable[DeclarationView]) -> str:
    """Declarations, with the lines of their registers, as a file that `read_file` takes.

    They stand by agency, kind, subject and day, so that the same declarations make the same file.
    """
    ordered = sorted(views, key=lambda view: _place(view.series))
    records = [record for view in ordered for record in _records(view)]
    used = {name for record in records for name, value in record.items() if value is not None}
    header = [name for name in COLUMNS if name in used | {"kind", "agency", "period"}]
    return csv_text.write(header, ([record.get(name) for name in header] for record in records))


def _place(series: Series) -> tuple[object, ...]:
    return series.agency, series.kind, series.subject, series.from_date, series.until_date


def _records(view: DeclarationView) -> list[dict[str, object]]:
    series = view.series
    last = date.fromordinal(series.until_date.toordinal() - 1)
    common: dict[str, object] = {
        "kind": series.kind,
        "agency": series.agency or WHOLE_PROVINCE,
        "period": f"{series.from_date}..{last}",
        "subject": series.subject or None,
        "reason": view.reason,
    }
    if series.kind != REGISTER or not view.register:
        return [{**common, **view.content}]
    return [{**common, **{name: getattr(line, name) for name in LINE_COLUMNS}} for line in view.register]
