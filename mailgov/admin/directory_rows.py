"""Rows of a directory file: agencies and accounts as cells of a table, and back.

A row with a `code` is one span of days of an agency; a row with an `address` is an account,
with one of its posts (an account with several has a row for each).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from mailgov.admin import rules
from mailgov.admin.accounts import NewAccount, checked_account
from mailgov.admin.agencies import checked_span
from mailgov.admin.errors import invalid
from mailgov.store.accounts import AccountView, Post
from mailgov.store.agencies import AgencySpan
from mailgov.usage.csv_text import Record

_AGENCY = ("code", "level", "abbreviation", "parent", "mailbox", "sector_mail")
_ACCOUNT = ("address", "kind", "agency", "class", "citizen_desk", "state")
_BOTH = ("name", "from", "until", "sample")
COLUMNS = (
    "code", "address", "name", "level", "abbreviation", "parent", "mailbox", "sector_mail",
    "kind", "agency", "class", "citizen_desk", "state", "from", "until", "sample",
)  # fmt: skip
"""Of a file that is written; one that is read has those that it needs, in any order."""

STATES = ("open", "disabled")
_YES = frozenset({"yes", "true", "1", "x", "có"})
_NO = frozenset({"no", "false", "0", "không"})
_DAY_FORMS = ("%Y-%m-%d", "%d/%m/%Y")


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account as one row has it."""

    address: str
    display_name: str
    kind: str
    citizen_desk: bool
    suspended: bool
    sample: bool
    post: Post | None

    def same_holder(self, other: AccountLine) -> bool:
        """True when the two rows differ in their posts alone."""
        return _holder(self) == _holder(other)


def name_of(record: Record) -> str:
    """What a row is about, for people."""
    return rules.shown(record.cells.get("address") or record.cells.get("code") or "-")


def read_row(record: Record) -> AgencySpan | AccountLine:
    """The row in its stored form; AdminError for one that cannot be, whatever else is there."""
    cells = record.cells
    if record.fault is not None:
        raise invalid(record.fault)
    if ("code" in cells) is ("address" in cells):
        raise invalid("a row has either a code (an agency) or an address (an account)")
    if "name" not in cells:
        raise invalid("the name is missing")
    foreign = next((name for name in cells if name in (_ACCOUNT if "code" in cells else _AGENCY)), None)
    if foreign is not None:
        raise invalid(f"{'an agency' if 'code' in cells else 'an account'} has no {foreign}")
    return _agency(cells) if "code" in cells else _account(cells)


def _agency(cells: dict[str, str]) -> AgencySpan:
    return checked_span(
        AgencySpan(
            code=cells["code"],
            name=cells["name"],
            level=cells.get("level", "province"),
            abbreviation=cells.get("abbreviation"),
            parent_code=cells.get("parent"),
            mailbox=cells.get("mailbox"),
            own_sector_mail=_flag(cells, "sector_mail"),
            valid_from=_day(cells, "from"),
            valid_until=_day(cells, "until"),
            sample=_flag(cells, "sample"),
        )
    )


def _account(cells: dict[str, str]) -> AccountLine:
    since, until = _day(cells, "from"), _day(cells, "until")
    rules.span(since, until)
    new = checked_account(
        NewAccount(
            address=cells["address"],
            display_name=cells["name"],
            kind=cells.get("kind", "personal"),
            agency=cells.get("agency"),
            person_class=cells.get("class"),
            since=since,
            citizen_desk=_flag(cells, "citizen_desk"),
        )
    )
    if new.agency is None and until is not None:
        raise invalid("a last day needs an agency to serve in")
    state = rules.one_of(cells.get("state", "open"), STATES, "state")
    post = None if new.agency is None else Post(new.agency, new.person_class, since, until)
    return AccountLine(
        new.address,
        new.display_name,
        new.kind,
        new.citizen_desk,
        state == "disabled",
        _flag(cells, "sample"),
        post,
    )


def _holder(line: AccountLine) -> tuple[object, ...]:
    return line.display_name, line.kind, line.citizen_desk, line.suspended, line.sample


def _flag(cells: dict[str, str], name: str) -> bool:
    text = cells.get(name, "no").lower()
    if text not in _YES | _NO:
        raise invalid(f"{name}: {rules.shown(text)!r} is neither yes nor no")
    return text in _YES


def _day(cells: dict[str, str], name: str) -> date | None:
    text = cells.get(name)
    if text is None:
        return None
    for form in _DAY_FORMS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            pass
    raise invalid(f"{name}: {rules.shown(text)!r} is not a day: write 2025-03-01 or 01/03/2025")


def written(spans: list[AgencySpan], accounts: list[AccountView]) -> Iterator[list[object]]:
    """Rows of `COLUMNS` that `read_row` reads again as the same."""
    for span in sorted(spans, key=lambda one: (one.code, one.valid_from or date.min)):
        yield _row(
            code=span.code,
            name=span.name,
            level=span.level,
            abbreviation=span.abbreviation,
            parent=span.parent_code,
            mailbox=span.mailbox,
            sector_mail=span.own_sector_mail,
            since=span.valid_from,
            until=span.valid_until,
            sample=span.sample,
        )
    for view in sorted(accounts, key=lambda one: one.address):
        posts: tuple[Post | None, ...] = view.posts or (None,)
        for post in posts:
            yield _row(
                address=view.address,
                name=view.display_name,
                kind=view.kind,
                agency=post and post.agency_code,
                person_class=post and post.person_class,
                citizen_desk=view.citizen_desk,
                state="open" if view.suspended_ms is None else "disabled",
                since=post and post.valid_from,
                until=post and post.valid_until,
                sample=view.sample,
            )


def _row(**cells: object) -> list[object]:
    """In the order of `COLUMNS`; True is yes, and what is usual stays empty."""
    named = {"from": cells.pop("since", None), "class": cells.pop("person_class", None), **cells}
    values = [named.get(name) for name in COLUMNS]
    return ["yes" if value is True else None if value is False else value for value in values]
