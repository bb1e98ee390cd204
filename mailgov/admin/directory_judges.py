"""What rows of a directory file may not be, given the directory as it stands and the file's other rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from mailgov.admin import directory_differences, rules
from mailgov.admin.agency_tree import by_code, check_above
from mailgov.admin.directory_rows import AccountLine
from mailgov.admin.errors import AdminError, conflict, invalid, not_found
from mailgov.store.accounts import Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.bulk import AccountRow, Standing
from mailgov.usage.csv_text import Record


class RowFaults(Exception):
    """What is wrong with rows of one account, each by itself."""

    def __init__(self, found: Sequence[tuple[Record, AdminError]]) -> None:
        super().__init__(found[0][1].detail)
        self.found = tuple(found)


@dataclass(frozen=True, slots=True)
class Placing:
    """An account that stands without any post, and gets those of the file."""

    row: AccountRow


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
        self._seen: dict[str, list[tuple[int, AgencySpan]]] = {}

    def judge(self, line: int, span: AgencySpan) -> AgencySpan | None:
        """A span of the file as it is to be written, None when it stands so already; or AdminError."""
        key = span.code.lower()
        if self._codes[key] != span.code:
            raise conflict(
                f"{span.code} and {self._codes[key]} differ in case alone: they would be one agency"
            )
        span = self._with_parent(span)
        for earlier, other in self._seen.setdefault(key, []):
            if span == other:
                raise same_as(earlier)
            if span.overlaps(other):
                raise conflict(
                    f"the agency {span.code} stands in line {earlier} already on some of these days"
                )
        self._seen[key].append((line, span))
        standing = self._standing.get(key, ())
        if span in standing:
            return None
        for there in standing:
            if span.overlaps(there):
                raise directory_differences.of_agency(there, span)
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
        return replace(span, parent_code=self.code(span.parent_code) or span.parent_code)


class Accounts:
    """Accounts that stand, and those of the file."""

    def __init__(self, standing: Standing, agencies: Agencies, today: date) -> None:
        self._standing = standing
        self._agencies = agencies
        self._today = today

    def judge(self, written: Sequence[tuple[Record, AccountLine]]) -> AccountRow | Placing | None:
        """An account with the posts of all its rows, None when it stands so already; or AdminError.

        Placing: it stands, and has never had a post, so that nothing is taken from it by these.
        """
        first = written[0][1]
        posts = self._posts(written)
        row = AccountRow(
            first.address,
            first.display_name,
            first.kind,
            first.citizen_desk,
            first.suspended,
            first.sample,
            posts,
        )
        there = self._standing.accounts.get(first.address)
        if there is not None:
            if posts and not there.posts:
                directory_differences.check_account(there, replace(row, posts=()))
                _check_in_use(self._standing, row.address)
                return Placing(row)
            directory_differences.check_account(there, row)
            return None
        self._check_address(first.address)
        return row

    def _posts(self, written: Sequence[tuple[Record, AccountLine]]) -> tuple[Post, ...]:
        """The posts of an account's rows; RowFaults names every row that does not go with those before it."""
        kept: list[tuple[Record, AccountLine, Post | None]] = []
        faults: list[tuple[Record, AdminError]] = []
        for record, line in written:
            try:
                kept.append((record, line, self._post(kept, line)))
            except AdminError as error:
                faults.append((record, error))
        if faults:
            raise RowFaults(faults)
        return tuple(post for _, _, post in kept if post is not None)

    def _post(
        self, before: Sequence[tuple[Record, AccountLine, Post | None]], line: AccountLine
    ) -> Post | None:
        post = None if line.post is None else self._stored(line.post)
        for record, other, held in before:
            if line.same_holder(other) and (line.post == other.post or (post and post == held)):
                raise same_as(record.line)
            if not line.same_holder(other):
                raise conflict(f"{line.address} stands in line {record.line} already, as another holder")
            if line.post is None or other.post is None:
                raise conflict(
                    f"{line.address} stands in line {record.line} already, and one of the two has no agency"
                )
            if post is not None and held is not None and _overlap(post, held):
                raise conflict(
                    f"{line.address} serves elsewhere on some of these days: see line {record.line}"
                )
        there = self._standing.accounts.get(line.address)
        if post is not None and (there is None or not there.posts):
            self._agencies.check_day(post.agency_code, _day_of(post, self._today))
        return post

    def _stored(self, post: Post) -> Post | None:
        """With its agency's code as it is stored; None where the agency's own row is bad."""
        code = self._agencies.code(post.agency_code)
        return None if code is None else replace(post, agency_code=code)

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


def same_as(line: int) -> AdminError:
    """The row stands in the file twice."""
    return conflict(f"the same as line {line}: leave one of them out")


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
