"""What an import would do: each row judged against the directory as it stands and against the other rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

from mailgov.admin import rules
from mailgov.admin.directory_rows import AccountLine, name_of, read_row
from mailgov.admin.errors import AdminError, conflict, invalid, not_found
from mailgov.store.accounts import AccountView, Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.bulk import AccountRow, Standing
from mailgov.usage.csv_text import Record

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
    agencies = _Agencies(standing, spans, doubtful)
    for record, span in spans:
        _judge(made, record, partial(agencies.judge, made, span))
    accounts = _Accounts(standing, agencies, today)
    for written in lines.values():
        _judge(made, written[0][0], partial(accounts.judge, made, written))
    made.bad.sort(key=lambda bad: bad.line)
    return made


def _judge(made: Plan, record: Record, judge: Callable[[], None]) -> None:
    try:
        judge()
    except _Elsewhere as fault:
        made.bad.append(BadRow(fault.record.line, name_of(fault.record), fault.error.detail))
    except AdminError as error:
        made.bad.append(BadRow(record.line, name_of(record), error.detail))


class _Elsewhere(Exception):
    """A fault of another row than the first one of its account."""

    def __init__(self, record: Record, error: AdminError) -> None:
        super().__init__(error.detail)
        self.record = record
        self.error = error


class _Agencies:
    """Agencies that stand and those of the file, by their code in lower case."""

    def __init__(
        self, standing: Standing, written: Sequence[tuple[Record, AgencySpan]], doubtful: set[str]
    ) -> None:
        self._all = standing
        self._doubtful = doubtful
        self._standing: dict[str, list[AgencySpan]] = {}
        for span in standing.spans:
            self._standing.setdefault(span.code.lower(), []).append(span)
        self._codes = {code: spans[0].code for code, spans in self._standing.items()}
        for _, span in written:
            self._codes.setdefault(span.code.lower(), span.code)
        self._known = {code: list(spans) for code, spans in self._standing.items()}
        for _, span in written:
            self._known.setdefault(span.code.lower(), []).append(span)
        self._seen: dict[str, list[AgencySpan]] = {}

    def judge(self, made: Plan, span: AgencySpan) -> None:
        """Put a span of the file into the plan, or raise AdminError."""
        key = span.code.lower()
        if self._codes[key] != span.code:
            raise conflict(
                f"{span.code} and {self._codes[key]} differ in case alone: they would be one agency"
            )
        span = self._with_parent(span)
        if any(span.overlaps(other) for other in self._seen.get(key, ())):
            raise conflict(f"the agency {span.code} stands in the file twice on some of these days")
        self._seen.setdefault(key, []).append(span)
        standing = self._standing.get(key, ())
        if span in standing:
            made.unchanged += 1
            return
        if any(span.overlaps(other) for other in standing):
            raise conflict(f"the agency {span.code} is there already on some of these days, otherwise")
        if span.mailbox is not None:
            _check_in_use(self._all, span.mailbox)
        made.spans.append(span)

    def code(self, text: str) -> str | None:
        """The stored code of the agency that `text` names; None for one whose own row is bad."""
        found = self._codes.get(text.lower())
        if found is None and text.lower() not in self._doubtful:
            raise not_found("agency", rules.shown(text))
        return found

    def check_day(self, code: str, day: date) -> None:
        """Raise AdminError unless the agency exists on that day."""
        if not any(span.holds(day) for span in self._known[code.lower()]):
            raise conflict(f"the agency {code} does not exist on {day}")

    def _with_parent(self, span: AgencySpan) -> AgencySpan:
        if span.parent_code is None:
            return span
        if span.parent_code.lower() == span.code.lower():
            raise invalid(f"the agency {span.code} cannot be above itself")
        values = {name: getattr(span, name) for name in AgencySpan.__slots__}
        return AgencySpan(**values | {"parent_code": self.code(span.parent_code) or span.parent_code})


class _Accounts:
    """Accounts that stand, and those of the file."""

    def __init__(self, standing: Standing, agencies: _Agencies, today: date) -> None:
        self._standing = standing
        self._agencies = agencies
        self._today = today

    def judge(self, made: Plan, written: Sequence[tuple[Record, AccountLine]]) -> None:
        """Put an account with the posts of all its rows into the plan, or raise AdminError."""
        first = written[0][1]
        posts: list[Post] = []
        for record, line in written:
            try:
                self._add_post(posts, first, line, alone=len(written) == 1)
            except AdminError as error:
                raise _Elsewhere(record, error) from None
        row = AccountRow(
            first.address,
            first.display_name,
            first.kind,
            first.citizen_desk,
            first.suspended,
            first.sample,
            tuple(posts),
        )
        there = self._standing.accounts.get(first.address)
        if there is not None:
            _check_same(there, row)
            made.unchanged += 1
            return
        self._check_address(first.address)
        made.accounts.append(row)

    def _add_post(self, posts: list[Post], first: AccountLine, line: AccountLine, *, alone: bool) -> None:
        if not line.same_holder(first):
            raise conflict(f"{line.address} stands in the file twice, not as the same holder")
        if line.post is None:
            if not alone:
                raise conflict(f"{line.address} stands in the file twice, without an agency")
            return
        code = self._agencies.code(line.post.agency_code)
        if code is None:
            return
        post = Post(code, line.post.person_class, line.post.valid_from, line.post.valid_until)
        if any(_overlap(post, other) for other in posts):
            raise conflict(f"{line.address} serves in two places on some of these days")
        if self._standing.accounts.get(line.address) is None:
            self._agencies.check_day(code, _day_of(post, self._today))
        posts.append(post)

    def _check_address(self, address: str) -> None:
        domain = rules.domain_of(address)
        if rules.local_part_of(address) in rules.RESERVED_LOCAL_PARTS:
            raise conflict(f"{address} is reserved: every domain has it from the start")
        if domain not in self._standing.domains:
            raise not_found("domain", domain)
        _check_in_use(self._standing, address)
        if address in self._standing.aliases:
            raise conflict(f"{address} is taken: it is an alias already")


def _check_in_use(standing: Standing, address: str) -> None:
    domain = standing.domains.get(rules.domain_of(address))
    if domain is not None and domain.disabled_ms is not None:
        raise conflict(
            f"the domain {domain.name} is disabled: nothing of it changes until it is enabled again"
        )


def _check_same(there: AccountView, row: AccountRow) -> None:
    pairs = {
        "name": (there.display_name, row.display_name),
        "kind": (there.kind, row.kind),
        "citizen_desk": (there.citizen_desk, row.citizen_desk),
        "state": (there.suspended_ms is not None, row.suspended),
        "sample": (there.sample, row.sample),
        "agency, class, from or until": (set(there.posts), set(row.posts)),
    }
    other = [name for name, (stands, comes) in pairs.items() if stands != comes]
    if other:
        raise conflict(f"{there.address} is there already, with another {' and another '.join(other)}")


def _overlap(one: Post, other: Post) -> bool:
    def before(earlier: Post, later: Post) -> bool:
        ends, begins = earlier.valid_until, later.valid_from
        return ends is not None and begins is not None and ends <= begins

    return not (before(one, other) or before(other, one))


def _day_of(post: Post, today: date) -> date:
    """A day of the post to look for its agency on: the first, else today or the last."""
    if post.valid_from is not None:
        return post.valid_from
    return today if post.holds(today) else (post.valid_until or today) - timedelta(days=1)
