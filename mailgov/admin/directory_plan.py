"""What an import would do: each row judged against the directory as it stands and against the other rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import TypeVar

from mailgov.admin.directory_judges import Accounts, Agencies, Placing, RowFaults
from mailgov.admin.directory_rows import AccountLine, name_of, read_row
from mailgov.admin.errors import AdminError
from mailgov.store.agencies import AgencySpan
from mailgov.store.bulk import AccountRow, Standing
from mailgov.usage.csv_text import Record

T = TypeVar("T")
STEP = 500
"""Rows between two reports of progress."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, and how many rows of how many are."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be imported: where it begins in the file (from 1), what it is about, and why."""

    line: int
    what: str
    reason: str


@dataclass(slots=True)
class Plan:
    """What is new, what is there already just so, and what cannot be."""

    rows: int
    spans: list[AgencySpan] = field(default_factory=list)
    accounts: list[AccountRow] = field(default_factory=list)
    placed: list[AccountRow] = field(default_factory=list)
    """Accounts that are there, without any post, and get those of the file."""
    unchanged: int = 0
    """Agencies' spans and accounts that stand just as the file has them."""
    bad: list[BadRow] = field(default_factory=list)


def plan(records: Sequence[Record], standing: Standing, today: date, progress: Progress = silent) -> Plan:
    """The plan for a file's rows; every bad row is in it, by its line."""
    made = Plan(len(records))
    spans: list[tuple[Record, AgencySpan]] = []
    lines: dict[str, list[tuple[Record, AccountLine]]] = {}
    doubtful: set[str] = set()
    for done, record in enumerate(records, start=1):
        try:
            row = read_row(record)
        except AdminError as error:
            made.bad.append(BadRow(record.line, name_of(record), error.detail))
            doubtful.add(record.cells.get("code", "").lower())
            continue
        finally:
            if done % STEP == 0 or done == len(records):
                progress("reading rows", done, len(records))
        if isinstance(row, AgencySpan):
            spans.append((record, row))
        else:
            lines.setdefault(row.address, []).append((record, row))
    agencies = Agencies(standing, [span for _, span in spans], doubtful)
    for record, span in spans:
        _judge(made, made.spans, record, partial(agencies.judge, record.line, span))
    accounts = Accounts(standing, agencies, today)
    found: list[AccountRow | Placing] = []
    for written in lines.values():
        _judge(made, found, written[0][0], partial(accounts.judge, written))
    made.accounts = [one for one in found if isinstance(one, AccountRow)]
    made.placed = [one.row for one in found if isinstance(one, Placing)]
    made.bad.sort(key=lambda bad: bad.line)
    return made


def _judge(made: Plan, new: list[T], record: Record, judge: Callable[[], T | None]) -> None:
    try:
        found = judge()
    except RowFaults as faults:
        made.bad += [BadRow(one.line, name_of(one), error.detail) for one, error in faults.found]
    except AdminError as error:
        made.bad.append(BadRow(record.line, name_of(record), error.detail))
    else:
        if found is None:
            made.unchanged += 1
        else:
            new.append(found)
