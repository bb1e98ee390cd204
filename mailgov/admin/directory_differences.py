"""Why a row of a directory file is not what stands: which cell, what stands, and which command changes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from mailgov.admin import rules
from mailgov.admin.errors import AdminError, conflict
from mailgov.store.accounts import AccountView, Post
from mailgov.store.agencies import AgencySpan
from mailgov.store.bulk import AccountRow

SHOWN_CHARACTERS = 200
POSTS_SHOWN = 3
Difference = tuple[str, str, str]
"""Of a column: what stands, what the file says."""


def of_agency(there: AgencySpan, row: AgencySpan) -> AdminError:
    """The refusal of a span that stands otherwise."""
    columns = {
        "name": "name", "level": "level", "abbreviation": "abbreviation", "parent": "parent_code",
        "mailbox": "mailbox", "sector_mail": "own_sector_mail", "sample": "sample",
        "from": "valid_from", "until": "valid_until",
    }  # fmt: skip
    pairs = {column: (getattr(there, name), getattr(row, name)) for column, name in columns.items()}
    found = _differences(pairs)
    names = {name for name, _, _ in found}
    ways = []
    if names - {"from", "until", "sample"}:
        day = f" --from {row.valid_from}" if "from" in names and row.valid_from else ""
        ways.append(f"agency change {there.code}{day}")
    if "until" in names:
        ways.append(f"agency close {there.code}")
    return _refusal(f"the agency {there.code} is there already", found, ways)


def check_account(there: AccountView, row: AccountRow) -> None:
    """Raise AdminError where the account does not stand just as the file has it."""
    pairs: dict[str, tuple[object, object]] = {
        "name": (there.display_name, row.display_name),
        "kind": (there.kind, row.kind),
        "citizen_desk": (there.citizen_desk, row.citizen_desk),
        "state": _states(there.suspended_ms is not None, row.suspended),
        "sample": (there.sample, row.sample),
        "agency": (_posts(there.posts), _posts(row.posts)),
    }
    found = _differences(pairs)
    if not found:
        return
    names = {name for name, _, _ in found}
    commands = {
        "account edit": {"name", "citizen_desk"},
        "account disable" if row.suspended else "account enable": {"state"},
        "account move": {"agency"},
    }
    ways = [f"{command} {there.address}" for command, of in commands.items() if of & names]
    raise _refusal(f"{there.address} is there already", found, ways)


def _differences(pairs: dict[str, tuple[object, object]]) -> list[Difference]:
    return [(name, _shown(one), _shown(other)) for name, (one, other) in pairs.items() if one != other]


def _refusal(what: str, found: Iterable[Difference], ways: Sequence[str]) -> AdminError:
    told = ", ".join(f"{name} is {stands}, not {comes}" for name, stands, comes in found)
    by = " and ".join(f"`mailgov {way}`" for way in ways)
    return conflict(
        f"{what}, otherwise: {told}; " + (f"change it by {by}" if ways else "nothing changes that")
    )


def _states(one: bool, other: bool) -> tuple[str, str]:
    return ("disabled" if one else "open", "disabled" if other else "open")


def _posts(posts: Iterable[Post]) -> str:
    """`snv as cong_chuc from 2026-01-01`, the last ones in the order of the days."""
    ordered = sorted(posts, key=lambda post: (post.valid_from or date.min, post.agency_code))
    earlier = "… then " if len(ordered) > POSTS_SHOWN else ""
    return earlier + " then ".join(_post(post) for post in ordered[-POSTS_SHOWN:])


def _post(post: Post) -> str:
    parts = [post.agency_code]
    if post.person_class:
        parts.append(f"as {post.person_class}")
    if post.valid_from:
        parts.append(f"from {post.valid_from}")
    if post.valid_until:
        parts.append(f"until {post.valid_until}")
    return " ".join(parts)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(rules.shown(str(value), SHOWN_CHARACTERS)) if value not in (None, "") else "empty"
