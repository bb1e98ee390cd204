"""What rows of a directory file may not be, given the directory as it stands and the file's other rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from mailgov.admin import rules
from mailgov.admin.agency_tree import by_code, check_above
from mailgov.admin.directory_rows import AccountLine
from mailgov.admin.errors import AdminError, conflict, invalid, not_found
from mailgov.store.accounts import AccountView, Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.bulk import AccountRow, Standing
from mailgov.usage.csv_text import Record


class ElsewhereFault(Exception):
    """A fault of another row than the first one of its account."""

    def __init__(self, record: Record, error: AdminError) -> None:
        super().__init__(error.detail)
        self.record = record
        self.error = error


class Agencies:
    """Agencies that stand and those of the file, by their code in lower case."""

    def __init__(self, standing: Standing, written: Sequence[AgencySpan], doubtful: set[str]) -> None:
        self._all = standing
        self._doubtful = doubtful
        self._standing = by_code(standing.spans)
        self._codes = {code: spans[0].code for code, spans in self._standing.items()}
        for span in written:
            self._codes.setdefault(span.code.lower(), span.code)
        self._known = by_code([*standing.spans, *written])
        self._seen: dict[str, list[AgencySpan]] = {}

    def judge(self, span: AgencySpan) -> AgencySpan | None:
        """A span of the file as it is to be written, None when it stands so already; or AdminError."""
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
            return None
        if any(span.overlaps(other) for other in standing):
            raise conflict(f"the agency {span.code} is there already on some of these days, otherwise")
        check_above(span, self._known)
        if span.mailbox is not None:
            _check_in_use(self._all, span.mailbox)
        return span

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


class Accounts:
    """Accounts that stand, and those of the file."""

    def __init__(self, standing: Standing, agencies: Agencies, today: date) -> None:
        self._standing = standing
        self._agencies = agencies
        self._today = today

    def judge(self, written: Sequence[tuple[Record, AccountLine]]) -> AccountRow | None:
        """An account with the posts of all its rows, None when it stands so already; or AdminError."""
        first = written[0][1]
        posts: list[Post] = []
        for record, line in written:
            try:
                self._add_post(posts, first, line, alone=len(written) == 1)
            except AdminError as error:
                raise ElsewhereFault(record, error) from None
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
            return None
        self._check_address(first.address)
        return row

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
